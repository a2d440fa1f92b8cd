"""A model as a point: what its code costs, and what it loses."""

from __future__ import annotations

from torch import Tensor

from course_lib.beta import rate_distortion
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw


def _probe(draw: Draw) -> tuple[Tensor, Tensor]:
    return draw.normal(draw.sizes.batch, scale=3.0, shift=-9.0), 4 * draw.positive(draw.sizes.batch)


EXERCISE = Exercise(
    reference=rate_distortion,
    points=2,
    returns={"rate": "()", "distortion": "()"},
    convention="Rate: the mean KL. Distortion: minus the mean log p(x|z). Two tensors of shape (), in this order, in nats.",
    probe=_probe,
    gradients=("log_likelihood", "kl"),
    misconceptions=(
        Misconception(
            "exchanged",
            "The two are exchanged: the rate, the KL, comes first.",
            lambda log_likelihood, kl: (-log_likelihood.mean(), kl.mean()),
        ),
        Misconception(
            "the likelihood itself",
            "The distortion's sign is turned: it is *minus* the mean log-likelihood, so that less is better.",
            lambda log_likelihood, kl: (kl.mean(), log_likelihood.mean()),
        ),
        Misconception(
            "rate negative",
            "The rate's sign is turned: it is the mean KL, what a code costs.",
            lambda log_likelihood, kl: (-kl.mean(), -log_likelihood.mean()),
        ),
        Misconception(
            "minus the ELBO",
            "Your distortion is minus the ELBO: the KL is in the rate already.",
            lambda log_likelihood, kl: (kl.mean(), (kl - log_likelihood).mean()),
        ),
        Misconception(
            "sums",
            "You sum over the batch: both are means over images.",
            lambda log_likelihood, kl: (kl.sum(), -log_likelihood.sum()),
        ),
        Misconception(
            "per image",
            "You give the two for each image: average both over the batch.",
            lambda log_likelihood, kl: (kl, -log_likelihood),
        ),
        Misconception(
            "medians",
            "You take medians: the ELBO is made of means.",
            lambda log_likelihood, kl: (kl.median(), -log_likelihood.median()),
        ),
        Misconception(
            "added up",
            "You return one number, minus the ELBO: keep its two parts apart.",
            lambda log_likelihood, kl: (kl - log_likelihood).mean(),
        ),
        Misconception(
            "bits",
            "Your values are in bits: nats are wanted, with the natural logarithm.",
            lambda log_likelihood, kl: (kl.mean() / 0.6931471805599453, -log_likelihood.mean() / 0.6931471805599453),
        ),
        Misconception(
            "shares",
            "You divide by the sum of the two: nats are wanted, not shares.",
            lambda log_likelihood, kl: (
                kl.mean() / (kl - log_likelihood).mean(),
                -log_likelihood.mean() / (kl - log_likelihood).mean(),
            ),
        ),
    ),
    alternatives=(
        lambda log_likelihood, kl: [kl.sum() / len(kl), (-log_likelihood).mean()],
        lambda log_likelihood, kl: (kl.mean(), -(log_likelihood - kl).mean() - kl.mean()),
    ),
)
