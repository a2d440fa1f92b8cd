"""Says in words what an expression is about: the inputs that it is made of, and the part of the formula it stands in."""

from __future__ import annotations

import ast
from collections.abc import Mapping

SHAPE_ALONE = ("zeros_like", "ones_like", "full_like", "empty_like", "dim", "size", "len", "new_zeros", "new_ones")


class Words:
    """Says what an expression is about: the inputs it is made of.

    Args:
        inputs: the function's own parameters, and how each is called before a student.
        known: local names of a reference that have a name in the course ("the sample z").
        parts: functions of the course, and what they compute ("the entropy").
    """

    def __init__(
        self, inputs: Mapping[str, str], tree: ast.AST, known: Mapping[str, str], parts: Mapping[str, str]
    ) -> None:
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._inside = {
            id(node): parts[name_called(call)]
            for call in calls
            if name_called(call) in parts
            for argument in call.args
            for node in ast.walk(argument)
        }
        self._known = dict(known) | {name: told for name, told in inputs.items() if told}
        called = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call)}
        self._functions = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) in called}
        self._here = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | set(inputs)
        self._made_of: dict[str, list[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.For):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                value = node.iter if isinstance(node, ast.For) else node.value
                for target in targets:
                    self._bind(target, value)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        """Note what the names of a target are made of; ``a, b = c, d`` part by part."""
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._bind(one, other)
            return
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                self._made_of.setdefault(name.id, []).extend(_names(value))

    def known(self, name: str) -> str | None:
        """Return how a single name is called before a student, or None if it is a detail of a reference."""
        return self._known.get(name)

    def placed(self, node: ast.AST, says: str) -> str:
        """Return a sentence with the part of the formula that it is about."""
        inside = self._inside.get(id(node))
        return f"In {inside}: {says[:1].lower()}{says[1:]}" if inside else says

    def others(self, name: str) -> list[str]:
        """Return the other quantities that could stand where one does."""
        if name in self._functions:
            return []
        return [n for n in self._known if n != name and n in self._here and n not in self._functions]

    def of(self, node: ast.AST) -> str | None:
        """Return the inputs that an expression is made of, as text; None for a constant."""
        found: dict[str, None] = {}

        def visit(name: str, seen: frozenset[str]) -> None:
            if said := self.known(name):
                found[said] = None
            elif name not in seen:
                for other in self._made_of.get(name, ()):
                    visit(other, seen | {name})

        for name in _names(node):
            visit(name, frozenset())
        names = list(found)
        return (", ".join(names[:-1]) + " and " + names[-1]) if len(names) > 1 else names[0] if names else None

    def term(self, node: ast.AST) -> str:
        """Return an expression as a term of a formula, in words."""
        about = self.of(node)
        return f"the term with {about}" if about else "a constant term"


def _names(node: ast.AST) -> list[str]:
    """Return the names whose values an expression is made of, without functions, and without what lends its shape alone."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and node.attr in ("shape", "dtype", "device"):
        return []
    if isinstance(node, ast.Call):
        if name_called(node) in SHAPE_ALONE:
            return []
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) and not is_module(node.func.value) else []
        return [name for part in (*owner, *node.args) for name in _names(part)]
    return [name for part in ast.iter_child_nodes(node) for name in _names(part)]


def argument_of(node: ast.Call) -> ast.expr | None:
    """Return what a call is applied to: a method's owner, or a function's first argument."""
    if isinstance(node.func, ast.Attribute) and not is_module(node.func.value):
        return node.func.value
    return node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None


def is_module(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return is_module(node.value)
    return isinstance(node, ast.Name) and node.id in ("torch", "math", "F", "functional")


def name_called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
