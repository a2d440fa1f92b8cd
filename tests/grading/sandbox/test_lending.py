"""What is lent in place of an answer's part is that part alone, and works as it does in the library."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from grading.sandbox.lending import lent_source

PARTS = {
    f"{topic}.{exercise.name}": exercise.reference
    for topic, exercises in TOPICS.items()
    for exercise in exercises
    if not isinstance(exercise, Question)
}


def functions_in(source):
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_no_other_solution_comes_along(part):
    others = {other.__name__ for other in PARTS.values()} - {part.__name__}
    assert not functions_in(lent_source(part)).keys() & others


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_it_is_complete(part):
    lent = ModuleType(part.__module__)
    exec(lent_source(part), vars(lent))
    made = getattr(lent, part.__name__)
    assert inspect.getdoc(made) == inspect.getdoc(part)
    for function in functions_in(lent_source(part)).values():
        used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        own = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        given = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        builtin = set(dir(__builtins__) if isinstance(__builtins__, ModuleType) else __builtins__)
        annotations = {"Any", "Tensor", "Callable", "Module"}
        assert used - own - given - builtin - annotations <= vars(lent).keys()
