"""p(z|x) of a mixture by Bayes' rule, for x far away too."""

from __future__ import annotations

import torch
from torch.distributions import Independent, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.latent_variable_models.probes import (
    FAR_AWAY,
    MANY_DIMENSIONS,
    MIXTURE_SHAPES,
    component_log_prob,
    mixture_probe,
)
from course_lib.mixtures import mixture_log_joint, mixture_log_prob, mixture_posterior


def _sums_to_one(answer: Answer, draw: Draw) -> str | None:
    (posterior,) = tensors_from(answer.call(*mixture_probe(draw)))
    totals = posterior.sum(-1)
    if torch.allclose(totals, torch.ones_like(totals)) and bool((posterior >= 0).all()):
        return None
    return f"p(z|x) is a distribution over z: each row is positive and sums to 1. Yours: {totals.flatten()[0]:.4f}."


EXERCISE = Exercise(
    reference=mixture_posterior,
    points=3,
    returns={"posterior": "(batch, components)"},
    convention=MIXTURE_SHAPES + " Each row of the posterior sums to one.",
    probe=mixture_probe,
    gradients=("x", "weights", "mu", "sigma"),
    misconceptions=(
        Misconception(
            "prior left out",
            "The prior is missing: p(z|x) is proportional to p(z) p(x|z), not to p(x|z) alone.",
            lambda x, w, mu, sigma: torch.softmax(component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "not normalised",
            "You return the joint density p(x, z): divide by p(x), its sum over z.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).exp(),
        ),
        Misconception(
            "normalised over the batch",
            "You normalise over the batch (dimension 0): for every data point the probabilities of the components "
            "sum to one, so normalise over the last dimension.",
            lambda x, w, mu, sigma: torch.softmax(mixture_log_joint(x, w, mu, sigma), 0),
        ),
        Misconception(
            "normalised over everything",
            "You normalise over all entries: each row sums to one by itself.",
            lambda x, w, mu, sigma: torch.softmax(mixture_log_joint(x, w, mu, sigma).flatten(), 0).reshape(len(x), -1),
        ),
        Misconception(
            "log-posterior returned",
            "You return log p(z|x): the probabilities themselves are wanted.",
            lambda x, w, mu, sigma: torch.log_softmax(mixture_log_joint(x, w, mu, sigma), -1),
        ),
        Misconception(
            "hard assignment",
            "You put all probability on the most likely z. That is the lecture's first guess; the posterior says how "
            "likely each z is.",
            lambda x, w, mu, sigma: torch.nn.functional.one_hot(
                mixture_log_joint(x, w, mu, sigma).argmax(-1), len(w)
            ).to(x.dtype),
        ),
        Misconception(
            "index returned",
            "You return the index of the most likely z: a probability for every component is wanted.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).argmax(-1),
        ),
        Misconception(
            "log-densities divided by their sum",
            "You divide logarithms by their sum: probabilities are normalised, not their logarithms. Use softmax.",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma) / mixture_log_joint(x, w, mu, sigma).sum(-1, keepdim=True)
            ),
        ),
        Misconception(
            "weights not in logarithms",
            "You add the weights to log-densities, or treat them as logits: they are probabilities, add log p(z).",
            lambda x, w, mu, sigma: torch.softmax(w + component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "weights after normalising",
            "You multiply by the weights after normalising p(x|z): the rows no longer sum to one. Multiply first, "
            "normalise after.",
            lambda x, w, mu, sigma: torch.softmax(component_log_prob(x, mu, sigma), -1) * w,
        ),
        Misconception(
            "one dimension forgotten",
            "You normalise in every dimension separately: sum log-densities over the dimensions first.",
            lambda x, w, mu, sigma: torch.softmax(
                w.log().unsqueeze(-1) + Normal(mu, sigma).log_prob(x.unsqueeze(-2)), -2
            ),
        ),
        Misconception(
            "exp before dividing",
            "You divide densities: far from every component, or in many dimensions, they underflow and 0/0 is NaN. "
            "Use softmax on log p(x, z), or subtract log p(x) before exp.",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma).exp()
                / mixture_log_joint(x, w, mu, sigma).exp().sum(-1, keepdim=True)
            ),
        ),
        Misconception(
            "prior returned",
            "You return the prior weights for every x: multiply by the likelihood p(x|z) and normalise.",
            lambda x, w, mu, sigma: w.expand(len(x), -1) + 0 * x.sum() + 0 * mu.sum() + 0 * sigma.sum(),
        ),
        Misconception(
            "transposed",
            "Your posterior is (components, batch): the batch comes first.",
            lambda x, w, mu, sigma: mixture_posterior(x, w, mu, sigma).T,
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: (
            mixture_log_joint(x, w, mu, sigma) - mixture_log_prob(x, w, mu, sigma).unsqueeze(-1)
        ).exp(),
        lambda x, w, mu, sigma: torch.nn.functional.softmax(
            torch.log(w)[None] + Independent(Normal(mu[None], sigma[None]), 1).log_prob(x[:, None]), dim=1
        ),
    ),
    properties=(Property("sums to one", _sums_to_one),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)
