"""The KL estimated from samples of q."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_kl, gaussian_log_prob, monte_carlo_kl


def _log_density(draw: Draw, dim: int, shift: float = 0.0) -> Callable[[Tensor], Tensor]:
    mu, sigma = draw.normal(dim, shift=shift), draw.positive(dim)

    def log_prob(z: Tensor) -> Tensor:
        return gaussian_log_prob(z, mu.to(z), sigma.to(z))

    return log_prob


def _monte_carlo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    return z, _log_density(draw, sizes.latent), _log_density(draw, sizes.latent, shift=0.9)


def _one_density_each(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.samples, sizes.latent),
        _log_density(draw, sizes.latent),
        _log_density(draw, sizes.latent, shift=0.9),
    )


def _ratio(z: Tensor, log_q: Callable[[Tensor], Tensor], log_p: Callable[[Tensor], Tensor]) -> Tensor:
    return log_q(z) - log_p(z)


def _kl_approaches_exact(answer: Answer, draw: Draw) -> str | None:
    """Quantiles of q for samples make the estimate a quadrature of ∫ q log(q/p)."""
    quantiles = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    mu_q, sigma_q, mu_p, sigma_p = draw.normal(1), draw.positive(1), draw.normal(1), draw.positive(1)
    z = (mu_q + sigma_q * torch.special.ndtri(quantiles)).unsqueeze(-1)
    (value,) = tensors_from(
        answer.call(z, lambda z: gaussian_log_prob(z, mu_q, sigma_q), lambda z: gaussian_log_prob(z, mu_p, sigma_p))
    )
    exact = gaussian_kl(mu_q, sigma_q, mu_p, sigma_p).item()
    if value.numel() != 1 or abs(value.item() - exact) < 2e-2 * (1 + exact):
        return None
    return f"With many samples of q the estimate must come near D_KL(q‖p) = {exact:.3f}; yours is {value.item():.3f}."


EXERCISE = Exercise(
    reference=monte_carlo_kl,
    points=2,
    returns={"kl": "()"},
    convention="z is drawn from q, samples in front. The estimate is the plain mean of log q(z) - log p(z): a scalar tensor.",
    probe=_monte_carlo_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "q and p swapped",
            "The two log-densities are exchanged: with z drawn from q, D_KL(q‖p) is the mean of log q(z) - log p(z).",
            lambda z, log_q, log_p: -_ratio(z, log_q, log_p).mean(),
        ),
        Misconception(
            "sum instead of mean",
            "You sum over the samples: an expectation is estimated by their mean.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).sum(),
        ),
        Misconception(
            "log of the mean ratio",
            "You average the ratios and take the logarithm after: average the logarithms of the ratios.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).exp().mean().log(),
        ),
        Misconception(
            "mean ratio without logarithm",
            "You average the ratio q/p: its logarithm is wanted.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).exp().mean(),
        ),
        Misconception(
            "weighted by q again",
            "You weight each sample by q(z), as torch.nn.functional.kl_div does for densities on a grid. The samples come "
            "from q already: a plain mean is the expectation.",
            lambda z, log_q, log_p: (log_q(z).exp() * _ratio(z, log_q, log_p)).mean(),
        ),
        Misconception(
            "weighted by q and summed",
            "You weight each sample by q(z) and sum, as over a grid. The samples come from q already: a plain mean is "
            "the expectation.",
            lambda z, log_q, log_p: (log_q(z).exp() * _ratio(z, log_q, log_p)).sum(),
        ),
        Misconception(
            "normalised weights",
            "You weight the samples by softmax of log q. They come from q already: a plain mean is the expectation.",
            lambda z, log_q, log_p: (log_q(z).flatten().softmax(0) * _ratio(z, log_q, log_p).flatten()).sum(),
        ),
        Misconception(
            "clamped at zero",
            "You clamp or take absolute values to keep the terms positive: single terms may be negative, only their "
            "expectation is not. That makes the estimate too large.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).abs().mean(),
        ),
        Misconception(
            "negative terms cut off",
            "You set negative terms to zero: single terms may be negative, only their expectation is not.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).clamp(min=0).mean(),
        ),
        Misconception(
            "estimate cut off at zero",
            "You set a negative estimate to zero: an estimate of a KL may be negative, and cutting it off makes it biased.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).mean().clamp(min=0),
        ),
        Misconception(
            "cross-entropy",
            "That is -E_q[log p], the cross-entropy: the term E_q[log q] is missing.",
            lambda z, log_q, log_p: -log_p(z).mean(),
        ),
        Misconception(
            "mean over samples only",
            "You average over the first dimension only: a single number is wanted, the mean over everything.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).mean(0),
        ),
        Misconception(
            "one value per sample",
            "You return one value per sample: average them.",
            _ratio,
        ),
        Misconception(
            "samples detached",
            "The value is right, but no gradient flows through z: do not detach it. Notebook 05 lives on that gradient.",
            lambda z, log_q, log_p: _ratio(z.detach(), log_q, log_p).mean(),
        ),
    ),
    alternatives=(
        lambda z, log_q, log_p: log_q(z).mean() - log_p(z).mean(),
        lambda z, log_q, log_p: torch.mean(-(log_p(z) - log_q(z))),
        lambda z, log_q, log_p: _ratio(z, log_q, log_p).sum() / _ratio(z, log_q, log_p).numel(),
    ),
    properties=(Property("approaches the exact value", _kl_approaches_exact),),
    edge_cases=(
        EdgeCase(
            "one pair of densities",
            "Right for z of shape (samples, batch, dim), but log_q(z) may also be (samples,): the mean is over "
            "everything.",
            _one_density_each,
        ),
        EdgeCase(
            "a negative estimate",
            "Right as long as the estimate is positive; an estimate from a few samples may be negative, leave it so.",
            lambda draw: _swapped_if_positive(_monte_carlo_probe(draw)),
        ),
    ),
)


def _swapped_if_positive(probe: tuple[Any, ...]) -> tuple[Any, ...]:
    z, log_q, log_p = probe
    return (z, log_q, log_p) if (log_q(z) - log_p(z)).mean() < 0 else (z, log_p, log_q)
