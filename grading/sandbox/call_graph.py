"""Which functions of the library are made of which, read from its source; and so what a notebook may be told of it.

What a notebook asks for, what a later one asks for, and whatever contains one of them, is withheld: it stands in the
library of a submission by name alone.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from grading.course import ROOT

LIBRARY = ROOT / "course_lib"
GRADERS_OWN = (
    "answers.py",
    "carried.py",
    "challenges",
    "phrases",
    "settings.py",
    "student_code.py",
    "time_limits.py",
    "torch_errors.py",
    "checks.py",
    "checker",
    "exercises",
)
DRAWING = ("figures", "explorers")  # they return pictures; what they call is withheld all the same
Definition = ast.FunctionDef | ast.ClassDef


@cache
def trees() -> dict[str, ast.Module]:
    """Return the modules of the library, parsed, by full name; of the grader's own, on which none relies, those with a reference."""
    holding = {full.rpartition(".")[0] for topic in TOPICS for full in asked_for(topic).values()}
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        part = path.relative_to(LIBRARY)
        if part.parts[0] not in GRADERS_OWN or module_of(part) in holding:
            found[module_of(part)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def module_of(part: Path) -> str:
    """Return the full name of a module by its path in the library."""
    return ".".join(("course_lib", *part.with_suffix("").parts)).removesuffix(".__init__")


def names_of(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module defines, imports included."""
    if isinstance(node, Definition):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


@cache
def calls() -> dict[str, frozenset[str]]:
    """Return, for every name defined at the top of a module, the names of the library that its definition uses."""
    known = {name: _defined_in(name, tree) for name, tree in trees().items()}
    everything = {f"{module}.{name}" for module, names in known.items() for name in names}
    imported = {module: _imported_in(tree) for module, tree in trees().items()}
    return {
        f"{module}.{name}": frozenset((_used_by(node, module, imported[module]) & everything) - {f"{module}.{name}"})
        for module, names in known.items()
        for name, node in names.items()
    }


def _defined_in(module: str, tree: ast.Module) -> dict[str, ast.stmt]:
    own = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return {name: node for node in own for name in names_of(node)}


def _imported_in(tree: ast.Module) -> dict[str, str]:
    """Return what the names that a module imports, at its top or inside a function, stand for."""
    stands_for: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            stands_for |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            stands_for |= {alias.asname: alias.name for alias in node.names if alias.asname}
    return stands_for


def _used_by(node: ast.stmt, module: str, imported: dict[str, str]) -> set[str]:
    used = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            used.add(imported.get(part.id, f"{module}.{part.id}"))
        elif isinstance(part, ast.Attribute):
            dotted = ast.unparse(part)
            first, _, rest = dotted.partition(".")
            used |= {dotted, f"{imported.get(first, first)}.{rest}"}
    return used


def reached_by(names: Iterable[str]) -> set[str]:
    """Return these names and all that they are made of, however deep."""
    return _closure(set(names), calls())


def containing(names: Iterable[str]) -> set[str]:
    """Return these names and all that is made of one of them, however deep."""
    return _closure(set(names), _callers())


@cache
def _callers() -> dict[str, frozenset[str]]:
    callers: dict[str, set[str]] = defaultdict(set)
    for name, used in calls().items():
        for other in used:
            callers[other].add(name)
    return {name: frozenset(found) for name, found in callers.items()}


def _closure(found: set[str], edges: dict[str, frozenset[str]]) -> set[str]:
    waiting = list(found)
    while waiting:
        more = edges.get(waiting.pop(), frozenset()) - found
        found |= more
        waiting += more
    return found


@cache
def asked_for(topic: str) -> dict[str, str]:
    """Return the full names of the references of a notebook's exercises, by exercise."""
    return {
        exercise.name: f"{exercise.reference.__module__}.{exercise.reference.__qualname__}"
        for exercise in TOPICS[topic]
        if not isinstance(exercise, Question)
    }


@cache
def withheld(topic: str) -> frozenset[str]:
    """Return the functions and classes that a submission of a notebook has by name alone."""
    topics = list(TOPICS)
    later = {full for other in topics[topics.index(topic) :] for full in asked_for(other).values()}
    return frozenset(
        full
        for full in containing(later)
        if _room(full) not in (*DRAWING, *(own.removesuffix(".py") for own in GRADERS_OWN))
        and isinstance(_definition(full), Definition)
    )


def _room(full: str) -> str:
    return full.split(".")[1]


def _definition(full: str) -> ast.stmt | None:
    module, _, name = full.rpartition(".")
    return _defined_in(module, trees()[module]).get(name)


def is_function(full: str) -> bool:
    return isinstance(_definition(full), ast.FunctionDef)


@cache
def offered(topic: str, exercise: str, lent: tuple[str, ...] = ()) -> frozenset[str]:
    """Return what of the withheld is computed for an answer while it is checked.

    That is what earlier notebooks asked for, and the notebook's own exercises that the checked one is made of: an
    answer is not judged by its parts. Nothing of which the checked one is a part.

    Args:
        lent: full names of the references that stand in for parts of the answer; what they are made of is theirs to call.
    """
    own = asked_for(topic)[exercise]
    earlier = {full for other in list(TOPICS)[: list(TOPICS).index(topic)] for full in asked_for(other).values()}
    parts = reached_by([own]) & set(asked_for(topic).values())
    fine = (earlier - set(asked_for(topic).values())) | parts | reached_by(lent)
    return frozenset(full for full in fine & withheld(topic) - containing([own]) if is_function(full))
