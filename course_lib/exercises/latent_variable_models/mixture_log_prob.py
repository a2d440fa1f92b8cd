"""The log-density of a mixture: log-sum-exp over its components; held against its integral."""

from __future__ import annotations

import math

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from course_lib.answers import Answer
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI, gaussian_log_prob
from course_lib.exercises.latent_variable_models.probes import (
    FAR_AWAY,
    MANY_DIMENSIONS,
    MIXTURE_SHAPES,
    component_log_prob,
    does_not_integrate,
    mixture_probe,
)
from course_lib.mixtures import mixture_log_joint, mixture_log_prob


def _mixture_integrates(answer: Answer, draw: Draw) -> str | None:
    grid = torch.linspace(-30, 30, 6001, dtype=draw.dtype).unsqueeze(-1)
    return does_not_integrate(answer, grid, draw.simplex(3), draw.normal(3, 1), draw.positive(3, 1))


EXERCISE = Exercise(
    reference=mixture_log_prob,
    points=3,
    returns={"log_prob": "(batch,)"},
    convention=MIXTURE_SHAPES,
    probe=mixture_probe,
    gradients=("x", "weights", "mu", "sigma"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "mean of the logs",
            "You average log p(x|z) over z. The sum over z stands inside the logarithm: log of a mean, not mean of logs.",
            lambda x, w, mu, sigma: (w * component_log_prob(x, mu, sigma)).sum(-1),
        ),
        Misconception(
            "weights left out",
            "The weights are missing: p(x) = Σ p(z) p(x|z), so log p(z) is added before the logsumexp.",
            lambda x, w, mu, sigma: torch.logsumexp(component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "all components weighted equally",
            "You weight all components equally: each has its own weight p(z).",
            lambda x, w, mu, sigma: torch.logsumexp(component_log_prob(x, mu, sigma), -1) - math.log(len(w)),
        ),
        Misconception(
            "weights not in logarithms",
            "You add the weights to log-densities: it is log p(z) that is added.",
            lambda x, w, mu, sigma: torch.logsumexp(w + component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "weights times log-densities inside",
            "You multiply log-densities by the weights before the logsumexp: a factor outside a density becomes a "
            "summand of its logarithm.",
            lambda x, w, mu, sigma: torch.logsumexp(w * component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "most likely component only",
            "You keep only the most likely component (max): log p(x) sums over all of them.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).amax(-1),
        ),
        Misconception(
            "sum of log-joints",
            "You sum log p(x, z) over z. The sum over z stands inside the logarithm: use logsumexp.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).sum(-1),
        ),
        Misconception(
            "softmax of the weights",
            "You treat the weights as logits (softmax or log_softmax): they are probabilities already, take their log.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w.softmax(-1), mu, sigma),
        ),
        Misconception(
            "mixture per dimension",
            "You mix in every dimension separately and add up. One z is drawn for the whole point: first sum the "
            "log-density over dimensions, then logsumexp over components.",
            lambda x, w, mu, sigma: torch.logsumexp(
                w.log().unsqueeze(-1) + Normal(mu, sigma).log_prob(x.unsqueeze(-2)), -2
            ).sum(-1),
        ),
        Misconception(
            "parameters averaged",
            "You average mu and sigma over the components and evaluate one Gaussian: a mixture averages densities.",
            lambda x, w, mu, sigma: gaussian_log_prob(x, w @ mu, w @ sigma),
        ),
        Misconception(
            "joint density returned",
            "You return log p(x, z) for each component: sum over z, inside the logarithm.",
            mixture_log_joint,
        ),
        Misconception(
            "exp before log",
            "You sum densities and take the logarithm after: far from every component, or in many dimensions, the "
            "densities underflow to 0. Use torch.logsumexp on the log-densities.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).exp().sum(-1).log(),
        ),
        Misconception(
            "missing normaliser",
            "The normalising constants of the Gaussians, -½ log 2π for each dimension, are missing.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w, mu, sigma) + 0.5 * LOG_2PI * x.shape[-1],
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): keep one value per data point.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w, mu, sigma).sum(),
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: MixtureSameFamily(
            Categorical(probs=w, validate_args=False), Independent(Normal(mu, sigma), 1)
        ).log_prob(x),
        lambda x, w, mu, sigma: torch.logsumexp(
            torch.stack([torch.log(w[k]) + Normal(mu[k], sigma[k]).log_prob(x).sum(-1) for k in range(len(w))], 1),
            1,
        ),
    ),
    properties=(Property("integrates to one", _mixture_integrates),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)
