"""Reading a student's code: which names it uses, which line failed, what of it is still a stub."""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import Any

from course_lib.phrases import say

PACKAGE = Path(__file__).parent
OURS: tuple[str, ...] = (str(PACKAGE), str(PACKAGE.parent / "grading"))
RECURSION_FRAMES = 250


@contextmanager
def replaced(namespace: dict[str, Any], things: Mapping[str, Any]) -> Iterator[None]:
    """Give names of a namespace to other things for a while."""
    before = {name: namespace[name] for name in things if name in namespace}
    namespace.update(things)
    try:
        yield
    finally:
        for name in things:
            namespace.pop(name, None)
        namespace.update(before)


def namespace_of(thing: Any) -> dict[str, Any]:
    """Return the globals of a function, or of the first method of a class that has some."""
    for function in _functions_of(thing):
        return function.__globals__
    return {}


def _functions_of(thing: Any) -> Iterator[FunctionType]:
    """Yield a function, or the methods that a class defines itself, without what decorates them."""
    if isinstance(thing, type):
        for member in vars(thing).values():
            yield from _functions_of(getattr(member, "fget", None) or getattr(member, "__func__", member))
        return
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    if isinstance(thing, FunctionType):
        yield thing


def reached_from(thing: Any) -> list[str]:
    """Return every global name that a student's function or class uses, itself or through others of the same namespace."""
    namespace = namespace_of(thing)
    found: dict[str, None] = {}
    waiting, seen = [thing], set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        bases = here.__bases__ if isinstance(here, type) else ()
        waiting += [base for base in bases if namespace_of(base) is namespace]
        for function in _functions_of(here):
            waiting += [cell.cell_contents for cell in function.__closure__ or () if _holds_function(cell)]
            for name in _names_in(function.__code__):
                found[name] = None  # also what is not there: its own cell may have failed
                if namespace_of(namespace.get(name)) is namespace:
                    waiting.append(namespace[name])
    return list(found)


def _holds_function(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, FunctionType)
    except ValueError:  # it is not filled yet
        return False


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the globals that a code reads; its co_names would hold attributes too."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def student_line(trace: TracebackType | None, thing: Any) -> str | None:
    """Return the innermost line of the student's own code, with its function, and the line that led there."""
    frames = _student_frames(trace, thing)
    if not frames:
        return None
    told = [f"{code.co_qualname}, line {number}" + (f":  {text}" if text else "") for code, number, text in frames]
    outer = [line for line, (code, _, _) in zip(told, frames, strict=True) if code is not frames[-1][0]]
    return told[-1] + (f"\ncalled from {outer[-1]}" if outer else "")


def _student_frames(trace: TracebackType | None, thing: Any) -> list[tuple[CodeType, int, str]]:
    """Return code, line number and text of every frame of the student's own, never one of ours or of a library."""
    own_files = {function.__code__.co_filename for function in _functions_of(thing)}
    found = []
    steps = 0
    while trace is not None and steps < RECURSION_FRAMES:
        code = trace.tb_frame.f_code
        library = code.co_filename.startswith((*OURS, sys.prefix, sys.base_prefix, "<frozen"))
        if code.co_filename in own_files or not library:
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found.append((code, trace.tb_lineno, text))
        trace = trace.tb_next
        steps += 1
    return found


def half_written(name: str, thing: Any, trace: TracebackType | None) -> tuple[str, str | None] | None:
    """Say which part of an answer that has come to a stub is missing, and the stub's line; None if nothing is written."""
    frames = _student_frames(trace, thing)
    functions = list(_functions_of(thing))
    if frames:
        code = frames[-1][0]
        line = student_line(trace, thing)
        own = [function for function in functions if function.__code__ is code]
        if not own and code.co_name != "<module>":
            return say("half.calls", name=name, part=code.co_qualname), line
        others = [function for function in functions if function.__code__ is not code and not _is_stub(function)]
        missing = [function.__name__ for function in functions if _is_stub(function)]
        if own and not _is_stub(own[0]):
            return say("half.left", name=code.co_name), line
        if isinstance(thing, type) and others and missing:
            return say("half.one", name=name, missing=_listed(missing)), line
    return None


def _listed(names: list[str]) -> str:
    return f" {say('half.and')} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _is_stub(function: FunctionType) -> bool:
    """Whether a function does nothing but raise, behind what was given (super().__init__(), plain attributes)."""
    try:
        (written,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return True  # in doubt nothing is claimed
    *before, last = written.body if isinstance(written, ast.FunctionDef) else [written]
    if not isinstance(last, ast.Raise):
        return False
    return all(_is_given(statement) for statement in before)


def _is_given(statement: ast.stmt) -> bool:
    """Whether a statement may stand in a stub as it is handed out: a docstring, super().__init__(), self.a = a."""
    if isinstance(statement, ast.Expr):
        is_text = isinstance(statement.value, ast.Constant)
        return is_text or ast.unparse(statement).startswith("super().__init__(")
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Name)
        and ast.unparse(statement.targets[0]) == f"self.{statement.value.id}"
    )
