"""Densities that are wrong in ways no misconception is named after are told so by one of the traits of a density."""

from __future__ import annotations

import pytest

from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_exercise
from course_lib.exercises.real_nvp import image_real_nvp, real_nvp
from course_lib.exercises.real_nvp.image_real_nvp.classes import LOST

ABOUT_THE_DENSITY = {
    "does not integrate to 1",
    "samples of another density",
    "samples and density apart",
    "gradient cut",
    "loss returned",
}


@pytest.mark.parametrize("seed", [None, 31_337], ids=["visible", "hidden"])
@pytest.mark.parametrize(
    ("exercise", "wrong"),
    [
        *[(real_nvp.EXERCISE, wrong) for wrong in real_nvp.UNPAID],
        *[(image_real_nvp.EXERCISE, wrong) for wrong in LOST],
    ],
)
def test_a_density_that_forgets_something_is_not_taken_for_right(exercise, wrong, seed):
    report = review_exercise(exercise, LocalAnswer(exercise.name, wrong), seed)
    assert report.status == "wrong"
    assert report.misconception in ABOUT_THE_DENSITY, str(report)
