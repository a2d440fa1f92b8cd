"""Grading what students handed in: a batch that can be stopped at any moment, and goes on where it stopped."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.apps import NbGraderAPI

from course_lib.checks import find_exercise
from grading.batch.cluster import calls_with, cluster_workers, grade_here, grade_with, local_workers
from grading.course import ROOT, CourseError, find_topic
from grading.intake.repair import graded_names
from grading.job import INFRASTRUCTURE, NO_ROOM, NOT_GRADED, Job, no_room
from grading.records.digests import files_digest, machinery_digest, release_digest, tests_digests
from grading.records.gradebook import Recorder, ensure_assignment, open_gradebook, read_timestamp
from grading.records.pages import render
from grading.records.store import Store, read_files, write_whole
from grading.release.build import nbgrader_config
from grading.release.source import hidden_seed
from grading.safe_text import read_back, safe, safe_name, writable_name
from grading.sandbox.bubblewrap import find_bubblewrap, require_linux, try_walls
from grading.sandbox.limits import Limits

ANSI = re.compile(r"\x1b\[[0-9;]*m")
EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Invalid|Missing)\w*:")
LONGEST_NAME = 255  # bytes that file systems take for a folder's
FEW = 10  # pages that are written before workers have started


@dataclass(frozen=True)
class Settings:
    """How a batch is graded.

    Attributes:
        workers: processes on this machine; with one, everything happens in this process.
        scheduler: the address of a Dask scheduler to use instead.
        unsafe: run students' code without a sandbox.
        again: grade also what did not change.
        show_hidden: name the hidden tests and their seeds in the graded notebooks.
    """

    workers: int = 1
    scheduler: str | None = None
    unsafe: bool = False
    limits: Limits = field(default_factory=Limits)
    again: bool = False
    show_hidden: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one submission.

    Attributes:
        state: "graded", "graded after repair" or "not graded".
        points, max_points: None if it was not graded.
        problem: why it was not graded, or None.
        repairs: what was mended, in words.
        fresh: whether it was graded now, not found unchanged.
        moved: points that differ from those before, as (exercise, before, now).
    """

    topic: str
    student: str
    state: str = NOT_GRADED
    points: float | None = None
    max_points: float | None = None
    problem: str | None = None
    repairs: tuple[str, ...] = ()
    fresh: bool = True
    moved: tuple[tuple[str, float, float], ...] = ()


def submissions(topic: str, students: list[str] | None = None, root: Path = ROOT) -> list[str]:
    """Return the students who handed in a topic, under grading/submitted/STUDENT/TOPIC; each by a name that can be written.

    Raises:
        CourseError: there is none, or a named student handed in nothing.
    """
    folder = root / "grading" / "submitted"
    found = sorted(writable_name(path.parent.name) for path in folder.glob(f"*/{topic}") if path.is_dir())
    named = [student if student in found else writable_name(student) for student in students or []]
    for student in named:
        if student not in found:
            raise CourseError(f"{student} handed in nothing for {topic}: there is no {folder / student / topic}")
    chosen = named or found
    if not chosen:
        raise CourseError(f"nothing was handed in for {topic}: put notebooks into {folder}/STUDENT/{topic}/")
    return chosen


def handed_in(topic: str, student: str, root: Path = ROOT) -> Path:
    """Return the folder of a submission."""
    return root / "grading" / "submitted" / read_back(student) / topic


def autograde(
    name: str, students: list[str] | None = None, root: Path = ROOT, settings: Settings | None = None
) -> Iterator[Outcome]:
    """Grade every submission of a notebook; yield the outcomes as they come, one for each, whatever happens.

    What was graded before and has not changed is not graded again; where only some tests have changed, only
    those run. A run that was killed is taken up by the next.

    Raises:
        CourseError: there is nothing to grade, no sandbox, or another run at work.
    """
    settings = settings or Settings()
    topic = find_topic(name)
    chosen = submissions(topic, students, root)
    if settings.scheduler is None:
        require_linux()
        if not settings.unsafe:
            find_bubblewrap()
            try_walls()
    config = nbgrader_config(root)
    batch = _Batch(topic, root, settings)
    with ExitStack() as stack:
        stack.enter_context(batch.store.only_writer())
        ensure_assignment(topic, config, batch.points)
        recorder = Recorder(stack.enter_context(open_gradebook(config)), topic)
        todo: list[str] = []
        for student in chosen:
            result = batch.finished(student)
            if result is None:
                todo.append(student)
            else:
                yield batch.take_again(result, recorder)
        jobs = (batch.job(student) for student in todo)
        if not todo:
            return
        if settings.scheduler:
            results = grade_with(stack.enter_context(cluster_workers(settings.scheduler)), jobs)
        elif settings.workers > 1 and len(todo) > 1:
            results = grade_with(stack.enter_context(local_workers(min(settings.workers, len(todo)))), jobs)
        else:
            results = (grade_here(batch.as_dict(job)) for job in jobs)
        for result in results:
            yield batch.take(result, recorder)


