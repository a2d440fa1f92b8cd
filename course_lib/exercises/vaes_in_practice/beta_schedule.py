"""A weight that begins at 0 and rises linearly."""

from __future__ import annotations

import math
from typing import Any

from course_lib.beta import beta_schedule
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.vaes_in_practice.probes import observe_number


def _probe(draw: Draw) -> tuple[Any, ...]:
    """Even batches stand on the way up, to a weight above 1; odd ones beyond it, at a weight below 1."""
    warmup = 20 + 10 * draw.integer(9)
    if draw.sizes.batch % 2 == 0:
        return warmup // 2 + 3 + draw.integer(warmup // 4), warmup, 2.5 + 0.5 * draw.integer(6)
    return 2 * warmup + 1 + draw.integer(40), warmup, round(0.2 + 0.1 * draw.integer(6), 1)


def _first_step(draw: Draw) -> tuple[Any, ...]:
    return 0, 30 + draw.integer(50), 2.5


def _no_warmup(draw: Draw) -> tuple[Any, ...]:
    return 0 if draw.sizes.batch % 2 == 0 else 3 + draw.integer(9), 0, 2.5


EXERCISE = Exercise(
    reference=beta_schedule,
    points=2,
    returns={"beta": "a number"},
    convention="Linear: 0 at step 0, beta_max at step warmup_steps and ever after; warmup_steps = 0 means beta_max at once.",
    probe=_probe,
    observe=observe_number,
    number_accepted=True,
    edge_cases=(
        EdgeCase("the first step", "Right later on, but at step 0 the weight is 0.", _first_step),
        EdgeCase(
            "no warm-up",
            "Right for a warm-up of some steps, but not for none: with warmup_steps = 0 the weight is beta_max at once.",
            _no_warmup,
        ),
    ),
    misconceptions=(
        Misconception(
            "without an end",
            "The weight rises beyond beta_max: from warmup_steps on it stays there.",
            lambda step, warmup, beta_max: beta_max * step / max(warmup, 1e-9) if warmup else beta_max,
        ),
        Misconception(
            "falling",
            "The weight falls: the lecture starts low, so that the code is used, and ends high.",
            lambda step, warmup, beta_max: beta_max * (1 - min(1.0, step / warmup)) if warmup else beta_max,
        ),
        Misconception(
            "cut off at one",
            "You cut the weight off at 1: it stays below beta_max, which may be above 1.",
            lambda step, warmup, beta_max: min(1.0, beta_max * step / warmup) if warmup else beta_max,
        ),
        Misconception(
            "beta_max not used",
            "The weight ends at 1: it ends at beta_max.",
            lambda step, warmup, beta_max: min(1.0, step / warmup) if warmup else 1.0,
        ),
        Misconception(
            "slope one",
            "The way up has to reach beta_max at warmup_steps: multiply step / warmup_steps by beta_max.",
            lambda step, warmup, beta_max: min(beta_max, step / warmup) if warmup else beta_max,
        ),
        Misconception(
            "a jump",
            "The weight jumps from 0 to beta_max: on the way it grows with every step. (A // in place of / does that, too.)",
            lambda step, warmup, beta_max: beta_max if step >= warmup else 0.0,
        ),
        Misconception(
            "a half cosine",
            "You rise along a cosine: here the way up is a straight line.",
            lambda step, warmup, beta_max: (
                beta_max * (1 - math.cos(math.pi * min(1.0, step / warmup))) / 2 if warmup else beta_max
            ),
        ),
        Misconception(
            "a parabola",
            "The share of the way is squared: here the way up is a straight line.",
            lambda step, warmup, beta_max: beta_max * min(1.0, step / warmup) ** 2 if warmup else beta_max,
        ),
        Misconception(
            "a step early",
            "You are one step early: at step 0 the weight is 0, at step warmup_steps it is beta_max.",
            lambda step, warmup, beta_max: beta_max * min(1.0, (step + 1) / warmup) if warmup else beta_max,
        ),
        Misconception(
            "starting at one",
            "You start at 1: the weight starts at 0.",
            lambda step, warmup, beta_max: 1 + (beta_max - 1) * min(1.0, step / warmup) if warmup else beta_max,
        ),
        Misconception(
            "never without a warm-up",
            "For warmup_steps = 0 you return 0: without a warm-up the weight is beta_max at once.",
            lambda step, warmup, beta_max: beta_max * min(1.0, step / warmup) if warmup else 0.0,
        ),
    ),
    alternatives=(
        lambda step, warmup_steps, beta_max: beta_max if step >= warmup_steps else beta_max * step / warmup_steps,
        lambda step, warmup_steps, beta_max: (
            beta_max * min(step, warmup_steps) / warmup_steps if warmup_steps > 0 else float(beta_max)
        ),
    ),
)
