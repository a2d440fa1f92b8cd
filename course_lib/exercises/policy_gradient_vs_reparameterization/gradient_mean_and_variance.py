"""Mean and variance of a gradient estimator, over repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.gradients import gradient_mean_and_variance


def _repeats_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    number = sizes.samples + 1
    draws = draw.normal(number, *((), (sizes.latent,), (sizes.batch, sizes.latent))[draw.integer(3)], scale=2.0)
    return _Recording(draws), number


class _Recording:
    """An estimator whose estimates are known, and that counts how often it was asked."""

    def __init__(self, draws: Tensor) -> None:
        self.draws, self.asked = draws, 0

    def __call__(self) -> Tensor:
        self.asked += 1
        # Past the end it would be asked too often; what it gives then matters no more.
        return self.draws[(self.asked - 1) % len(self.draws)].clone()

    @property
    def dtype(self) -> torch.dtype:
        return self.draws.dtype

    def double(self) -> _Recording:
        return _Recording(self.draws.double())


def observe_repeats(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe mean, variance, and how often the estimator was called."""
    estimator = _Recording(args[0].draws)
    parts = tensors_from(answer.call(estimator, args[1]))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mean and variance; {len(parts)} came.")
    return *parts, torch.tensor(float(estimator.asked)).to(parts[0])


def _statistic(
    variance: Callable[[Tensor], Tensor],
    mean: Callable[[Tensor], Tensor] = lambda d: d.mean(0),
    extra: int = 0,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def wrong(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
        draws = torch.stack([estimator() for _ in range(num_repeats + extra)])
        return mean(draws), variance(draws)

    return wrong


def _running(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    """Welford's one-pass form."""
    mean = estimator().clone()
    spread = torch.zeros_like(mean)
    for n in range(2, num_repeats + 1):
        value = estimator()
        step = value - mean
        mean = mean + step / n
        spread = spread + step * (value - mean)
    return mean, spread / (num_repeats - 1)


def _asked_again(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    mean = torch.stack([estimator() for _ in range(num_repeats)]).mean(0)
    return mean, torch.stack([estimator() for _ in range(num_repeats)]).var(0)


def _asked_once(estimator: Any, num_repeats: int) -> tuple[Tensor, Tensor]:
    value = estimator()
    return value, torch.zeros_like(value)


EXERCISE = Exercise(
    reference=gradient_mean_and_variance,
    points=2,
    returns={
        "mean": "the shape of one estimate",
        "variance": "the same shape",
        "calls of the estimator": "num_repeats",
    },
    convention="estimator() is called exactly num_repeats times and returns one tensor of any shape; mean and variance are "
    "taken for each entry, the variance unbiased, with n - 1.",
    probe=_repeats_probe,
    observe=observe_repeats,
    misconceptions=(
        Misconception(
            "divided by n",
            "Your variance divides by n: with the mean estimated from the same draws, the unbiased one divides by n - 1.",
            _statistic(lambda d: d.var(0, correction=0)),
        ),
        Misconception(
            "standard deviation",
            "You return the standard deviation: the variance is its square.",
            _statistic(lambda d: d.std(0)),
        ),
        Misconception(
            "standard error",
            "You divide the variance by the number of repeats: that is the variance of the mean. One estimate's variance "
            "is asked for.",
            _statistic(lambda d: d.var(0) / len(d)),
        ),
        Misconception(
            "second moment",
            "You return the mean square: subtract the square of the mean.",
            _statistic(lambda d: (d**2).mean(0)),
        ),
        Misconception(
            "sum of squares",
            "You return the sum of squared deviations: divide it by n - 1.",
            _statistic(lambda d: ((d - d.mean(0)) ** 2).sum(0)),
        ),
        Misconception(
            "one variance for all entries",
            "You return one number for all entries: mean and variance are taken for each entry, over the repeats.",
            lambda estimator, num_repeats: (lambda d: (d.mean(), d.var()))(
                torch.stack([estimator() for _ in range(num_repeats)] + [])
            ),
        ),
        Misconception(
            "sum instead of mean",
            "You return the sum of the estimates: their mean is asked for.",
            _statistic(lambda d: d.var(0), mean=lambda d: d.sum(0)),
        ),
        Misconception(
            "results exchanged",
            "The two results are exchanged: the mean comes first.",
            lambda estimator, num_repeats: gradient_mean_and_variance(estimator, num_repeats)[::-1],
        ),
        Misconception(
            "called once",
            "You call the estimator once: each repeat needs a call of its own, with new noise.",
            _asked_once,
        ),
        Misconception(
            "called twice as often",
            "You call the estimator anew for the variance: mean and variance come from the same num_repeats estimates.",
            _asked_again,
        ),
        Misconception(
            "one call too many",
            "You call the estimator once too often: exactly num_repeats times.",
            _statistic(lambda d: d[:-1].var(0), mean=lambda d: d[:-1].mean(0), extra=1),
        ),
    ),
    alternatives=(
        _running,
        _statistic(lambda d: ((d - d.mean(0)) ** 2).sum(0) / (len(d) - 1)),
        _statistic(lambda d: (d**2).mean(0).sub(d.mean(0) ** 2) * len(d) / (len(d) - 1)),
    ),
)
