"""Grading one submission: read, repair, run in a sandbox, check from outside, report.

What goes in and what comes out is data, so that it can happen on any machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import nbformat
import torch
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from course_lib.answers import AnswerFailed
from course_lib.checker.exercise import Question
from course_lib.checker.report import Report
from course_lib.checker.review import ON_OTHERS, review_answer
from course_lib.checks import find_exercise
from grading.intake.reading import Unreadable, read_submission
from grading.intake.repair import Repaired, Step, graded_names, imports_of, repair
from grading.intake.suspicion import signs_in
from grading.sandbox.bubblewrap import SandboxError
from grading.sandbox.host import CellRun, Sandbox, Zygote
from grading.sandbox.limits import Limits
from grading.sandbox.peer import Raised
from grading.sandbox.wire import WireError

GRADED, REPAIRED, NOT_GRADED = "graded", "graded after repair", "not graded"
FURTHER_BYTES = 1 << 20  # of all small files beside a notebook together
REFERENCE = "the course's own solution"  # the misconception of an answer that calls it
REFERENCE_USED = (
    "This answer calls course_lib's own solution of this very exercise, which earns nothing. The library may be used "
    "for what earlier notebooks built; here, write it yourself."
)


@dataclass(frozen=True)
class Job:
    """One submission to be graded.

    Attributes:
        files: the submission's files by name.
        seeds: the seed of the hidden tests, by exercise.
        only: the exercises to check; all by default.
        unsafe: without a sandbox.
        show_hidden: name the hidden tests in the graded notebook.
        problem: why its files cannot be read.
        known: reports of exercises that need not be checked again.
    """

    topic: str
    student: str
    files: dict[str, bytes]
    seeds: dict[str, int]
    limits: Limits = field(default_factory=Limits)
    only: tuple[str, ...] | None = None
    unsafe: bool = False
    show_hidden: bool = False
    problem: str | None = None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)


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
    ``slowest`` (cell), ``seconds``, ``memory_mb``, ``phases``, ``signs``, ``notebook`` (graded, as text).
    """
    began = time.monotonic()
    result: dict[str, Any] = {"student": job.student, "topic": job.topic, "state": NOT_GRADED, "repairs": []}
    try:
        if job.problem:
            raise Unreadable(job.problem)
        handed = read_submission(job.files, job.topic)
        repaired = repair(handed, job.topic)
        read = time.monotonic() - began
        run = _Run(job, bench, repaired, _further_files(job, handed.file))
        run.everything()
    except Unreadable as unreadable:
        return {**result, "why": f"unreadable file: {unreadable}", "seconds": time.monotonic() - began}
    except Exception as error:
        why = f"infrastructure: {type(error).__name__}: {error}"
        return {**result, "why": why[:1000], "seconds": time.monotonic() - began}
    run.phases["reading"] = read
    writing = time.monotonic()
    result |= {
        "state": REPAIRED if repaired.repairs else GRADED,
        "repairs": repaired.repairs,
        "exercises": {name: run.reports[name] for name in graded_names(job.topic) if name in run.reports},
        "slowest": run.slowest(),
        "memory_mb": max((cell.memory_mb for _, cell in run.ran), default=0.0),
        "phases": run.phases,
        "signs": run.signs(),
    }
    result["seconds"] = time.monotonic() - began
    result["notebook"] = nbformat.writes(_graded_notebook(job, repaired, run, result))
    run.phases["notebook"] = time.monotonic() - writing
    return result


def _further_files(job: Job, notebook: str) -> dict[str, bytes]:
    """Return what a notebook may want to import or read of the files beside it, the small ones first."""
    files: dict[str, bytes] = {}
    left = FURTHER_BYTES
    for name, content in sorted(job.files.items(), key=lambda item: len(item[1])):
        left -= len(content)
        if name != notebook and name.endswith((".py", ".txt", ".csv", ".json")) and left >= 0:
            files[name.rsplit("/", 1)[-1]] = content
    return files


