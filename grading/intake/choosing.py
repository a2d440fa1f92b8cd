"""Which of the notebooks that were handed in a student has worked in: found by what is in them.

Who hands in the whole course has the released notebook in it, too, and the solution, each under the name that is asked for.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from course_lib.checks import TOPICS
from grading.intake.reading import Cell, Handed, Unreadable, read_notebook_bytes
from grading.intake.repair import graded_names, meant_names, statements_of, template
from grading.intake.unpacking import may_be_notebook, unpacked

MOST_COMPARED = 60  # notebooks, and their bytes in all, beyond which the first that can be read is taken
LARGEST_COMPARED = 60 << 20
SOLVED = "### BEGIN SOLUTION"  # stands in the course's own answers, and in nothing that is released
STUB = "NotImplementedError"


@dataclass(frozen=True)
class _Work:
    """What of a notebook is a student's own; of two, the greater is the one to grade.

    Attributes:
        answers: those that are written, and are not the course's own.
        begun: those that differ from what was released.
        solution: whether it holds the course's own answers.
        repairs: what was mended in reading it.
    """

    name: str
    cells: list[Cell]
    repairs: list[str]
    of_topic: bool
    answers: int
    begun: int
    solution: bool

    @property
    def rank(self) -> tuple[bool, int, int, bool]:
        return self.of_topic, self.answers, self.begun, not self.solution


def read_submission(files: dict[str, bytes], topic: str) -> Handed:
    """Read the notebook of a topic from the files that were handed in: of several, that with the most answers of its own.

    Raises:
        Unreadable: there is none, or nothing of it can be read.
    """
    candidates, bombs = unpacked(files)
    exact = f"{topic}.ipynb"
    notebooks = sorted((name for name in candidates if may_be_notebook(name)), key=lambda name: _order(name, topic))
    if not notebooks:
        if bombs:
            raise Unreadable("; ".join(bombs))
        listed = ", ".join(sorted(candidates)[:5])
        raise Unreadable(f"no notebook was handed in{f', only {listed}' if listed else ': the folder is empty'}")
    found, problems = _readable({name: candidates[name] for name in notebooks}, topic)
    if not found:
        raise Unreadable("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
    work = max(found, key=lambda one: one.rank)  # of equals, the first
    name = work.name
    said = [f"The file is called {name}, not {exact}."] if name != exact else []
    before = notebooks[: notebooks.index(name)]
    said += [f"{other}: {problems[other]}; {name} was read instead." for other in before if other in problems]
    others = [other for other in notebooks if other != name and other not in problems]
    if others:
        said.append(_which(work, found, others))
    beside = {other: content for other, content in candidates.items() if other != name}
    return Handed(work.cells, said + work.repairs, name, beside)


def _order(name: str, topic: str) -> tuple[bool, bool, bool, bool, str]:
    path = PurePosixPath(name)
    exact = f"{topic}.ipynb"
    resembles = topic.lower() in path.name.lower() or path.name.lower().startswith(topic.split("_")[0])
    return name != exact, path.name != exact, not resembles, _is_called_for_another(name, topic), name


def _is_called_for_another(name: str, topic: str) -> bool:
    stem = PurePosixPath(name).name.lower().removesuffix(".ipynb")
    return stem != topic and stem in TOPICS


def _readable(notebooks: dict[str, bytes], topic: str) -> tuple[list[_Work], dict[str, str]]:
    """Return the notebooks that can be read, those of other topics only where there are no others, and what is wrong with the rest."""
    found: list[_Work] = []
    problems: dict[str, str] = {}
    left = LARGEST_COMPARED
    for number, (name, content) in enumerate(notebooks.items()):
        left -= len(content)
        if found and (number >= MOST_COMPARED or left < 0 or _is_called_for_another(name, topic)):
            continue
        try:
            cells, repairs = read_notebook_bytes(content)
        except Unreadable as problem:
            problems[name] = str(problem)
            continue
        found.append(_work(name, cells, repairs, topic))
    return found, problems


def _work(name: str, cells: list[Cell], repairs: list[str], topic: str) -> _Work:
    """Look at what a notebook holds of a topic's exercises."""
    released = _released(topic)
    held, answers, begun = set[str](), set[str](), set[str]()
    solution = False
    for cell in cells:
        names = _names(cell)
        held |= names
        if SOLVED in cell.source:
            solution |= bool(names & released.keys())
        elif _meaning(cell.source) not in (released.get(name, "") for name in names):
            own = names & released.keys()
            begun |= own
            answers |= own if STUB not in cell.source else set()
    counts = {other: len(held & {*graded_names(other)}) for other in TOPICS}
    of_topic = counts[topic] == max(counts.values())
    return _Work(name, cells, repairs, of_topic, len(answers), len(begun), solution)


def _names(cell: Cell) -> set[str]:
    """Return the names that a cell may answer: those that it defines, or else the one whose mark it has."""
    defined = meant_names(cell.source) if cell.kind == "code" else frozenset()
    nbgrader = cell.metadata.get("nbgrader")
    mark = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {*defined} or {name for name in (mark, cell.id) if isinstance(name, str)}


@cache
def _released(topic: str) -> dict[str, str]:
    """Return what stands in the place of each answer, by exercise."""
    return {
        place.exercise: _meaning(place.source) for place in template(topic) if place.role == "answer" and place.exercise
    }


def _meaning(source: str) -> str:
    """Return a cell's source without what changes nothing: comments, blanks, the width of lines."""
    nodes = statements_of(source)
    return source.strip() if nodes is None else "\n".join(map(ast.dump, nodes))


def _which(work: _Work, found: list[_Work], others: list[str]) -> str:
    """Say which of several notebooks was graded, and why that one."""
    rivals = {one.name: one.answers for one in found if one is not work and one.of_topic}
    shown = ", ".join(sorted(others, key=lambda name: name not in rivals)[:3])
    said = f"Several notebooks were handed in; {work.name} was graded, not {shown}"
    if not rivals:
        return f"{said}."
    return (
        f"{said}: {work.answers} answers were written in it, in another of this topic at most {max(rivals.values())}."
    )
