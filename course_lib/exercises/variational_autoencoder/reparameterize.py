"""z = mu + sigma · eps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional

from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checker.probes import Draw
from course_lib.exercises.variational_autoencoder.probes import LOG_SIGMA, q_probe
from course_lib.gradients import reparameterize


def _noise_probe(draw: Draw) -> tuple[Tensor, ...]:
    mu, log_sigma = q_probe(draw)
    return mu, log_sigma, draw.normal(*mu.shape, shift=0.1)


EXERCISE = Exercise(
    reference=reparameterize,
    points=2,
    returns={"z": "(batch, latent_dim)"},
    convention="z = mu + exp(log_sigma) · eps." + LOG_SIGMA,
    probe=_noise_probe,
    gradients=("mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "log sigma taken for sigma",
            "You scale the noise by log_sigma itself: sigma = log_sigma.exp().",
            lambda mu, log_sigma, eps: mu + log_sigma * eps,
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance, exp(log_sigma / 2): it is the log of the standard deviation.",
            lambda mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps,
        ),
        Misconception(
            "variance",
            "You scale the noise by the variance, exp(2·log_sigma): by the standard deviation, exp(log_sigma).",
            lambda mu, log_sigma, eps: mu + (2 * log_sigma).exp() * eps,
        ),
        Misconception(
            "softplus",
            "You take softplus of log_sigma: it is a logarithm, so sigma = log_sigma.exp().",
            lambda mu, log_sigma, eps: mu + functional.softplus(log_sigma) * eps,
        ),
        Misconception("mu alone", "You return mu: add the noise, sigma · eps.", lambda mu, log_sigma, eps: mu.clone()),
        Misconception(
            "mu left out",
            "mu is missing: z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: log_sigma.exp() * eps,
        ),
        Misconception(
            "sigma left out",
            "You add the noise as it is: scale it by sigma = exp(log_sigma).",
            lambda mu, log_sigma, eps: mu + eps,
        ),
        Misconception(
            "noise subtracted",
            "You subtract the noise. As a distribution that is the same, but eps is given, and z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: mu - log_sigma.exp() * eps,
        ),
        Misconception(
            "noise shared across the batch",
            "All data points get the noise of the first: each row of eps belongs to its own point.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:1],
        ),
        Misconception(
            "noise shared across dimensions",
            "All latent dimensions get the same noise: each entry of eps belongs to its own.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:, :1],
        ),
        Misconception(
            "mu scaled",
            "You scale mu by sigma as well: z = mu + sigma · eps, sigma scales the noise only.",
            lambda mu, log_sigma, eps: (mu + eps) * log_sigma.exp(),
        ),
        Misconception(
            "standardised instead",
            "You subtract mu and divide by sigma: that takes z back to eps. Here it goes the other way, z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: (eps - mu) / log_sigma.exp(),
        ),
        Misconception(
            "z detached",
            "The values are right, but z is cut off (.detach(), .sample(), torch.no_grad()): no gradient reaches the encoder "
            "through it.",
            lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach(),
        ),
        Misconception(
            "sigma detached",
            "The values are right, but no gradient reaches log_sigma.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp().detach() * eps,
        ),
        Misconception("own noise", OWN_NOISE, lambda mu, log_sigma, eps: mu + log_sigma.exp() * torch.randn_like(eps)),
    ),
    alternatives=(
        lambda mu, log_sigma, eps: torch.addcmul(mu, log_sigma.exp(), eps),
        lambda mu, log_sigma, eps: eps * torch.exp(0.5 * (2 * log_sigma)) + mu,
        lambda mu, log_sigma, eps: Normal(mu, torch.exp(log_sigma)).loc + Normal(mu, log_sigma.exp()).scale * eps,
    ),
    properties=(Property("own noise", draws_its_own_noise(_noise_probe)),),
)
