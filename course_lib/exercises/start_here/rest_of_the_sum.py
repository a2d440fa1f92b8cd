"""What is left of a sum of two exponentials when the larger is taken out: the term that a derivation misses."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception


def rest_of_the_sum(a: Tensor, b: Tensor) -> Tensor:
    """Return the term r of log(e^a + e^b) = m + log(1 + r) with m = max(a, b), elementwise."""
    return torch.exp(-(a - b).abs())


EXERCISE = Exercise(
    reference=rest_of_the_sum,
    points=2,
    returns={"rest": "(batch,)"},
    convention="log(e^a + e^b) = m + log(1 + r), where m is the larger of a and b, element by element; r is asked for.",
    probe=lambda draw: (draw.normal(draw.sizes.batch, scale=1.5), draw.normal(draw.sizes.batch, scale=1.5)),
    misconceptions=(
        Misconception(
            "a always taken out",
            "Right where a is the larger. Where b is, e^b has to come out of the sum, and e^a stays.",
            lambda a, b: (b - a).exp(),
        ),
        Misconception(
            "b always taken out",
            "Right where b is the larger. Where a is, e^a has to come out of the sum, and e^b stays.",
            lambda a, b: (a - b).exp(),
        ),
        Misconception(
            "larger over smaller",
            "You divide the larger exponential by the smaller: it is the larger one that comes out of the sum.",
            lambda a, b: (a - b).abs().exp(),
        ),
        Misconception(
            "nothing divided",
            "You keep the smaller exponential as it was: once e^m stands before the bracket, what is in it is divided "
            "by e^m.",
            lambda a, b: torch.minimum(a, b).exp(),
        ),
        Misconception(
            "exponent only",
            "That is the exponent of the missing term: the term itself is e to that power.",
            lambda a, b: -(a - b).abs(),
        ),
        Misconception(
            "the 1 counted again",
            "You include the 1, which stands before the box already.",
            lambda a, b: 1 + torch.exp(-(a - b).abs()),
        ),
        Misconception(
            "logarithm taken already",
            "You return log(1 + r), the whole second part: the box holds r alone.",
            lambda a, b: torch.exp(-(a - b).abs()).log1p(),
        ),
        Misconception(
            "the whole left-hand side",
            "You return log(e^a + e^b), what the derivation begins with: the box holds one term of it.",
            torch.logaddexp,
        ),
        Misconception(
            "exp before dividing",
            "You divide two exponentials. For a and b around -900 both are stored as 0, and 0/0 is NaN: subtract the "
            "exponents first, then take exp once.",
            lambda a, b: torch.minimum(a, b).exp() / torch.maximum(a, b).exp(),
        ),
    ),
    alternatives=(
        lambda a, b: torch.exp(torch.minimum(a, b) - torch.maximum(a, b)),
        lambda a, b: torch.where(a > b, (b - a).exp(), (a - b).exp()),
        lambda a, b: torch.minimum((a - b).exp(), (b - a).exp()),
        lambda a, b: torch.exp(torch.stack((a, b)).amin(0) - torch.stack((a, b)).amax(0)),
    ),
    edge_cases=(
        EdgeCase(
            "very small probabilities",
            "Right for moderate numbers, but for a and b around -900 exp is stored as 0 before you divide: subtract the "
            "exponents first, then take exp once.",
            lambda draw: (
                draw.normal(draw.sizes.batch, scale=2.0, shift=-900.0),
                draw.normal(draw.sizes.batch, scale=2.0, shift=-900.0),
            ),
        ),
    ),
)
