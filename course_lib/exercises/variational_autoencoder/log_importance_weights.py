"""log p(x, z) - log q(z|x), of every sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.bounds import log_importance_weights
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob, kl_to_standard_normal
from course_lib.exercises.variational_autoencoder.probes import LOG_SIGMA, q_probe


def _weights_probe(draw: Draw) -> tuple[Tensor, ...]:
    sizes = draw.sizes
    mu, log_sigma = q_probe(draw)
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    return draw.normal(sizes.samples, sizes.batch, scale=3.0, shift=-9.0), z, mu, log_sigma


def _standard(z: Tensor) -> Tensor:
    return gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))


def _weights(
    prior: Callable[[Tensor], Tensor] = _standard,
    q: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, mu, s: gaussian_log_prob(z, mu, s.exp()),
) -> Callable[..., Tensor]:
    return lambda log_likelihood, z, mu, log_sigma: log_likelihood + prior(z) - q(z, mu, log_sigma)


EXERCISE = Exercise(
    reference=log_importance_weights,
    points=2,
    returns={"log_weights": "(samples, batch)"},
    convention="log w = log p(x|z) + log p(z) - log q(z|x), one for each sample and data point, in nats; log-densities sum "
    "over the latent dimensions." + LOG_SIGMA,
    probe=_weights_probe,
    gradients=("log_likelihood", "z", "mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "log q added",
            "log q(z|x) has the wrong sign: q stands below the fraction, p(x|z) p(z) / q(z|x).",
            _weights(q=lambda z, mu, s: -gaussian_log_prob(z, mu, s.exp())),
        ),
        Misconception(
            "log q missing",
            "log q(z|x) is missing: divide by q, which the samples came from.",
            _weights(q=lambda z, mu, s: 0 * (z + mu + s).sum(-1)),
        ),
        Misconception(
            "prior missing",
            "log p(z) is missing: the weight has the joint above the fraction.",
            _weights(prior=lambda z: 0 * z.sum(-1)),
        ),
        Misconception("prior subtracted", "log p(z) has the wrong sign.", _weights(prior=lambda z: -_standard(z))),
        Misconception(
            "log sigma taken for sigma",
            "In log q you use log_sigma for sigma: sigma = log_sigma.exp().",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, s.abs())),
        ),
        Misconception(
            "log variance",
            "In log q you read log_sigma as a log-variance: sigma = exp(log_sigma).",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, (s / 2).exp())),
        ),
        Misconception(
            "width of q ignored",
            "In log q the width is 1: it is sigma = exp(log_sigma).",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, torch.ones_like(s)) + 0 * s.sum(-1)),
        ),
        Misconception(
            "q centred at zero",
            "In log q the mean is missing: q is centred at mu.",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, torch.zeros_like(mu), s.exp()) + 0 * mu.sum(-1)),
        ),
        Misconception(
            "normaliser of q",
            "In log q the term -log sigma is missing.",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, s.exp()) + s.sum(-1)),
        ),
        Misconception(
            "closed-form KL",
            "You subtract the closed-form KL: a weight belongs to one sample, with log p(z) and log q(z|x) at that z.",
            lambda log_likelihood, z, mu, log_sigma: (
                log_likelihood - kl_to_standard_normal(mu, log_sigma) + 0 * z.sum(-1)
            ),
        ),
        Misconception(
            "mean over dimensions",
            "You average log p(z) and log q(z|x) over the latent dimensions: they sum.",
            lambda log_likelihood, z, mu, log_sigma: (
                log_likelihood + (_standard(z) - gaussian_log_prob(z, mu, log_sigma.exp())) / z.shape[-1]
            ),
        ),
        Misconception(
            "weights instead of their logarithms",
            "You return the weights: keep their logarithms, for images the weights underflow.",
            lambda *args: log_importance_weights(*args).exp(),
        ),
        Misconception(
            "averaged over samples",
            "You average over the samples: keep the weight of every sample.",
            lambda *args: log_importance_weights(*args).mean(0),
        ),
    ),
    alternatives=(
        lambda log_likelihood, z, mu, log_sigma: (
            log_likelihood
            + Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)
            - Normal(mu, log_sigma.exp()).log_prob(z).sum(-1)
        ),
        lambda log_likelihood, z, mu, log_sigma: (
            log_likelihood + (0.5 * ((z - mu) / log_sigma.exp()) ** 2 + log_sigma - 0.5 * z**2).sum(-1)
        ),
    ),
)
