"""What the exercises on affine couplings and on images share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checker.networks import decoder_network
from course_lib.checker.probes import Draw
from course_lib.image_flows import channel_mask, checkerboard_mask

Network = Callable[[Tensor], Tensor]
Parts = Callable[[Tensor, Tensor, Tensor], Tensor]  # of the entries that change, their shift and their log-scale
IN_PLACES = "Entries keep their places: the first d of the result are the first d of the input."
HARD = -1.5  # of log-scales in a thousand dimensions: the product of their exponentials is 0 in floating point


def coupling_probe(draw: Draw) -> tuple[Any, ...]:
    """Points, how many entries are kept (never half of them), and networks for shift and log-scale."""
    dim = draw.sizes.dim + 2
    choices = [d for d in range(1, dim) if 2 * d != dim]
    d = choices[draw.integer(len(choices))]
    return draw.normal(draw.sizes.batch, dim), d, decoder_network(draw, d, dim - d), decoder_network(draw, d, dim - d)


def many_probe(draw: Draw) -> tuple[Any, ...]:
    """A thousand entries that change, all of them shrunk."""
    g, h = decoder_network(draw, 3, 1000), decoder_network(draw, 3, 1000)
    _lower(h)
    return draw.normal(draw.sizes.batch, 1003), 3, g, h


def _lower(network: nn.Module) -> None:
    last = list(network.parameters())[-1]
    last.data = last.data + HARD


def affine(
    changed: Parts,
    log_det: Parts,
    whole: Callable[[Tensor, Tensor], Tensor] = lambda kept, rest: torch.cat([kept, rest], -1),
) -> Callable[..., Any]:
    """An affine coupling with something else in the changed part, in the log-det, or put together otherwise."""

    def wrong(z: Tensor, d: int, g: Network, h: Network) -> Any:
        kept, other = z[..., :d], z[..., d:]
        parts = other, g(kept), h(kept)
        return whole(kept, changed(*parts)), log_det(*parts)

    return wrong


def mask_probe(draw: Draw) -> tuple[Any, ...]:
    """Images, a mask of either kind and either way round, and networks along the rows for shift and log-scale."""
    height, width = draw.sizes.dim, draw.sizes.dim + 2
    kind = draw.integer(4)
    mask = checkerboard_mask(height, width) if kind < 2 else channel_mask(2).reshape(2, 1, 1)
    mask = (1 - mask if kind % 2 else mask).to(draw.device, draw.dtype)
    g, h = decoder_network(draw, width, width), decoder_network(draw, width, width)
    return draw.normal(draw.sizes.batch, 2, height, width), mask, g, h


def many_pixels_probe(draw: Draw) -> tuple[Any, ...]:
    """Images of two thousand entries, half of them shrunk."""
    g, h = decoder_network(draw, 50, 50), decoder_network(draw, 50, 50)
    _lower(h)
    mask = checkerboard_mask(20, 50).to(draw.device, draw.dtype)
    return draw.normal(draw.sizes.batch, 2, 20, 50), mask, g, h


def masked(
    whole: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    log_det: Callable[[Tensor, Tensor], Tensor],
    seen: Callable[[Tensor, Tensor], Tensor] = lambda z, mask: z * mask,
) -> Callable[..., Any]:
    """A masked coupling, to be made wrong in one place.

    Args:
        whole: maps z, mask, shift and log-scale (both everywhere) to the result.
        log_det: maps mask and log-scale to the log-det.
        seen: what the networks look at.
    """

    def wrong(z: Tensor, mask: Tensor, g: Network, h: Network) -> Any:
        looked = seen(z, mask)
        shift, log_scale = g(looked), h(looked)
        return whole(z, mask, shift, log_scale), log_det(mask, log_scale)

    return wrong


def image_probe(draw: Draw) -> tuple[Tensor]:
    """Images of two channels or more, with even sides that differ."""
    channels = 2 + draw.integer(2)
    return (draw.normal(draw.sizes.batch, channels, 2 * draw.sizes.latent, 2 * draw.sizes.latent + 4),)
