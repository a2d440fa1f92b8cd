"""The logarithm of a mean of exponentials, for log-values of any size."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import log_mean_exp


def _mean_exp_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    shape = (sizes.samples, sizes.batch, sizes.dim)[: 2 + (sizes.dim > 3)]
    return draw.normal(*shape, scale=1.5), (-1, 0, 1)[sizes.latent % 3]


def _shifted(answer: Answer, draw: Draw) -> str | None:
    a = draw.normal(draw.sizes.samples, draw.sizes.batch)
    (low,), (high,) = tensors_from(answer.call(a, 0)), tensors_from(answer.call(a + 7.0, 0))
    if torch.allclose(high, low + 7.0):
        return None
    return "Adding 7 to every entry must add 7 to the result: log-mean-exp(a + 7) = 7 + log-mean-exp(a)."


def _between(answer: Answer, draw: Draw) -> str | None:
    a = draw.normal(draw.sizes.samples, draw.sizes.batch)
    (result,) = tensors_from(answer.call(a, 0))
    lowest, highest = a.mean(0), a.amax(0)
    if result.shape == lowest.shape and bool(((result > lowest) & (result < highest)).all()):
        return None
    return (
        "The log of a mean of exponentials lies between the mean and the largest of the entries: for the entries "
        f"of mean {lowest[0]:.3f} and maximum {highest[0]:.3f} you return {result.flatten()[0]:.3f}."
    )


EXERCISE = Exercise(
    reference=log_mean_exp,
    points=3,
    returns={"log_mean": "log_values without dim"},
    convention="Everything is in nats; log_mean_exp removes the dimension dim, like sum(dim) and mean(dim) do.",
    probe=_mean_exp_probe,
    gradients=("log_values",),
    misconceptions=(
        Misconception(
            "forgot the number of samples",
            "That is the log of the sum, not of the mean: subtract log S, with S the size of dimension dim.",
            lambda a, dim: torch.logsumexp(a, dim),
        ),
        Misconception(
            "mean of the logs",
            "You average the logarithms. The log of a mean is another thing than the mean of the logs: "
            "by Jensen's inequality it is larger.",
            lambda a, dim: a.mean(dim),
        ),
        Misconception(
            "exp before log",
            "You take exp first: it overflows to inf for large entries, underflows to 0 for small ones, and the log "
            "of that is lost. Subtract the largest entry before exp, and add it after the log.",
            lambda a, dim: a.exp().mean(dim).log(),
        ),
        Misconception(
            "maximum not added back",
            "You subtract the largest entry before exp, which is right, but never add it back after the log.",
            lambda a, dim: (a - a.amax(dim, keepdim=True)).exp().mean(dim).log(),
        ),
        Misconception(
            "divided the log by the number of samples",
            "You divide the log of the sum by S. The mean divides inside the logarithm: outside that is minus log S.",
            lambda a, dim: torch.logsumexp(a, dim) / a.shape[dim],
        ),
        Misconception(
            "wrong number of samples",
            "You subtract the log of the number of all entries: only those in dimension dim are averaged.",
            lambda a, dim: torch.logsumexp(a, dim) - math.log(a.numel()),
        ),
        Misconception(
            "added log S",
            "You add log S; dividing by S inside the logarithm is subtracting log S outside.",
            lambda a, dim: torch.logsumexp(a, dim) + math.log(a.shape[dim]),
        ),
        Misconception(
            "ignored dim",
            "You always reduce the first dimension: reduce the dimension `dim` that is asked for.",
            lambda a, dim: torch.logsumexp(a, 0) - math.log(a.shape[0]),
        ),
        Misconception(
            "ignored dim, always last",
            "You always reduce the last dimension: reduce the dimension `dim` that is asked for.",
            lambda a, dim: torch.logsumexp(a, -1) - math.log(a.shape[-1]),
        ),
        Misconception(
            "reduced everything",
            "You reduce all dimensions: only `dim` goes away.",
            lambda a, dim: torch.logsumexp(a.flatten(), 0) - math.log(a.numel()),
        ),
        Misconception(
            "dimension kept",
            "Your values are right, but dimension `dim` is still there with size one: leave out keepdim=True, "
            "or squeeze(dim).",
            lambda a, dim: torch.logsumexp(a, dim, keepdim=True) - math.log(a.shape[dim]),
        ),
        Misconception(
            "no logarithm",
            "You return the mean of the exponentials: its logarithm is missing.",
            lambda a, dim: a.exp().mean(dim),
        ),
        Misconception(
            "small number added inside the log",
            "You add or clamp to a small number inside the logarithm to avoid log 0. That changes the value: subtract "
            "the largest entry before exp instead.",
            lambda a, dim: (a.exp().mean(dim) + 1e-8).log(),
        ),
    ),
    alternatives=(
        lambda a, dim: (a - a.amax(dim, keepdim=True)).exp().mean(dim).log() + a.amax(dim, keepdim=True).squeeze(dim),
        lambda a, dim: torch.logsumexp(a - math.log(a.shape[dim]), dim=dim),
        lambda a, dim: torch.logsumexp(a, dim) - torch.log(torch.tensor(a.shape[dim], dtype=a.dtype)),
        lambda a, dim: torch.stack(list(a.unbind(dim))).logsumexp(0).sub(math.log(a.shape[dim])),
    ),
    properties=(
        Property("adding a constant", _shifted),
        Property("between mean and maximum", _between),
    ),
    edge_cases=(
        EdgeCase(
            "very small probabilities",
            "Right for moderate entries, but entries around -900 (the log-likelihood of an image) are lost: exp of "
            "them is 0.",
            lambda draw: (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=20.0, shift=-900.0), 0),
        ),
        EdgeCase(
            "very large values",
            "Right for moderate entries, but entries around +900 overflow: exp of them is inf.",
            lambda draw: (draw.normal(draw.sizes.batch, draw.sizes.samples, scale=20.0, shift=900.0), -1),
        ),
        EdgeCase(
            "-inf entries",
            "An entry of -inf is the log of a probability of zero: it must count as a term that is 0, not make the "
            "result NaN.",
            lambda draw: (_with_minus_infinity(draw), 0),
        ),
        EdgeCase(
            "vectors and more dimensions",
            "Right for matrices, but log_values may have any number of dimensions.",
            lambda draw: (
                (draw.normal(draw.sizes.samples), 0)
                if draw.integer(2)
                else (draw.normal(2, draw.sizes.samples, 3, draw.sizes.batch), -2)
            ),
        ),
    ),
)


def _with_minus_infinity(draw: Draw) -> Tensor:
    a = draw.normal(draw.sizes.samples, draw.sizes.batch)
    a[0] = -math.inf
    return a
