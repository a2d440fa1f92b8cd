"""A class in which some hand in what nobody expects: the run goes to its end, and nobody else is touched by it."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import zipfile
from pathlib import Path

import nbformat
import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, hand_in, scores, times_graded
from submissions import fill_in, graded

from grading.batch.submissions import Settings, autograde, feedback
from grading.course import CourseError
from grading.job import NOT_GRADED
from grading.records.export import export
from grading.records.report import write_report
from grading.records.store import Store
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox
ALL = sum(exercise.points for exercise in graded(SHORT))
NO_UTF8 = os.fsdecode(b"L\xf6sung")


def honest() -> nbformat.NotebookNode:
    return fill_in(SHORT, lambda i: True)


def with_cell(source: str) -> bytes:
    notebook = honest()
    notebook.cells.insert(2, nbformat.v4.new_code_cell(source))
    return json.dumps(notebook).encode()


def noise(chance: random.Random) -> bytes:
    return bytes(chance.choices(range(256), k=chance.randint(0, 400)))


def cut_and_mixed(chance: random.Random) -> bytes:
    """A good file with bytes thrown at one place, of which some are lone surrogates in JSON's words."""
    content = with_cell("x = 1")
    at = chance.randrange(len(content))
    thrown = chance.choice([noise(chance), b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b'"\\udfff"', b"{" * 200])
    return content[:at] + thrown + content[at + chance.randint(0, 300) :]


# The cells of honest notebooks that have all their points all the same.
CELLS = {
    "prints half a character": r"print('\ud800')",
    "raises half a character": r"raise ValueError('\udfff')",
    "names half a character": r"class E(Exception): pass" + "\n" + r"E.__name__ = '\udc80'; raise E()",
    "shows half a character": r"from IPython.display import display; display({'text/plain': '\ud800 \x00'}, raw=True)",
    "holds half a character": "x = '\ud800'",
    "prints what ends strings": r"print('\x00 \x1b[31m \u202e')",
}
# Beside an honest notebook, or in its place; and whether it has its points.
TIMESTAMPS = {"nines": b"9" * 23, "noise": b"\xff\xfe\x00", "endless": b"2" * 5000, "date": b"2026-13-45 99:99 UTC"}


def hostile_class(root: Path, seed: int) -> tuple[list[str], list[str]]:
    """Lay out a class; return who hands in an honest notebook, and who hands in anything."""
    chance = random.Random(seed)
    folder = root / "grading" / "submitted"
    fair, strange = [], []
    for name, source in CELLS.items():
        fair.append(name)
        write(folder / name / SHORT / f"{SHORT}.ipynb", with_cell(source))
    for name, content in TIMESTAMPS.items():
        fair.append(f"timestamp {name}")
        hand_in(root, SHORT, f"timestamp {name}", honest())
        write(folder / f"timestamp {name}" / SHORT / "timestamp.txt", content)
    for name in ("x" * 250, "ä" * 120, "a\x1b[31m", "=1+1", "<img src=x>", "two\nlines"):
        fair.append(name)
        hand_in(root, SHORT, name, honest())
    for name in ("pipe", "file name", "deep"):
        fair.append(name)
        hand_in(root, SHORT, name, honest())
    os.mkfifo(folder / "pipe" / SHORT / "timestamp.txt")
    (folder / "file name" / SHORT / f"{SHORT}.ipynb").rename(folder / "file name" / SHORT / f"{NO_UTF8}.ipynb")
    write(folder / "file name" / SHORT / f"{NO_UTF8}.txt", b"notes")
    (folder / "deep" / SHORT / "/".join(["f"] * 60)).mkdir(parents=True)
    for name in (NO_UTF8, "L%F6sung", os.fsdecode(b"\x8e\x9a %")):
        fair.append(name)
        hand_in(root, SHORT, name, honest())
    for i in range(10):
        strange.append(f"strange {i}")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(f"{SHORT}.ipynb", cut_and_mixed(chance))
        content = chance.choice([noise(chance), cut_and_mixed(chance), buffer.getvalue(), buffer.getvalue()[:-40]])
        name = chance.choice([f"{SHORT}.ipynb", "a.zip", f"{NO_UTF8}.ipynb", "x" * 240 + ".ipynb"])
        write(folder / f"strange {i}" / SHORT / name, content)
    return fair, strange


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_whatever_some_hand_in_each_submission_has_an_outcome_and_honest_ones_their_points(tmp_path):
    root = course(tmp_path, SHORT, {"anna": honest()})
    fair, strange = hostile_class(root, seed=1)
    settings = Settings(limits=Limits(cell_seconds=5, answer_seconds=5))
    outcomes = list(autograde(SHORT, root=root, settings=settings))
    assert len(outcomes) == 1 + len(fair) + len(strange)
    full = [outcome for outcome in outcomes if outcome.points == ALL]
    assert len(full) >= 1 + len(fair), [(o.student, o.problem, o.points) for o in outcomes if o.points != ALL]
    assert all(outcome.problem.startswith("unreadable file: ") for outcome in outcomes if outcome.state == NOT_GRADED)

    again = list(autograde(SHORT, root=root, settings=settings))
    assert len(again) == len(outcomes)
    assert not any(outcome.fresh for outcome in again), "nothing is tried anew in every run"
    page, table = write_report(SHORT, root=root)
    export(tmp_path / "grades.csv", root=root)
    for text in (page, table, tmp_path / "grades.csv"):
        text.read_text(encoding="utf-8")
    few = [NO_UTF8, "x" * 250, "pipe", "holds half a character"]
    assert [outcome.problem for outcome in feedback(SHORT, few, root=root)] == [None] * len(few)


