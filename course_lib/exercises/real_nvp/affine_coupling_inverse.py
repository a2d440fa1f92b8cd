"""The affine coupling from x back to z, with its log-determinant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.probes import IN_PLACES, affine, coupling_probe, many_probe
from course_lib.real_nvp import affine_coupling_forward, affine_coupling_inverse

Network = Callable[[Tensor], Tensor]


def _right(other: Tensor, shift: Tensor, log_scale: Tensor) -> Tensor:
    return (other - shift) * (-log_scale).exp()


def _sum(other: Tensor, shift: Tensor, log_scale: Tensor) -> Tensor:
    return -log_scale.sum(-1)


def _by_division(x: Tensor, d: int, g: Network, h: Network) -> Any:
    kept, changed = x.split([d, x.shape[-1] - d], -1)
    log_scale = h(kept)
    return torch.hstack([kept, (changed - g(kept)) / torch.exp(log_scale)]), -torch.sum(log_scale, 1)


def _undoes_forward(answer: Answer, draw: Draw) -> str | None:
    z, d, g, h = coupling_probe(draw)
    back, *_ = tensors_from(answer.call(affine_coupling_forward(z, d, g, h)[0].detach(), d, g, h))
    if back.shape == z.shape and torch.allclose(back, z, atol=1e-6):
        return None
    return "Forward and then your inverse do not lead back to the z where it began."


EXERCISE = Exercise(
    reference=affine_coupling_inverse,
    points=1,
    returns={"z": "(batch, dim)", "log_det": "(batch,)"},
    convention="z₁ = x₁, z₂ = (x₂ - g(x₁)) · exp(-h(x₁)); log_det = log|det dz/dx|, of the map just applied, nats. "
    + IN_PLACES,
    probe=coupling_probe,
    gradients=("x",),
    properties=(Property("undoes forward", _undoes_forward),),
    edge_cases=(
        EdgeCase(
            "a thousand dimensions",
            "Right in a few dimensions, but not in a thousand: the product of a thousand scales leaves floating point, the sum of "
            "their logarithms does not.",
            many_probe,
        ),
    ),
    misconceptions=(
        Misconception(
            "forward again",
            "That is forward once more: the way back subtracts g first, then divides by exp(h).",
            affine(lambda x, g, h: x * h.exp() + g, lambda x, g, h: h.sum(-1)),
        ),
        Misconception(
            "in the wrong order",
            "You divide first, then subtract g: what was done last is undone first, so g is subtracted before the scale is taken back.",
            affine(lambda x, g, h: x * (-h).exp() - g, _sum),
        ),
        Misconception(
            "g added",
            "You add g: forward has added it, so it is subtracted.",
            affine(lambda x, g, h: (x + g) * (-h).exp(), _sum),
        ),
        Misconception(
            "multiplied again",
            "You multiply by exp(h): forward has done that, so divide, or multiply by exp(-h).",
            affine(lambda x, g, h: (x - g) * h.exp(), _sum),
        ),
        Misconception(
            "divided by h",
            "You divide by h: the scale is exp(h).",
            affine(lambda x, g, h: (x - g) / h, _sum),
        ),
        Misconception(
            "g and h exchanged",
            "g and h have changed places: g is the shift, h the logarithm of the scale.",
            affine(lambda x, g, h: (x - h) * (-g).exp(), lambda x, g, h: -g.sum(-1)),
        ),
        Misconception(
            "no scale",
            "That is NICE's way back: the scale exp(h) has to be taken back as well.",
            affine(lambda x, g, h: x - g, lambda x, g, h: 0 * h.sum(-1)),
        ),
        Misconception(
            "no shift",
            "The shift is not taken back: subtract g(x₁) first.",
            affine(lambda x, g, h: x * (-h).exp(), _sum),
        ),
        Misconception(
            "bounded inside",
            "You put a tanh around h: h is used as it comes. A bound belongs into h itself.",
            affine(lambda x, g, h: (x - g) * (-h.tanh()).exp(), lambda x, g, h: -h.tanh().sum(-1)),
        ),
        Misconception(
            "log_det of forward",
            "z is right; the log_det is that of forward: it is that of the map just applied, from x to z, minus the sum of h.",
            affine(_right, lambda x, g, h: h.sum(-1)),
        ),
        Misconception(
            "log_det is 0",
            "z is right, but your log_det is 0, as in NICE: each changed entry is divided by exp(h).",
            affine(_right, lambda x, g, h: 0 * h.sum(-1)),
        ),
        Misconception(
            "log_det is a mean",
            "z is right; your log_det is a mean over entries: the logarithms of all scales add.",
            affine(_right, lambda x, g, h: -h.mean(-1)),
        ),
        Misconception(
            "sum of the scales",
            "z is right; you add the scales themselves: it is their logarithms that add.",
            affine(_right, lambda x, g, h: (-h).exp().sum(-1)),
        ),
        Misconception(
            "determinant",
            "z is right; you return the determinant, a product: its logarithm is asked for.",
            affine(_right, lambda x, g, h: (-h).exp().prod(-1)),
        ),
        Misconception(
            "a log_det for each entry",
            "z is right; you return -h for each entry: sum over the entries, one value for each point, (batch,).",
            affine(_right, lambda x, g, h: -h),
        ),
        Misconception(
            "parts exchanged",
            "The two parts change places: put the kept entries first, torch.cat([x1, z2], -1).",
            affine(_right, _sum, lambda kept, rest: torch.cat([rest, kept], -1)),
        ),
        Misconception(
            "z alone",
            "You return z alone: (z, log_det) is asked for.",
            lambda x, d, g, h: affine(_right, _sum)(x, d, g, h)[0],
        ),
    ),
    alternatives=(_by_division,),
)
