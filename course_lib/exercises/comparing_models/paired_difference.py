"""Is one model better, or lucky in its test images?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.comparing import paired_difference


def _probe(draw: Draw) -> tuple[Tensor, Tensor]:
    images = draw.sizes.samples + 2
    hard = draw.normal(images, scale=1.5, shift=3.0)
    return hard + draw.normal(images, scale=0.4), hard + draw.normal(images, scale=0.4, shift=-0.2)


def _a_shift(answer: Answer, draw: Draw) -> str | None:
    """Worse by the same amount on every image: no luck is involved."""
    hard, _ = _probe(draw)
    result = tensors_from(answer.call(hard + 0.25, hard))
    if len(result) != 2 or any(value.numel() != 1 for value in result):
        return None
    mean, error = (value.item() for value in result)
    if math.isclose(mean, 0.25, abs_tol=1e-5) and abs(error) < 1e-5:
        return None
    return (
        "Where a is 0.25 bits worse on every single image, the mean difference is 0.25 and its standard error 0; "
        f"yours are {mean:.3f} and {error:.3f}."
    )


def _of(
    mean: Callable[[Tensor], Tensor] = lambda d: d.mean(),
    error: Callable[[Tensor], Any] = lambda d: d.std() / math.sqrt(len(d)),
) -> Callable[..., Any]:
    return lambda bits_a, bits_b: (mean(bits_a - bits_b), error(bits_a - bits_b))


def _unpaired(bits_a: Tensor, bits_b: Tensor) -> Any:
    return (bits_a - bits_b).mean(), ((bits_a.var() + bits_b.var()) / len(bits_a)).sqrt()


def _by_hand(bits_a: Tensor, bits_b: Tensor) -> Any:
    difference, n = bits_a - bits_b, bits_a.shape[0]
    mean = difference.sum() / n
    return mean, (((difference - mean) ** 2).sum() / (n - 1) / n).sqrt()


EXERCISE = Exercise(
    reference=paired_difference,
    points=2,
    returns={"mean": "()", "standard_error": "()"},
    convention="The mean of a - b over the images, and the standard error of that mean: the differences' standard deviation (n - 1) "
    "over the square root of n. Two tensors of shape ().",
    probe=_probe,
    gradients=("bits_a", "bits_b"),
    properties=(Property("a shift", _a_shift),),
    misconceptions=(
        Misconception(
            "the sign",
            "You take b - a: the mean of a - b is wanted, positive where a needs more bits.",
            lambda bits_a, bits_b: paired_difference(bits_b, bits_a),
        ),
        Misconception(
            "not paired",
            "You treat the two as if they saw different images: what is hard for both cancels in the difference of each image. Take the "
            "standard deviation of a - b.",
            _unpaired,
        ),
        Misconception(
            "the spread of one image",
            "That is how much one image's difference varies. The mean of n of them varies less, by the square root of n.",
            _of(error=lambda d: d.std()),
        ),
        Misconception(
            "divided by n",
            "You divide the standard deviation by n: by its square root.",
            _of(error=lambda d: d.std() / len(d)),
        ),
        Misconception(
            "n instead of n - 1",
            "You divide by n inside the variance: the mean was taken from the same differences, so n - 1.",
            _of(error=lambda d: d.std(correction=0) / math.sqrt(len(d))),
        ),
        Misconception(
            "n - 1 under the root",
            "You divide by the square root of n - 1: the n - 1 belongs into the variance, the mean is over n images.",
            _of(error=lambda d: d.std() / math.sqrt(len(d) - 1)),
        ),
        Misconception(
            "the variance",
            "That is the squared standard error: take the root.",
            _of(error=lambda d: d.var() / len(d)),
        ),
        Misconception(
            "the larger error alone",
            "You take a's own standard error: how hard the images are, not how much the models differ on them.",
            lambda bits_a, bits_b: ((bits_a - bits_b).mean(), bits_a.std() / math.sqrt(len(bits_a))),
        ),
        Misconception(
            "absolute differences",
            "You average absolute differences: where a is better on some images and b on others, that has to cancel.",
            _of(mean=lambda d: d.abs().mean()),
        ),
        Misconception(
            "sums",
            "You add the differences up: their mean is wanted.",
            _of(mean=lambda d: d.sum()),
        ),
        Misconception(
            "the median",
            "You take the median difference: the mean is wanted, whose standard error this is.",
            _of(mean=lambda d: d.median()),
        ),
        Misconception(
            "in standard errors",
            "You divide the mean by its standard error: both are wanted, in bits/dim.",
            lambda bits_a, bits_b: (
                paired_difference(bits_a, bits_b)[0] / paired_difference(bits_a, bits_b)[1],
                paired_difference(bits_a, bits_b)[1],
            ),
        ),
        Misconception(
            "twice the error",
            "That is twice the standard error, the half-width of a 95 % interval: one standard error is wanted.",
            _of(error=lambda d: 2 * d.std() / math.sqrt(len(d))),
        ),
    ),
    alternatives=(
        _by_hand,
        lambda bits_a, bits_b: [bits_a.mean() - bits_b.mean(), ((bits_a - bits_b).var() / len(bits_a)) ** 0.5],
    ),
)
