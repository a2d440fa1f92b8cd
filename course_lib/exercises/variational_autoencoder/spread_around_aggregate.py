r"""The term by which the mean KL to the prior exceeds that of all codes together: a derivation to complete.

.. math:: \frac1N\sum_i D_{KL}(q_i\|p) = D_{KL}(q(z)\|p) + \frac1N\sum_i D_{KL}(q_i\|q(z))

Hoffman and Johnson, *ELBO surgery*, 2016: the last term is the information that z holds about i.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from course_lib.answers import Answer
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def spread_around_aggregate(q: Tensor) -> Tensor:
    """Return the mean over i of D_KL(q_i || q(z)), nats, for rows q_i over countable codes, ``(N, codes)``."""
    aggregate = q.mean(0)
    return (q * (q.log() - aggregate.log())).sum(-1).mean()


def _probe(draw: Draw) -> tuple[Tensor]:
    return (draw.simplex(draw.sizes.batch + 1, draw.sizes.components),)


def _does_not_complete(answer: Answer, draw: Draw) -> str | None:
    """Take the identity itself as the oracle, with a prior of its own."""
    (q,) = _probe(draw)
    p = draw.simplex(q.shape[-1])
    missing = answer.call(q)
    if not isinstance(missing, Tensor) or missing.numel() != 1:
        return None
    left = kl_divergence(Categorical(q), Categorical(p)).mean()
    known = kl_divergence(Categorical(q.mean(0)), Categorical(p))
    if torch.allclose(left, known + missing.reshape(()), rtol=1e-5, atol=1e-6):
        return None
    return (
        f"With a prior p of our own the left side is {left:.3f}, D_KL(q(z)‖p) is {known:.3f}: {left - known:.3f} is missing, "
        f"your term is {missing.item():.3f}."
    )


EXERCISE = Exercise(
    reference=spread_around_aggregate,
    points=2,
    returns={"missing term": "()"},
    convention="Row i of q is q(z|x_i) over countable codes; q(z) is the mean of the rows. One number, in nats.",
    probe=_probe,
    number_accepted=True,
    properties=(Property("the two sides differ", _does_not_complete),),
    misconceptions=(
        Misconception(
            "the KL the other way round",
            "You take D_KL(q(z)‖q_i): the expectation is under q_i, as on the left side.",
            lambda q: (q.mean(0) * (q.mean(0).log() - q.log())).sum(-1).mean(),
        ),
        Misconception(
            "the sum over i",
            "You sum over i: the left side is a mean, and so is every term on the right.",
            lambda q: (q * (q.log() - q.mean(0).log())).sum(),
        ),
        Misconception(
            "averaged over the codes",
            "You average over the codes: the expectation is the sum over them, weighted by q_i.",
            lambda q: (q * (q.log() - q.mean(0).log())).mean(),
        ),
        Misconception(
            "the aggregate's entropy",
            "You give the entropy of q(z) alone: that of each q_i belongs to it, with the other sign.",
            lambda q: -(q.mean(0) * q.mean(0).log()).sum(),
        ),
        Misconception(
            "the mean entropy",
            "You give the mean entropy of the q_i: log q(z) is missing in the bracket.",
            lambda q: -(q * q.log()).sum(-1).mean(),
        ),
        Misconception(
            "weighted by q(z)",
            "You weigh the bracket by q(z): the expectation is under q_i.",
            lambda q: (q.mean(0) * (q.log() - q.mean(0).log())).sum(-1).mean(),
        ),
        Misconception(
            "to the uniform distribution",
            "You measure from the uniform distribution: in the bracket stands q(z), the mean of the rows.",
            lambda q: (q * (q * q.shape[-1]).log()).sum(-1).mean(),
        ),
        Misconception(
            "the sign",
            "The sign is turned: in the bracket stands log q_i - log q(z).",
            lambda q: (q * (q.mean(0).log() - q.log())).sum(-1).mean(),
        ),
    ),
    alternatives=(
        lambda q: kl_divergence(Categorical(q), Categorical(q.mean(0))).mean(),
        lambda q: Categorical(q.mean(0)).entropy() - Categorical(q).entropy().mean(),
        lambda q: sum((row * (row / q.mean(0)).log()).sum() for row in q) / len(q),
    ),
)
