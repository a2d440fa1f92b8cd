"""log p(x) from log p(z) and the log-determinant of the forward map."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.flows import change_of_variables


def _probe(draw: Draw) -> tuple[Tensor, Tensor]:
    return draw.normal(draw.sizes.batch, shift=-2.0), draw.normal(draw.sizes.batch, shift=0.4)


def _large(draw: Draw) -> tuple[Tensor, Tensor]:
    return draw.normal(draw.sizes.batch, scale=300.0, shift=-3000.0), draw.normal(
        draw.sizes.batch, scale=300.0, shift=2000.0
    )


EXERCISE = Exercise(
    reference=change_of_variables,
    points=1,
    returns={"log_prob_x": "(batch,)"},
    convention="log_det is that of the forward map, log|det dx/dz|: where f spreads points out, p(x) is lower than p(z).",
    probe=_probe,
    gradients=("log_prob_z", "log_det"),
    edge_cases=(
        EdgeCase(
            "logarithms in the thousands",
            "Right for small numbers, but not for those of images: exp of a logarithm in the thousands is 0 or infinite. Stay with "
            "the logarithms.",
            _large,
        ),
    ),
    misconceptions=(
        Misconception(
            "added",
            "You add the log-determinant: where f spreads points out (log_det > 0), the density becomes lower, so it is subtracted.",
            lambda log_prob_z, log_det: log_prob_z + log_det,
        ),
        Misconception(
            "forgotten",
            "You return log p(z): p(x) is that, corrected for how much f stretches space there.",
            lambda log_prob_z, log_det: log_prob_z * 1.0 + 0 * log_det,
        ),
        Misconception(
            "divided",
            "You divide the logarithm by log_det: the density is divided by the determinant, so the logarithms are subtracted.",
            lambda log_prob_z, log_det: log_prob_z / log_det,
        ),
        Misconception(
            "multiplied",
            "You multiply the two logarithms: what is multiplied are p(z) and 1/|det|, and their logarithms add up.",
            lambda log_prob_z, log_det: log_prob_z * log_det,
        ),
        Misconception(
            "the determinant itself",
            "You subtract the determinant from a logarithm: what belongs there is its logarithm, which you are given.",
            lambda log_prob_z, log_det: log_prob_z - log_det.exp(),
        ),
        Misconception(
            "the logarithm once more",
            "You take the logarithm of log_det: it is a logarithm already.",
            lambda log_prob_z, log_det: log_prob_z - log_det.abs().log(),
        ),
        Misconception(
            "the size of log_det",
            "You take |log_det|: the bars belong to the determinant, inside the logarithm. A map that presses space together has a "
            "negative log_det, and raises the density.",
            lambda log_prob_z, log_det: log_prob_z - log_det.abs(),
        ),
        Misconception(
            "the density, not its logarithm",
            "You return the density p(x): its logarithm is asked for.",
            lambda log_prob_z, log_det: (log_prob_z - log_det).exp(),
        ),
        Misconception(
            "the other way round",
            "You subtract log p(z) from log_det: the sign of the whole is turned.",
            lambda log_prob_z, log_det: log_det - log_prob_z,
        ),
        Misconception(
            "one number for the batch",
            "You average log_det over the batch: each point has its own.",
            lambda log_prob_z, log_det: log_prob_z - log_det.mean(),
        ),
        Misconception(
            "through the densities",
            "Right for small numbers only: you go through p(z) and the determinant, and exp of a logarithm in the thousands is 0 or "
            "infinite. Stay with the logarithms.",
            lambda log_prob_z, log_det: (log_prob_z.exp() / log_det.exp()).log(),
        ),
    ),
    alternatives=(
        lambda log_prob_z, log_det: -(log_det - log_prob_z),
        lambda log_prob_z, log_det: torch.stack([log_prob_z, -log_det]).sum(0),
    ),
)
