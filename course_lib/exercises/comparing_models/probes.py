"""What several exercises of notebook 12 share."""

from __future__ import annotations

from torch import Tensor

from course_lib.checker.probes import Draw


def log_weights_of(draw: Draw) -> Tensor:
    """Log-weights that differ by a few nats, ``(samples, batch)``."""
    return draw.normal(draw.sizes.samples, draw.sizes.batch, scale=1.5, shift=-4.0)


def far_apart(draw: Draw) -> Tensor:
    """Log-weights of images: thousands of nats from 0, and thousands apart."""
    return draw.normal(draw.sizes.samples, draw.sizes.batch, scale=1500.0, shift=-4000.0)


def some_levels(draw: Draw) -> int:
    """A number of grey values that is not 256."""
    return (16, 5, 100, 7)[draw.integer(4)]
