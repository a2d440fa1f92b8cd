"""Signs of tampering: what reaches for the checks is named, what a notebook itself asks for is not."""

from __future__ import annotations

import pytest

from grading.intake.suspicion import signs_in

REACHES = "reaches for the checks"


@pytest.mark.parametrize("room", ["checker", "exercises"])
@pytest.mark.parametrize(
    "cell",
    [
        "import course_lib.{room}",
        "import course_lib.{room} as c",
        "import course_lib\ncourse_lib.{room}",
        "import course_lib.{room}.report",
        "from course_lib import {room}",
        "from course_lib import (\n    vae,\n    {room} as c,\n)",
        "from course_lib.{room} import *",
        "import importlib\nimportlib.import_module('course_lib.{room}')",
    ],
)
def test_every_way_to_the_checks_is_a_sign(cell, room):
    assert signs_in(cell.format(room=room)) == [REACHES]


@pytest.mark.parametrize("cell", ["import course_lib.checks.report", "find_exercise('gaussian_kl')"])
def test_so_are_the_ways_that_older_releases_had(cell):
    assert signs_in(cell) == [REACHES]


@pytest.mark.parametrize(
    "cell",
    [
        "from course_lib.checks import check, review, summary",
        "from course_lib import explorers, vae",
        "exercises = 3  # of course_lib.exercises",
    ],
)
def test_what_an_honest_student_writes_is_none(cell):
    assert signs_in(cell) == []
