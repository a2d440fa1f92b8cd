"""Checking a submission's answers where they live: as the student did, and on inputs that the student has not seen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from course_lib.answers import AnswerFailed
from course_lib.carried import parts_of, review_on_parts
from course_lib.checker.exercise import Question
from course_lib.checker.report import Report
from course_lib.checker.review import NAMED, ON_OTHERS, review_answer
from course_lib.checks import find_exercise
from grading.intake.needed import split
from grading.intake.readable import readable
from grading.intake.repair import Repaired
from grading.job import REFERENCE, Job
from grading.sandbox.host import CellRun, Sandbox
from grading.sandbox.peer import Raised
from grading.sandbox.session import Session
from grading.sandbox.wire import WireError

REFERENCE_USED = (
    "This answer calls the library's {names}, which earns nothing here: this notebook or a later one asks for what is in it. "
    "The library may be used for what earlier notebooks built; here, write it yourself."
)


class Checks:
    """The reports on a submission's answers, the best of each.

    Attributes:
        reports: by exercise.
        seconds: what checking took.
        broken: the exercises whose check failed itself, with how.
        alone: what to add to what is right now, because it was not before.
    """

    def __init__(self, job: Job, repaired: Repaired, session: Session) -> None:
        self.reports: dict[str, dict[str, Any]] = dict(job.known)
        self.seconds = 0.0
        self.broken: dict[str, str] = {}
        self.alone = ""
        self._job, self._repaired, self._session = job, repaired, session
        self._checked_at: dict[str, int] = {}

    def right(self, name: str) -> bool:
        return name in self.reports and self.reports[name]["status"] == "right"

    def check(self, name: str, index: int) -> None:
        """Check an answer as the student did, after the cell of that number."""
        report = self._report(name)
        old = self.reports.get(name)
        if old is None or report["status"] == "right" or old["status"] == "unanswered":
            self.reports[name] = report
            self._checked_at[name] = index

    def check_on_parts(self, name: str) -> None:
        """Check an answer that is wrong with the course's solutions in the place of the wrong parts it calls.

        What is lent could be kept for the next answer, so each is checked in a process of its own.
        """
        if self.right(name) or not self._stands_on_wrong_parts(name):
            return
        with self._session.apart():
            report = self._report(name, on_parts=True)
            if report["status"] == "right":
                hidden = self._report(name, self._job.seeds[name], on_parts=True)
                self.reports[name] = self._shown(report, hidden)

    def _stands_on_wrong_parts(self, name: str) -> bool:
        exercise = find_exercise(name, self._job.topic)
        sandbox = self._session.alive()
        if isinstance(exercise, Question) or sandbox is None:
            return False
        try:
            answer = sandbox.begin(name)
            parts = parts_of(exercise, self._job.topic)
            return answer is not None and any(not self.right(part) for part in answer.reaches(parts))
        except (AnswerFailed, Raised, WireError):
            return False

    def check_hidden(self, name: str) -> None:
        """Check a right answer on inputs that the student has not seen."""
        if isinstance(find_exercise(name, self._job.topic), Question):
            return
        seen = self.reports[name]
        hidden = self._report(name, self._job.seeds[name])
        if hidden["status"] != "right" and self._session.has_run_after(self._checked_at[name]):
            # A later cell may have changed what the answer uses: it counts as it was at its check.
            with self._session.as_it_was(self._checked_at[name]):
                hidden = self._report(name, self._job.seeds[name])
        self.reports[name] = self._shown(seen, hidden)

    @staticmethod
    def _shown(seen: dict[str, Any], hidden: dict[str, Any]) -> dict[str, Any]:
        """Return what is told of an answer after its hidden inputs.

        Seconds and memory stay those of the visible check: an answer could tell by them what it was given.
        """
        told = seen if hidden["status"] == "right" else hidden
        of_seen = {key: seen[key] for key in ("seconds", "memory_mb")}
        return {**told, **of_seen, "hidden_seconds": hidden["seconds"]}

    def _report(self, name: str, seed: int | None = None, on_parts: bool = False) -> dict[str, Any]:
        began = time.monotonic()
        sandbox = self._session.alive()
        report = self._review(sandbox, name, seed, on_parts)
        if sandbox is not None and sandbox.switched and not sandbox.lost and not report.passed:
            # It may need what the notebook has set for all of it, such as float64.
            mine = self._review(sandbox, name, seed, on_parts, own=True)
            report = mine if mine.passed else report
        if sandbox is not None and sandbox.lost in ("gone", "memory", "processes"):
            # What ended the process may not have been this answer; a loop that never ends was.
            sandbox = self._session.alive()
            report = self._review(sandbox, name, seed, on_parts)
        if sandbox is not None and sandbox.used_references and not report.passed:
            used = sorted(full.rsplit(".", 1)[1] for full in sandbox.used_references)
            # After a hidden input, which ones it calls could tell of it.
            names = " and ".join(f"`{one}`" for one in used) if seed is None else "solutions"
            says = REFERENCE_USED.format(names=names)
            report = Report(name, 0, report.max_points, "wrong", (says,), misconception=REFERENCE)
        if report.passed and self.alone:
            report = replace(report, sentences=(*report.sentences, self.alone))
        elif not report.passed and seed is None and not on_parts:
            report = replace(report, sentences=tuple(dict.fromkeys((*report.sentences, *self._failed_before(name)))))
        memory = sandbox.memory_mb() if sandbox is not None and not sandbox.lost else 0.0
        seconds = round(time.monotonic() - began, 3)
        self.seconds += seconds
        return {**_as_dict(report), "seconds": seconds, "memory_mb": round(memory, 1)}

    def _review(
        self, sandbox: Sandbox | None, name: str, seed: int | None, on_parts: bool, own: bool = False
    ) -> Report:
        if sandbox is None:
            says = "The notebook's time was over, or its kernel died too often, before this answer could be checked."
            return self._unanswered(name, says)
        exercise = find_exercise(name, self._job.topic)
        try:
            answer = sandbox.begin(name, again=seed is not None or on_parts or own, own=own)
            if answer is None:
                return self._unread(name) or self._unanswered(
                    name, f"There is no {name} in the notebook that was handed in."
                )
            if on_parts:
                return review_on_parts(exercise, self._job.topic, answer, self.right, seed=seed)
            return review_answer(exercise, answer, seed)
        except AnswerFailed as failed:
            says = failed.says if seed is None else ON_OTHERS
            return Report(name, 0, exercise.points, "wrong", (says,), NAMED.get(failed.kind))
        except (Raised, WireError):
            says = f"The process of {name} answers the grader with nonsense."
            return Report(name, 0, exercise.points, "wrong", (says,))
        except Exception as error:  # what it returned broke the check: told to the student, and to the instructor
            self.broken[name] = type(error).__name__
            says = f"{name} returned something that its check cannot be carried out on."
            return Report(name, 0, exercise.points, "wrong", (says,))

    def _failed_before(self, name: str) -> list[str]:
        """Say which lines failed, and were skipped, that an answer needs or that stand in its own cell."""
        own = {i for i, step in enumerate(self._repaired.steps) if name in step.defines}
        uses = {used for i in own for part in split(i, self._repaired.steps[i].source) for used in part.uses}
        failed = self._session.failed_lines()
        here = [(line, why) for i, line, why in failed if i in own or any(part.binds & uses for part in split(i, line))]
        return [f"`{line}` failed when it was graded: {why.rstrip('.')}." for line, why in here[:3]]

    def _unread(self, name: str) -> Report | None:
        """Return the report on an answer that Python cannot read; None if it is another reason why it is not there."""
        cells = [i for i, step in enumerate(self._repaired.steps) if step.kind == "code" and name in step.defines]
        if not any(name in readable(self._repaired.steps[i].source).lost for i in cells):
            return None
        says = f"Python cannot read {name}, so it could not be checked; which line, and why, stands here:"
        return Report(name, 0, find_exercise(name, self._job.topic).points, "wrong", (says,))

    def _unanswered(self, name: str, says: str) -> Report:
        failed = [
            f"Its cell failed with {cell.error}: {_first_error(cell)}"
            for index, cell in self._session.ran
            if name in self._repaired.steps[index].defines and cell.error
        ]
        return Report(name, 0, find_exercise(name, self._job.topic).points, "unanswered", (says, *failed[:1]))


def _first_error(cell: CellRun) -> str:
    return next((str(out["evalue"])[:200] for out in cell.outputs if out["output_type"] == "error"), "")


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
