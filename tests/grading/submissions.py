"""Made-up submissions: released notebooks, filled in as five kinds of students would."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

from nbformat import NotebookNode

from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checks import TOPICS, find_exercise
from grading.course import release_path, solution_path
from grading.release.source import read_notebook

# A wrong answer that runs, takes the right inputs and gives the right shapes.
WRONG = """

_right_{name} = {name}


def {name}(*args):
    result = _right_{name}(*args)
    parts = result if isinstance(result, tuple) else (result,)
    moved = tuple(2 * part + 1 for part in parts)
    return moved if isinstance(result, tuple) else moved[0]
"""

# Wrong classes: an encoder that returns sigma, a VAE whose bound and a flow whose density is one too large.
WRONG_CLASS = """

_right_{name} = {name}


class {name}(_right_{name}):
    def forward(self, x):
        mu, log_sigma = super().forward(x)
        return mu, log_sigma.exp()

    def elbo(self, x, eps):
        return super().elbo(x, eps) + 1

    def log_prob(self, x):
        return super().log_prob(x) + 1
"""


def graded(topic: str) -> list[Exercise | ClassExercise | Question]:
    return [exercise for exercise in TOPICS[topic] if exercise.points]


def untouched(topic: str) -> NotebookNode:
    return read_notebook(release_path(topic))


def solved_cells(topic: str) -> dict[str, str]:
    """Return the source of every cell of the solution, by its id."""
    cells = read_notebook(solution_path(topic)).cells
    return {cell.id: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source) for cell in cells}


def fill_in(topic: str, right: Callable[[int], bool]) -> NotebookNode:
    """Answer exercise number i rightly where ``right(i)``, else wrongly."""
    notebook = untouched(topic)
    solved = solved_cells(topic)
    names = [exercise.name for exercise in graded(topic)]
    for cell in notebook.cells:
        if cell.id not in names:
            continue
        exercise = find_exercise(cell.id, topic)
        if right(names.index(cell.id)):
            cell.source = solved[cell.id]
        elif isinstance(exercise, Question):
            wrong = next(option for option in exercise.options if option != exercise.correct)
            cell.source = f'{exercise.name} = "{wrong}"'
        else:
            wrong = WRONG_CLASS if isinstance(exercise, ClassExercise) else WRONG
            cell.source = solved[cell.id] + wrong.format(name=exercise.name)
    return notebook


def points(topic: str, right: Callable[[int], bool]) -> dict[str, int]:
    """Return the points that ``fill_in`` with the same argument deserves, by exercise."""
    return {e.name: e.points if right(i) else 0 for i, e in enumerate(graded(topic))}


def saved_by_colab(notebook: NotebookNode) -> NotebookNode:
    """Change a notebook as Colab does on saving: format 4.0, no cell ids, metadata of its own."""
    saved = copy.deepcopy(notebook)
    saved.nbformat_minor = 0
    saved.metadata = NotebookNode(
        colab={"provenance": [], "toc_visible": True},
        kernelspec={"name": "python3", "display_name": "Python 3"},
        language_info={"name": "python"},
    )
    for i, cell in enumerate(saved.cells):
        del cell["id"]
        cell.metadata["id"] = f"Xy{i:010d}"
        if cell.cell_type == "code":
            cell.metadata["colab"] = {"base_uri": "https://localhost:8080/", "height": 35}
            cell.metadata["outputId"] = f"out-{i}"
            cell.execution_count = None
    return saved
