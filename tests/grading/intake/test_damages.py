"""A damaged notebook keeps every point it deserves, and the student is told what was mended."""

from __future__ import annotations

import json

import damages
import nbformat
import pytest
from conftest import needs_sandbox
from damages import DAMAGES, TOPIC, UNREADABLE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from submissions import fill_in, untouched

from course_lib.checks import find_exercise
from grading.grade import grade
from grading.intake.choosing import read_submission
from grading.intake.reading import Handed, Unreadable
from grading.intake.repair import graded_names, repair
from grading.job import GRADED, NOT_GRADED, REPAIRED, Job

SEEDS = dict.fromkeys(graded_names(TOPIC), 77)


@pytest.fixture(scope="module")
def good():
    damages.RELEASED.update({cell.id: cell.source for cell in untouched(TOPIC).cells})
    notebook = fill_in(TOPIC, lambda i: True)
    for cell in notebook.cells:
        if cell.id == "gaussian_kl":  # of several lines, to be split
            cell.source = (
                "def gaussian_kl(mu_q, sigma_q, mu_p, sigma_p):\n"
                '    """The KL divergence."""\n'
                "    ratio = sigma_p.log() - sigma_q.log()\n"
                "    return (ratio + (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p**2) - 0.5).sum(-1)\n"
            )
    return json.loads(nbformat.writes(notebook))


@needs_sandbox
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damaged_notebook_keeps_its_points(damage, good, bench):
    result = grade(Job(TOPIC, "anna", damage.make(good), SEEDS), bench)
    assert result["state"] != NOT_GRADED, result["why"]
    earned = {name: report["points"] for name, report in result["exercises"].items()}
    assert earned == {n: 0 if n in damage.lost else find_exercise(n, TOPIC).points for n in graded_names(TOPIC)}
    assert result["state"] == (REPAIRED if result["repairs"] else GRADED)
    assert damage.says is None or damage.says in " ".join(result["repairs"]), result["repairs"]

    graded = nbformat.reads(result["notebook"], as_version=4)
    nbformat.validate(graded)
    ids = [cell.metadata.nbgrader.grade_id for cell in graded.cells if "nbgrader" in cell.metadata]
    expected = {place for name in graded_names(TOPIC) for place in (name, f"{name}-check")}
    assert len(ids) == len(set(ids)), "no grade can be counted twice"
    assert {f"{name}-check" for name in graded_names(TOPIC)} <= set(ids) <= expected


def test_there_are_at_least_forty_damages():
    assert len(DAMAGES) >= 40


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said_and_not_graded(name, bench):
    result = grade(Job(TOPIC, "anna", UNREADABLE[name], SEEDS), bench)
    assert result["state"] == NOT_GRADED
    assert result["why"].startswith("unreadable file: ")
    assert "exercises" not in result


def test_a_good_notebook_needs_no_repair(good):
    repaired = repair(read_submission(damages.as_file(good), TOPIC), TOPIC)
    assert repaired.repairs == []


def test_repairing_twice_is_repairing_once(good):
    for damage in DAMAGES:
        once = repair(read_submission(damage.make(good), TOPIC), TOPIC)
        again = repair(read_submission({f"{TOPIC}.ipynb": nbformat.writes(once.notebook()).encode()}, TOPIC), TOPIC)
        assert [(s.kind, s.source.strip()) for s in again.steps] == [(s.kind, s.source.strip()) for s in once.steps], (
            damage.name
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_read_or_refused_never_worse(good, data):
    text = damages.as_file(good)[f"{TOPIC}.ipynb"]
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 2000))
    content = text[:start] + data.draw(st.binary(max_size=50)) + text[start + length :]
    try:
        handed = read_submission({f"{TOPIC}.ipynb": content}, TOPIC)
    except Unreadable:
        return
    assert isinstance(handed, Handed)
    repair(handed, TOPIC)
