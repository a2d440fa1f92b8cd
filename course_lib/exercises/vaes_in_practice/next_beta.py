"""A controller: the weight follows the KL that is measured."""

from __future__ import annotations

import math
from typing import Any

from course_lib.beta import next_beta
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.vaes_in_practice.probes import observe_number


def _probe(draw: Draw) -> tuple[Any, ...]:
    """Even batches lie above the target, odd ones below."""
    target, away = 10.0 + draw.integer(20), 2.0 + draw.integer(6)
    kl = target + away if draw.sizes.batch % 2 == 0 else target - away
    return round(0.3 + 0.1 * draw.integer(5), 1), kl, target, round(1.1 + 0.1 * draw.integer(5), 1)


def _far_up(draw: Draw) -> tuple[Any, ...]:
    return 30.0 + draw.integer(9), 40.0, 10.0, 1.5


def _far_down(draw: Draw) -> tuple[Any, ...]:
    return 0.002, 1.0, 10.0 + draw.integer(9), 1.5


EXERCISE = Exercise(
    reference=next_beta,
    points=2,
    returns={"beta": "a number"},
    convention="β · factor where the KL is above its target, β / factor where it is below; factor > 1, and β has no limits.",
    probe=_probe,
    observe=observe_number,
    number_accepted=True,
    edge_cases=(
        EdgeCase("a large beta", "Right for moderate β, but β may also grow large: it has no limits.", _far_up),
        EdgeCase("a small beta", "Right for moderate β, but β may also become small: it has no limits.", _far_down),
    ),
    misconceptions=(
        Misconception(
            "the wrong way round",
            "The direction is turned: a KL that is too high needs a larger weight.",
            lambda beta, kl, target, factor: beta / factor if kl > target else beta * factor,
        ),
        Misconception(
            "only up",
            "Below the target β stays as it is: it has to come down there, or the KL falls to 0 and stays.",
            lambda beta, kl, target, factor: beta * factor if kl > target else beta,
        ),
        Misconception(
            "only down",
            "Above the target β stays as it is: it has to rise there.",
            lambda beta, kl, target, factor: beta / factor if kl < target else beta,
        ),
        Misconception(
            "added",
            "You add and subtract the factor: multiply and divide, so that β stays positive and moves by decades.",
            lambda beta, kl, target, factor: beta + factor if kl > target else beta - factor,
        ),
        Misconception(
            "added, less one",
            "You add and subtract factor - 1: multiply and divide by the factor.",
            lambda beta, kl, target, factor: beta + (factor - 1) if kl > target else beta - (factor - 1),
        ),
        Misconception(
            "in proportion",
            "You multiply by kl / target_kl: the step is the factor, however far away the target is.",
            lambda beta, kl, target, factor: beta * kl / target,
        ),
        Misconception(
            "a power of the distance",
            "The step depends on how far away the target is: it is one factor, whatever the distance.",
            lambda beta, kl, target, factor: beta * factor ** (kl - target),
        ),
        Misconception(
            "2 - factor",
            "Downwards you multiply by 2 - factor: divide by the factor, so that a step up and a step down cancel.",
            lambda beta, kl, target, factor: beta * factor if kl > target else beta * (2 - factor),
        ),
        Misconception(
            "unchanged",
            "You return β as it is: it moves in every step.",
            lambda beta, kl, target, factor: beta,
        ),
        Misconception(
            "the factor itself",
            "You return the factor: multiply β by it.",
            lambda beta, kl, target, factor: factor if kl > target else 1 / factor,
        ),
        Misconception(
            "kept below one",
            "You keep β at 1 or below: it has no limits.",
            lambda beta, kl, target, factor: min(1.0, beta * factor if kl > target else beta / factor),
        ),
        Misconception(
            "kept from zero",
            "You keep β above some small number: it has no limits.",
            lambda beta, kl, target, factor: max(0.01, beta * factor if kl > target else beta / factor),
        ),
    ),
    alternatives=(
        lambda beta, kl, target_kl, factor: beta * factor ** (1 if kl > target_kl else -1),
        lambda beta, kl, target_kl, factor: beta * math.exp(math.copysign(math.log(factor), kl - target_kl)),
        lambda beta, kl, target_kl, factor: beta / factor if kl < target_kl else beta * factor,
    ),
)
