"""What each latent dimension costs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.beta import kl_per_dimension
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw


def _probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.latent + 1
    return draw.normal(*shape), draw.normal(*shape, scale=0.7, shift=-0.5)


def _narrow(draw: Draw) -> tuple[Tensor, Tensor]:
    mu, log_sigma = _probe(draw)
    return mu, log_sigma - 8.0


def _terms(mu: Tensor, log_sigma: Tensor) -> Tensor:
    return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma)


EXERCISE = Exercise(
    reference=kl_per_dimension,
    points=2,
    returns={"kl": "(latent_dim,)"},
    convention="D_KL(N(mu_d, sigma_d)‖N(0, 1)) of each latent dimension, averaged over the batch; (latent_dim,), in nats. log_sigma is "
    "the logarithm of the standard deviation.",
    probe=_probe,
    edge_cases=(
        EdgeCase(
            "a narrow q",
            "Right for moderate sigma, but not for sigma near exp(-9), where log sigma² is what counts.",
            _narrow,
        ),
    ),
    misconceptions=(
        Misconception(
            "per image",
            "You give one KL for each image: sum nothing over the dimensions, average over the batch, dimension 0.",
            lambda mu, s: _terms(mu, s).sum(-1),
        ),
        Misconception(
            "one number",
            "That is the mean KL of an image: keep one number for each latent dimension.",
            lambda mu, s: _terms(mu, s).sum(-1).mean(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: the mean is wanted, so that the entries add up to the mean KL of an image.",
            lambda mu, s: _terms(mu, s).sum(0),
        ),
        Misconception(
            "neither summed nor averaged",
            "You return the KL of every image in every dimension: average over the batch.",
            lambda mu, s: _terms(mu, s),
        ),
        Misconception(
            "of the mean code",
            "You average mu and log_sigma first: that is the KL of an average code. Average the KLs.",
            lambda mu, s: _terms(mu.mean(0), s.mean(0)),
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma² = exp(2·log_sigma), and its logarithm is 2·log_sigma.",
            lambda mu, s: (0.5 * (mu**2 + s.exp() - 1 - s)).mean(0),
        ),
        Misconception(
            "½ missing",
            "The ½ is missing.",
            lambda mu, s: 2 * _terms(mu, s).mean(0),
        ),
        Misconception(
            "mu missing",
            "mu² is missing: a code far from 0 is far from the prior.",
            lambda mu, s: _terms(0 * mu, s).mean(0),
        ),
        Misconception(
            "sigma instead of its square",
            "You add sigma where sigma² belongs: exp(2·log_sigma).",
            lambda mu, s: (0.5 * (mu**2 + s.exp() - 1 - 2 * s)).mean(0),
        ),
        Misconception(
            "the sign",
            "The sign is flipped: a KL is never negative.",
            lambda mu, s: -_terms(mu, s).mean(0),
        ),
        Misconception(
            "a small number inside the logarithm",
            "A small number is added to sigma² inside the logarithm: for a narrow q it is all that is left. Use 2·log_sigma.",
            lambda mu, s: (0.5 * (mu**2 + (2 * s).exp() - 1 - ((2 * s).exp() + 1e-6).log())).mean(0),
        ),
        Misconception(
            "sorted",
            "Your values are sorted: keep the order of the dimensions.",
            lambda mu, s: _terms(mu, s).mean(0).sort(descending=True).values,
        ),
    ),
    alternatives=(
        lambda mu, log_sigma: kl_divergence(
            Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
        ).mean(0),
        lambda mu, log_sigma: torch.from_numpy(_terms(mu, log_sigma).detach().numpy().mean(0)),
        lambda mu, log_sigma: torch.stack([_terms(mu[:, d], log_sigma[:, d]).mean() for d in range(mu.shape[1])]),
    ),
)
