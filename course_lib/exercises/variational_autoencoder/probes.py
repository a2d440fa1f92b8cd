"""What several exercises of notebook 06 share."""

from __future__ import annotations

from torch import Tensor

from course_lib.checker.probes import Draw

LOG_SIGMA = " log_sigma is the logarithm of the standard deviation, never a log-variance."


def q_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.latent
    return draw.normal(*shape), draw.normal(*shape, scale=0.7, shift=-0.5)
