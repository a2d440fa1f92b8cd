"""The coupling in three lines, from x back to z."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.nice.probes import IN_PLACES, coupling, coupling_probe, keeps_the_last
from course_lib.nice import additive_coupling_forward, additive_coupling_inverse


def _by_mask(x: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Tensor:
    return x - torch.nn.functional.pad(g(x[:, :d]), (d, 0))


def _split(x: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Tensor:
    kept, changed = x.split([d, x.shape[-1] - d], dim=-1)
    return torch.hstack([kept, changed.sub(g(kept))])


def _undoes_forward(answer: Answer, draw: Draw) -> str | None:
    z, d, g = coupling_probe(draw)
    (back,) = tensors_from(answer.call(additive_coupling_forward(z, d, g).detach(), d, g))
    if back.shape == z.shape and torch.allclose(back, z, atol=1e-6):
        return None
    return "Forward and then your inverse do not lead back to the z where it began."


EXERCISE = Exercise(
    reference=additive_coupling_inverse,
    points=1,
    returns={"z": "(batch, dim)"},
    convention="z = f⁻¹(x): z₁ = x₁, z₂ = x₂ - g(x₁). g itself is never inverted. " + IN_PLACES,
    probe=coupling_probe,
    gradients=("x",),
    properties=(Property("undoes forward", _undoes_forward),),
    misconceptions=(
        Misconception(
            "forward again",
            "You add g: that is forward once more. The way back subtracts what forward has added.",
            coupling(lambda other, shift: other + shift),
        ),
        Misconception(
            "difference turned round",
            "You take g(x₁) - x₂: it is x₂ - g(x₁).",
            coupling(lambda other, shift: shift - other),
        ),
        Misconception(
            "x2 forgotten",
            "Your second part is -g(x₁) alone: it is subtracted from x₂.",
            coupling(lambda other, shift: -shift),
        ),
        Misconception(
            "divided by g",
            "You divide by g(x₁): forward has added it, so it is subtracted.",
            coupling(lambda other, shift: other / shift),
        ),
        Misconception(
            "subtracted twice",
            "The shift is subtracted twice.",
            coupling(lambda other, shift: other - 2 * shift),
        ),
        Misconception(
            "nothing undone",
            "You return x as it is: subtract g(x₁) from the entries behind the first d.",
            coupling(lambda other, shift: other + 0 * shift),
        ),
        Misconception(
            "one shift for all points",
            "All points get the same shift, the mean of g over the batch: each point has its own g(x₁).",
            coupling(lambda other, shift: other - shift.mean(0)),
        ),
        Misconception(
            "parts exchanged",
            "The two parts change places: put the kept entries first, torch.cat([x1, z2], -1).",
            coupling(lambda other, shift: other - shift, lambda kept, rest: torch.cat([rest, kept], -1)),
        ),
        Misconception(
            "the last d kept",
            "You keep the last d entries: it is the first d that stay, and that g looks at.",
            keeps_the_last(-1.0),
        ),
        Misconception(
            "changed part alone",
            "You return the changed entries alone: z has all of them, the kept ones in front.",
            coupling(lambda other, shift: other - shift, lambda kept, rest: rest),
        ),
        Misconception(
            "log_det too",
            "You return a log-determinant as well: it is 0 for every g, and this function returns z alone.",
            coupling(
                lambda other, shift: other - shift,
                lambda kept, rest: (torch.cat([kept, rest], -1), rest.new_zeros(len(rest))),
            ),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient comes through g: leave out .detach() and torch.no_grad(). Training goes "
            "through the inverse.",
            coupling(lambda other, shift: other - shift.detach()),
        ),
    ),
    alternatives=(_by_mask, _split),
)
