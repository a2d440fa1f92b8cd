"""What several exercises of notebook 09 share."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.probes import Draw
from course_lib.warps import Warp

OF_THE_MAP_APPLIED = (
    "forward(z) -> (x, log_det), inverse(x) -> (z, log_det): log_det always of the map just applied, (batch,), nats."
)


def a_warp(draw: Draw, dim: int, turned: bool = False) -> Warp:
    """An invertible layer with numbers from a draw, which mixes its entries and tells the truth.

    Args:
        turned: every entry of x is mostly another one of z, so that the Jacobian's diagonal says little.
    """
    layer = Warp(dim).to(draw.device, draw.dtype)
    eye = torch.eye(dim, device=draw.device, dtype=draw.dtype)
    layer.a.data = 0.5 + 0.5 * draw.normal(dim, shift=0.0).sigmoid()
    # The diagonal outweighs the rest, so that W has an inverse that float32 can bear.
    layer.W.data = 1.5 * eye + draw.normal(dim, dim, shift=0.0).tanh() * (0.9 / max(dim - 1, 1))
    if turned:
        layer.W.data = layer.W.data.roll(1, 0)
    layer.b.data = draw.normal(dim)
    return layer


def base_log_prob(z: Tensor) -> Tensor:
    """A Laplace density of scale 1, summed over the entries: a base that is not the one everybody expects."""
    return -(z.abs() + 0.6931471805599453).sum(-1)
