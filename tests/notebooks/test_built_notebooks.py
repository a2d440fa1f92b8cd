"""What every notebook keeps to, as it is built: points, pictures that fit the page, errors that are nobody's."""

from __future__ import annotations

import base64
import re

import nbformat
import pytest

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from course_lib.plots import shown_size
from grading.course import solution_path, topics

READ_OFF = re.compile("^diagnosis|_line$|_choice$")  # questions answered from what was shown or measured, not guessed
WIDEST = 900  # pixels beside JupyterLab's file browser at 1,024 or 1,280


def outputs(topic):
    for cell in nbformat.read(solution_path(topic), as_version=4).cells:
        if cell.cell_type == "code":
            yield from cell.outputs


@pytest.mark.parametrize("topic", topics())
def test_predictions_are_worth_a_sixth_of_the_points_at_most(topic):
    guesses = [e for e in TOPICS[topic] if isinstance(e, Question) and not READ_OFF.search(e.name)]
    assert 6 * sum(guess.points for guess in guesses) <= sum(exercise.points for exercise in TOPICS[topic])


@pytest.mark.parametrize("topic", topics())
def test_every_picture_fits_the_page_and_has_a_text(topic):
    pictures = [output.data for output in outputs(topic) if "image/png" in output.get("data", {})]
    assert pictures
    for data in pictures:
        assert shown_size(base64.b64decode(data["image/png"]))["width"] <= WIDEST, data["text/plain"]
        alt = data["text/plain"].removeprefix("[picture: ").removeprefix("[explorer: ").removesuffix("]")
        assert len(alt) > 40


@pytest.mark.parametrize("topic", topics())
def test_a_solution_is_executed_without_an_error_or_a_warning(topic):
    assert [output for output in outputs(topic) if output.output_type == "error"] == []
    streams = [output.text for output in outputs(topic) if output.output_type == "stream" and output.name == "stderr"]
    # A progress bar of tqdm's, where no widget shows it, is written to stderr.
    assert [text for text in streams if "Warning" in text or "Traceback" in text] == []
