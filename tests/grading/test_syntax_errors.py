"""A line that Python cannot read costs what needs it, nothing else, and is told with why."""

from __future__ import annotations

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import fill_in, points, saved_by_colab

from grading.grade import grade
from grading.intake.repair import graded_names
from grading.job import Job

pytestmark = needs_sandbox
TOPIC, ANSWER = "02_jensen_entropy_kl", "gaussian_kl"
ERRORS = {
    "an unfinished statement": "x = 1 +",
    "an open bracket": "x = (1, 2",
    "no colon": "for i in range(3)\n    print(i)",
    "an indented line": "x = 1\n    y = 2",
    "a body that is not indented": "def twice(x):\nreturn 2 * x",
    "Python 2": "print 'hello'",
    "an open triple quote": 'text = """never closed',
    "a return outside": "return 3",
    "a stray magic": "x = %timeit -n 1 (\n%nosuch (",
}


def graded(bench, notebook):
    files = {f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}
    return grade(Job(TOPIC, "anna", files, dict.fromkeys(graded_names(TOPIC), 7)), bench)


def earned(result):
    assert "exercises" in result, result.get("why")
    return {name: report["points"] for name, report in result["exercises"].items()}


def place(notebook, role):
    """Return a cell of each kind: the imports, an answer, one that only shows, a check, one of the student's own."""
    if role == "own":
        notebook.cells.insert(3, nbformat.v4.new_code_cell("helper = 1"))
        return notebook.cells[3]
    index = next(i for i, cell in enumerate(notebook.cells) if cell.id == ANSWER)
    if role == "show":
        return [cell for cell in notebook.cells[:index] if "show" in cell.metadata.get("tags", [])][-1]
    if role == "check":
        return [cell for cell in notebook.cells[:index] if cell.id.endswith("-check")][-1]
    if role == "imports":
        return next(cell for cell in notebook.cells if cell.cell_type == "code" and "import math" in cell.source)
    return notebook.cells[index]


@pytest.mark.parametrize("role", ["imports", "answer", "show", "check", "own"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_beside_the_code_of_a_cell_costs_nothing_and_is_told(error, role, bench):
    notebook = fill_in(TOPIC, lambda i: True)
    cell = place(notebook, role)
    cell.source = f"FACTOR = 1.0\n{ERRORS[error]}\n{cell.source}"
    answer = place(notebook, "answer")
    answer.source = answer.source.replace("    return ", "    return FACTOR * ")
    result = graded(bench, notebook)
    assert earned(result) == points(TOPIC, lambda i: True)
    told = [line for _, line, _ in result["failed_lines"]]
    assert told, "nothing is left out without a word"
    assert all(line in ERRORS[error] or "run_line_magic" in line for line in told)
    first = nbformat.reads(result["notebook"], as_version=4).cells[0].source
    assert first.count("Error: ") >= len(told), "each with why"


@pytest.mark.parametrize("keep_ids", [True, False], ids=["with ids", "saved by Colab"])
@pytest.mark.parametrize("change", [("):", ")"), ("return ", "return ("), ("    return", "  return")])
def test_an_answer_that_cannot_be_read_is_told_which_line_and_why(change, keep_ids, bench):
    notebook = fill_in(TOPIC, lambda i: True)
    answer = place(notebook, "answer")
    at = answer.source.rindex(change[0])
    answer.source = answer.source[:at] + change[1] + answer.source[at + len(change[0]) :]
    result = graded(bench, notebook if keep_ids else saved_by_colab(notebook))
    assert earned(result) == points(TOPIC, lambda i: True) | {ANSWER: 0}
    report = result["exercises"][ANSWER]
    assert report["status"] == "wrong", "it was answered"
    assert report["sentences"][0].startswith(f"Python cannot read {ANSWER}")
    assert "Error: " in report["sentences"][1]
    line = report["sentences"][1].split("`")[1]
    assert line in answer.source


def test_what_stands_in_a_cell_with_an_error_takes_no_points_that_the_notebook_had(bench):
    """Where the student ran it, nothing of such a cell did."""
    notebook = fill_in(TOPIC, lambda i: True)
    notebook.cells.insert(3, nbformat.v4.new_code_cell("import torch\ntorch = math = None\nx = (1"))
    last = nbformat.v4.new_code_cell(f"{ANSWER} = None\nx = (1")
    notebook.cells.append(last)
    assert earned(graded(bench, notebook)) == points(TOPIC, lambda i: True)
