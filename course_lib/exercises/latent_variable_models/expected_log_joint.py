"""E log p(x, z) under the posterior, not at the most likely z."""

from __future__ import annotations

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

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
from course_lib.mixtures import expected_log_joint, mixture_log_joint, mixture_log_prob, mixture_posterior


def _identity_with_entropy(answer: Answer, draw: Draw) -> str | None:
    """E[log p(x, z)] = log p(x) - H(p(z|x)): an identity that needs neither sum written twice."""
    x, weights, mu, sigma = mixture_probe(draw)
    (value,) = tensors_from(answer.call(x, weights, mu, sigma))
    log_prob = MixtureSameFamily(
        Categorical(probs=weights, validate_args=False), Independent(Normal(mu, sigma), 1)
    ).log_prob(x)
    entropy = Categorical(probs=mixture_posterior(x, weights, mu, sigma), validate_args=False).entropy()
    wanted = log_prob - entropy
    if value.shape != wanted.shape or torch.allclose(value, wanted, rtol=1e-6):
        return None
    return (
        "E[log p(x, z)] under the posterior equals log p(x) minus the posterior's entropy: "
        f"{wanted[0]:.4f} for one x, where you return {value[0]:.4f}."
    )


EXERCISE = Exercise(
    reference=expected_log_joint,
    points=3,
    returns={"expected": "(batch,)"},
    convention=MIXTURE_SHAPES,
    probe=mixture_probe,
    # No gradients: whether the posterior moves with the parameters (as in a loss) or is held fixed (as in
    # expectation-maximisation) is open, and both are right.
    misconceptions=(
        Misconception(
            "most likely z only",
            "You take log p(x, z) at the most likely z: the lecture's \"guess the most likely z and pretend it is the "
            'right one". Average over all z, weighted by p(z|x).',
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).amax(-1),
        ),
        Misconception(
            "log-likelihood returned",
            "That is log p(x), a log of a sum over z. Here the logarithm stands inside: the mean of log p(x, z) under "
            "p(z|x).",
            mixture_log_prob,
        ),
        Misconception(
            "expectation under the prior",
            "You average under the prior p(z): the expectation is under the posterior p(z|x).",
            lambda x, w, mu, sigma: (w * mixture_log_joint(x, w, mu, sigma)).sum(-1),
        ),
        Misconception(
            "prior left out of the joint",
            "You average log p(x|z): the joint is log p(x, z) = log p(x|z) + log p(z).",
            lambda x, w, mu, sigma: (mixture_posterior(x, w, mu, sigma) * component_log_prob(x, mu, sigma)).sum(-1),
        ),
        Misconception(
            "all z weighted equally",
            "You weight all z equally: weight each by how likely it is given x, p(z|x).",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).mean(-1),
        ),
        Misconception(
            "sum over z without weights",
            "You sum log p(x, z) over z without weights: each term is weighted by p(z|x).",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).sum(-1),
        ),
        Misconception(
            "posterior without the prior",
            "Your weights are proportional to p(x|z): the posterior is proportional to p(z) p(x|z).",
            lambda x, w, mu, sigma: (
                torch.softmax(component_log_prob(x, mu, sigma), -1) * mixture_log_joint(x, w, mu, sigma)
            ).sum(-1),
        ),
        Misconception(
            "log of the mean",
            "You take the log of the average joint density: average its logarithm.",
            lambda x, w, mu, sigma: torch.logsumexp(
                torch.log_softmax(mixture_log_joint(x, w, mu, sigma), -1) + mixture_log_joint(x, w, mu, sigma),
                -1,
            ),
        ),
        Misconception(
            "expected log-posterior",
            "You average log p(z|x): the joint log p(x, z) is wanted.",
            lambda x, w, mu, sigma: -torch.special.entr(mixture_posterior(x, w, mu, sigma)).sum(-1),
        ),
        Misconception(
            "entropy added",
            "You add the posterior's entropy: that makes it log p(x). E[log p(x, z)] stands without it.",
            lambda x, w, mu, sigma: (
                expected_log_joint(x, w, mu, sigma) + 2 * torch.special.entr(mixture_posterior(x, w, mu, sigma)).sum(-1)
            ),
        ),
        Misconception(
            "not summed over z",
            "You return one term per component: the expectation sums them.",
            lambda x, w, mu, sigma: mixture_posterior(x, w, mu, sigma) * mixture_log_joint(x, w, mu, sigma),
        ),
        Misconception(
            "exp before dividing",
            "You compute the posterior from densities: far from every component, or in many dimensions, they "
            "underflow and 0/0 is NaN. Use softmax on log p(x, z).",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma).exp()
                / mixture_log_joint(x, w, mu, sigma).exp().sum(-1, keepdim=True)
                * mixture_log_joint(x, w, mu, sigma)
            ).sum(-1),
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: torch.einsum(
            "bk,bk->b", mixture_posterior(x, w, mu, sigma), mixture_log_joint(x, w, mu, sigma)
        ),
        lambda x, w, mu, sigma: (
            mixture_log_prob(x, w, mu, sigma)
            - Categorical(logits=mixture_log_joint(x, w, mu, sigma), validate_args=False).entropy()
        ),
    ),
    properties=(Property("log p(x) minus entropy", _identity_with_entropy),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)
