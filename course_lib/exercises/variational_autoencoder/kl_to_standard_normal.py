"""The KL to the prior N(0, I) in closed form; held against quadrature."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import kl_to_standard_normal
from course_lib.exercises.variational_autoencoder.probes import LOG_SIGMA, q_probe


def _kl_variant(
    term: Callable[[Tensor, Tensor], Tensor], reduce: Callable[[Tensor], Tensor] = lambda t: t.sum(-1)
) -> Callable[..., Tensor]:
    return lambda mu, log_sigma: reduce(term(mu, log_sigma))


def _kl_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    mu, log_sigma = draw.normal(1, 1), draw.normal(1, 1, scale=0.3, shift=-0.3)
    (value,) = tensors_from(answer.call(mu, log_sigma))
    q = Normal(mu.squeeze(), log_sigma.exp().squeeze())
    grid = q.mean + q.stddev * torch.linspace(-10, 10, 4001, dtype=torch.float64)
    exact = torch.trapezoid(q.log_prob(grid).exp() * (q.log_prob(grid) - Normal(0.0, 1.0).log_prob(grid)), grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return (
        f"∫ q (log q - log p) for mu = {mu.item():.2f}, log_sigma = {log_sigma.item():.2f} is {exact:.4f} by numerical "
        f"integration; yours is {value.item():.4f}."
    )


EXERCISE = Exercise(
    reference=kl_to_standard_normal,
    points=2,
    returns={"kl": "(batch,)"},
    convention="D_KL(N(mu, sigma)‖N(0, I)) sums over the latent dimensions, one value per data point, (batch,), in nats."
    + LOG_SIGMA,
    probe=q_probe,
    gradients=("mu", "log_sigma"),
    sums_over="mu",
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: a KL is never negative.",
            _kl_variant(lambda mu, s: -0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s)),
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma² = exp(2·log_sigma), and its logarithm is 2·log_sigma.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s.exp() - 1 - s)),
        ),
        Misconception(
            "sigma instead of its square",
            "You add sigma where sigma² belongs: exp(2·log_sigma).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s.exp() - 1 - 2 * s)),
        ),
        Misconception(
            "logarithm once",
            "You subtract log_sigma inside the ½ where log sigma² = 2·log_sigma belongs.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - s)),
        ),
        Misconception(
            "sign of the logarithm",
            "log sigma² has the wrong sign: a narrow q is far from the prior.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 + 2 * s)),
        ),
        Misconception(
            "-1 missing",
            "The -1 for each dimension is missing: for mu = 0 and sigma = 1 the KL is zero.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 2 * s)),
        ),
        Misconception("½ missing", "The ½ is missing.", _kl_variant(lambda mu, s: mu**2 + (2 * s).exp() - 1 - 2 * s)),
        Misconception(
            "mu not squared",
            "mu stands where mu² belongs: the KL does not care on which side of zero q lies.",
            _kl_variant(lambda mu, s: 0.5 * (mu + (2 * s).exp() - 1 - 2 * s)),
        ),
        Misconception(
            "mu missing",
            "mu² is missing: a q far from zero is far from the prior.",
            _kl_variant(lambda mu, s: 0.5 * ((2 * s).exp() - 1 - 2 * s) + 0 * mu),
        ),
        Misconception(
            "log sigma taken for sigma",
            "You use log_sigma for sigma: sigma = log_sigma.exp().",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s**2 - 1 - (s**2).log())),
        ),
        Misconception(
            "the other way round",
            "That is D_KL(N(0, I)‖q): q comes first, D_KL(q‖N(0, I)).",
            _kl_variant(lambda mu, s: 0.5 * ((1 + mu**2) * (-2 * s).exp() - 1) + s),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the latent dimensions: their KLs add. Averaged, the KL counts too little against the pixels.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.mean(-1)),
        ),
        Misconception(
            "not summed",
            "You return one value per latent dimension: sum over the last dimension.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch: keep one value per data point, (batch,).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.sum(-1).mean()),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: keep one value per data point, (batch,).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.sum()),
        ),
    ),
    alternatives=(
        lambda mu, log_sigma: kl_divergence(
            Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
        ).sum(-1),
        lambda mu, log_sigma: -0.5 * torch.sum(1 + 2 * log_sigma - mu.pow(2) - torch.exp(log_sigma) ** 2, dim=1),
    ),
    properties=(Property("equals the integral", _kl_by_quadrature),),
)
