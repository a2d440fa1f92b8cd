"""The ELBO estimated from samples of q; tight at the exact posterior."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import monte_carlo_elbo
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior


def _elbo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    x = draw.normal(sizes.batch, sizes.dim)
    weight, sigma = draw.normal(sizes.latent, sizes.dim), draw.positive(sizes.dim)
    mu, scale = draw.normal(sizes.batch, sizes.latent), draw.positive(sizes.batch, sizes.latent)

    def log_joint(z: Tensor) -> Tensor:
        prior = gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))
        return prior + gaussian_log_prob(x.to(z), torch.tanh(z @ weight.to(z)), sigma.to(z))

    def log_q(z: Tensor) -> Tensor:
        return gaussian_log_prob(z, mu.to(z), scale.to(z))

    return z, log_joint, log_q


def _tight_at_the_posterior(answer: Answer, draw: Draw) -> str | None:
    """With q the exact posterior every sample gives log p(x): the bound is tight, without any variance."""
    W, b, sigma = draw.normal(4, 2), draw.normal(4), draw.positive(1).squeeze()
    x = draw.normal(3, 4)
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    exact = linear_gaussian_evidence(x, W, b, sigma)
    posterior = MultivariateNormal(mean, covariance)

    def log_joint(z: Tensor) -> Tensor:
        return Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)

    (value,) = tensors_from(answer.call(draw.normal(5, 3, 2), log_joint, posterior.log_prob))
    if value.shape != exact.shape or torch.allclose(value, exact, rtol=1e-5):
        return None
    return (
        "With q the exact posterior the bound is tight: every sample gives log p(x) = "
        f"{exact[0]:.4f}; yours is {value[0]:.4f}."
    )


EXERCISE = Exercise(
    reference=monte_carlo_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="z is (samples, batch, latent_dim), drawn from q. The ELBO is averaged over samples and keeps one value "
    "per data point, (batch,), in nats. It is maximised: no minus sign in front.",
    probe=_elbo_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "entropy term with the wrong sign",
            "You add log q(z): that is the misprint in the lecture, `+ E[log q]`. The entropy is H(q) = -E[log q], so "
            "log q(z) is subtracted.",
            lambda z, log_joint, log_q: (log_joint(z) + log_q(z)).mean(0),
        ),
        Misconception(
            "negative ELBO",
            "The sign is flipped: that is the loss. The ELBO itself is wanted, log p(x, z) - log q(z).",
            lambda z, log_joint, log_q: (log_q(z) - log_joint(z)).mean(0),
        ),
        Misconception(
            "entropy term missing",
            "The entropy term -log q(z) is missing: without it q shrinks to a point.",
            lambda z, log_joint, log_q: log_joint(z).mean(0),
        ),
        Misconception(
            "log of the mean",
            "You average the ratios and take the logarithm after. That is another, tighter bound (notebook 06, IWAE); "
            "the ELBO averages the logarithms.",
            lambda z, log_joint, log_q: torch.logsumexp(log_joint(z) - log_q(z), 0) - math.log(len(z)),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch (dimension 1) instead of the samples (dimension 0): samples come in front.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).mean(1),
        ),
        Misconception(
            "one number for the whole batch",
            "You average over the data points too: keep one value per data point, (batch,).",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).mean(),
        ),
        Misconception(
            "sum over the samples",
            "You sum over the samples: an expectation is estimated by their mean.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).sum(0),
        ),
        Misconception(
            "not averaged",
            "You return one value per sample: average over the samples, dimension 0.",
            lambda z, log_joint, log_q: log_joint(z) - log_q(z),
        ),
        Misconception(
            "weighted by q again",
            "You weight each sample by q(z). The samples come from q already: a plain mean is the expectation.",
            lambda z, log_joint, log_q: (log_q(z).exp() * (log_joint(z) - log_q(z))).mean(0),
        ),
        Misconception(
            "density of q instead of its logarithm",
            "You subtract q(z): its logarithm is wanted.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z).exp()).mean(0),
        ),
        Misconception(
            "samples averaged first",
            "You average the samples z first and evaluate there: evaluate at every sample, then average.",
            lambda z, log_joint, log_q: log_joint(z.mean(0)) - log_q(z.mean(0)),
        ),
        Misconception(
            "samples detached",
            "The values are right, but no gradient flows through z: do not detach it.",
            lambda z, log_joint, log_q: (log_joint(z.detach()) - log_q(z.detach())).mean(0),
        ),
        Misconception(
            "log q detached",
            "The values are right, but not the gradient: log q(z) depends on z too, do not detach it.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z).detach()).mean(0),
        ),
    ),
    alternatives=(
        lambda z, log_joint, log_q: log_joint(z).mean(dim=0) - log_q(z).mean(dim=0),
        lambda z, log_joint, log_q: torch.stack([log_joint(s) - log_q(s) for s in z]).mean(0),
        lambda z, log_joint, log_q: (-log_q(z) + log_joint(z)).sum(0) / z.shape[0],
    ),
    properties=(Property("tight at the exact posterior", _tight_at_the_posterior),),
    edge_cases=(
        EdgeCase(
            "log-joints of images",
            "Right for moderate values, but not for log-densities in the hundreds: exp of them overflows or underflows.",
            lambda draw: _scaled_elbo(draw),
        ),
    ),
)


def _scaled_elbo(draw: Draw) -> tuple[Any, ...]:
    z, log_joint, log_q = _elbo_probe(draw)
    return z, lambda z: 150 * log_joint(z), log_q
