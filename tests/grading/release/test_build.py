"""The built notebooks come from their sources, and give nothing away."""

from __future__ import annotations

import json
import re
import shutil

import nbformat
import pytest
from typer.testing import CliRunner

from course_lib.checks import TOPICS
from grading.__main__ import app
from grading.course import NOTEBOOKS, ROOT, CourseError, find_topic, release_path, repository, solution_path, topics
from grading.release.build import drift, execute, needs_execution
from grading.release.source import expand, hidden_seed, read_notebook, read_source

every_topic = pytest.mark.parametrize("topic", topics())

EXERCISE = '''# %% [markdown]
# # 00

# %% exercise="log_mean_exp"
def log_mean_exp(log_values, dim):
    """A docstring."""
    ### BEGIN SOLUTION
    return secret
    ### END SOLUTION

# %% exercise="independent_log_prob"
def independent_log_prob(probs):
    return probs

# %% exercise="underflow_prediction"
underflow_prediction = None
### BEGIN SOLUTION
underflow_prediction = "-inf"
### END SOLUTION

# %% exercise="rest_of_the_sum"
def rest_of_the_sum(a, b):
    ### BEGIN SOLUTION
    return secret
    ### END SOLUTION
'''


def test_every_declared_notebook_has_a_source_and_the_other_way_round():
    assert topics() == sorted(TOPICS)


def test_no_built_notebook_has_drifted_from_its_source():
    assert drift() == []


def test_a_release_that_was_edited_or_is_missing_is_noticed(tmp_path):
    first, second, *_ = topics()
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    edited = tmp_path / "notebooks" / first / f"{first}.ipynb"
    edited.write_text(edited.read_text().replace("Start here", "Start there"))
    (tmp_path / "notebooks" / second / f"{second}.ipynb").unlink()
    found = drift(tmp_path / "notebooks")
    assert [topic for topic in topics() if any(topic in sentence for sentence in found)] == [first, second]


def test_a_source_that_changed_is_noticed(monkeypatch):
    topic = topics()[0]
    changed = read_source(topic)
    changed.cells[1].source += "\n# changed"
    monkeypatch.setattr("grading.release.build.read_source", lambda name: changed)
    assert needs_execution(topic)
    assert "was not built from its source" in drift()[0]


@every_topic
def test_building_is_deterministic(topic):
    assert nbformat.writes(read_source(topic)) == nbformat.writes(read_source(topic))
    ids = [cell.id for cell in read_source(topic).cells]
    assert len(ids) == len(set(ids))


@every_topic
def test_a_release_holds_no_solution_and_no_hidden_test(topic):
    text = release_path(topic).read_text()
    for word in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS"):
        assert word not in text
    solved = {cell.id: cell.source for cell in read_notebook(solution_path(topic)).cells}
    for cell in read_notebook(release_path(topic)).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            regions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", solved[cell.id], re.DOTALL)
            assert regions
            for line in "".join(regions).splitlines():
                assert line.strip() not in cell.source or line.strip() in ("", ")"), line
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert str(hidden_seed(cell.id.removesuffix("-check"))) not in cell.source
            name = cell.id.removesuffix("-check")
            assert cell.source in (f'check("{name}")', f'check("{name}", topic="{topic}")')


def test_nothing_but_notebooks_is_released():
    assert {path.suffix for path in NOTEBOOKS.rglob("*") if path.is_file()} == {".ipynb"}


@every_topic
def test_a_release_has_no_outputs_but_the_explorers_still_pictures(topic):
    explorers = 0
    for cell in read_notebook(release_path(topic)).cells:
        if "explorer" in cell.metadata.get("tags", []):
            explorers += 1
            (output,) = cell.outputs
            assert "image/png" in output.data
            assert 'alt="' in output.data["text/html"]
            assert "application/vnd.jupyter.widget-view+json" not in output.data
        elif cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert explorers >= 1


