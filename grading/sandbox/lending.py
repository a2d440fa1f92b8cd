"""What is lent to a sandbox: the course's own solution of one exercise as source, and nothing beside it."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import Any

from grading.sandbox.call_graph import GRADERS_OWN, names_of


def lent_source(part: Any) -> str:
    """Return the source of a module that defines a function or class of the course, and what that needs.

    Of its neighbours, classes and constants come along; functions are imported from the library as a submission sees
    it, where those that are withheld are computed by the grader.
    """
    module = part.__module__
    tree = ast.parse(inspect.getsource(import_module(module)))
    defined = {name: node for node in tree.body for name in names_of(node)}
    in_view = module.split(".")[1] not in GRADERS_OWN
    kept, waiting = {part.__name__}, [part.__name__]
    borrowed: set[str] = set()
    while waiting:
        for name in _used_by(defined[waiting.pop()]) & defined.keys() - kept - borrowed:
            if in_view and isinstance(defined[name], ast.FunctionDef):
                borrowed.add(name)
            else:
                kept.add(name)
                waiting.append(name)
    body = [node for node in tree.body if _is_future(node)]
    body += [ast.parse(f"from {module} import {name}").body[0] for name in sorted(borrowed)]
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias for alias in node.names if (alias.asname or alias.name).split(".")[0] in kept]
            if names and not _is_future(node):
                node.names = names
                body.append(node)
        elif kept & set(names_of(node)):
            body.append(node)
    return ast.unparse(ast.Module(body, []))


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _used_by(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
