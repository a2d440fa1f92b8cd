"""The affine coupling from z to x, with its log-determinant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.exercises.real_nvp.probes import IN_PLACES, affine, coupling_probe, many_probe
from course_lib.real_nvp import affine_coupling_forward

Network = Callable[[Tensor], Tensor]


def _right(other: Tensor, shift: Tensor, log_scale: Tensor) -> Tensor:
    return other * log_scale.exp() + shift


def _sum(other: Tensor, shift: Tensor, log_scale: Tensor) -> Tensor:
    return log_scale.sum(-1)


def _into_a_clone(z: Tensor, d: int, g: Network, h: Network) -> Any:
    x, s = z.clone(), h(z[:, :d])
    x[:, d:] = g(z[:, :d]) + torch.exp(s) * z[:, d:]
    return x, s.sum(dim=1)


def _padded(z: Tensor, d: int, g: Network, h: Network) -> Any:
    pad = torch.nn.functional.pad
    log_scale, shift = pad(h(z[:, :d]), (d, 0)), pad(g(z[:, :d]), (d, 0))
    return z * torch.exp(log_scale) + shift, log_scale.sum(-1)


EXERCISE = Exercise(
    reference=affine_coupling_forward,
    points=1,
    returns={"x": "(batch, dim)", "log_det": "(batch,)"},
    convention="x₁ = z₁, x₂ = z₂ · exp(h(z₁)) + g(z₁); log_det = log|det dx/dz|, nats. h is used as it comes. "
    + IN_PLACES,
    probe=coupling_probe,
    gradients=("z",),
    edge_cases=(
        EdgeCase(
            "a thousand dimensions",
            "Right in a few dimensions, but not in a thousand: the product of a thousand scales is 0 in floating point, the sum of "
            "their logarithms is not.",
            many_probe,
        ),
    ),
    misconceptions=(
        Misconception(
            "the inverse",
            "That is the way back, from x to z: forward multiplies by exp(h), then adds g.",
            affine(lambda z, g, h: (z - g) * (-h).exp(), lambda z, g, h: -h.sum(-1)),
        ),
        Misconception(
            "shifted, then scaled",
            "You add g before you scale, so that g is scaled too: x₂ = z₂ · exp(h) + g.",
            affine(lambda z, g, h: (z + g) * h.exp(), _sum),
        ),
        Misconception(
            "scaled by h",
            "You scale by h itself: it may be 0 or negative. h is the logarithm of the scale, exp(h) the scale.",
            affine(lambda z, g, h: z * h + g, _sum),
        ),
        Misconception(
            "g and h exchanged",
            "g and h have changed places: g is the shift, h the logarithm of the scale.",
            affine(lambda z, g, h: z * g.exp() + h, lambda z, g, h: g.sum(-1)),
        ),
        Misconception(
            "no scale",
            "That is NICE: nothing is scaled, and the log_det is 0. Real-NVP scales by exp(h(z₁)) as well.",
            affine(lambda z, g, h: z + g, lambda z, g, h: 0 * h.sum(-1)),
        ),
        Misconception(
            "no shift",
            "The shift is missing: g(z₁) is added after the scaling.",
            affine(lambda z, g, h: z * h.exp(), _sum),
        ),
        Misconception(
            "scaled by exp(-h)",
            "You scale by exp(-h): from z to x it is exp(h), and the log_det is the sum of h.",
            affine(lambda z, g, h: z * (-h).exp() + g, lambda z, g, h: -h.sum(-1)),
        ),
        Misconception(
            "bounded inside",
            "You put a tanh around h: h is used as it comes. A bound belongs into h itself, where it can be chosen.",
            affine(lambda z, g, h: z * h.tanh().exp() + g, lambda z, g, h: h.tanh().sum(-1)),
        ),
        Misconception(
            "log_det has the wrong sign",
            "x is right; the log_det has the wrong sign: it is that of the map just applied, from z to x.",
            affine(_right, lambda z, g, h: -h.sum(-1)),
        ),
        Misconception(
            "log_det is 0",
            "x is right, but your log_det is 0, as in NICE: each changed entry is stretched by exp(h).",
            affine(_right, lambda z, g, h: 0 * h.sum(-1)),
        ),
        Misconception(
            "log_det is a mean",
            "x is right; your log_det is the mean of h: the determinant is the product of all scales, its logarithm the sum of h.",
            affine(_right, lambda z, g, h: h.mean(-1)),
        ),
        Misconception(
            "sum of the scales",
            "x is right; you add the scales exp(h) themselves: it is their logarithms, h, that add.",
            affine(_right, lambda z, g, h: h.exp().sum(-1)),
        ),
        Misconception(
            "determinant",
            "x is right; you return the determinant, the product of the scales: its logarithm is asked for.",
            affine(_right, lambda z, g, h: h.exp().prod(-1)),
        ),
        Misconception(
            "shift in the log_det",
            "x is right; your log_det contains g: a shift does not stretch.",
            affine(_right, lambda z, g, h: (h + g).sum(-1)),
        ),
        Misconception(
            "a log_det for each entry",
            "x is right; you return h for each entry: sum over the entries, one value for each point, (batch,).",
            affine(_right, lambda z, g, h: h),
        ),
        Misconception(
            "parts exchanged",
            "The two parts change places: put the kept entries first, torch.cat([z1, x2], -1).",
            affine(_right, _sum, lambda kept, rest: torch.cat([rest, kept], -1)),
        ),
        Misconception(
            "changed part alone",
            "You return the changed entries alone: x has all of them, the kept ones in front.",
            affine(_right, _sum, lambda kept, rest: rest),
        ),
        Misconception(
            "x alone",
            "You return x alone: (x, log_det) is asked for.",
            lambda z, d, g, h: affine(_right, _sum)(z, d, g, h)[0],
        ),
    ),
    alternatives=(_into_a_clone, _padded),
)
