"""log q(z): the mean of all q(z|x_i); integrates to one."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Categorical as CategoricalDistribution
from torch.distributions import Independent, MixtureSameFamily, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import aggregate_posterior_log_prob
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI, gaussian_log_prob, log_mean_exp
from course_lib.exercises.variational_autoencoder.probes import LOG_SIGMA, q_probe


def _aggregate_probe(draw: Draw) -> tuple[Tensor, ...]:
    mu, log_sigma = q_probe(draw)
    return draw.normal(draw.sizes.samples + 3, draw.sizes.latent), mu, log_sigma


def _all_pairs(z: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return gaussian_log_prob(z.unsqueeze(1), mu, log_sigma.exp())


def _integrates_to_one(answer: Answer, draw: Draw) -> str | None:
    mu, log_sigma = draw.normal(4, 1), draw.normal(4, 1, scale=0.3, shift=-0.5)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    (value,) = tensors_from(answer.call(grid.unsqueeze(-1), mu, log_sigma))
    if value.shape == grid.shape and abs((total := torch.trapezoid(value.exp(), grid).item()) - 1) > 1e-4:
        return f"A density integrates to 1; exp of yours to {total:.4f}."
    return None


def _far_codes(draw: Draw) -> tuple[Tensor, ...]:
    z, mu, log_sigma = _aggregate_probe(draw)
    return z, mu, log_sigma - 5


EXERCISE = Exercise(
    reference=aggregate_posterior_log_prob,
    points=2,
    returns={"log_prob": "(n,)"},
    convention="log q(z) = log (1/N) Σ_i q(z|x_i): at each of the n points the mean density of the N codes, (n,), in nats."
    + LOG_SIGMA,
    probe=_aggregate_probe,
    gradients=("z", "mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average log q(z|x_i): average the densities, then take the logarithm.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).mean(1),
        ),
        Misconception(
            "log N forgotten",
            "log N is missing: logsumexp gives the sum of the densities, divide by N.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).logsumexp(1),
        ),
        Misconception(
            "divided by n",
            "You divide by the number of points z: by the number N of codes.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).logsumexp(1) - math.log(len(z)),
        ),
        Misconception(
            "over the points",
            "You average over the points z: over the codes, for each z.",
            lambda z, mu, log_sigma: log_mean_exp(_all_pairs(z, mu, log_sigma), 0),
        ),
        Misconception(
            "parameters averaged",
            "You average mu and log_sigma and take one Gaussian: the aggregate is the average of the densities, with as "
            "many bumps as there are codes.",
            lambda z, mu, log_sigma: gaussian_log_prob(z, mu.mean(0), log_sigma.mean(0).exp()),
        ),
        Misconception(
            "one Gaussian with the same moments",
            "You take one Gaussian with the mean and spread of the codes: the aggregate is a mixture.",
            lambda z, mu, log_sigma: gaussian_log_prob(
                z, mu.mean(0), ((2 * log_sigma).exp().mean(0) + mu.var(0, correction=0)).sqrt()
            ),
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma = exp(log_sigma).",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma / 2),
        ),
        Misconception(
            "log sigma taken for sigma",
            "You use log_sigma for sigma: sigma = log_sigma.exp().",
            lambda z, mu, log_sigma: log_mean_exp(gaussian_log_prob(z.unsqueeze(1), mu, log_sigma.abs()), 1),
        ),
        Misconception(
            "the prior",
            "That is log p(z), the prior: the aggregate posterior is made of the codes.",
            lambda z, mu, log_sigma: (
                gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z)) + 0 * (mu.sum() + log_sigma.sum())
            ),
        ),
        Misconception(
            "nearest code",
            "You take the largest density: the mean of all of them is wanted.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).max(1).values,
        ),
        Misconception(
            "normaliser missing",
            "In q(z|x_i) the constant -½ log 2π for each latent dimension is missing.",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma) + 0.5 * LOG_2PI * z.shape[-1],
        ),
        Misconception(
            "density returned",
            "You return the density: its logarithm is wanted.",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma).exp(),
        ),
        Misconception(
            "all pairs returned",
            "You return a density for every pair of point and code: average over the codes.",
            _all_pairs,
        ),
        Misconception(
            "unstable",
            "Far from the codes you get -inf: a density underflows to 0 before its logarithm is taken. Stay with log-densities, "
            "and take their mean with logsumexp.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).exp().mean(1).log(),
        ),
    ),
    alternatives=(
        lambda z, mu, log_sigma: (
            torch.logsumexp(Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1), dim=1) - math.log(mu.shape[0])
        ),
        lambda z, mu, log_sigma: MixtureSameFamily(
            CategoricalDistribution(probs=torch.ones_like(mu[:, 0])), Independent(Normal(mu, log_sigma.exp()), 1)
        ).log_prob(z),
    ),
    properties=(Property("integrates to one", _integrates_to_one),),
    edge_cases=(
        EdgeCase(
            "narrow codes",
            "Right for wide codes, but not for narrow ones, far from which densities underflow.",
            _far_codes,
        ),
    ),
)
