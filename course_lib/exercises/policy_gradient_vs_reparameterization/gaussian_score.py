"""The gradient of log q with respect to its parameters; held against autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.gradients import gaussian_score


def _score_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    shape = sizes.batch, sizes.latent
    return draw.normal(sizes.samples, *shape), draw.normal(*shape, shift=-0.4), draw.positive(*shape)


def _score(
    in_mu: Callable[[Tensor, Tensor], Tensor] = lambda u, s: u / s,
    in_sigma: Callable[[Tensor, Tensor], Tensor] = lambda u, s: (u**2 - 1) / s,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def wrong(z: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        standardised = (z - mu) / sigma
        return in_mu(standardised, sigma), in_sigma(standardised, sigma)

    return wrong


def _score_by_autograd(z: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
    wide = [part.detach().expand_as(z).clone().requires_grad_() for part in (mu, sigma)]
    log_q = Normal(wide[0], wide[1]).log_prob(z.detach())
    return torch.autograd.grad(log_q.sum(), wide)


def _score_has_mean_zero(answer: Answer, draw: Draw) -> str | None:
    mu, sigma = draw.normal(1, 2), draw.positive(1, 2)
    grid = torch.linspace(-10, 10, 4001, dtype=torch.float64).view(-1, 1, 1)
    q = Normal(0.0, 1.0).log_prob(grid).exp() * (20 / 4000)
    for name, part in zip(("mu", "sigma"), tensors_from(answer.call(mu + sigma * grid, mu, sigma)), strict=False):
        if part.shape[0] != len(grid):
            return None
        mean = (q * part).sum(0).abs().max().item()
        if mean > 1e-3:
            return f"Under q the score has mean zero, whatever q is; your score for {name} has mean {mean:.3f}."
    return None


EXERCISE = Exercise(
    reference=gaussian_score,
    points=2,
    returns={"score_mu": "(samples, batch, latent_dim)", "score_sigma": "(samples, batch, latent_dim)"},
    convention="The derivatives of log q(z) with respect to mu and to sigma, the standard deviation itself; one entry for "
    "each sample and dimension, nothing summed.",
    probe=_score_probe,
    misconceptions=(
        Misconception(
            "sign",
            "Both signs are flipped: log q rises when mu moves towards z.",
            lambda z, mu, sigma: tuple(-part for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "sign of mu's score",
            "mu's score has the wrong sign: log q rises when mu moves towards z, so it is (z - mu)/sigma².",
            _score(in_mu=lambda u, s: -u / s),
        ),
        Misconception(
            "sign of sigma's score",
            "sigma's score has the wrong sign: for a z far out, a wider q is more likely.",
            _score(in_sigma=lambda u, s: (1 - u**2) / s),
        ),
        Misconception(
            "sigma instead of sigma squared",
            "In mu's score you divide by sigma: by sigma², (z - mu)/sigma².",
            _score(in_mu=lambda u, s: u),
        ),
        Misconception(
            "normalising constant forgotten",
            "In sigma's score the term -1/sigma is missing: the density's normaliser depends on sigma too.",
            _score(in_sigma=lambda u, s: u**2 / s),
        ),
        Misconception(
            "derivative in log sigma",
            "Your second result is the derivative with respect to log sigma: divide it by sigma.",
            _score(in_sigma=lambda u, s: u**2 - 1),
        ),
        Misconception(
            "derivative in the variance",
            "Your second result is the derivative with respect to the variance: multiply it by 2·sigma.",
            _score(in_sigma=lambda u, s: (u**2 - 1) / (2 * s**2)),
        ),
        Misconception(
            "sigma squared in sigma's score",
            "In sigma's score the quadratic term is (z - mu)²/sigma³; you divide by sigma².",
            _score(in_sigma=lambda u, s: u**2 - 1 / s),
        ),
        Misconception(
            "gradient of the density",
            "You differentiate q itself: the score is the gradient of log q, ∇q / q.",
            lambda z, mu, sigma: tuple(
                part * Normal(mu, sigma).log_prob(z).exp() for part in gaussian_score(z, mu, sigma)
            ),
        ),
        Misconception(
            "derivative in z",
            "Your first result is the derivative with respect to z: the one with respect to mu has the other sign.",
            lambda z, mu, sigma: (-(z - mu) / sigma**2, gaussian_score(z, mu, sigma)[1] * 0 - (z - mu) / sigma**2),
        ),
        Misconception(
            "averaged over samples",
            "You average over the samples: keep the score of every sample.",
            lambda z, mu, sigma: tuple(part.mean(0) for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "summed over dimensions",
            "You sum over the latent dimensions: each dimension has a mu and a sigma of its own.",
            lambda z, mu, sigma: tuple(part.sum(-1) for part in gaussian_score(z, mu, sigma)),
        ),
        Misconception(
            "results exchanged",
            "The two results are exchanged: mu's score comes first.",
            lambda z, mu, sigma: gaussian_score(z, mu, sigma)[::-1],
        ),
    ),
    alternatives=(
        _score_by_autograd,
        lambda z, mu, sigma: ((z - mu) / sigma**2, ((z - mu) ** 2 - sigma**2) / sigma**3),
        lambda z, mu, sigma: [(z - mu) * sigma.pow(-2), (z - mu).square() / sigma.pow(3) - 1 / sigma],
    ),
    properties=(Property("mean zero", _score_has_mean_zero),),
)
