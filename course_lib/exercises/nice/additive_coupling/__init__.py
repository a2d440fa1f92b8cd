"""A coupling layer with a network of its own: a class, judged by what every right one does to points."""

from __future__ import annotations

from course_lib.checker.exercise import ClassExercise, Misconception
from course_lib.exercises.nice.additive_coupling.classes import WRONG, FromXToZ, Masked, Plain
from course_lib.exercises.nice.additive_coupling.traits import COUPLING_TRAITS
from course_lib.nice import AdditiveCoupling

EXERCISE = ClassExercise(
    reference=AdditiveCoupling,
    points=4,
    convention="forward(z) -> (x, log_det), inverse(x) -> (z, log_det), log_det (batch,). The kept entries stay exactly as they "
    "are, all others are shifted by a function of those alone, every entry in its place.",
    traits=COUPLING_TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in COUPLING_TRAITS),
    alternatives=(Plain, Masked, FromXToZ),
)
