"""The entropy of a diagonal Gaussian; held against quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI, gaussian_entropy
from course_lib.exercises.jensen_entropy_kl.probes import PER_POINT, STANDARD_DEVIATION


def _entropy_variant(constant: float, log_sigma: float = 1.0, per_dimension: bool = True) -> Callable[..., Tensor]:
    def wrong(sigma: Tensor) -> Tensor:
        total = log_sigma * sigma.log().sum(-1)
        return total + constant * (sigma.shape[-1] if per_dimension else 1)

    return wrong


def _entropy_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    sigma = draw.positive(1, 1)
    (value,) = tensors_from(answer.call(sigma))
    grid = torch.linspace(-12, 12, 4001, dtype=sigma.dtype) * sigma.squeeze()
    log_p = Normal(0.0, sigma.squeeze()).log_prob(grid)
    exact = -torch.trapezoid(log_p.exp() * log_p, grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return f"-∫ p log p for sigma = {sigma.item():.3f} is {exact:.4f} by numerical integration; yours is {value.item():.4f}."


HALF_LOG_2PI_E = 0.5 * (LOG_2PI + 1)


EXERCISE = Exercise(
    reference=gaussian_entropy,
    points=2,
    returns={"entropy": "(batch,)"},
    convention=PER_POINT + STANDARD_DEVIATION,
    probe=lambda draw: (draw.positive(draw.sizes.batch, draw.sizes.dim),),
    gradients=("sigma",),
    sums_over="sigma",
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: H(p) = -E[log p], and a wider distribution has the larger entropy.",
            lambda sigma: -gaussian_entropy(sigma),
        ),
        Misconception(
            "e forgotten",
            "You have ½ log 2π for each dimension; the ½ from E[(x-μ)²]/2σ² is missing: ½ log 2πe.",
            _entropy_variant(0.5 * LOG_2PI),
        ),
        Misconception(
            "constant missing", "The constant ½ log 2πe for each dimension is missing.", _entropy_variant(0.0)
        ),
        Misconception(
            "constant counted once",
            "The constant ½ log 2πe is added once; every dimension has its own.",
            _entropy_variant(HALF_LOG_2PI_E, per_dimension=False),
        ),
        Misconception(
            "½ missing",
            "The ½ is missing: the constant is ½ log 2πe for each dimension.",
            _entropy_variant(2 * HALF_LOG_2PI_E),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma as the variance (½ log 2πe·sigma): it is the standard deviation, ½ log 2πe·sigma².",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=0.5),
        ),
        Misconception(
            "two log sigma",
            "You add log sigma² where log sigma belongs: ½ log sigma² = log sigma.",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=2.0),
        ),
        Misconception(
            "sigma read as log sigma",
            "You add sigma itself: its logarithm is wanted.",
            lambda sigma: (sigma + HALF_LOG_2PI_E).sum(-1),
        ),
        Misconception(
            "-log sigma",
            "The sign of log sigma is flipped: a wider distribution is more random, its entropy is larger.",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=-1.0),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions: the entropies of independent dimensions add.",
            lambda sigma: gaussian_entropy(sigma) / sigma.shape[-1],
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): keep one value per data point.",
            lambda sigma: (sigma.log() + HALF_LOG_2PI_E).sum(0),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda sigma: gaussian_entropy(sigma).sum(),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension.",
            lambda sigma: sigma.log() + HALF_LOG_2PI_E,
        ),
        Misconception(
            "log of the summed sigmas",
            "You take the log of the sum of the sigmas: sum their logarithms.",
            lambda sigma: sigma.sum(-1).log() + HALF_LOG_2PI_E * sigma.shape[-1],
        ),
        Misconception(
            "product before the logarithm",
            "You multiply the sigmas first: in hundreds of dimensions the product under- or overflows. Sum the "
            "logarithms.",
            lambda sigma: sigma.prod(-1).log() + HALF_LOG_2PI_E * sigma.shape[-1],
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches sigma: leave out .detach(), .item() and torch.no_grad(). "
            "The entropy's gradient is what keeps q wide.",
            lambda sigma: gaussian_entropy(sigma.detach()),
        ),
    ),
    alternatives=(
        lambda sigma: Normal(torch.zeros_like(sigma), sigma).entropy().sum(-1),
        lambda sigma: 0.5 * torch.log(2 * math.pi * math.e * sigma**2).sum(dim=1),
        lambda sigma: MultivariateNormal(torch.zeros_like(sigma), scale_tril=torch.diag_embed(sigma)).entropy(),
        lambda sigma: 0.5 * torch.logdet(2 * math.pi * math.e * torch.diag_embed(sigma**2)),
    ),
    properties=(Property("equals the integral", _entropy_by_quadrature),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds: a product of sigmas under- or overflows there.",
            lambda draw: (0.1 * draw.positive(draw.sizes.batch, 600),),
        ),
    ),
)
