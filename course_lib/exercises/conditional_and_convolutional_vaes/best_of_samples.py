"""The error of the best of several answers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.conditional import best_of_samples
from course_lib.exercises.conditional_and_convolutional_vaes.probes import pixels


def _probe(draw: Draw) -> tuple[Tensor, ...]:
    sizes = draw.sizes
    return pixels(draw, sizes.batch, sizes.dim), pixels(draw, sizes.samples, sizes.batch, sizes.dim)


def _by_loop(y: Tensor, predictions: Tensor) -> Tensor:
    best = None
    for prediction in predictions:
        error = functional.mse_loss(prediction, y, reduction="none").mean(1)
        best = error if best is None else torch.minimum(best, error)
    assert best is not None
    return best


EXERCISE = Exercise(
    reference=best_of_samples,
    points=2,
    returns={"error": "(batch,)"},
    convention="For each data point the smallest, over the samples, of the squared errors averaged over the entries of y; (batch,).",
    probe=_probe,
    misconceptions=(
        Misconception(
            "mean over the samples",
            "You average the errors over the samples: take the smallest.",
            lambda y, predictions: ((predictions - y) ** 2).mean((0, -1)),
        ),
        Misconception(
            "the worst",
            "You take the largest error: the smallest is that of the best answer.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1).max(0).values,
        ),
        Misconception(
            "the mean answer",
            "You take the error of the mean answer, the blurry one: take the smallest of the single errors.",
            lambda y, predictions: ((predictions.mean(0) - y) ** 2).mean(-1),
        ),
        Misconception(
            "best pixel by pixel",
            "You take the best sample anew for every pixel: an answer is one sample, whole. Average over the pixels first.",
            lambda y, predictions: ((predictions - y) ** 2).min(0).values.mean(-1),
        ),
        Misconception(
            "the best pixel",
            "You take the smallest error over the pixels: average over the pixels, take the smallest over the samples.",
            lambda y, predictions: ((predictions - y) ** 2).min(-1).values.min(0).values,
        ),
        Misconception(
            "one sample for the whole batch",
            "You choose one sample for the whole batch: every data point has its own best.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1)[((predictions - y) ** 2).mean((1, 2)).argmin()],
        ),
        Misconception(
            "over the batch",
            "You take the smallest over the batch: over the samples, dimension 0.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1).min(1).values,
        ),
        Misconception(
            "one number",
            "You average over the batch: keep one value for each data point.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1).min(0).values.mean(),
        ),
        Misconception(
            "sum over the pixels",
            "You sum over the pixels: the mean squared error is wanted.",
            lambda y, predictions: ((predictions - y) ** 2).sum(-1).min(0).values,
        ),
        Misconception(
            "absolute error",
            "You take absolute differences: squared ones.",
            lambda y, predictions: (predictions - y).abs().mean(-1).min(0).values,
        ),
        Misconception(
            "root of the mean",
            "You take the root: the mean squared error itself is wanted.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1).min(0).values.sqrt(),
        ),
        Misconception(
            "which one",
            "You return which sample is best: return its error.",
            lambda y, predictions: ((predictions - y) ** 2).mean(-1).argmin(0),
        ),
        Misconception(
            "not squared",
            "You average the differences without squaring: positive and negative ones cancel.",
            lambda y, predictions: (predictions - y).mean(-1).min(0).values,
        ),
    ),
    alternatives=(
        _by_loop,
        lambda y, predictions: (
            functional.mse_loss(predictions, y.expand_as(predictions), reduction="none").mean(2).amin(0)
        ),
        lambda y, predictions: (predictions - y.unsqueeze(0)).square().mean(dim=-1).sort(0)[0][0],
    ),
)