def test_a_folder_whose_name_is_no_utf_8_is_graded_like_others_and_is_nobody_else(tmp_path):
    names = {"L%F6sung": NO_UTF8, "L%25F6sung": "L%F6sung", "L%FCsung": os.fsdecode(b"L\xfcsung"), "Lösung": "Lösung"}
    points = [exercise.points for exercise in graded(SHORT)]
    earned = {name: float(sum(points[:count])) for count, name in enumerate(names)}
    for count, folder in enumerate(names.values()):
        hand_in(tmp_path, SHORT, folder, fill_in(SHORT, lambda i, count=count: i < count))
    root = course(tmp_path, SHORT, {})
    outcomes = list(autograde(SHORT, root=root))
    assert {outcome.student: outcome.points for outcome in outcomes} == earned
    assert not any(outcome.fresh for outcome in autograde(SHORT, [NO_UTF8, "L%25F6sung"], root=root))
    assert {row.student_id: row.score for row in export(tmp_path / "grades.csv", root=root)} == earned
    assert [outcome.problem for outcome in feedback(SHORT, root=root)] == [None] * len(names)
    for name in names:
        assert (root / "grading" / "feedback" / name / SHORT / f"{SHORT}.html").is_file()
        assert sum(scores(root, SHORT, name).values()) == earned[name]


def test_a_name_that_grows_too_long_to_be_written_is_said(tmp_path):
    root = course(tmp_path, SHORT, {"anna": honest(), os.fsdecode(b"\xf6" * 100): honest()})
    long, anna = sorted(autograde(SHORT, root=root), key=lambda outcome: outcome.points is not None)
    assert anna.points == ALL
    assert "give it a shorter one" in long.problem
    assert not any(outcome.fresh for outcome in autograde(SHORT, root=root))


def test_a_full_disk_ends_the_run_with_one_message_and_what_was_graded_stays(tmp_path, monkeypatch):
    root = course(tmp_path, SHORT, {name: honest() for name in ("anna", "bert", "carl")})
    run = autograde(SHORT, root=root)
    assert next(run).points == ALL

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CourseError, match=r"no space left.*same command again: what was graded so far is kept"):
            list(run)
    assert len(list(autograde(SHORT, root=root))) == 3
    assert times_graded(root, SHORT) == dict.fromkeys(("anna", "bert", "carl"), 1)


def test_a_read_only_gradebook_ends_the_run_with_one_message(tmp_path, monkeypatch):
    root = course(tmp_path, SHORT, {"anna": honest()})
    list(autograde(SHORT, root=root))
    hand_in(root, SHORT, "bert", honest())
    with monkeypatch.context() as patched:
        database = root / "grading" / "gradebook.db"
        patched.setenv("LATENT_COURSE_DB", f"sqlite:///file:{database}?mode=ro&uri=true")
        with pytest.raises(CourseError, match=r"cannot be written: .*readonly.*the same command enters them"):
            list(autograde(SHORT, root=root))
    outcomes = {outcome.student: outcome for outcome in autograde(SHORT, root=root)}
    assert outcomes["bert"].points == ALL
    assert not outcomes["bert"].fresh, "it was graded before, and is only entered now"


def test_a_result_that_the_gradebook_does_not_take_costs_no_other(tmp_path, monkeypatch):
    from grading.records.gradebook import Recorder

    record = Recorder._record

    def refuses(self, result, timestamp):
        record(self, result, timestamp)
        if result["student"] == "anna":
            raise ValueError("too long for this column")

    root = course(tmp_path, SHORT, {name: honest() for name in ("anna", "bert")})
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_record", refuses)
        outcomes = {outcome.student: outcome for outcome in autograde(SHORT, root=root)}
    assert outcomes["bert"].points == ALL
    assert "too long for this column" in outcomes["anna"].problem
    assert {outcome.student: outcome.points for outcome in autograde(SHORT, root=root)} == {"anna": ALL, "bert": ALL}


def test_a_machine_without_namespaces_is_told_of_before_anything_is_graded(tmp_path, monkeypatch):
    root = course(tmp_path, SHORT, {name: honest() for name in ("anna", "bert")})
    tools = tmp_path / "tools"
    write(tools / "bwrap", b"#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tools / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(CourseError, match=r"No permissions.*sysctl.*grading doctor"):
        list(autograde(SHORT, root=root))
    assert Store(root).all(SHORT) == []
