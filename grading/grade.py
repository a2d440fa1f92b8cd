"""Grading one submission: read, repair, run in a sandbox, check from outside, report.

What goes in and what comes out is data, so that it can happen on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Container
from pathlib import PurePosixPath
from typing import Any

import nbformat
import torch

from course_lib.checker.review import ENDLESS
from course_lib.time_limits import OutOfTime, call_within
from grading.checking import Checks
from grading.intake.choosing import read_submission
from grading.intake.needed import additions, needed_by, split
from grading.intake.readable import readable
from grading.intake.reading import Handed, Unreadable
from grading.intake.repair import Repaired, Step, graded_names, imports_of, repair, template
from grading.intake.suspicion import signs_in
from grading.job import GRADED, INFRASTRUCTURE, NO_ROOM, NOT_GRADED, REFERENCE, REPAIRED, Job, no_room
from grading.records.notebook import graded_notebook, summary
from grading.safe_text import safe_text
from grading.sandbox.bubblewrap import SandboxError
from grading.sandbox.host import Sandbox, Zygote
from grading.sandbox.session import Session
from grading.sandbox.wire import MEGABYTE

READING_SECONDS = 20
FURTHER_BYTES = 32 << 20  # of all files beside a notebook together
MOST_FURTHER, LONGEST_PATH = 2000, 200


class Bench:
    """What a process keeps between submissions: the preloaded server."""

    def __init__(self) -> None:
        self._zygote: Zygote | None = None

    def sandbox(self, job: Job) -> Sandbox:
        """Start a sandbox for a job.

        Raises:
            SandboxError, CourseError: it cannot be started here.
        """
        if self._zygote is None or not self._zygote.alive:
            self._zygote = Zygote()
        try:
            return Sandbox(self._zygote, job.topic, job.limits, job.unsafe)
        except SandboxError:
            self._zygote.close()
            self._zygote = Zygote()  # once more, from the start
            return Sandbox(self._zygote, job.topic, job.limits, job.unsafe)

    def close(self) -> None:
        if self._zygote:
            self._zygote.close()
            self._zygote = None


def grade(job: Job, bench: Bench) -> dict[str, Any]:
    """Grade a submission and return the result as JSON; whatever it does, nothing is raised for it.

    The keys: ``student``, ``topic``, ``state``, ``why`` (not graded), ``repairs``, ``exercises`` (one report each),
    ``slowest`` (cell or check), ``seconds``, ``memory_mb``, ``phases``, ``signs``, ``notebook`` (graded, as text).
    """
    began = time.monotonic()
    result: dict[str, Any] = {"student": job.student, "topic": job.topic, "state": NOT_GRADED, "repairs": []}
    try:
        return _grade(job, bench, result)
    except Unreadable as unreadable:
        return {**result, "why": f"unreadable file: {safe_text(str(unreadable))}", "seconds": time.monotonic() - began}
    except Exception as error:
        why = safe_text(f"{INFRASTRUCTURE}: {type(error).__name__}: {error}")[:1000]
        stop = (
            {"stop": no_room(error.filename or "/tmp", error)}
            if isinstance(error, OSError) and error.errno in NO_ROOM
            else {}
        )
        return {**result, "why": why, "seconds": time.monotonic() - began, **stop}


def _grade(job: Job, bench: Bench, result: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    if job.problem:
        raise Unreadable(job.problem)
    handed, repaired = _read(job)
    read = time.monotonic() - began
    submission = _Submission(job, bench, repaired, _further_files(job, handed))
    submission.run_and_check()
    writing = time.monotonic()
    session, reports = submission.session, submission.checks.reports
    phases = {
        "reading": read,
        "start": session.start_seconds,
        "cells": session.cell_seconds,
        "checks": submission.checks.seconds,
    }
    result |= {
        "state": REPAIRED if repaired.repairs else GRADED,
        "repairs": repaired.repairs,
        "exercises": {name: reports[name] for name in graded_names(job.topic) if name in reports},
        "slowest": submission.slowest(),
        "memory_mb": max((cell.memory_mb for _, cell in session.ran), default=0.0),
        "phases": phases,
        "signs": submission.signs(),
        "failed_lines": [list(line) for line in session.failed_lines()],
    }
    result["seconds"] = time.monotonic() - began
    result["ran_seconds"] = read + submission.ran_seconds  # before the hidden inputs, of which it could tell
    notebook = graded_notebook(job, repaired, session.ran, reports, summary(result))
    result["notebook"] = nbformat.writes(notebook)
    phases["notebook"] = time.monotonic() - writing
    return result


def _read(job: Job) -> tuple[Handed, Repaired]:
    """Read and repair what was handed in, within a time that it has to be readable in.

    Raises:
        Unreadable: it is not.
    """

    def read() -> tuple[Handed, Repaired]:
        handed = read_submission(job.files, job.topic)
        return handed, repair(handed, job.topic)

    try:
        return call_within(READING_SECONDS, read)
    except OutOfTime:
        raise Unreadable(f"reading it takes more than {READING_SECONDS} seconds") from None
    except (MemoryError, RecursionError):
        raise Unreadable("it is nested too deep, or needs too much memory, to be read") from None


def _further_files(job: Job, handed: Handed) -> dict[str, bytes]:
    """Return the other files, the small ones first, as they lay about the notebook: what it imports or reads."""
    home = PurePosixPath(handed.file).parent
    files: dict[str, bytes] = {}
    left = min(FURTHER_BYTES, job.limits.reply_mb * MEGABYTE // 2, job.limits.disk_mb * MEGABYTE // 4)
    for name, content in sorted(handed.beside.items(), key=lambda item: len(item[1])):
        path = PurePosixPath(name)
        inside = home.parts and path.is_relative_to(home)
        within = path.relative_to(home) if inside else PurePosixPath(*_without_archive(path))
        shown = str(within)
        left -= len(content)
        if left < 0 or len(files) >= MOST_FURTHER:
            break
        if within.is_absolute() or ".." in within.parts or shown in files or len(shown) > LONGEST_PATH:
            continue
        files[shown] = content
    return files


def _without_archive(path: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a path behind the archive that the file was in."""
    archives = [i for i, part in enumerate(path.parts) if part.lower().endswith(".zip")]
    return path.parts[archives[-1] + 1 :] if archives and archives[-1] + 1 < len(path.parts) else path.parts


