"""Hundreds of IPython's own lines cost a notebook neither its time nor what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import needs_sandbox

from grading.grade import Bench
from grading.job import Job
from grading.sandbox.guest import FULL_TRACEBACKS
from grading.sandbox.host import CellRun, Sandbox
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox


@pytest.fixture
def sandbox(bench: Bench) -> Iterator[Sandbox]:
    made = bench.sandbox(Job("00_start_here", "anna", {}, {}, Limits(cell_seconds=20)))
    yield made
    made.close()


def text(cell: CellRun) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.parametrize("line", ["%matplotlib inline", "x = %time 1", "%config InlineBackend.figure_format = 'png'"])
def test_a_cell_with_more_magics_than_ipython_takes_runs(line, sandbox):
    cell = sandbox.run(f"{line}\n" * 600 + "print('the end')")
    assert (cell.error, cell.lost) == (None, None)
    assert text(cell).endswith("the end\n")


def test_commands_do_not_wait_for_a_terminal(sandbox):
    """IPython's own takes 0.2 seconds for each: more than the cell has."""
    cell = sandbox.run("!echo here\n" * 150)
    assert (cell.error, cell.lost) == (None, None)
    assert text(cell) == "here\n" * 150


def test_a_command_has_the_notebooks_names_and_says_how_it_ended(sandbox):
    cell = sandbox.run(
        "x = 'a b'\n!echo $x {len(x)}; echo wrong >&2; cat; exit 3\nprint(_exit_code)\nlines = !echo $x\nprint(lines)"
    )
    assert (cell.error, cell.lost) == (None, None)
    assert text(cell) == "a b 3\nwrong\n3\n['a b']\n"


def test_a_command_ends_with_its_cell_s_time(bench):
    sandbox = bench.sandbox(Job("00_start_here", "anna", {}, {}, Limits(cell_seconds=2)))
    try:
        assert sandbox.run("!sleep 1000").failed_lines == (("!sleep 1000", "OutOfTime"),)
        assert text(sandbox.run("!echo on")) == "on\n"
    finally:
        sandbox.close()


def test_of_many_errors_the_first_are_shown_with_the_code_around(sandbox):
    errors = [output for _ in range(4) for output in sandbox.run("%load_ext nosuch\n" * 5).outputs]
    shown = ["\n".join(error["traceback"]) for error in errors]
    assert len(shown) == 20
    assert all("No module named 'nosuch'" in one for one in shown)
    assert ["--->" in one for one in shown] == [True] * FULL_TRACEBACKS + [False] * (20 - FULL_TRACEBACKS)
