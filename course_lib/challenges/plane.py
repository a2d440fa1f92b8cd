"""A density on the plane that somebody hands in, looked at before it is measured."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.toy_densities import integral

OFF = 0.02  # by which the integral over the plane may be off, the thinnest filaments between cells


def log_densities(log_prob: Any, points: Tensor, reach: float, cells: int) -> Tensor:
    """Return log q(x) at points ``(n, 2)``, ``(n,)``, nats, in float64.

    Args:
        log_prob: maps points ``(n, 2)`` to log q(x), ``(n,)``; or a model that has one of that name.
        reach, cells: how far around 0, and how finely, the integral is looked at.

    Raises:
        ValueError: it is no such function, or no density.
    """
    log_prob = getattr(log_prob, "log_prob", log_prob)
    if not callable(log_prob) or isinstance(log_prob, nn.Module):
        raise ValueError("hand in log_prob, a function from points (n, 2) to their log-densities (n,)")

    def looked_at(x: Tensor) -> Tensor:
        with torch.no_grad():
            values = log_prob(x)
        if not isinstance(values, Tensor) or values.shape != (len(x),):
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"log_prob gives one number for each point, ({len(x)},); yours gives {shape}")
        return values

    values = torch.cat([looked_at(part).double() for part in points.split(5000)])
    if bool(values.isnan().any()):
        raise ValueError("there is NaN among the log-densities")
    total = integral(looked_at, reach=reach, cells=cells)
    if total > 1 + OFF:
        raise ValueError(f"this is no density: it integrates to {total:.3f} over the plane around 0")
    return values