class _Batch:
    """One notebook's submissions, and what their grades depend on."""

    def __init__(self, topic: str, root: Path, settings: Settings) -> None:
        self.topic, self.root, self.settings = topic, root, settings
        self.store = Store(root)
        self.names = graded_names(topic)
        self.points = {name: float(find_exercise(name, topic).points) for name in self.names}
        secret = self.store.secret()
        self.seeds = {name: (hidden_seed(name) ^ secret) % (1 << 31) for name in self.names}
        self.tests = tests_digests(topic, self.seeds)
        self.common = {
            "machinery": machinery_digest(),
            "release": release_digest(topic),
            "how": repr((settings.unsafe, settings.show_hidden, settings.limits)),
        }
        self._before: dict[str, dict[str, Any] | None] = {}
        self._digests: dict[str, str] = {}

    def _files(self, student: str) -> tuple[dict[str, bytes], str | None]:
        if len(student.encode()) > LONGEST_NAME:
            return (
                {},
                f"the name of its folder, written in UTF-8, has more than {LONGEST_NAME} bytes: give it a shorter one",
            )
        return read_files(handed_in(self.topic, student, self.root))

    # Each submission's way is guarded from its first file to its entry in the gradebook: what goes wrong on it ends it,
    # and it alone. Only what would go wrong for all (a full disk, a gradebook that takes nothing) ends the run.

    def finished(self, student: str) -> dict[str, Any] | None:
        """Return the result of a submission that need not be graded again."""
        try:
            return self._finished(student)
        except Exception as error:  # its job will say what is wrong
            _stop_if_hopeless(error)
            return None

    def _finished(self, student: str) -> dict[str, Any] | None:
        files, problem = self._files(student)
        self._digests[student] = files_digest(files, problem)
        result = self.store.read(self.topic, student)
        self._before[student] = result
        if result is None or self.settings.again or str(result.get("why", "")).startswith(INFRASTRUCTURE):
            return None
        same = result.get("submission") == self._digests[student] and result.get("common") == self.common
        return result if same and result.get("tests") == self.tests else None

    def job(self, student: str) -> Job:
        """Return what is to be done for a submission: everything, or the exercises whose tests have changed."""
        try:
            return self._job(student)
        except Exception as error:
            _stop_if_hopeless(error)
            return Job(self.topic, student, {}, self.seeds, self.settings.limits, problem=_said(error))

    def _job(self, student: str) -> Job:
        files, problem = self._files(student)
        before = self._before.get(student)
        only, known = None, {}
        unchanged = before is not None and not self.settings.again and before.get("common") == self.common
        if before is not None and unchanged and before.get("submission") == self._digests[student]:
            old = before.get("tests") or {}
            reports = before.get("exercises") or {}
            known = {
                name: reports[name] for name in self.names if name in reports and old.get(name) == self.tests[name]
            }
            only = tuple(name for name in self.names if name not in known)
        s = self.settings
        return Job(self.topic, student, files, self.seeds, s.limits, only, s.unsafe, s.show_hidden, problem, known)

    def as_dict(self, job: Job) -> dict[str, Any]:
        return {**vars(job), "limits": job.limits.as_dict()}

    def take(self, result: dict[str, Any], recorder: Recorder) -> Outcome:
        """Keep a fresh result: on disk first, then in the gradebook, so that neither is ever without the other."""
        if result.get("stop"):
            raise CourseError(result["stop"])
        try:
            return self._take({**safe(result), "student": result["student"]}, recorder)
        except Exception as error:
            return self._give_up(result["student"], error)

    def take_again(self, result: dict[str, Any], recorder: Recorder) -> Outcome:
        """Return the outcome of a result that was found unchanged; enter it where a run was stopped before that."""
        try:
            if not result.get("recorded"):
                self.keep(result, recorder)
            return self.outcome(result, fresh=False)
        except Exception as error:
            return self._give_up(result["student"], error)

    def _give_up(self, student: str, error: Exception) -> Outcome:
        """Say of a submission that its result cannot be kept."""
        _stop_if_hopeless(error)
        why = f"{INFRASTRUCTURE}: its result cannot be kept: {_said(error)}"
        result = {"student": student, "topic": self.topic, "state": NOT_GRADED, "why": why, "repairs": []}
        with suppress(Exception):
            self.store.write(result)
        return self.outcome(result, fresh=True)

    def _take(self, result: dict[str, Any], recorder: Recorder) -> Outcome:
        student = result["student"]
        result |= {"submission": self._digests.get(student, ""), "common": self.common, "tests": self.tests}
        before = self._before.get(student) or {}
        old = {name: report["points"] for name, report in (before.get("exercises") or {}).items()}
        new = {name: report["points"] for name, report in (result.get("exercises") or {}).items()}
        same_work = before.get("submission") == result["submission"]
        moved = [[name, old[name], new[name]] for name in new if same_work and name in old and old[name] != new[name]]
        result |= {"moved": moved, "times_graded": before.get("times_graded", 0) + 1}
        self.keep(result, recorder)
        return self.outcome(result, fresh=True)

    def keep(self, result: dict[str, Any], recorder: Recorder) -> None:
        """Write a result, the graded notebook and the gradebook; in an order that a kill at any point leaves mendable."""
        began = time.monotonic()
        self.store.write({**result, "recorded": False})
        if result["state"] != NOT_GRADED:
            graded = self.root / "grading" / "autograded" / result["student"] / self.topic
            write_whole(graded / f"{self.topic}.ipynb", result["notebook"].encode())
            recorder.record(result, read_timestamp(handed_in(self.topic, result["student"], self.root)))
        kept = {key: value for key, value in result.items() if key != "notebook"}
        self.store.write({**kept, "recorded": True, "writing": round(time.monotonic() - began, 4)})

    def outcome(self, result: dict[str, Any], fresh: bool) -> Outcome:
        student = safe_name(result["student"])
        if result["state"] == NOT_GRADED:
            return Outcome(self.topic, student, problem=result.get("why"), fresh=fresh)
        reports = result["exercises"].values()
        earned, total = (float(sum(report[key] for report in reports)) for key in ("points", "max_points"))
        moved = (
            tuple((str(name), float(old), float(new)) for name, old, new in result.get("moved", [])) if fresh else ()
        )
        repairs = tuple(result["repairs"])
        return Outcome(self.topic, student, result["state"], earned, total, None, repairs, fresh, moved)


