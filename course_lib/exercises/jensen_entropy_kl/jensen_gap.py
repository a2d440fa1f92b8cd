"""The gap of Jensen's inequality for the logarithm."""

from __future__ import annotations

import math

import torch

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import jensen_gap
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def _gap_of_equal_values(answer: Answer, draw: Draw) -> str | None:
    y = draw.positive(1).expand(6).clone()
    (gap,) = tensors_from(answer.call(y))
    if gap.numel() == 1 and abs(gap.item()) > 1e-6:
        return f"Where all values are equal, log E[y] = E[log y] and the gap is 0. Yours is {gap.item():.4f}."
    return None


def _gap_is_positive(answer: Answer, draw: Draw) -> str | None:
    (gap,) = tensors_from(answer.call(draw.positive(50)))
    if gap.numel() == 1 and gap.item() < 0:
        return f"By Jensen's inequality log E[y] ≥ E[log y]: the gap is never negative. Yours is {gap.item():.4f}."
    return None


EXERCISE = Exercise(
    reference=jensen_gap,
    points=2,
    returns={"gap": "()"},
    convention="The gap is log E[y] - E[log y], natural logarithms, the expectation the plain mean of the n values.",
    probe=lambda draw: (draw.positive(draw.sizes.batch + 4),),
    number_accepted=True,
    misconceptions=(
        Misconception(
            "log and mean exchanged",
            "The two terms are exchanged: the gap is log E[y] - E[log y], which is never negative.",
            lambda y: y.log().mean() - y.mean().log(),
        ),
        Misconception(
            "only log of the mean",
            "That is log E[y] alone: subtract E[log y].",
            lambda y: y.mean().log(),
        ),
        Misconception(
            "only mean of the log",
            "That is E[log y] alone: subtract it from log E[y].",
            lambda y: y.log().mean(),
        ),
        Misconception(
            "log inside on both sides",
            "Your two terms are the same: in the first the logarithm is taken of the mean, in the second the mean of "
            "the logarithm.",
            lambda y: y.log().mean() - y.log().mean(),
        ),
        Misconception(
            "sum instead of mean",
            "You sum where the expectation is: divide by n.",
            lambda y: y.sum().log() - y.log().sum(),
        ),
        Misconception(
            "log of the sum",
            "In the first term you take the log of the sum: of the mean.",
            lambda y: y.sum().log() - y.log().mean(),
        ),
        Misconception(
            "sum of the logs",
            "In the second term you sum the logarithms: average them.",
            lambda y: y.mean().log() - y.log().sum(),
        ),
        Misconception(
            "log base 2 or 10",
            "Your logarithm has base 2: the course uses natural logarithms, torch.log.",
            lambda y: y.mean().log2() - y.log2().mean(),
        ),
        Misconception(
            "log base 10",
            "Your logarithm has base 10: the course uses natural logarithms, torch.log.",
            lambda y: y.mean().log10() - y.log10().mean(),
        ),
        Misconception(
            "no logarithm of the mean",
            "The logarithm of E[y] is missing in the first term.",
            lambda y: y.mean() - y.log().mean(),
        ),
        Misconception(
            "one gap per value",
            "You return one value per y: E[log y] averages over all of them, the gap is a single number.",
            lambda y: y.mean().log() - y.log(),
        ),
        Misconception(
            "exponential of the gap",
            "exp is taken of the gap: return log E[y] - E[log y] itself, in nats.",
            lambda y: y.mean() / y.log().mean().exp(),
        ),
    ),
    alternatives=(
        lambda y: torch.logsumexp(y.log(), 0) - math.log(len(y)) - y.log().mean(),
        lambda y: torch.log(y.sum() / y.numel()) - torch.log(y).sum() / y.numel(),
        lambda y: -(y / y.mean()).log().mean(),
        lambda y: float(y.mean().log() - y.log().mean()),
    ),
    properties=(
        Property("zero for equal values", _gap_of_equal_values),
        Property("never negative", _gap_is_positive),
    ),
)
