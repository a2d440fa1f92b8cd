"""From an author's source to a notebook: jupytext's percent format, plus what the build adds.

A cell with ``exercise="NAME"`` in its header holds the student's answer. From the declaration of that
name the build adds nbgrader's metadata, and behind the cell the check with its hidden tests. A cell
with ``setup=true`` becomes the setup cell, one with ``fold=true`` is folded away. In Markdown, ``{{points NAME}}``,
``{{topic points}}``, ``{{colab}}`` and ``{{repository}}`` are filled in, and what was a link to a notebook that is left out
is text; at both ends the build links to the notebooks before and after. Cell ids come from the source, not from chance.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checks import TOPICS, find_exercise
from course_lib.exercises import DECLARED
from grading.course import CourseError, left_out, repository, source_path, topics

CHECKED = "nbval-check-output"  # nbval compares the output of cells with this tag
HIDDEN_TESTS = "### BEGIN HIDDEN TESTS\ncheck({named}, seed={seed})\n### END HIDDEN TESTS"

SETUP = """\
# @title Finds the course, or installs it. Run this cell first.
import importlib.util, os, re, subprocess, sys
from pathlib import Path

class NotInstalled(Exception):
    _render_traceback_ = lambda self: [str(self)]  # a sentence instead of a stack

if fresh := importlib.util.find_spec("course_lib") is None:
    clone = [p for p in Path.cwd().parents if (p / "course_lib" / "checks.py").is_file()]
    source = os.environ.get("LATENT_COURSE_SOURCE") or (clone or ["git+{repository}"])[0]
    print("Installing the course ...", end=" ", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-color", "--no-deps", source]
    if (done := subprocess.run(pip, capture_output=True, text=True)).returncode:
        why = (re.findall("(?:ERROR|fatal).*", done.stderr) or [done.stderr])[-1]
        helps = "Is there a network? It is needed once: then run this cell again."
        raise NotInstalled(f"The course could not be installed. {helps}\\npip says: {why}")
    importlib.invalidate_caches()

from course_lib.installation import complete
complete(fresh)  # adds what is missing; what is there stays as it is

from course_lib.checks import check, review, summary"""

COLAB_BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{slug}/blob/main/notebooks/{topic}/{topic}.ipynb)"
)


LINK = re.compile(r"\[(?P<text>[^\]]+)\]\(\.\./(?P<topic>\w+)/(?P=topic)\.ipynb\)")  # to another notebook


def read_source(topic: str) -> NotebookNode:
    """Return the notebook that a topic's source describes, not yet executed.

    Raises:
        CourseError: the source names an exercise that is not declared, or leaves one out.
    """
    return expand(source_path(topic).read_text(encoding="utf-8"), topic)


def expand(text: str, topic: str) -> NotebookNode:
    """Expand the text of a source; see :func:`read_source`."""
    written = jupytext.reads(text, fmt="py:percent")
    cells: list[NotebookNode] = []
    named: list[str] = []
    for cell in written.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines in the source
        if cell.metadata.pop("setup", False):
            cell.source = SETUP.replace("{repository}", repository())
            cell.metadata["fold"] = True
        if cell.metadata.pop("fold", False):
            _fold(cell)
        name = cell.metadata.pop("exercise", None)
        if cell.cell_type == "markdown":
            cell.source = _fill_in(cell.source, topic)
        if name is None:
            cells.append(cell)
            continue
        try:
            exercise = find_exercise(name, topic)
        except KeyError as error:
            raise CourseError(f"{topic}: {error.args[0]}. Declare it in course_lib/exercises first.") from None
        named.append(name)
        cells += _exercise_cells(cell, exercise, topic)
    declared = [exercise.name for exercise in TOPICS.get(topic, ())]
    if sorted(named) != sorted(declared):
        odd = sorted(set(declared) ^ set(named)) or sorted(name for name in named if named.count(name) > 1)
        raise CourseError(f"{topic}: the source and the declarations do not hold the same exercises: {', '.join(odd)}")
    if ways := _neighbours(topic):
        place = next(i for i, cell in enumerate(cells) if cell.cell_type == "markdown") + 1
        first, last = (nbformat.v4.new_markdown_cell(ways) for _ in range(2))
        cells = [*cells[:place], first, *cells[place:], last]
    notebook = nbformat.v4.new_notebook(
        cells=_with_ids(cells),
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        },
    )
    nbformat.validate(notebook)
    return notebook


def _fold(cell: NotebookNode) -> None:
    """Fold a cell's code away, in JupyterLab and in Colab, whose form shows a title in its place."""
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"
    if not cell.source.startswith("# @title"):
        first, _, rest = cell.source.partition("\n")
        title, rest = (
            (first.removeprefix("# "), rest) if first.startswith("# ") else ("Code of the course", cell.source)
        )
        cell.source = f"# @title {title}\n{rest}"


def _neighbours(topic: str) -> str:
    """Return links to the notebooks before and after, in one line; nothing for a notebook that stands alone."""
    order = topics()
    if topic not in order:
        return ""
    here = order.index(topic)
    before = [f"[← {_named(name)}](../{name}/{name}.ipynb)" for name in order[max(here - 1, 0) : here]]
    after = [f"[{_named(name)} →](../{name}/{name}.ipynb)" for name in order[here + 1 : here + 2]]
    return " · ".join(before + after)


def _named(topic: str) -> str:
    """Return a notebook's name as its title line writes it: ``"02 · Jensen, entropy, KL"``."""
    return re.findall(r"^# # (.+)$", source_path(topic).read_text(encoding="utf-8"), re.M)[0]


def _exercise_cells(
    cell: NotebookNode, exercise: Exercise | ClassExercise | Question, topic: str
) -> list[NotebookNode]:
    """Return the answer's cell and its check."""
    name = exercise.name
    named = f'"{name}"' + (f', topic="{topic}"' if _stands_elsewhere(name, topic) else "")
    checking = nbformat.v4.new_code_cell(f"check({named})", metadata={"tags": [CHECKED]})
    cell.id, checking.id = name, f"{name}-check"
    if exercise.points == 0:  # the worked example: shown, not graded
        return [cell, checking]
    if "### BEGIN SOLUTION" not in cell.source:
        raise CourseError(f"{name}: the cell has no ### BEGIN SOLUTION ... ### END SOLUTION")
    cell.metadata.nbgrader = _nbgrader(name, solution=True)
    if isinstance(exercise, Question):
        cell.metadata.tags = ["question"]
    else:
        checking.source += "\n" + HIDDEN_TESTS.format(named=named, seed=hidden_seed(name))
    checking.metadata.nbgrader = {**_nbgrader(checking.id, grade=True, locked=True), "points": exercise.points}
    return [cell, checking]


def _stands_elsewhere(name: str, topic: str) -> bool:
    """Whether another notebook has an exercise of the same name, be it taught or left out."""
    return any(exercise.name == name for other in DECLARED if other != topic for exercise in DECLARED[other])


def _nbgrader(grade_id: str, grade: bool = False, solution: bool = False, locked: bool = False) -> dict[str, object]:
    return {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }


def hidden_seed(name: str) -> int:
    """Return the seed of an exercise's hidden tests, the same in every build."""
    return 1000 + zlib.crc32(name.encode()) % 1_000_000


def _fill_in(text: str, topic: str) -> str:
    slug = repository().removeprefix("https://github.com/")
    text = text.replace("{{colab}}", COLAB_BADGE.format(slug=slug, topic=topic))
    text = text.replace("{{repository}}", repository())
    text = LINK.sub(lambda link: link[0] if link["topic"] not in left_out() else link["text"], text)
    total = sum(exercise.points for exercise in TOPICS.get(topic, ()))
    text = text.replace("{{topic points}}", _points(total))
    return re.sub(r"\{\{points (\w+)\}\}", lambda match: _points(find_exercise(match[1], topic).points), text)


def _points(number: int) -> str:
    return f"{number} point" if number == 1 else f"{number} points"


def _with_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Give every cell a deterministic id: the exercise's name, or a digest of the source."""
    seen: set[str] = set()
    named = {exercise.name for topic in TOPICS.values() for exercise in topic}
    for cell in cells:
        if cell.id in named or cell.id.removesuffix("-check") in named:
            seen.add(cell.id)
            continue
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        count = 0
        while f"{cell.cell_type}-{digest}-{count}" in seen:
            count += 1
        cell.id = f"{cell.cell_type}-{digest}-{count}"
        seen.add(cell.id)
    return cells


def read_notebook(path: Path) -> NotebookNode:
    """Read a built notebook.

    Raises:
        CourseError: it is missing or cannot be read.
    """
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        raise CourseError(f"{path} cannot be read ({error}): build it with `python -m grading build`") from error
