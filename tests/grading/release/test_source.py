"""What the build makes of a source: folded cells, ways to the neighbours, nothing that runs out of the page."""

from __future__ import annotations

import re

import pytest

from grading.course import release_path, topics
from grading.release.source import expand, read_source

LONGEST_OPEN = 8  # lines of given code between a question and its picture
WIDEST = 100  # characters that fit beside JupyterLab's file browser on a small screen


def test_a_folded_cell_is_folded_in_jupyterlab_and_in_colab():
    (cell,) = expand("# %% fold=true\n# Draws the picture\nx = 1\n", "99_alone").cells
    assert cell.metadata == {"jupyter": {"source_hidden": True}, "cellView": "form"}
    assert cell.source == "# @title Draws the picture\nx = 1"
    (untitled,) = expand("# %% fold=true\nx = 1\n", "99_alone").cells
    assert untitled.source == "# @title Code of the course\nx = 1"


def test_the_setup_cell_is_folded():
    (cell,) = expand("# %% setup=true\n", "99_alone").cells
    assert cell.metadata["jupyter"] == {"source_hidden": True}
    assert cell.source.startswith("# @title ")


@pytest.mark.parametrize("topic", topics())
def test_both_ends_link_to_the_notebooks_before_and_after(topic):
    order = topics()
    here = order.index(topic)
    expected = order[max(here - 1, 0) : here] + order[here + 1 : here + 2]
    cells = read_source(topic).cells
    for cell in (cells[1], cells[-1]):
        links = re.findall(r"\]\(\.\./(\w+)/(\w+)\.ipynb\)", cell.source)
        assert links == [(name, name) for name in expected]
        assert all((release_path(topic).parent / f"../{a}/{b}.ipynb").exists() for a, b in links)


@pytest.mark.parametrize("topic", topics())
def test_no_line_of_given_code_runs_out_of_the_page(topic):
    for cell in read_source(topic).cells:
        if cell.cell_type != "code" or cell.metadata.get("jupyter", {}).get("source_hidden"):
            continue
        given = re.sub(r" *### BEGIN SOLUTION.*?### END SOLUTION", "", cell.source, flags=re.S)
        given = re.sub(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", "", given, flags=re.S)
        assert [line for line in given.splitlines() if len(line) > WIDEST] == []


@pytest.mark.parametrize("topic", topics())
def test_long_code_is_folded_unless_it_is_the_students_to_change(topic):
    for cell in read_source(topic).cells:
        open_to_see = not cell.metadata.get("jupyter", {}).get("source_hidden")
        given = cell.cell_type == "code" and "nbgrader" not in cell.metadata
        if given and open_to_see and "yours" not in cell.metadata.get("tags", []):
            code = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
            assert len(code) <= LONGEST_OPEN, f"fold this cell, and give it a # @title:\n{cell.source}"