class _Run:
    """The course of one submission, through as many sandboxes as it needs."""

    def __init__(self, job: Job, bench: Bench, repaired: Repaired, files: dict[str, bytes]) -> None:
        self.job, self.bench, self.repaired, self.files = job, bench, repaired, files
        self.names = [name for name in graded_names(job.topic) if job.only is None or name in job.only]
        self.reports: dict[str, dict[str, Any]] = dict(job.known)
        self.ran: list[tuple[int, CellRun]] = []
        self.phases = {"start": 0.0, "cells": 0.0, "checks": 0.0}
        self.lost: list[str] = []
        self._sources: list[tuple[int, str]] = []
        self._checked_at: dict[str, int] = {}
        self._culprits: dict[int, str] = {}
        self._end = time.monotonic() + job.limits.notebook_seconds
        self._starts = 0
        self._sandbox: Sandbox | None = None

    def everything(self) -> None:
        """Run every cell in order and check every answer where it stands; then check them on hidden inputs.

        No cell of the student's runs after a hidden input has been seen: none could print it.
        """
        steps = self.repaired.steps
        last = {name: max((i for i, s in enumerate(steps) if name in s.defines), default=-1) for name in self.names}
        check_at = {s.place.exercise: i for i, s in enumerate(steps) if s.place and s.place.role == "check"}
        try:
            self._start()
            for index, step in enumerate(steps):
                source = self._source(step)
                if source.strip():
                    self._run_cell(index, source)
                for name in self.names:
                    # At its check, as the student saw it; and after every cell that defines it, if there are several.
                    here = index == max(last[name], check_at.get(name, -1))
                    several = name in step.defines and index != last[name]
                    if (here or several) and not self._right(name):
                        self._check(name, index)
            for name in self.names:
                late = self.repaired.repairs and not self._right(name)
                if late or name not in self.reports:
                    self._check(name, len(steps))
            for name in self.names:
                if self._right(name):
                    self._check_hidden(name)
            if self.lost or self.signs():
                self._look_again()
        finally:
            self._stop()

    def _look_again(self) -> None:
        """Check what was not right without the student's further cells: what they broke costs no honest answer."""
        wrong = [name for name in self.names if not self._right(name)]
        course = [
            (index, bool(step.defines or (step.place and step.place.role in ("support", "show"))))
            for index, step in enumerate(self.repaired.steps)
            if step.kind == "code" and not (step.place and step.place.role == "check")
        ]
        if not wrong or all(kept for _, kept in course):
            return
        # A process may have died of something that ran earlier; a loop that never ended was the cell's own.
        looping = [index for index, why in self._culprits.items() if why == "time"]
        steps = [(index, self.repaired.steps[index]) for index, kept in course if kept and index not in looping]
        self._stop()
        self._starts = 0
        self._sources = [(index, source) for index, step in steps if (source := self._source(step)).strip()]
        for name in wrong:
            self._check(name, len(self.repaired.steps))
            if self._right(name):
                self._check_hidden(name)

    def slowest(self) -> dict[str, Any] | None:
        if not self.ran:
            return None
        index, cell = max(self.ran, key=lambda pair: pair[1].seconds)
        first = self.repaired.steps[index].source.strip().splitlines()[:1]
        return {"seconds": round(cell.seconds, 3), "cell": (first or [""])[0][:80]}

    def signs(self) -> list[str]:
        """Return what an instructor may want to look at."""
        own = [step.source for step in self.repaired.steps if step.kind == "code" and not _is_released(step)]
        found = [sign for source in own for sign in signs_in(source)]
        found += [
            {"frames": "sent no data through the grader's pipe", "processes": "started too many processes"}.get(why, "")
            for why in self.lost
        ]
        found += [
            "called the course's own solution"
            for report in self.reports.values()
            if report["misconception"] == REFERENCE
        ]
        return sorted({sign for sign in found if sign})

    def _right(self, name: str) -> bool:
        return name in self.reports and self.reports[name]["status"] == "right"

    def _source(self, step: Step) -> str:
        """Return what of a step is run: of a cell that only shows something, what it imports."""
        role = step.place.role if step.place else None
        if step.kind != "code" or role == "check":
            return ""
        return imports_of(step.source) if role == "show" else step.source

    def _start(self) -> None:
        began = time.monotonic()
        self._starts += 1
        self._sandbox = self.bench.sandbox(self.job)
        if self.files:
            self._sandbox.send_files(self.files)
        for _, source in self._sources:
            if self._sandbox.run(source).lost:
                break
        self.phases["start"] += time.monotonic() - began

    def _stop(self) -> None:
        if self._sandbox:
            if self._sandbox.lost:
                self.lost.append(self._sandbox.lost)
            self._sandbox.close()
            self._sandbox = None

    def _alive(self) -> Sandbox | None:
        """Return a sandbox that runs, a fresh one where the last has died; None when there is no time for another."""
        if self._sandbox and not self._sandbox.lost and time.monotonic() < self._end:
            return self._sandbox
        self._stop()
        if time.monotonic() >= self._end or self._starts > self.job.limits.restarts:
            return None
        self._start()
        return self._sandbox if self._sandbox and not self._sandbox.lost else None

    def _run_cell(self, index: int, source: str) -> None:
        began = time.monotonic()
        sandbox = self._alive()
        if sandbox is None:
            return
        cell = sandbox.run(source)
        self.phases["cells"] += time.monotonic() - began
        self.ran.append((index, cell))
        if cell.lost:
            self._culprits[index] = cell.lost
        else:
            self._sources.append((index, source))

    def _check(self, name: str, index: int) -> None:
        """Check an answer as the student did."""
        report = self._report(name)
        old = self.reports.get(name)
        if old is None or report["status"] == "right" or old["status"] == "unanswered":
            self.reports[name] = report
            self._checked_at[name] = index

    def _check_hidden(self, name: str) -> None:
        """Check a right answer on inputs that the student has not seen."""
        if isinstance(find_exercise(name, self.job.topic), Question):
            return
        seen = self.reports[name]
        hidden = self._report(name, self.job.seeds[name])
        if hidden["status"] != "right" and any(index > self._checked_at[name] for index, _ in self._sources):
            # A later cell may have changed what the answer uses: it counts as it was at its check.
            everything = self._sources
            self._stop()
            self._sources = [(index, source) for index, source in everything if index <= self._checked_at[name]]
            hidden = self._report(name, self.job.seeds[name])
            self._stop()
            self._sources = everything
        if hidden["status"] != "right":
            self.reports[name] = hidden
        self.reports[name]["seconds"] = round(seen["seconds"] + hidden["seconds"], 3)
        self.reports[name]["memory_mb"] = max(seen["memory_mb"], hidden["memory_mb"])

    def _report(self, name: str, seed: int | None = None) -> dict[str, Any]:
        began = time.monotonic()
        sandbox = self._alive()
        report = self._review(sandbox, name, seed)
        if sandbox is not None and sandbox.lost in ("gone", "memory", "processes"):
            # What ended the process may not have been this answer; a loop that never ends was.
            sandbox = self._alive()
            report = self._review(sandbox, name, seed)
        if sandbox is not None and sandbox.used_reference and not report.passed:
            report = Report(name, 0, report.max_points, "wrong", (REFERENCE_USED,), misconception=REFERENCE)
        memory = sandbox.memory_mb() if sandbox is not None and not sandbox.lost else 0.0
        seconds = round(time.monotonic() - began, 3)
        self.phases["checks"] += seconds
        return {**_as_dict(report), "seconds": seconds, "memory_mb": round(memory, 1)}

    def _review(self, sandbox: Sandbox | None, name: str, seed: int | None) -> Report:
        if sandbox is None:
            says = "The notebook's time was over, or its kernel died too often, before this answer could be checked."
            return self._unanswered(name, says)
        exercise = find_exercise(name, self.job.topic)
        try:
            answer = sandbox.begin(name, again=seed is not None)
            if answer is None:
                return self._unanswered(name, f"There is no {name} in the notebook that was handed in.")
            return review_answer(exercise, answer, seed)
        except AnswerFailed as failed:
            return Report(name, 0, exercise.points, "wrong", (failed.says if seed is None else ON_OTHERS,))
        except (Raised, WireError):
            says = f"The process of {name} answers the grader with nonsense."
            return Report(name, 0, exercise.points, "wrong", (says,))

    def _unanswered(self, name: str, says: str) -> Report:
        failed = [
            f"Its cell failed with {cell.error}: {_first_error(cell)}"
            for index, cell in self.ran
            if name in self.repaired.steps[index].defines and cell.error
        ]
        return Report(name, 0, find_exercise(name, self.job.topic).points, "unanswered", (says, *failed[:1]))


