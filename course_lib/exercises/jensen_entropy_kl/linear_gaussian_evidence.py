"""The exact log p(x) of the linear-Gaussian model; held against quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI
from course_lib.exercises.jensen_entropy_kl.probes import linear_image, linear_probe
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior


def _evidence_variant(
    covariance: Callable[[Tensor, Tensor], Tensor], shift: Callable[[Tensor, Tensor], Tensor] = torch.sub
) -> Callable[..., Tensor]:
    def wrong(x: Tensor, W: Tensor, b: Tensor, sigma: Tensor) -> Tensor:
        centred = shift(x, b)
        return MultivariateNormal(torch.zeros_like(centred), covariance(W, sigma)).log_prob(centred)

    return wrong


def _identity(W: Tensor) -> Tensor:
    return torch.eye(len(W), dtype=W.dtype)


def _evidence_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    x, W, b, sigma = draw.normal(1, 3), draw.normal(3, 1), draw.normal(3), draw.positive(1).squeeze()
    (value,) = tensors_from(answer.call(x, W, b, sigma))
    grid = torch.linspace(-10, 10, 8001, dtype=torch.float64).unsqueeze(-1)
    log_joint = Normal(0.0, 1.0).log_prob(grid).sum(-1) + Normal(grid @ W.mT + b, sigma).log_prob(x).sum(-1)
    exact = torch.trapezoid(log_joint.exp(), grid.squeeze(-1)).log().item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return f"log ∫ p(x|z) p(z) dz is {exact:.4f} by numerical integration for one x; yours is {value.item():.4f}."


EXERCISE = Exercise(
    reference=linear_gaussian_evidence,
    points=3,
    returns={"log_evidence": "(batch,)"},
    convention="z ~ N(0, I), x = W z + b + noise, W is (dim, latent), sigma is the standard deviation of the noise. "
    "log p(x) is one value per data point, (batch,), in nats.",
    probe=linear_probe,
    gradients=("x", "W", "b"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "latent variance forgotten",
            "Your covariance is sigma² I: what z adds, WWᵀ, is missing.",
            _evidence_variant(lambda W, sigma: sigma**2 * _identity(W) + 0 * W @ W.mT),
        ),
        Misconception(
            "sigma read as the variance",
            "You add sigma to the diagonal: it is the standard deviation of the noise, add sigma².",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma * _identity(W)),
        ),
        Misconception(
            "b ignored",
            "The mean of x is b: evaluate the Gaussian at x - b.",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W), shift=lambda x, b: x + 0 * b),
        ),
        Misconception(
            "sign of the shift",
            "You add b to x: the mean of x is b, evaluate the Gaussian at x - b.",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W), shift=torch.add),
        ),
        Misconception(
            "only the variances of x",
            "You keep only the diagonal of WWᵀ + sigma² I: sharing z makes the dimensions of x correlated.",
            _evidence_variant(lambda W, sigma: torch.diag((W @ W.mT).diagonal()) + sigma**2 * _identity(W)),
        ),
        Misconception(
            "determinant without the ½",
            "The log-determinant has a factor ½: log N = -½ (…)ᵀC⁻¹(…) - ½ log det C - ½ dim log 2π.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) - 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
            ),
        ),
        Misconception(
            "determinant missing",
            "The term -½ log det C is missing.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) + 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
            ),
        ),
        Misconception(
            "constant missing",
            "The constant -½ log 2π for each dimension of x is missing.",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma) + 0.5 * LOG_2PI * x.shape[-1],
        ),
        Misconception(
            "constant of the latent dimension",
            "You count ½ log 2π once per latent dimension: it is once per dimension of x.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) + 0.5 * LOG_2PI * (x.shape[-1] - W.shape[-1])
            ),
        ),
        Misconception(
            "likelihood at the posterior mean",
            "That is log p(x|z) at the posterior mean of z: integrate over z, which gives a Gaussian with covariance "
            "WWᵀ + sigma² I.",
            lambda x, W, b, sigma: (
                Normal(linear_gaussian_posterior(x, W, b, sigma)[0] @ W.mT + b, sigma).log_prob(x).sum(-1)
            ),
        ),
        Misconception(
            "joint at the posterior mean",
            "That is log p(x, z) at the most likely z: integrate over all z instead.",
            lambda x, W, b, sigma: (
                Normal(linear_gaussian_posterior(x, W, b, sigma)[0] @ W.mT + b, sigma).log_prob(x).sum(-1)
                + Normal(0.0, 1.0).log_prob(linear_gaussian_posterior(x, W, b, sigma)[0]).sum(-1)
            ),
        ),
        Misconception(
            "density instead of its logarithm",
            "You return p(x): its logarithm is wanted.",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma).exp(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: keep one value per data point, (batch,).",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma).sum(),
        ),
        Misconception(
            "all pairs of data points",
            "Your result is (batch, batch), or was before you reduced it: the quadratic form pairs each data point "
            "with itself only (the diagonal of (x-b) C⁻¹ (x-b)ᵀ).",
            lambda x, W, b, sigma: (
                -0.5 * (x - b) @ torch.linalg.inv(W @ W.mT + sigma**2 * _identity(W)) @ (x - b).mT
                - 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
                - 0.5 * x.shape[-1] * LOG_2PI
            ),
        ),
        Misconception(
            "determinant before the logarithm",
            "You compute det C and take its logarithm after: for images it under- or overflows. Use torch.logdet, "
            "slogdet, or a Cholesky factor.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma)
                + 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
                - 0.5 * torch.det(W @ W.mT + sigma**2 * _identity(W)).log()
            ),
        ),
    ),
    alternatives=(
        _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W)),
        lambda x, W, b, sigma: torch.distributions.LowRankMultivariateNormal(b, W, (sigma**2).expand(len(W))).log_prob(
            x
        ),
        lambda x, W, b, sigma: (
            -0.5
            * (
                ((x - b) @ torch.linalg.inv(W @ W.T + sigma**2 * _identity(W)) * (x - b)).sum(-1)
                + torch.slogdet(W @ W.T + sigma**2 * _identity(W))[1]
                + W.shape[0] * math.log(2 * math.pi)
            )
        ),
    ),
    properties=(Property("equals the integral", _evidence_by_quadrature),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in 400: the determinant of a 400×400 covariance underflows.",
            linear_image,
        ),
    ),
)
