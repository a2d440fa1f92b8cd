"""Finding the answers in a notebook, however it was handed in.

Every cell of the released notebook has a place; a cell that was handed in is matched to it by nbgrader's id,
then by the names it defines, then by its text and position. What is missing is put back, so that the result has
the released notebook's structure with the student's answers in it.
"""

from __future__ import annotations

import ast
import copy
import difflib
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import nbformat
from nbformat import NotebookNode

from course_lib.checks import TOPICS
from grading.course import release_path
from grading.intake.readable import readable, unwrapped
from grading.intake.reading import Cell, Handed
from grading.intake.wording import grouped
from grading.magic_lines import LineByLine

CHECK_CALL = re.compile(
    r"^\s*check\(\s*[\"'](\w+)[\"']\s*(?:,\s*topic\s*=\s*[\"']\w+[\"']\s*)?\)\s*(###.*)?$", re.DOTALL
)
FENCE = re.compile(r"^\s*```[\w]*\n(.*?)\n?```\s*$", re.DOTALL)
SPECIAL = re.compile(r"^\s*[%!?]|=\s*[%!]|\?\s*$|^\s*(>>>|In \[)", re.MULTILINE)  # what IPython reads as no Python
ALIKE = 0.75
LONGEST_ALIKE = 20_000
COMPARISONS = 40_000_000  # pairs of letters that are looked at for all cells of a notebook: some seconds


@dataclass(frozen=True)
class Place:
    """A cell of the released notebook.

    Attributes:
        role: ``"answer"``, ``"check"``, ``"show"`` (skipped when grading), ``"support"`` (other code) or ``"text"``.
        exercise: the exercise of an answer or a check.
    """

    role: str
    id: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    exercise: str | None = None


@dataclass(frozen=True)
class Step:
    """A cell of the repaired notebook.

    Attributes:
        place: what it stands for, or None for a cell of the student's own.
        defines: the exercises whose names it defines.
        pictures: those under it as it was handed in, with their texts.
    """

    kind: str
    source: str
    place: Place | None = None
    defines: tuple[str, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()

    @property
    def is_released(self) -> bool:
        """Whether it stands as it was released."""
        return self.place is not None and self.source.strip() == self.place.source.strip()


@dataclass(frozen=True)
class Repaired:
    """The cells in the order in which they are run, and what was mended, in words."""

    steps: list[Step]
    repairs: list[str]

    def notebook(self) -> NotebookNode:
        """Return the repaired notebook, before it is run."""
        last = {step.place.id: index for index, step in enumerate(self.steps) if step.place}
        cells = []
        for index, step in enumerate(self.steps):
            own = step.place is not None and last[step.place.id] == index
            identity = step.place.id if own and step.place else f"own-{index}"
            metadata = copy.deepcopy(step.place.metadata) if own and step.place else {}
            if step.kind == "code":
                made: dict[str, object] = {
                    "cell_type": "code",
                    "execution_count": None,
                    "outputs": [],
                    "source": step.source,
                }
            else:  # a raw cell could be HTML: it is shown as what it is, text
                text = step.source if step.kind == "markdown" else f"```\n{step.source}\n```"
                made = {"cell_type": "markdown", "source": text}
            cells.append(NotebookNode(made, metadata=NotebookNode(metadata), id=identity))
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
        about = {"kernelspec": kernel, "language_info": language}
        # nbformat's own functions hold each cell against the schema as they make it; the whole is, when it is written.
        return NotebookNode(cells=cells, metadata=nbformat.from_dict(about), nbformat=4, nbformat_minor=5)


@cache
def template(topic: str) -> tuple[Place, ...]:
    """Return the places of a released notebook."""
    notebook = nbformat.read(release_path(topic), as_version=4)
    exercises = graded_names(topic)
    return tuple(_place(cell, exercises) for cell in notebook.cells)


def graded_names(topic: str) -> list[str]:
    """Return the names of the exercises that earn points."""
    return [exercise.name for exercise in TOPICS[topic] if exercise.points]


def _place(cell: NotebookNode, exercises: list[str]) -> Place:
    metadata = dict(cell.metadata)
    grade_id = metadata.get("nbgrader", {}).get("grade_id", "")
    if cell.cell_type != "code":
        return Place("text", cell.id, cell.source, metadata)
    if grade_id in exercises:
        return Place("answer", cell.id, cell.source, metadata, grade_id)
    if call := CHECK_CALL.match(cell.source):
        return Place("check", cell.id, cell.source, metadata, call[1] if call[1] in exercises else None)
    role = "show" if "show" in metadata.get("tags", []) else "support"
    return Place(role, cell.id, cell.source, metadata)


def repair(handed: Handed, topic: str) -> Repaired:
    """Return a submission with the released notebook's structure, its answers found and its losses restored."""
    repairs = list(handed.repairs)
    places = template(topic)
    exercises = graded_names(topic)
    cells = _joined(handed.cells, repairs)
    likeness = _Likeness(places)
    matched = [_match(cell, places, exercises, likeness) for cell in cells]
    steps = [_step(cell, place, exercises, repairs) for cell, place in zip(cells, matched, strict=True)]
    steps = _without_copies(steps, repairs)
    _say_what_moved(steps, places, repairs)
    whole = _with_missing(steps, places, repairs)
    return Repaired(whole, grouped(repairs))


@lru_cache(4096)
def defined_names(source: str) -> frozenset[str]:
    """Return the names that a cell defines at its top level; none if it is no Python."""
    tree = _tree(source)
    names: set[str] = set()
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            names.add(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return frozenset(names)


def meant_names(source: str) -> frozenset[str]:
    """Return the names that a code cell defines, or would, if Python could read all of it."""
    found = readable(source)
    return defined_names(found.source) | found.lost


@lru_cache(4096)
def imports_of(source: str) -> str:
    """Return the import statements at the top level of a cell, of what can be read of it."""
    tree = _tree(readable(source).source)
    found = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)] if tree else []
    return "\n".join(ast.unparse(node) for node in found)


