"""The coupling in three lines, from z to x."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.exercises.nice.probes import IN_PLACES, coupling, coupling_probe, keeps_the_last
from course_lib.nice import additive_coupling_forward


def _by_mask(z: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Tensor:
    shift = torch.nn.functional.pad(g(z[:, :d]), (d, 0))
    return z + shift


def _into_a_clone(z: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Tensor:
    x = z.clone()
    x[:, d:] = z[:, d:] + g(z[:, :d])
    return x


EXERCISE = Exercise(
    reference=additive_coupling_forward,
    points=1,
    returns={"x": "(batch, dim)"},
    convention="x = f(z): x₁ = z₁, x₂ = z₂ + g(z₁). " + IN_PLACES,
    probe=coupling_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "the inverse",
            "You subtract g: that is the way back, from x to z. Forward adds it.",
            coupling(lambda other, shift: other - shift),
        ),
        Misconception(
            "z2 forgotten",
            "Your second part is g(z₁) alone, and z₂ is lost: no inverse could bring it back. g(z₁) is added to z₂.",
            coupling(lambda other, shift: shift),
        ),
        Misconception(
            "scaled by g",
            "You multiply by g(z₁): an additive coupling shifts, it does not scale. (Real-NVP will do both.)",
            coupling(lambda other, shift: other * shift),
        ),
        Misconception(
            "scaled by exp g",
            "You multiply by exp(g(z₁)): that is a scale, as Real-NVP will have it. Here g(z₁) is added.",
            coupling(lambda other, shift: other * shift.exp()),
        ),
        Misconception(
            "shifted twice",
            "The shift is added twice.",
            coupling(lambda other, shift: other + 2 * shift),
        ),
        Misconception(
            "one shift for all points",
            "All points get the same shift, the mean of g over the batch: each point has its own g(z₁).",
            coupling(lambda other, shift: other + shift.mean(0)),
        ),
        Misconception(
            "parts exchanged",
            "The two parts change places: put the kept entries first, torch.cat([z1, x2], -1).",
            coupling(lambda other, shift: other + shift, lambda kept, rest: torch.cat([rest, kept], -1)),
        ),
        Misconception(
            "the last d kept",
            "You keep the last d entries: it is the first d that stay, and that g looks at.",
            keeps_the_last(1.0),
        ),
        Misconception(
            "changed part alone",
            "You return the changed entries alone: x has all of them, the kept ones in front.",
            coupling(lambda other, shift: other + shift, lambda kept, rest: rest),
        ),
        Misconception(
            "log_det too",
            "You return a log-determinant as well: it is 0 for every g, and this function returns x alone.",
            coupling(
                lambda other, shift: other + shift,
                lambda kept, rest: (torch.cat([kept, rest], -1), rest.new_zeros(len(rest))),
            ),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient comes through g: leave out .detach() and torch.no_grad(), or g never learns.",
            coupling(lambda other, shift: other + shift.detach()),
        ),
    ),
    alternatives=(_by_mask, _into_a_clone),
)
