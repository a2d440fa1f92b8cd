"""What the exercises on couplings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.networks import decoder_network
from course_lib.checker.probes import Draw

IN_PLACES = "Entries keep their places: the first d of the result are the first d of the input."


def coupling_probe(draw: Draw) -> tuple[Any, ...]:
    """Points, how many entries are kept (never half of them), and a network that shifts the others."""
    dim = draw.sizes.dim + 2
    choices = [d for d in range(1, dim) if d != dim // 2 and 2 * d != dim]
    d = choices[draw.integer(len(choices))]
    return draw.normal(draw.sizes.batch, dim), d, decoder_network(draw, d, dim - d)


def coupling(
    changed: Callable[[Tensor, Tensor], Tensor],
    whole: Callable[[Tensor, Tensor], Any] = lambda kept, rest: torch.cat([kept, rest], -1),
) -> Callable[..., Any]:
    """A coupling with something else in the changed part, or put together otherwise.

    Args:
        changed: maps the other entries and the shift to the new ones.
        whole: maps kept and new entries to the result.
    """

    def wrong(z: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Any:
        kept, other = z[..., :d], z[..., d:]
        return whole(kept, changed(other, g(kept)))

    return wrong


def keeps_the_last(sign: float) -> Callable[..., Tensor]:
    """A coupling that counts d from the end."""

    def wrong(z: Tensor, d: int, g: Callable[[Tensor], Tensor]) -> Tensor:
        other, kept = z[..., :-d], z[..., -d:]
        return torch.cat([other + sign * g(kept), kept], -1)

    return wrong