class _Submission:
    """One submission's way through sandbox and checks."""

    def __init__(self, job: Job, bench: Bench, repaired: Repaired, files: dict[str, bytes]) -> None:
        self._began, self.ran_seconds = time.monotonic(), 0.0
        self.steps = repaired.steps
        self.repairs = repaired.repairs
        self.names = [name for name in graded_names(job.topic) if job.only is None or name in job.only]
        self.session = Session(lambda: bench.sandbox(job), files, job.limits)
        self.session.given = frozenset(
            line.strip() for place in template(job.topic) for line in place.source.splitlines()
        )
        self.checks = Checks(job, repaired, self.session)

    def run_and_check(self) -> None:
        """Run every cell in order and check every answer where it stands; then check them on hidden inputs.

        No cell of the student's runs after a hidden input has been seen: none could print it.
        """
        last = {
            name: max((i for i, s in enumerate(self.steps) if name in s.defines), default=-1) for name in self.names
        }
        check_at = {s.place.exercise: i for i, s in enumerate(self.steps) if s.place and s.place.role == "check"}
        try:
            self.session.open()
            for index, step in enumerate(self.steps):
                source, left_out = runnable(step), readable(step.source).left_out if step.kind == "code" else ()
                if source.strip() or left_out:
                    self.session.run(index, source, left_out)
                for name in self.names:
                    # At its check, as the student saw it; and after every cell that defines it, if there are several.
                    here = index == max(last[name], check_at.get(name, -1))
                    several = name in step.defines and index != last[name]
                    if (here or several) and not self.checks.right(name):
                        self.checks.check(name, index)
            self.session.only_check()
            self.ran_seconds = time.monotonic() - self._began
            for name in self.names:
                late = self.repairs and not self.checks.right(name)
                if late or name not in self.checks.reports:
                    self.checks.check(name, len(self.steps))
            for name in self.names:
                if self.checks.right(name):
                    self.checks.check_hidden(name)
            for name in self.names:
                self.checks.check_on_parts(name)
            self._look_again()
        finally:
            self.session.close()

    def _look_again(self) -> None:
        """Check what was not right once more alone, with only what it needs: what else stands there costs no honest answer."""
        wrong = [name for name in self.names if not self.checks.right(name) and self._is_written(name)]
        if not wrong:
            return
        self._alone(wrong)
        cut = {i for i, step in enumerate(self.steps) if step.kind == "code" and readable(step.source).left_out}
        wrong = [name for name in wrong if not self.checks.right(name)]
        if wrong and cut:  # where the student ran it, nothing of such a cell did
            self._alone(wrong, cut)
        if self.session.lost and len(wrong) > 1:
            for name in [name for name in wrong if not self.checks.right(name)]:
                self._alone([name])

    def _is_written(self, name: str) -> bool:
        return any(name in step.defines and not step.is_released for step in self.steps)

    def _alone(self, wrong: list[str], without: Container[int] = ()) -> None:
        """Check answers in a fresh process in which only the cells that they need have run, if anything else has run before.

        Args:
            without: the numbers of cells of which nothing is to run.
        """
        statements = [s for i, step in enumerate(self.steps) if i not in without for s in split(i, runnable(step))]
        answers = {i for i, step in enumerate(self.steps) if set(step.defines) & set(wrong)}
        course = {
            i for i, step in enumerate(self.steps) if step.place and step.place.role == "support" and step.is_released
        }
        until = max((i for i, step in enumerate(self.steps) if step.place and step.place.exercise in wrong), default=-1)
        # A process may have died of something that ran earlier; of a cell that it died of, only what it defines is needed.
        deadly = self.session.culprits
        statements = [s for s in statements if s.cell not in deadly or s.defines]
        pieces, disturbing = needed_by(statements, answers, course, max([until, *answers]))
        disturbed = disturbing or self.session.lost or self.session.failed_lines() or self.signs()
        if not disturbed:
            return
        self.checks.alone = self._in_the_way()
        self.session.begin_again(pieces)
        for name in wrong:
            self.checks.check(name, len(self.steps))
        for (
            name
        ) in wrong:  # when all visible inputs are through: no message of one answer could tell of another's hidden ones
            if self.checks.right(name):
                self.checks.check_hidden(name)
        for name in wrong:
            self.checks.check_on_parts(name)
        self.checks.alone = ""

    def _in_the_way(self) -> str:
        failed = self.session.failed_lines()
        what = f"`{failed[0][1]}` failed ({failed[0][2]})" if failed else "other cells were in its way"
        return (
            f"It was checked alone, with only what it needs: in the notebook as a whole, {what}. This cost no points."
        )

    def slowest(self) -> dict[str, Any] | None:
        """Return the cell or the check that took longest, and why it was ended, if it was."""
        took: list[dict[str, Any]] = [
            {
                "seconds": round(cell.seconds, 3),
                "cell": (self.steps[index].source.strip().splitlines() or [""])[0][:80],
                "ended": cell.lost == "time" or cell.error == OutOfTime.__name__,
            }
            for index, cell in self.session.ran
        ]
        took += [
            {
                "seconds": round(report["seconds"] + report.get("hidden_seconds", 0.0), 3),
                "cell": f'check("{name}")',
                "ended": report["misconception"] == ENDLESS,
            }
            for name, report in self.checks.reports.items()
        ]
        return max(took, key=lambda one: one["seconds"], default=None)

    def signs(self) -> list[str]:
        """Return what an instructor may want to look at."""
        own = [step.source for step in self.steps if step.kind == "code" and not step.is_released]
        found = [sign for source in own for sign in signs_in(source)]
        found += [
            {"frames": "sent no data through the grader's pipe", "processes": "started too many processes"}.get(why, "")
            for why in self.session.lost
        ]
        found += [
            "called the course's own solution"
            for report in self.checks.reports.values()
            if report["misconception"] == REFERENCE
        ]
        found += [f"made the check of {name} fail ({how})" for name, how in self.checks.broken.items()]
        return sorted({sign for sign in found if sign})


def runnable(step: Step) -> str:
    """Return what of a step is run: of cells that only show or check something, imports and what the student added."""
    role = step.place.role if step.place else None
    if step.kind != "code":
        return ""
    if step.place and role in ("show", "check"):
        own = "" if step.is_released else additions(step.source, step.place.source)
        return "\n".join(part for part in (imports_of(step.source) if role == "show" else "", own) if part)
    return readable(step.source).source


def one_thread() -> None:
    """Use one thread for a grader's computations: they are small, and there are many graders."""
    torch.set_num_threads(1)