def statements_of(source: str) -> list[ast.stmt] | None:
    """Return the statements of a cell that can be read, IPython's lines among them; None if it is no Python."""
    tree = _tree(readable(source).source)
    return None if tree is None else list(tree.body)


def _tree(source: str) -> ast.Module | None:
    source = unwrapped(source)
    plain = _plain_tree(source)
    if plain is not None:
        return plain
    if not SPECIAL.search(source):
        return None
    try:  # with IPython's % and ! lines
        return ast.parse(LineByLine().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError, RuntimeError):  # IPython gives up on very many magics
        return None


def _joined(cells: list[Cell], repairs: list[str]) -> list[Cell]:
    """Join a cell with the next where one statement was split over both."""
    joined: list[Cell] = []
    last_code: Cell | None = None
    for cell in cells:
        if cell.kind == "code" and cell.source.strip():
            broken = _plain_tree(cell.source) is None
            unfinished = last_code is not None and _plain_tree(last_code.source) is None
            if last_code is not None and broken and (unfinished or _indented(cell.source)):
                whole = f"{last_code.source.rstrip()}\n{cell.source}"
                if _plain_tree(whole) is not None:
                    last_code.source = whole
                    repairs.append("A cell that was split in the middle of a statement was joined again.")
                    continue
            last_code = cell
        joined.append(cell)
    return joined


def _indented(source: str) -> bool:
    first = next((line for line in source.splitlines() if line.strip()), "")
    return first[:1].isspace()


@lru_cache(4096)
def _plain_tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _match(cell: Cell, places: tuple[Place, ...], exercises: list[str], likeness: _Likeness) -> Place | None:
    """Return the place of the released notebook that a cell stands for."""
    by_id = {place.id: place for place in places}
    nbgrader = cell.metadata.get("nbgrader")
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    names = (meant_names if cell.kind == "code" else defined_names)(cell.source) & set(exercises)
    call = CHECK_CALL.match(cell.source)
    if call and cell.kind == "code":
        return next((p for p in places if p.role == "check" and CHECK_CALL.match(p.source)[1] == call[1]), None)  # type: ignore[index]
    for name in (grade_id, cell.id):
        place = by_id.get(name) if isinstance(name, str) else None
        if place and place.role == "answer" and names and place.exercise not in names:
            break  # the id has come to a cell that answers something else
        if place and not (place.role in ("check", "show") and names):
            return place
    if names:
        first = next(name for name in exercises if name in names)
        return next(p for p in places if p.role == "answer" and p.exercise == first)
    stripped = cell.source.strip()
    for place in places:
        if place.source.strip() == stripped:
            return place
    return likeness.nearest(cell.source) if cell.kind == "code" and stripped else None


