"""docs/authoring.md, followed to the letter, gives an exercise that works: one file, one cell."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.exercises import read_folder
from grading.course import ROOT

FILE = "exercises/jensen_entropy_kl/nats_to_bits.py"
TRY_IT = """
import sys
from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_exercise
from course_lib.checks import find_exercise
from grading.release.source import expand

exercise = find_exercise("nats_to_bits")
assert len(exercise.misconceptions) >= 5
for seed in (None, 4):
    for right in (exercise.reference, *exercise.alternatives):
        assert review_exercise(exercise, LocalAnswer(exercise.name, right), seed).passed
    for misconception in exercise.misconceptions:
        report = review_exercise(exercise, LocalAnswer(exercise.name, misconception.answer), seed)
        assert report.misconception == misconception.name, report

cells = {cell.id: cell for cell in expand(sys.stdin.read(), "02_jensen_entropy_kl").cells}
assert any("1 point for bits" in cell.source for cell in cells.values())
assert cells["nats_to_bits"].metadata.nbgrader["solution"]
assert cells["nats_to_bits-check"].metadata.nbgrader["points"] == 1
assert 'check("nats_to_bits", seed=' in cells["nats_to_bits-check"].source
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the library, to add to."""
    shutil.copytree(ROOT / "course_lib", tmp_path / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "course_lib"


def put_in_order(course: Path, name: str) -> None:
    path = course / "exercises" / "jensen_entropy_kl" / "__init__.py"
    path.write_text(path.read_text().replace('    "jensen_gap",\n', f'    "jensen_gap",\n    "{name}",\n'))


def in_the_copy(course: Path, code: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, input=stdin, env=environment, cwd=course.parent, capture_output=True, text=True, check=False
    )


def test_the_page_leads_to_a_working_exercise(course):
    page = (ROOT / "docs" / "authoring.md").read_text()
    declaration, cell = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert f"course_lib/{FILE}" in page
    (course / FILE).write_text(declaration)
    put_in_order(course, "nats_to_bits")
    source = (ROOT / "solutions" / "02_jensen_entropy_kl" / "02_jensen_entropy_kl.py").read_text()
    source += "\n# %% [markdown]\n# {{points nats_to_bits}} for bits\n\n" + cell
    result = in_the_copy(course, TRY_IT, source)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize(
    ("file", "ordered", "said"),
    [
        ("EXERCISE = None\n", (), "extra stands in no place yet: add it to ORDER in"),
        (None, ("nothing",), "names nothing, and there is no such file or question"),
        ("x = 1\n", ("extra",), "extra.py declares no EXERCISE: what exercises share goes into probes.py"),
    ],
)
def test_a_file_or_a_line_that_is_missing_is_named_with_the_remedy(tmp_path, monkeypatch, file, ordered, said):
    package = tmp_path / "folder_of_exercises"
    package.mkdir()
    (package / "__init__.py").write_text(f'NOTEBOOK = "99"\nORDER = {ordered!r}\n')
    if file is not None:
        (package / "extra.py").write_text(file)
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = importlib.import_module(package.name)
    try:
        with pytest.raises(LookupError, match=re.escape(said)):
            read_folder(folder)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == package.name]:
            del sys.modules[name]
