"""What the encoder's q loses to the best one; signed."""

from __future__ import annotations

import torch

from course_lib.amortized import amortization_gap
from course_lib.checker.exercise import Exercise, Misconception

EXERCISE = Exercise(
    reference=amortization_gap,
    points=1,
    returns={"gap": "(batch,)"},
    convention="The gap is elbo_optimal - elbo_amortized, one signed number for each data point, (batch,), in nats.",
    probe=lambda draw: (
        draw.normal(draw.sizes.batch + 1, scale=2.0, shift=-9.0),
        draw.normal(draw.sizes.batch + 1, scale=2.0, shift=-9.6),
    ),
    gradients=("elbo_optimal", "elbo_amortized"),
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: the gap is what the best q has over the encoder's, elbo_optimal - elbo_amortized.",
            lambda elbo_optimal, elbo_amortized: elbo_amortized - elbo_optimal,
        ),
        Misconception(
            "absolute value",
            "You take the absolute value: the gap is signed. Estimates have noise, and an optimisation can stop too "
            "early; a negative gap tells you so.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).abs(),
        ),
        Misconception(
            "negative gaps cut off",
            "You set negative gaps to zero: keep the sign. Cut off, the noise of the estimates no longer averages out.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).clamp(min=0),
        ),
        Misconception(
            "mean over the batch",
            "You average over the data points: keep one gap for each, (batch,).",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).mean(),
        ),
        Misconception(
            "ratio",
            "You divide the bounds: they are logarithms, the gap is their difference, in nats.",
            lambda elbo_optimal, elbo_amortized: elbo_optimal / elbo_amortized,
        ),
        Misconception(
            "relative gap",
            "You divide the gap by the bound: it is a difference in nats, and log p(x) has no natural zero.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized) / elbo_optimal,
        ),
        Misconception(
            "squared",
            "You square the gap: it is the difference itself, signed.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized) ** 2,
        ),
        Misconception(
            "exponential",
            "exp is taken of the gap: keep it in nats.",
            lambda elbo_optimal, elbo_amortized: (elbo_optimal - elbo_amortized).exp(),
        ),
    ),
    alternatives=(
        lambda elbo_optimal, elbo_amortized: torch.sub(elbo_optimal, elbo_amortized),
        lambda elbo_optimal, elbo_amortized: -(elbo_amortized - elbo_optimal),
    ),
)
