"""The worked example: the log-probability of independent events."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception


def independent_log_prob(probs: Tensor) -> Tensor:
    """Return the log-probability of independent events, ``(batch,)``: the sum of their logs."""
    return probs.log().sum(-1)


EXERCISE = Exercise(
    reference=independent_log_prob,
    points=0,
    returns={"log_prob": "(batch,)"},
    convention="Log-densities sum over the event (last) dimension and return one value per data point, (batch,).",
    probe=lambda draw: (draw.simplex(draw.sizes.batch, draw.sizes.dim + 1),),
    sums_over="probs",
    gradients=("probs",),
    misconceptions=(
        Misconception(
            "log of the sum",
            "You take the logarithm of a sum. Independent probabilities multiply, so their logarithms add.",
            lambda probs: probs.sum(-1).log(),
        ),
        Misconception(
            "mean over events",
            "You average over the events: log-probabilities of independent events add, sum over the last dimension.",
            lambda probs: probs.log().mean(-1),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: dimension 0 holds the data points, the events are in the last dimension.",
            lambda probs: probs.log().sum(0),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda probs: probs.log().sum(),
        ),
        Misconception(
            "product before the logarithm",
            "You multiply first and take the logarithm after: the product of hundreds of probabilities underflows "
            "to 0, and log 0 = -inf. Take the logarithms first, then add.",
            lambda probs: probs.prod(-1).log(),
        ),
    ),
    alternatives=(lambda probs: torch.einsum("bd->b", torch.log(probs)),),
    edge_cases=(
        EdgeCase(
            "hundreds of events",
            "Right for a few events, but the product of hundreds of probabilities underflows to 0.",
            lambda draw: (0.05 * draw.simplex(draw.sizes.batch, 400),),
        ),
    ),
)
