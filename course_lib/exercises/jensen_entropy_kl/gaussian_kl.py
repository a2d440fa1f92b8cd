"""The KL of two diagonal Gaussians, which is not symmetric; held against Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_entropy, gaussian_kl, gaussian_log_prob
from course_lib.exercises.jensen_entropy_kl.probes import PER_POINT, STANDARD_DEVIATION


def _kl_probe(draw: Draw) -> tuple[Any, ...]:
    shape = (draw.sizes.batch, draw.sizes.dim)
    return draw.normal(*shape), draw.positive(*shape), draw.normal(*shape, shift=-0.6), draw.positive(*shape)


def _kl_variant(
    minus_one: float = 0.5,
    squares: float = 0.5,
    log_ratio: float = 1.0,
    cross: float = 1.0,
    minus_one_once: bool = False,
    reduce: Callable[[Tensor], Tensor] = lambda terms: terms.sum(-1),
) -> Callable[..., Tensor]:
    def wrong(mu_q: Tensor, sigma_q: Tensor, mu_p: Tensor, sigma_p: Tensor) -> Tensor:
        terms = log_ratio * (sigma_p.log() - sigma_q.log())
        terms = terms + squares * (sigma_q**2 + cross * (mu_q - mu_p) ** 2) / sigma_p**2
        if minus_one_once:
            return reduce(terms) - minus_one
        return reduce(terms - minus_one)

    return wrong


def _kl_with_itself(answer: Answer, draw: Draw) -> str | None:
    mu, sigma, _, _ = _kl_probe(draw)
    (value,) = tensors_from(answer.call(mu, sigma, mu.clone(), sigma.clone()))
    if torch.allclose(value, torch.zeros_like(value), atol=1e-6):
        return None
    return f"The KL of a distribution with itself is 0; yours is {value.flatten()[0]:.4f}."


def _kl_by_monte_carlo(answer: Answer, draw: Draw) -> str | None:
    mu_q, sigma_q, mu_p, sigma_p = (
        draw.normal(1, 1),
        draw.positive(1, 1),
        draw.normal(1, 1),
        draw.positive(1, 1),
    )
    (value,) = tensors_from(answer.call(mu_q, sigma_q, mu_p, sigma_p))
    grid = mu_q.squeeze() + sigma_q.squeeze() * torch.linspace(-12, 12, 4001, dtype=mu_q.dtype)
    q, p = Normal(mu_q.squeeze(), sigma_q.squeeze()), Normal(mu_p.squeeze(), sigma_p.squeeze())
    exact = torch.trapezoid(q.log_prob(grid).exp() * (q.log_prob(grid) - p.log_prob(grid)), grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return (
        f"∫ q log(q/p) is {exact:.4f} by numerical integration for one pair of Gaussians; yours is {value.item():.4f}."
    )


EXERCISE = Exercise(
    reference=gaussian_kl,
    points=3,
    returns={"kl": "(batch,)"},
    convention="D_KL(q‖p) is an expectation under q. " + PER_POINT + STANDARD_DEVIATION,
    probe=_kl_probe,
    gradients=("mu_q", "sigma_q", "mu_p", "sigma_p"),
    sums_over="mu_q",
    misconceptions=(
        Misconception(
            "q and p swapped",
            "Your value is the KL with q and p swapped, D_KL(p‖q). The expectation is under q, the first pair of "
            "arguments.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_p, sigma_p, mu_q, sigma_q),
        ),
        Misconception(
            "sign",
            "The sign is flipped: a KL divergence is never negative.",
            lambda *args: -gaussian_kl(*args),
        ),
        Misconception(
            "-1 missing",
            "The -½ for each dimension is missing: the KL of a distribution with itself must be 0.",
            _kl_variant(minus_one=0.0),
        ),
        Misconception(
            "-1 not per dimension",
            "You subtract ½ once: it belongs to every dimension.",
            _kl_variant(minus_one_once=True),
        ),
        Misconception(
            "-1 instead of -½",
            "You subtract 1 for each dimension where ½ belongs.",
            _kl_variant(minus_one=1.0),
        ),
        Misconception(
            "½ missing",
            "The ½ in front of the quadratic terms is missing.",
            _kl_variant(minus_one=1.0, squares=1.0),
        ),
        Misconception(
            "½ missing in the quadratic terms only",
            "The ½ in front of (sigma_q² + (mu_q - mu_p)²) / sigma_p² is missing.",
            _kl_variant(squares=1.0),
        ),
        Misconception(
            "½ on the log as well",
            "The ½ also stands before log(sigma_p / sigma_q), where it does not belong: it does for variances, "
            "½ log(sigma_p²/sigma_q²).",
            _kl_variant(log_ratio=0.5),
        ),
        Misconception(
            "two log ratio",
            "You take log(sigma_p²/sigma_q²) without the ½: it is log(sigma_p/sigma_q).",
            _kl_variant(log_ratio=2.0),
        ),
        Misconception(
            "log ratio upside down",
            "The logarithm is upside down: it is log(sigma_p / sigma_q).",
            _kl_variant(log_ratio=-1.0),
        ),
        Misconception(
            "log ratio missing",
            "The term log(sigma_p / sigma_q) is missing.",
            _kl_variant(log_ratio=0.0),
        ),
        Misconception(
            "distance of the means missing",
            "The term (mu_q - mu_p)² is missing.",
            _kl_variant(cross=0.0),
        ),
        Misconception(
            "divided by the variance of q",
            "You divide by sigma_q²: the quadratic terms are measured on the scale of p, divide by sigma_p².",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                (sigma_p / sigma_q).log() + (sigma_p**2 + (mu_q - mu_p) ** 2) / (2 * sigma_q**2) - 0.5
            ).sum(-1),
        ),
        Misconception(
            "p taken for the standard normal",
            "You ignore mu_p and sigma_p: that is the KL to N(0, I), which notebook 06 will need. Here p is general.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                gaussian_kl(mu_q, sigma_q, torch.zeros_like(mu_p), torch.ones_like(sigma_p))
                + 0 * (mu_p + sigma_p).sum()
            ),
        ),
        Misconception(
            "variance not squared",
            "You use sigma where sigma² belongs: sigma is the standard deviation.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                sigma_p.log() - sigma_q.log() + (sigma_q + (mu_q - mu_p) ** 2) / (2 * sigma_p) - 0.5
            ).sum(-1),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma_q and sigma_p as variances: they are standard deviations.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q.sqrt(), mu_p, sigma_p.sqrt()),
        ),
        Misconception(
            "variance handed to a function that wants the standard deviation",
            "You use sigma² as the standard deviation: Normal(mu, sigma) expects sigma itself.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q**2, mu_p, sigma_p**2),
        ),
        Misconception(
            "sigma read as log sigma",
            "You take exp of sigma_q and sigma_p: they are standard deviations, not logarithms.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q.exp(), mu_p, sigma_p.exp()),
        ),
        Misconception(
            "sigma read as a log-variance",
            "You read sigma as the logarithm of a variance: it is the standard deviation itself.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, (sigma_q / 2).exp(), mu_p, (sigma_p / 2).exp()),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions: the KLs of independent dimensions add.",
            _kl_variant(reduce=lambda terms: terms.mean(-1)),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension.",
            _kl_variant(reduce=lambda terms: terms),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): sum over the last dimension, one value per data point.",
            _kl_variant(reduce=lambda terms: terms.sum(0)),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            _kl_variant(reduce=lambda terms: terms.sum()),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch as well: the mean over data points belongs in the loss, not in the KL.",
            _kl_variant(reduce=lambda terms: terms.sum(-1).mean()),
        ),
        Misconception(
            "cross-entropy",
            "That is the cross-entropy -E_q[log p]: subtract the entropy of q.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q, mu_p, sigma_p) + gaussian_entropy(sigma_q),
        ),
        Misconception(
            "symmetric KL",
            "You add or average both directions: D_KL(q‖p) is one of them, it is not symmetric.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                (gaussian_kl(mu_q, sigma_q, mu_p, sigma_p) + gaussian_kl(mu_p, sigma_p, mu_q, sigma_q)) / 2
            ),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches mu_q and sigma_q: leave out .detach(), .item() and "
            "torch.no_grad().",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q.detach(), sigma_q.detach(), mu_p, sigma_p),
        ),
    ),
    alternatives=(
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(Normal(mu_q, sigma_q), Normal(mu_p, sigma_p)).sum(-1),
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(
            Independent(Normal(mu_q, sigma_q), 1), Independent(Normal(mu_p, sigma_p), 1)
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(
            MultivariateNormal(mu_q, torch.diag_embed(sigma_q**2)),
            MultivariateNormal(mu_p, torch.diag_embed(sigma_p**2)),
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: torch.sum(
            torch.log(sigma_p / sigma_q) + (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p**2) - 1 / 2, dim=1
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: (
            -gaussian_entropy(sigma_q)
            - (gaussian_log_prob(mu_q, mu_p, sigma_p) - 0.5 * ((sigma_q / sigma_p) ** 2).sum(-1))
        ),
    ),
    properties=(
        Property("zero with itself", _kl_with_itself),
        Property("equals the integral", _kl_by_monte_carlo),
    ),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds.",
            lambda draw: (
                draw.normal(draw.sizes.batch, 500),
                draw.positive(draw.sizes.batch, 500),
                draw.normal(draw.sizes.batch, 500),
                draw.positive(draw.sizes.batch, 500),
            ),
        ),
        EdgeCase(
            "very different widths",
            "Right for similar widths, but not where q is thousands of times narrower or wider than p.",
            lambda draw: (
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                1e-4 * draw.positive(draw.sizes.batch, draw.sizes.dim),
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                30 * draw.positive(draw.sizes.batch, draw.sizes.dim),
            ),
        ),
    ),
)