@every_topic
def test_a_solution_is_executed_without_errors_and_earns_every_point(topic):
    notebook = read_notebook(solution_path(topic))
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    total = sum(exercise.points for exercise in TOPICS[topic])
    assert any(f"{total} / {total}" in json.dumps(output) for output in outputs)


@every_topic
def test_every_exercise_and_every_printed_result_is_compared_by_nbval(topic):
    for cell in read_notebook(solution_path(topic)).cells:
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        if cell.source.startswith("check("):
            assert "nbval-check-output" in tags
        printed = any(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs)
        if printed and not any("image/png" in output.get("data", {}) for output in cell.outputs):
            # What a training prints differs between machines in its last digits, and in its seconds.
            assert ("nbval-check-output" in tags) != ("varies" in tags), cell.source


@every_topic
def test_every_picture_has_a_text_and_every_exercise_a_hint(topic):
    notebook = read_notebook(solution_path(topic))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.data["text/plain"].split()) > 6
                assert 'alt="' in output.data["text/html"]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    graded = [e for e in TOPICS[topic] if e.points and hasattr(e, "reference")]
    assert prose.count("<details><summary>Hint") >= len(graded)
    for exercise in graded:
        unit = "point" if exercise.points == 1 else "points"
        assert f"### Exercise: `{exercise.name}` ({exercise.points} {unit})" in prose
    assert "{{" not in prose.replace("{{\\", "")
    for part in ("Where this stands", "After it you can", "Time", "Points", "What comes next", "References"):
        assert part in prose, part


@every_topic
def test_the_voice_avoids_words_that_make_a_reader_feel_small(topic):
    prose = "\n".join(cell.source for cell in read_source(topic).cells if cell.cell_type == "markdown").lower()
    for word in ("simply", "obviously", "trivial", "of course", "just "):
        assert word not in prose, word


@every_topic
def test_the_address_of_the_repository_comes_from_the_courses_settings(topic):
    text = release_path(topic).read_text()
    assert f"git+{repository()}" in text
    assert f"github/{repository().removeprefix('https://github.com/')}/blob/main/notebooks/{topic}" in text


def test_an_undeclared_or_forgotten_exercise_is_named():
    with pytest.raises(CourseError, match=r"log_mean_exq.*log_mean_exp"):
        expand(EXERCISE.replace('exercise="log_mean_exp"', 'exercise="log_mean_exq"'), "00_start_here")
    with pytest.raises(CourseError, match="rest_of_the_sum"):
        expand(EXERCISE[: EXERCISE.rindex("# %%")], "00_start_here")
    with pytest.raises(CourseError, match="BEGIN SOLUTION"):
        expand(EXERCISE.replace("    ### BEGIN SOLUTION\n", ""), "00_start_here")


def test_an_exercise_becomes_an_answer_and_a_check_with_hidden_tests():
    notebook = expand(EXERCISE, "00_start_here")
    cells = {cell.id: cell for cell in notebook.cells}
    assert cells["log_mean_exp"].metadata.nbgrader["solution"]
    assert cells["log_mean_exp-check"].metadata.nbgrader["points"] == 3
    assert "### BEGIN HIDDEN TESTS" in cells["log_mean_exp-check"].source
    assert "nbgrader" not in cells["independent_log_prob"].metadata, "the worked example is not graded"


def test_a_failing_cell_stops_the_build_and_is_shown(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CourseError, match="ZeroDivisionError"):
        execute(notebook, tmp_path)


def test_a_notebook_is_found_by_its_number():
    assert find_topic("02") == "02_jensen_entropy_kl"
    with pytest.raises(CourseError, match="there are: 00_start_here"):
        find_topic("99")


def test_the_command_line_explains_itself():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("build", "check", "autograde", "feedback", "export"):
        assert command in result.output


def test_the_readme_lists_every_notebook_with_its_points():
    rows = (ROOT / "README.md").read_text().splitlines()
    for topic, exercises in TOPICS.items():
        (row,) = [row for row in rows if f"(notebooks/{topic}/{topic}.ipynb)" in row]
        assert f"{sum(exercise.points for exercise in exercises)} points" in row
