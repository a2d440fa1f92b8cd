"""docs/authoring.md, followed to the letter, gives an exercise that works."""

from __future__ import annotations

import math
import re

import torch

from course_lib import checks
from course_lib.answers import LocalAnswer
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.review import review_exercise
from grading.course import ROOT
from grading.release.source import expand


def test_the_page_leads_to_a_working_exercise(monkeypatch):
    page = (ROOT / "docs" / "authoring.md").read_text()
    reference, declaration, cell = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {"math": math, "Tensor": torch.Tensor, "Exercise": Exercise, "Misconception": Misconception}
    exec(reference, names)
    exec(declaration, names)
    exercise = names["NATS_TO_BITS"]
    for seed in (None, 4):
        for right in (exercise.reference, *exercise.alternatives):
            assert review_exercise(exercise, LocalAnswer(exercise.name, right), seed).passed
        for misconception in exercise.misconceptions:
            report = review_exercise(exercise, LocalAnswer(exercise.name, misconception.answer), seed)
            assert report.misconception == misconception.name
    assert len(exercise.misconceptions) >= 5

    monkeypatch.setitem(checks.TOPICS, "99_new", (exercise,))
    monkeypatch.setattr("grading.release.source.TOPICS", checks.TOPICS)
    notebook = expand("# %% [markdown]\n# {{points nats_to_bits}}\n\n" + cell, "99_new")
    markdown, answer, checking = notebook.cells
    assert markdown.source == "1 point"
    assert answer.metadata.nbgrader["solution"]
    assert checking.metadata.nbgrader["points"] == 1
    assert 'check("nats_to_bits", seed=' in checking.source
