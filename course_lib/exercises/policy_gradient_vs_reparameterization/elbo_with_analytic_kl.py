"""The bound with its KL in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.bounds import elbo_with_analytic_kl
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_entropy


def _analytic_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.samples, sizes.batch, scale=3.0, shift=-8.0),
        draw.normal(sizes.batch, sizes.latent),
        draw.positive(sizes.batch, sizes.latent),
    )


def _one_sample(draw: Draw) -> tuple[Any, ...]:
    log_likelihood, mu, sigma = _analytic_probe(draw)
    return log_likelihood[0], mu, sigma


def _expected(log_likelihood: Tensor) -> Tensor:
    return log_likelihood.mean(0) if log_likelihood.dim() == 2 else log_likelihood


def _kl(mu: Tensor, sigma: Tensor) -> Tensor:
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(-1)


def _minus(kl: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda log_likelihood, mu, sigma: log_likelihood.mean(0) - kl(mu, sigma)


ONE_SAMPLE = (
    "Right for log_likelihood (samples, batch), but the docstring allows (batch,) too, one sample for each data point: there "
    "mean(0) averages over the batch. Ask log_likelihood.dim() which one it is."
)

EXERCISE = Exercise(
    reference=elbo_with_analytic_kl,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="mean over samples of log p(x|z) minus D_KL(N(mu, sigma)‖N(0, I)) in closed form; (batch,), in nats; "
    "sigma is the standard deviation.",
    probe=_analytic_probe,
    gradients=("log_likelihood", "mu", "sigma"),
    misconceptions=(
        Misconception(
            "KL added",
            "The KL has the wrong sign: it is subtracted, a q far from the prior costs.",
            _minus(lambda mu, sigma: -_kl(mu, sigma)),
        ),
        Misconception("KL missing", "The KL is missing.", _minus(lambda mu, sigma: 0 * (mu + sigma).sum(-1))),
        Misconception(
            "½ missing", "The KL is twice too large: its ½ is missing.", _minus(lambda mu, s: 2 * _kl(mu, s))
        ),
        Misconception(
            "KL averaged over dimensions",
            "You average the KL over the latent dimensions: it sums over them.",
            _minus(lambda mu, sigma: _kl(mu, sigma) / mu.shape[-1]),
        ),
        Misconception(
            "KL summed over the batch",
            "You subtract the KL of the whole batch from every data point: each has its own.",
            _minus(lambda mu, sigma: _kl(mu, sigma).sum()),
        ),
        Misconception(
            "KL averaged over the batch",
            "You subtract the batch's mean KL from every data point: each has its own.",
            _minus(lambda mu, sigma: _kl(mu, sigma).mean()),
        ),
        Misconception(
            "-1 missing",
            "In the KL the -1 for each dimension is missing: at q = p it must be zero.",
            _minus(lambda mu, sigma: _kl(mu, sigma) + 0.5 * mu.shape[-1]),
        ),
        Misconception(
            "sigma taken for its logarithm",
            "You read sigma as its logarithm in the KL: it is the standard deviation itself.",
            _minus(lambda mu, sigma: _kl(mu, sigma.exp())),
        ),
        Misconception(
            "sigma taken for the variance",
            "You read sigma as the variance in the KL: it is the standard deviation.",
            _minus(lambda mu, sigma: _kl(mu, sigma.sqrt())),
        ),
        Misconception(
            "log of sigma once",
            "In the KL you subtract log sigma where log sigma² belongs, inside the ½.",
            _minus(lambda mu, sigma: 0.5 * (mu**2 + sigma**2 - 1 - sigma.log()).sum(-1)),
        ),
        Misconception(
            "sign of the logarithm",
            "In the KL log sigma² has the wrong sign: a narrow q is far from the prior.",
            _minus(lambda mu, sigma: 0.5 * (mu**2 + sigma**2 - 1 + 2 * sigma.log()).sum(-1)),
        ),
        Misconception(
            "KL the other way round",
            "Your KL is D_KL(p‖q): q comes first, D_KL(q‖p).",
            _minus(lambda mu, sigma: (0.5 * ((1 + mu**2) / sigma**2 - 1) + sigma.log()).sum(-1)),
        ),
        Misconception(
            "entropy instead of the KL",
            "You add the entropy only: E[log p(z)] is missing, and together they are minus the KL.",
            _minus(lambda mu, sigma: -gaussian_entropy(sigma) + 0 * mu.sum(-1)),
        ),
        Misconception(
            "sum over samples",
            "You sum log p(x|z) over the samples: average over them, dimension 0.",
            lambda log_likelihood, mu, sigma: log_likelihood.sum(0) - _kl(mu, sigma),
        ),
        Misconception(
            "logarithm of the mean",
            "You average p(x|z) before the logarithm: the bound has the mean of log p(x|z).",
            lambda log_likelihood, mu, sigma: (
                log_likelihood.logsumexp(0) - math.log(len(log_likelihood)) - _kl(mu, sigma)
            ),
        ),
        Misconception(
            "only the first sample",
            "You use the first sample only: average over all of them.",
            lambda log_likelihood, mu, sigma: log_likelihood[0] - _kl(mu, sigma),
        ),
        Misconception(
            "loss returned",
            "That is the loss: return the bound, log-likelihood minus KL.",
            lambda log_likelihood, mu, sigma: _kl(mu, sigma) - log_likelihood.mean(0),
        ),
        Misconception("one sample averaged over the batch", ONE_SAMPLE, _minus(_kl)),
        Misconception(
            "KL detached",
            "The values are right, but no gradient flows through the KL: mu and sigma are learned from it too.",
            lambda log_likelihood, mu, sigma: (
                _expected(log_likelihood) - _kl(mu, sigma).detach() + 0 * (mu + sigma).sum(-1)
            ),
        ),
    ),
    alternatives=(
        lambda log_likelihood, mu, sigma: (
            log_likelihood.reshape(-1, len(mu)).mean(dim=0)
            - kl_divergence(Normal(mu, sigma), Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)
        ),
        lambda log_likelihood, mu, sigma: (
            _expected(log_likelihood) + 0.5 * torch.sum(1 + torch.log(sigma**2) - mu**2 - sigma**2, dim=-1)
        ),
    ),
    edge_cases=(EdgeCase("one sample", ONE_SAMPLE, _one_sample),),
)
