"""Layers one after the other: log-dets add, and the inverse runs backwards."""

from __future__ import annotations

from course_lib.checker.exercise import ClassExercise, Misconception
from course_lib.exercises.normalizing_flows.composition.classes import WRONG, Counted, Plain, Recursive
from course_lib.exercises.normalizing_flows.composition.traits import TRAITS
from course_lib.exercises.normalizing_flows.probes import OF_THE_MAP_APPLIED
from course_lib.flows import Composition

EXERCISE = ClassExercise(
    reference=Composition,
    points=3,
    convention=OF_THE_MAP_APPLIED + " layers[0] is applied first to z.",
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(Plain, Recursive, Counted),
)
