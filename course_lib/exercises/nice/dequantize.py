"""Whole numbers spread over their cells, and what that does to a density."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.nice import dequantize


def _probe(draw: Draw) -> tuple[Any, ...]:
    levels = (16, 5, 100, 7)[draw.integer(4)]
    return *_pixels_and_noise(draw, levels), levels


def _pixels_and_noise(draw: Draw, levels: int) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.dim
    share, noise = (draw.simplex(*shape, 2)[..., 0] for _ in range(2))
    return (share.double() * levels).floor().long(), noise


def _bytes(draw: Draw) -> tuple[Any, ...]:
    pixels, noise = _pixels_and_noise(draw, 256)
    return pixels.to(torch.uint8), noise, 256


OWN_NOISE = (
    "Called twice with the same noise it gives different values: take the noise that is given, draw none of your own."
)


def _draws_noise(answer: Answer, draw: Draw) -> str | None:
    args = _probe(draw)
    first, second = (tensors_from(answer.call(*args)) for _ in range(2))
    return None if all(torch.equal(a, b) for a, b in zip(first, second, strict=True)) else OWN_NOISE


def _variant(
    divisor: Callable[[int], float] = lambda levels: levels,
    spread: Callable[[Tensor], Tensor] = lambda noise: noise,
    log_det: Callable[[int, int], float] = lambda dim, levels: -dim * math.log(levels),
    shape: Callable[[Tensor], Tensor] = lambda value: value,
) -> Callable[..., Any]:
    def wrong(pixels: Tensor, noise: Tensor, levels: int) -> Any:
        x = (pixels.to(noise.dtype) + spread(noise)) / divisor(levels)
        return x, shape(x.new_full((len(x),), log_det(x.shape[-1], levels)))

    return wrong


def _before_division(pixels: Tensor, noise: Tensor, levels: int) -> Any:
    return pixels.to(noise.dtype) / levels + noise, dequantize(pixels, noise, levels)[1]


def _hard_coded(pixels: Tensor, noise: Tensor, levels: int) -> Any:
    return dequantize(pixels, noise, 256)


def _by_loop(pixels: Tensor, noise: Tensor, levels: int) -> Any:
    x = torch.stack([(row + u) / levels for row, u in zip(pixels, noise, strict=True)])
    return x, -torch.ones_like(noise).sum(-1) * math.log(levels)


def _by_autograd(pixels: Tensor, noise: Tensor, levels: int) -> Any:
    factor = torch.full_like(noise, 1 / levels)
    return (pixels + noise) * factor, factor.log().sum(-1)


EXERCISE = Exercise(
    reference=dequantize,
    points=2,
    returns={"x": "(batch, dim)", "log_det": "(batch,)"},
    convention="x = (pixels + noise) / levels lies in [0, 1). log_det = log|det dx/d(pixels + noise)|, of the map just applied, nats, (batch,).",
    probe=_probe,
    properties=(Property("own noise", _draws_noise),),
    edge_cases=(
        EdgeCase(
            "bytes",
            "Right for pixels of int64, but not for bytes (uint8), as images come: bring them to the noise's dtype before you compute.",
            _bytes,
        ),
    ),
    misconceptions=(
        Misconception(
            "divided by levels - 1",
            "You divide by levels - 1, so that the brightest pixel leaves [0, 1): there are `levels` cells, each 1/levels wide.",
            _variant(divisor=lambda levels: levels - 1, log_det=lambda dim, levels: -dim * math.log(levels - 1)),
        ),
        Misconception(
            "divided by levels - 1, log_det by levels",
            "You divide by levels - 1, so that the brightest pixel leaves [0, 1). The log_det is that of a division by levels.",
            _variant(divisor=lambda levels: levels - 1),
        ),
        Misconception(
            "256 levels always",
            "You divide by 256: `levels` says how many grey values there are, and it is not always 256.",
            _hard_coded,
        ),
        Misconception(
            "noise behind the division",
            "You add the noise after the division: it then blurs over all grey values. Spread each pixel over its own cell, then divide.",
            _before_division,
        ),
        Misconception(
            "noise left out",
            "The noise is missing: x still takes `levels` values only, and the likelihood grows without bound.",
            _variant(spread=lambda noise: 0 * noise),
        ),
        Misconception(
            "noise centred",
            "You subtract ½ from the noise: a dark pixel then leaves [0, 1). The noise lies in [0, 1) and is added as it is.",
            _variant(spread=lambda noise: noise - 0.5),
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            _variant(spread=torch.rand_like),
        ),
        Misconception(
            "sign of log_det",
            "The log_det has the wrong sign: dividing by levels shrinks each dimension, so the determinant is below 1.",
            _variant(log_det=lambda dim, levels: dim * math.log(levels)),
        ),
        Misconception(
            "log_det of one dimension",
            "The log_det counts one dimension: every one of the dim entries is divided by levels.",
            _variant(log_det=lambda dim, levels: -math.log(levels)),
        ),
        Misconception(
            "log_det forgotten",
            "The log_det is 0: dividing by levels shrinks the volume, and that counts.",
            _variant(log_det=lambda dim, levels: 0.0),
        ),
        Misconception(
            "log_det in bits",
            "The log_det is in bits: natural logarithms, please.",
            _variant(log_det=lambda dim, levels: -dim * math.log2(levels)),
        ),
        Misconception(
            "determinant instead of its logarithm",
            "You return 1/levels for each dimension, not its logarithm: -dim · log(levels).",
            _variant(log_det=lambda dim, levels: dim / levels),
        ),
        Misconception(
            "a log_det for each entry",
            "You return a log_det for each entry: sum over the dimensions, one value per data point, (batch,).",
            lambda pixels, noise, levels: (
                dequantize(pixels, noise, levels)[0],
                torch.full_like(noise, -math.log(levels)),
            ),
        ),
        Misconception(
            "one log_det for the batch",
            "You return one log_det for the whole batch: one value per data point, (batch,), even though they are all equal.",
            _variant(shape=lambda value: value[0]),
        ),
        Misconception(
            "x alone",
            "You return x alone: (x, log_det) is asked for.",
            lambda pixels, noise, levels: dequantize(pixels, noise, levels)[0],
        ),
    ),
    alternatives=(_by_loop, _by_autograd),
)