def _first_error(cell: CellRun) -> str:
    return next((str(out["evalue"])[:200] for out in cell.outputs if out["output_type"] == "error"), "")


def _is_released(step: Step) -> bool:
    return step.place is not None and step.source.strip() == step.place.source.strip()


def _as_dict(report: Report) -> dict[str, Any]:
    return {
        "name": report.exercise,
        "points": report.points,
        "max_points": report.max_points,
        "status": report.status,
        "sentences": list(report.sentences),
        "misconception": report.misconception,
        "text": str(report),
        "html": report._repr_html_(),
    }


def _graded_notebook(job: Job, repaired: Repaired, run: _Run, result: dict[str, Any]) -> NotebookNode:
    """Return the notebook as graders and students see it: the answers, and under each what its check says."""
    notebook = repaired.notebook()
    outputs = dict(run.ran)
    sanitize = SanitizeHTML(enabled=True)
    for index, (cell, step) in enumerate(zip(notebook.cells, repaired.steps, strict=True)):
        if cell.cell_type == "markdown":
            if not _is_released(step):
                sanitize.preprocess_cell(cell, {}, index)
        elif step.place and step.place.exercise and step.place.role == "check":
            cell.source = _check_source(job, step.place.exercise, step.place.source)
            report = run.reports.get(step.place.exercise)
            cell.outputs = _report_outputs(report) if report else []
        elif index in outputs and not (step.place and step.place.role == "show"):
            cell.outputs = [nbformat.from_dict(out) for out in outputs[index].outputs]
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(_summary(result), id="grading-summary"))
    return notebook


