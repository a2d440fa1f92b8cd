"""What a grade depends on: no file that all grades go through can change without every grade being made again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from course_lib import phrases
from grading.course import ROOT
from grading.records.digests import _machinery, machinery_digest

ENTRIES = ("grading/grade.py", "grading/sandbox/zygote.py")  # the second is run as a program
# The exercises and what they are compared with have digests of their own; these name and find, and decide nothing.
NO_PART = {"course_lib/__init__.py", "course_lib/checks.py", "grading/course.py"}


def imported(path: Path) -> Iterator[Path]:
    """Return the course's files that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            module = ROOT.joinpath(*name.split("."))
            yield from (file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file())


def test_every_file_that_grading_reaches_is_part_of_the_machinery():
    waiting, reached = [ROOT / name for name in ENTRIES], set()
    while waiting:
        path = waiting.pop()
        if path not in reached and "exercises" not in path.parts:
            reached.add(path)
            waiting += imported(path)
    names = {str(path.relative_to(ROOT)) for path in reached}
    machinery = {str(path.relative_to(ROOT)) for path in _machinery()}
    assert {"grading/checking.py", "course_lib/answers.py", "grading/sandbox/guest.py"} <= names
    assert names - machinery == NO_PART


def test_reports_in_another_language_are_other_reports(monkeypatch):
    before = machinery_digest.__wrapped__()
    assert machinery_digest.__wrapped__() == before
    monkeypatch.setattr(phrases, "LANGUAGE", "de" if phrases.LANGUAGE != "de" else "en")
    assert machinery_digest.__wrapped__() != before
    assert {phrases.FOLDER / f"{language}.toml" for language in ("de", "en")} <= set(_machinery())