class _Likeness:
    """Finds the place whose source a cell's is most like, as long as there is time for so many comparisons."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self._places = [place for place in places if place.role in ("answer", "support", "show")]
        self._letters = [Counter(place.source) for place in self._places]
        self._found: dict[str, Place | None] = {}
        self._left = COMPARISONS

    def nearest(self, source: str) -> Place | None:
        if source not in self._found:
            self._found[source] = self._search(source) if len(source) <= LONGEST_ALIKE else None
        return self._found[source]

    def _search(self, source: str) -> Place | None:
        letters = Counter(source)
        best, nearest = ALIKE, None
        for place, own in zip(self._places, self._letters, strict=True):
            # What two texts have in common is at most the letters of the shorter, and those that both have.
            most = 2 * min(len(source), len(place.source)) / (len(source) + len(place.source))
            if most < best or 2 * (letters & own).total() / (len(source) + len(place.source)) < best:
                continue
            self._left -= len(source) * len(place.source)
            if self._left < 0:
                return None
            ratio = difflib.SequenceMatcher(None, place.source, source, autojunk=False).ratio()
            if ratio >= best:
                best, nearest = ratio, place
        return nearest


def _step(cell: Cell, place: Place | None, exercises: list[str], repairs: list[str]) -> Step:
    """Return a cell as it is run; what is Python but no code cell becomes one."""
    source, kind = cell.source, cell.kind
    asked = {place.exercise} if place and place.role == "answer" else set()
    if kind != "code" and (place is None or place.role != "text"):
        inner = FENCE.match(source)
        code = inner[1] if inner else source
        names = defined_names(code) & set(exercises)
        if names or (place is not None and place.role in ("answer", "support") and _plain_tree(code) is not None):
            kind, source = "code", code
            what = ", ".join(sorted(names)) or "the course's own code"
            repairs.append(f"A cell with {what} had become text: it was read as code.")
        elif place is not None and place.role != "text":
            place = None
    elif kind == "code" and place is not None and place.role == "text":
        kind = "markdown"
    if place is not None and place.role == "answer":
        nbgrader = cell.metadata.get("nbgrader")
        grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
        if grade_id != place.id:
            repairs.append(f"The cell of {place.exercise} had lost its mark, and was found by what it holds.")
    names = meant_names(source) & set(exercises) if kind == "code" else frozenset()
    defines = tuple(name for name in exercises if name in names | asked)
    return Step(kind, source, place, defines, cell.pictures)


def _without_copies(steps: list[Step], repairs: list[str]) -> list[Step]:
    """Drop second copies: of checks, of the course's own cells, and of stubs where an answer stands too."""
    kept: list[Step] = []
    written = {name for step in steps if step.kind == "code" and not _is_stub(step) for name in step.defines}
    seen: set[tuple[str, str]] = set()
    for step in steps:
        place = step.place
        key = (place.id if place else "", step.source.strip())
        copy = place is not None and (key in seen or (place.role == "check" and any(k[0] == place.id for k in seen)))
        stub = _is_stub(step) and any(name in written for name in step.defines)
        if copy or stub:
            if place is not None and place.role != "text":
                repairs.append("A cell stood there twice: the copy was left out.")
            continue
        seen.add(key)
        kept.append(step)
    return kept


def _is_stub(step: Step) -> bool:
    return step.place is not None and step.place.role == "answer" and step.source.strip() == step.place.source.strip()


def _say_what_moved(steps: list[Step], places: tuple[Place, ...], repairs: list[str]) -> None:
    order = [
        places.index(step.place) for step in steps if step.place and step.place.role in ("answer", "check", "support")
    ]
    if order != sorted(order):
        repairs.append("Cells stood in another order than in the released notebook.")


def _with_missing(steps: list[Step], places: tuple[Place, ...], repairs: list[str]) -> list[Step]:
    """Put the released notebook's code cells back where they are missing, each after what precedes it there."""
    present = {step.place.id for step in steps if step.place}
    answered = {name for step in steps for name in step.defines}
    result = list(steps)
    for index, place in enumerate(places):
        if place.id in present or place.role in ("text", "show"):
            continue
        if place.role == "answer" and place.exercise in answered:
            # The name is defined in another cell: the mark goes to that one.
            continue
        before = [other.id for other in places[:index]]
        at = 0
        for i, step in enumerate(result):
            precedes = step.place is not None and step.place.id in before
            if precedes or (place.role == "check" and place.exercise in step.defines):
                at = i + 1
        if place.role == "support":  # what others build on comes before all of them
            later = [other.id for other in places[index + 1 :]]
            at = next(
                (i for i, s in enumerate(result) if s.place and s.place.role != "text" and s.place.id in later), at
            )
        result.insert(at, Step("code", place.source, place))
        what = {"answer": f"The cell of {place.exercise}", "check": "A check"}.get(
            place.role, "A cell of the course's own"
        )
        repairs.append(f"{what} was missing and was put back.")
    return result
