"""A batch: every submission ends with an outcome, a stopped run goes on, and only what changed is graded again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, hand_in, scores, times_graded
from submissions import fill_in, graded, points, saved_by_colab, untouched

from course_lib.checker.exercise import Question
from course_lib.checks import _Notebook, find_exercise
from grading.batch.submissions import Settings, autograde, submissions
from grading.course import ROOT, CourseError, topics
from grading.records.store import Store
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox


def points_in_this_process(topic: str, notebook: nbformat.NotebookNode) -> dict[str, int]:
    """Run a notebook's cells and checks in this process, as a student does."""
    namespace: dict[str, object] = {}
    earned = {exercise.name: 0 for exercise in graded(topic)}
    for cell in notebook.cells:
        if cell.cell_type != "code" or "show" in cell.metadata.get("tags", []) or "LATENT_COURSE_SOURCE" in cell.source:
            continue
        name = cell.source.split('"')[1] if cell.source.startswith("check(") else None
        if name is None:
            exec(cell.source, namespace)
        elif name in earned:
            answers = _Notebook(namespace)
            reports = [answers.report(find_exercise(name, topic), topic, seed) for seed in (None, 99)]
            earned[name] = min(report.points for report in reports)
    return earned


@pytest.mark.parametrize("topic", topics())
def test_made_up_submissions_get_exactly_their_points_as_locally(topic, tmp_path):
    everything, nothing, every_other = (lambda i: True), (lambda i: False), (lambda i: i % 2 == 1)
    made = {
        "all_right": (fill_in(topic, everything), everything),
        "all_wrong": (fill_in(topic, nothing), nothing),
        "half": (fill_in(topic, every_other), every_other),
        "untouched": (untouched(topic), nothing),
        "colab": (saved_by_colab(fill_in(topic, every_other)), every_other),
    }
    root = course(tmp_path, topic, {student: notebook for student, (notebook, _) in made.items()})
    outcomes = {outcome.student: outcome for outcome in autograde(topic, root=root)}
    for student, (notebook, right) in made.items():
        deserved = points(topic, right)
        assert outcomes[student].problem is None
        assert scores(root, topic, student) == deserved, student
        assert points_in_this_process(topic, notebook) == deserved, student
        assert outcomes[student].points == sum(deserved.values())
        assert outcomes[student].max_points == sum(exercise.points for exercise in graded(topic))


def test_what_did_not_change_is_not_graded_again_and_what_did_is(tmp_path):
    half = fill_in(SHORT, lambda i: i == 0)
    root = course(tmp_path, SHORT, {"anna": half, "bert": half})
    assert all(outcome.fresh for outcome in autograde(SHORT, root=root))
    again = list(autograde(SHORT, root=root))
    assert not any(outcome.fresh for outcome in again)
    hand_in(root, SHORT, "bert", fill_in(SHORT, lambda i: True))
    fresh = {outcome.student: outcome.fresh for outcome in autograde(SHORT, root=root)}
    assert fresh == {"anna": False, "bert": True}
    assert scores(root, SHORT, "bert") == points(SHORT, lambda i: True)
    assert times_graded(root, SHORT) == {"anna": 1, "bert": 2}
    assert all(outcome.fresh for outcome in autograde(SHORT, root=root, settings=Settings(again=True)))


def test_changed_tests_run_alone_and_moved_points_are_reported(tmp_path, monkeypatch):
    from dataclasses import replace

    from course_lib import checks

    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    list(autograde(SHORT, root=root))
    first = Store(root).read(SHORT, "anna")
    changed = tuple(
        replace(exercise, correct=next(option for option in exercise.options if option != exercise.correct))
        if isinstance(exercise, Question)
        else exercise
        for exercise in checks.TOPICS[SHORT]
    )
    monkeypatch.setitem(checks.TOPICS, SHORT, changed)
    (outcome,) = autograde(SHORT, root=root)
    assert outcome.moved == (("underflow_prediction", 1.0, 0.0),)
    second = Store(root).read(SHORT, "anna")
    assert second["exercises"]["log_mean_exp"] == first["exercises"]["log_mean_exp"], "its seconds too: it did not run"
    assert scores(root, SHORT, "anna")["underflow_prediction"] == 0


def test_limits_are_set_by_name():
    assert Limits().changed(["cell_seconds=7", "memory_mb=512"]) == Limits(cell_seconds=7, memory_mb=512)
    for wrong in ("cell_second=7", "cell_seconds", "cell_seconds=-1", "cell_seconds=0"):
        with pytest.raises(CourseError, match="sets no limit: write NAME=NUMBER"):
            Limits().changed([wrong])


def test_two_runs_do_not_write_at_once(tmp_path):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with Store(root).only_writer(), pytest.raises(CourseError, match="another run is grading"):
        list(autograde(SHORT, root=root))


def test_nothing_handed_in_is_said_with_the_remedy(tmp_path):
    with pytest.raises(CourseError, match="put notebooks into"):
        submissions(SHORT, root=tmp_path)
    course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with pytest.raises(CourseError, match="bert handed in nothing"):
        submissions(SHORT, ["bert"], root=tmp_path)


def test_without_a_sandbox_everything_is_still_graded_when_told_so(tmp_path):
    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    (outcome,) = autograde(SHORT, root=root, settings=Settings(unsafe=True))
    assert outcome.points == sum(exercise.points for exercise in graded(SHORT))


RUN = """
import sys
from pathlib import Path
from grading.batch.submissions import Settings, autograde
for outcome in autograde("{topic}", root=Path(sys.argv[1]), settings=Settings(workers=int(sys.argv[2]))):
    print(outcome.student, flush=True)
"""


def snapshot(root: Path, topic: str) -> dict[str, object]:
    """What a run leaves: the gradebook, and the results without times."""
    results = {result["student"]: result for result in Store(root).all(topic)}
    kept = {
        student: [(r["name"], r["points"], r["sentences"]) for r in result["exercises"].values()]
        for student, result in results.items()
    }
    return {"gradebook": {student: scores(root, topic, student) for student in results}, "results": kept}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path, workers):
    made = {f"s{i}": fill_in(SHORT, lambda j, i=i: (i + j) % 2 == 0) for i in range(8)}
    calm, killed = (
        course(tmp_path / name, SHORT, made) if (tmp_path / name).mkdir() is None else None
        for name in ("calm", "killed")
    )
    list(autograde(SHORT, root=calm))
    chance = random.Random(workers)
    script = RUN.format(topic=SHORT)
    kills = 0
    for attempt in range(4):
        run = subprocess.Popen(
            [sys.executable, "-c", script, str(killed), str(workers)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        wanted = chance.randint(0, 3)
        assert run.stdout is not None
        for _ in range(len(times_graded(killed, SHORT)) + wanted):  # those graded before are told first
            if not run.stdout.readline():
                break
        time.sleep(chance.random() * 0.3)
        if attempt == 3 or run.poll() is not None:
            run.communicate(timeout=120)
            break
        run.send_signal(signal.SIGKILL)
        run.communicate()
        kills += 1
    list(autograde(SHORT, root=killed))
    assert kills >= 2
    assert snapshot(killed, SHORT) == snapshot(calm, SHORT)
    assert times_graded(killed, SHORT) == dict.fromkeys(made, 1), "nobody is left out, nobody is graded twice"
