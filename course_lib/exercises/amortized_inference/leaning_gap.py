"""A derivation to complete: what an upright Gaussian loses against a posterior that leans; held against the KL itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from course_lib.amortized import leaning_gap
from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def _leaning_probe(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    n = draw.sizes.batch
    sides = torch.where(draw.normal(n, shift=0.0) < 0, -1.0, 1.0).to(draw.dtype)
    return draw.positive(n), draw.positive(n), sides * draw.positive(n).tanh()


def _covariance(s_1: Tensor, s_2: Tensor, rho: Tensor) -> Tensor:
    across = rho * s_1 * s_2
    return torch.stack([torch.stack([s_1**2, across], -1), torch.stack([across, s_2**2], -1)], -2)


def _by_torch(s_1: Tensor, s_2: Tensor, rho: Tensor) -> Tensor:
    """The KL of the best upright Gaussian, whose precisions are the diagonal of the posterior's."""
    covariance = _covariance(s_1, s_2, rho)
    zero = torch.zeros_like(covariance[..., 0])
    best = torch.diag_embed(1 / torch.linalg.inv(covariance).diagonal(dim1=-2, dim2=-1))
    return kl_divergence(MultivariateNormal(zero, best), MultivariateNormal(zero, covariance))


def _below_every_upright_q(answer: Answer, draw: Draw) -> str | None:
    s_1, s_2, rho = _leaning_probe(draw)
    (value,) = tensors_from(answer.call(s_1, s_2, rho))
    if value.shape != rho.shape:
        return None
    posterior = _covariance(s_1, s_2, rho)
    zero = torch.zeros_like(posterior[..., 0])
    width = (1 - rho**2).sqrt()
    for factor in (0.8, 1.0, 1.2):
        q = MultivariateNormal(zero, torch.diag_embed(torch.stack([factor * width * s_1, width * s_2], -1) ** 2))
        kl = kl_divergence(q, MultivariateNormal(zero, posterior))
        if bool((value > kl + 1e-6).any()):
            worst = int((value - kl).argmax())
            return (
                f"No upright q has a smaller KL than the best one, but here is one with {kl[worst].item():.4f} nats; your "
                f"formula says {value[worst].item():.4f}."
            )
    return None


def _of(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda s_1, s_2, rho: formula(s_1, s_2, rho) + 0 * (s_1 + s_2)


EXERCISE = Exercise(
    reference=leaning_gap,
    points=2,
    returns={"gap": "(batch,)"},
    convention="D_KL(q*‖p(z|x)) = ½ [tr(Σ⁻¹S) - 2 + log det Σ - log det S] with S = diag(s_d² (1 - rho²)); (batch,), in nats.",
    probe=_leaning_probe,
    misconceptions=(
        Misconception(
            "sign",
            "Yours is negative: a KL is never below zero, and log(1 - rho²) is not above it.",
            _of(lambda s_1, s_2, rho: 0.5 * torch.log1p(-(rho**2))),
        ),
        Misconception(
            "½ missing",
            "Yours is twice the gap: the ½ in front of the bracket stays.",
            _of(lambda s_1, s_2, rho: -torch.log1p(-(rho**2))),
        ),
        Misconception(
            "everything cancelled",
            "Yours is zero, as if both determinants had the same factor: det Σ has 1 - rho² once, det S twice, once for each "
            "dimension.",
            _of(lambda s_1, s_2, rho: 0 * rho),
        ),
        Misconception(
            "distance of rho from one",
            "You have 1 - |rho| where 1 - rho² belongs: step 3 gives the variances of q as s_d² (1 - rho²).",
            _of(lambda s_1, s_2, rho: -0.5 * torch.log1p(-rho.abs())),
        ),
        Misconception(
            "widths of the marginals",
            "That is the loss of an upright q as wide as the posterior's marginals, s_1 and s_2. The best one is "
            "narrower: its variances are s_d² (1 - rho²).",
            _of(lambda s_1, s_2, rho: rho**2 / (1 - rho**2) + 0.5 * torch.log1p(-(rho**2))),
        ),
        Misconception(
            "trace counted",
            "The trace and the 2 are left over in yours: with the best widths (Σ⁻¹S) has ones on its diagonal, so "
            "tr(Σ⁻¹S) - 2 is zero.",
            _of(lambda s_1, s_2, rho: 1 - 0.5 * torch.log1p(-(rho**2))),
        ),
        Misconception(
            "log det Σ alone",
            "That is ½ log det Σ: log det S is subtracted from it, and the widths cancel.",
            lambda s_1, s_2, rho: 0.5 * (s_1.log() * 2 + s_2.log() * 2 + torch.log1p(-(rho**2))),
        ),
        Misconception(
            "log det S alone",
            "That is -½ log det S: log det Σ is added to it, and the widths cancel.",
            lambda s_1, s_2, rho: -(s_1.log() + s_2.log() + torch.log1p(-(rho**2))),
        ),
        Misconception(
            "rho instead of its square",
            "You have rho where rho² belongs: a posterior that leans to the other side costs the same.",
            _of(lambda s_1, s_2, rho: -0.5 * torch.log1p(-rho)),
        ),
        Misconception(
            "first term of the series",
            "½ rho² is right for a posterior that hardly leans: it is the first term of the series of the formula asked for.",
            _of(lambda s_1, s_2, rho: 0.5 * rho**2),
        ),
    ),
    alternatives=(
        _by_torch,
        lambda s_1, s_2, rho: -((1 - rho**2).sqrt().log()),
        lambda s_1, s_2, rho: 0.5 * torch.log(1 / (1 - rho**2)),
        lambda s_1, s_2, rho: -0.5 * (torch.log1p(-rho) + torch.log1p(rho)),
    ),
    properties=(Property("no upright q is better", _below_every_upright_q),),
)