def _check_source(job: Job, name: str, source: str) -> str:
    if not job.show_hidden or name not in job.seeds:
        return source
    return f'{source}\ncheck("{name}", seed={job.seeds[name]})  # the hidden test'


def _report_outputs(report: dict[str, Any]) -> list[NotebookNode]:
    """Return the outputs by which nbgrader reads the points: an error is none, anything else all."""
    data = {"text/plain": report["text"], "text/html": report["html"]}
    shown = nbformat.v4.new_output("display_data", data=data)
    if report["status"] == "right":
        return [shown]
    headline = report["text"].splitlines()[0].lstrip("✓✗… ")
    failed = nbformat.v4.new_output("error", ename="CheckFailed", evalue=headline, traceback=[headline])
    return [shown, failed]


def _summary(result: dict[str, Any]) -> str:
    """Return the first cell of a graded notebook: points, what was repaired, time and memory."""
    reports = result["exercises"].values()
    earned, total = (sum(report[key] for report in reports) for key in ("points", "max_points"))
    words = {"right": "right", "wrong": "not right yet", "unanswered": "not answered"}
    rows = "\n".join(
        f"| `{r['name']}` | {words[r['status']]} | {r['points']} / {r['max_points']} | {r['seconds']:.2f} s | {r['memory_mb']:.0f} MB |"
        for r in reports
    )
    repairs = "".join(f"\n- {_plain(sentence)}" for sentence in result["repairs"])
    said = f"\n\nBefore grading, the file was mended; this cost no points:\n{repairs}" if repairs else ""
    return (
        f"## Graded: {earned} of {total} points\n\n| exercise | result | points | checked in | memory added |\n| :--- | :--- | ---: | ---: | ---: |\n{rows}\n\n"
        f"The notebook ran in {result['seconds']:.1f} s and needed up to {result['memory_mb']:.0f} MB of memory, beyond the libraries.{said}"
    )


def _plain(text: str) -> str:
    """Keep a file's name from becoming Markdown or HTML."""
    return "".join(
        f"\\{c}" if c in "\\`*_{}[]()#|!~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text
    )


def one_thread() -> None:
    """Use one thread for a grader's computations: they are small, and there are many graders."""
    torch.set_num_threads(1)