def _said(error: Exception) -> str:
    return safe_name(f"{type(error).__name__}: {error}", 300)


def _stop_if_hopeless(error: Exception) -> None:
    """Raise again what every further submission would meet too.

    Raises:
        CourseError: it is the instructor's to mend; the message says how.
    """
    if isinstance(error, CourseError):
        raise error
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise CourseError(no_room(error.filename or "the disk", error)) from None


def _reason(result: dict[str, str]) -> str:
    """Return the line of nbgrader's log that says why: the innermost exception, not the wrappers around it."""
    text = ANSI.sub("", (result.get("log") or "") + "\n" + (result.get("error") or ""))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    raised = [line for line in lines if EXCEPTION.match(line) and "NbGraderException" not in line]
    errors = [line.removeprefix("[ERROR] ") for line in lines if line.startswith("[ERROR]")]
    return (raised or errors or lines or ["nbgrader gave no reason"])[0][:300]


def feedback(name: str, students: list[str] | None = None, root: Path = ROOT, workers: int = 1) -> Iterator[Outcome]:
    """Write the feedback of every submission: nbgrader's page, or why it was not graded; yield what became of each."""
    topic = find_topic(name)
    chosen = [(topic, student, str(root)) for student in submissions(topic, students, root)]
    if workers > 1 and len(chosen) > FEW:
        with local_workers(workers) as client:
            for (_, student, _), problem in calls_with(client, "grading.batch.submissions", "write_feedback", chosen):
                yield Outcome(topic, student, problem=None if problem is None else str(problem))
    else:
        for given in chosen:
            yield Outcome(topic, given[1], problem=write_feedback(*given))


def write_feedback(topic: str, student: str, root: str) -> str | None:
    """Write one student's feedback; return what went wrong, if anything."""
    try:
        result = Store(Path(root)).read(topic, student)
        if result is not None and result["state"] == NOT_GRADED:
            page = render("not_graded.html.jinja", topic=topic, why=result["why"])
            write_whole(Path(root) / "grading" / "feedback" / student / topic / f"{topic}.html", page.encode())
            return None
        done = NbGraderAPI(config=nbgrader_config(Path(root))).generate_feedback(topic, student, force=True)
    except Exception as error:
        _stop_if_hopeless(error)
        return _said(error)
    return None if done["success"] else _reason(done)
