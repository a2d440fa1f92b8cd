"""What several exercises of notebook 02 share."""

from __future__ import annotations

from typing import Any

from course_lib.checker.probes import Draw

PER_POINT = (
    "Entropies and KLs sum over the event (last) dimension and return one value per data point, (batch,), in nats."
)


STANDARD_DEVIATION = " Gaussians are given by mean mu and standard deviation sigma."


def linear_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(sizes.dim, sizes.latent),
        draw.normal(sizes.dim),
        draw.positive(1).squeeze(),
    )


def linear_image(draw: Draw) -> tuple[Any, ...]:
    # With so little noise, the determinant of the covariance underflows in float64 for every draw.
    return (
        draw.normal(draw.sizes.batch, 400),
        draw.normal(400, draw.sizes.latent, scale=0.3),
        draw.normal(400),
        0.1 * draw.positive(1).squeeze(),
    )
