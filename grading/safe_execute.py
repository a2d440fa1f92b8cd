"""Plain `nbgrader autograde`, and formgrader's button, through the sandbox.

`Repair` takes the place of the first sanitizing step, `SafeExecute` that of nbgrader's own executing.
"""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, List, Unicode

from grading.batch.cluster import grade_here
from grading.course import CourseError, topics
from grading.intake.choosing import read_submission
from grading.intake.repair import graded_names, repair
from grading.job import NOT_GRADED, Job
from grading.release.source import hidden_seed
from grading.sandbox.bubblewrap import find_bubblewrap
from grading.sandbox.limits import Limits


class Repair(NbGraderPreprocessor):
    """Restores what nbgrader needs in order not to stop: ids, kinds and metadata of cells, each of them once."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        topic = resources["nbgrader"]["notebook"]
        if topic not in topics():
            return nb, resources
        name = f"{topic}.ipynb"
        repaired = repair(read_submission({name: nbformat.writes(nb).encode()}, topic), topic)
        for sentence in repaired.repairs:
            self.log.warning("%s: %s", topic, sentence)
        return repaired.notebook(), resources


class SafeExecute(NbGraderPreprocessor):
    """Runs a submission in the sandbox and puts the checks' results where nbgrader reads the points."""

    unsafe_no_sandbox = Bool(False, help="Run students' code without a sandbox.").tag(config=True)
    limits = List(Unicode(), help='Limits such as "cell_seconds=30".').tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        topic, student = resources["nbgrader"]["notebook"], resources["nbgrader"]["student"]
        if topic not in topics():
            raise CourseError(f"{topic} is not a notebook of this course")
        if not self.unsafe_no_sandbox:
            find_bubblewrap()
        job = Job(
            topic,
            student,
            {f"{topic}.ipynb": nbformat.writes(nb).encode()},
            {name: hidden_seed(name) for name in graded_names(topic)},
            Limits().changed(list(self.limits)),
            unsafe=self.unsafe_no_sandbox,
        )
        result = grade_here({**vars(job), "limits": job.limits.as_dict()})
        if result["state"] == NOT_GRADED:
            raise CourseError(f"{student}: {topic} was not graded: {result['why']}")
        return nbformat.reads(result["notebook"], as_version=4), resources
