"""Of several notebooks, the one that the student worked in is graded, wherever it lies and whatever it is called."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import fill_in, graded, solved_cells, untouched

from course_lib.checks import TOPICS
from grading.course import ROOT, release_path, solution_path
from grading.grade import grade
from grading.intake.choosing import read_submission
from grading.intake.repair import graded_names
from grading.job import REPAIRED, Job

TOPIC = "02_jensen_entropy_kl"
NAMES = graded_names(TOPIC)
RELEASED, SOLUTION = release_path(TOPIC).read_bytes(), solution_path(TOPIC).read_bytes()


def answered(names: set[str], stubs: str = "") -> bytes:
    """The released notebook with some answers written; what is added to the stubs is another release's."""
    notebook = untouched(TOPIC)
    solved = solved_cells(TOPIC)
    for cell in notebook.cells:
        if cell.id in names:
            cell.source = solved[cell.id]
        elif cell.id in NAMES and "raise" in cell.source:
            cell.source = cell.source.replace("still to be written", f"still to be written{stubs}")
    return nbformat.writes(notebook).encode()


def zipped(members: dict[str, bytes]) -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return {"course-main.zip": buffer.getvalue()}


def repository(topic: str = TOPIC) -> dict[str, bytes]:
    """The course as it is handed out, without what students do not touch."""
    paths = [path for folder in ("notebooks", "solutions") for path in ROOT.glob(f"{folder}/*/*.ipynb")]
    assert len(paths) == 2 * len(TOPICS)
    return {str(Path("course-main", path.relative_to(ROOT))): path.read_bytes() for path in paths}


@pytest.mark.parametrize("seed", range(12))
def test_the_notebook_with_answers_is_read_whatever_its_folder(seed):
    chance = random.Random(seed)
    written = set(chance.sample(NAMES, chance.randint(1, len(NAMES))))
    folders = ["", "notebooks/", "work/", "a/b/", "zz/", "Übung/"]
    chance.shuffle(folders)
    mine = f"{folders[0]}{chance.choice([f'{TOPIC}.ipynb', 'Untitled.ipynb', '02 (3).ipynb'])}"
    files = {f"{folders[1]}{TOPIC}.ipynb": RELEASED, mine: answered(written)}
    if chance.random() < 0.5:
        files[f"{folders[2]}{TOPIC}.ipynb"] = SOLUTION
    if chance.random() < 0.5:
        files[f"{folders[3]}{TOPIC}.ipynb"] = answered(set(), " (an older release)")
    if chance.random() < 0.5:
        files[f"{folders[4]}{TOPIC}.ipynb"] = answered(set(sorted(written)[1:]))
    items = list(files.items())
    chance.shuffle(items)
    for handed_in, prefix in ((dict(items), ""), (zipped(dict(items)), "course-main.zip/")):
        handed = read_submission(handed_in, TOPIC)
        assert handed.file == prefix + mine
        (said,) = [sentence for sentence in handed.repairs if sentence.startswith("Several notebooks")]
        assert f"{handed.file} was graded, not " in said
        assert f": {len(written)} answers were written in it" in said


def test_in_the_whole_course_the_copy_worked_in_is_read():
    course = repository()
    for folder, other in (("work", "notebooks"), ("notebooks", "work")):
        files = course | {f"course-main/{folder}/{t}/{t}.ipynb": release_path(t).read_bytes() for t in TOPICS}
        files |= {f"course-main/{other}/{t}/{t}.ipynb": release_path(t).read_bytes() for t in TOPICS}
        mine = f"course-main/{folder}/{TOPIC}/{TOPIC}.ipynb"
        files[mine] = answered({"gaussian_kl"})
        files[f"course-main/{other}/03_variational_inference/03_variational_inference.ipynb"] = SOLUTION
        assert read_submission(zipped(files), TOPIC).file == f"course-main.zip/{mine}"


def test_nobody_is_graded_for_the_solution_that_lies_in_the_course():
    for topic in TOPICS:
        name = f"course-main/notebooks/{topic}/{topic}.ipynb"
        files = {
            f"course-main/a/{topic}.ipynb": solution_path(topic).read_bytes(),
            name: release_path(topic).read_bytes(),
        }
        assert read_submission(files, topic).file == name


def test_the_work_on_another_notebook_is_not_taken_for_this_one_s():
    """They ask for one name, ``train_step``, and one of them is called by no number."""
    topic, other = "03_variational_inference", "04_amortized_inference"
    worked = nbformat.writes(fill_in(other, lambda i: True)).encode()
    files = {f"notebooks/{topic}.ipynb": release_path(topic).read_bytes(), "my homework.ipynb": worked}
    assert read_submission(files, topic).file == f"notebooks/{topic}.ipynb"


def test_a_comment_or_a_blank_is_no_answer():
    notebook = untouched(TOPIC)
    for cell in notebook.cells:
        if cell.id in NAMES:
            cell.source += "\n\n# I will come back to this\n"
    files = {"a.ipynb": nbformat.writes(notebook).encode(), "b.ipynb": answered({"gaussian_kl"}), "c.ipynb": RELEASED}
    assert read_submission(files, TOPIC).file == "b.ipynb"


@needs_sandbox
def test_the_copy_worked_in_has_its_points(bench):
    course = repository()
    course[f"course-main/work/{TOPIC}/{TOPIC}.ipynb"] = answered({"gaussian_kl", "entropy_sign"})
    result = grade(Job(TOPIC, "anna", zipped(course), dict.fromkeys(NAMES, 77)), bench)
    assert result["state"] == REPAIRED
    expected = {e.name: e.points if e.name in ("gaussian_kl", "entropy_sign") else 0 for e in graded(TOPIC)}
    assert {name: report["points"] for name, report in result["exercises"].items()} == expected
    assert result["phases"]["reading"] < 10
