"""What a grade depends on, as digests: a submission, the released notebook, the machinery, each exercise's tests."""

from __future__ import annotations

import functools
import hashlib
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from course_lib import phrases
from course_lib.checks import find_exercise
from course_lib.settings import SETTINGS
from grading.course import ROOT, release_path
from grading.intake.repair import graded_names


def files_digest(files: dict[str, bytes], problem: str | None = None) -> str:
    """Return the digest of a submission's files."""
    digest = hashlib.sha256((problem or "").encode())
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()


@functools.cache
def machinery_digest() -> str:
    """Return the digest of everything that all grades go through: reading, repair, sandbox, review, the language they speak."""
    # What a notebook that is left out asked for, answers to the others may use.
    digest = hashlib.sha256(f"{phrases.LANGUAGE} {SETTINGS.left_out}".encode())
    for path in _machinery():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _machinery() -> list[Path]:
    rooms = (ROOT / "course_lib" / "checker", ROOT / "grading" / "intake", ROOT / "grading" / "sandbox")
    files = [path for room in rooms for path in sorted(room.glob("*.py"))]
    files += sorted(path for path in phrases.FOLDER.iterdir() if path.suffix in (".py", ".toml"))
    alone = (
        "course_lib/answers.py",
        "course_lib/carried.py",
        "course_lib/distributions.py",
        "course_lib/settings.py",
        "course_lib/student_code.py",
        "course_lib/time_limits.py",
        "course_lib/torch_errors.py",
        "course_lib/not_finite.py",
        "course_lib/warps.py",
        "grading/grade.py",
        "grading/checking.py",
        "grading/job.py",
        "grading/magic_lines.py",
        "grading/safe_text.py",
        "grading/records/notebook.py",
    )
    return [*(ROOT / name for name in alone), *files]


def release_digest(topic: str) -> str:
    """Return the digest of the released notebook."""
    return hashlib.sha256(release_path(topic).read_bytes()).hexdigest()


def tests_digests(topic: str, seeds: dict[str, int]) -> dict[str, str]:
    """Return a digest for each exercise of everything its check and its hidden test run."""
    return {name: exercise_digest(topic, name, seeds.get(name, 0)) for name in graded_names(topic)}


def exercise_digest(topic: str, name: str, seed: int) -> str:
    """Return the digest of an exercise: its declaration, with all code of the course that it reaches."""
    digest = hashlib.sha256(str(seed).encode())
    _add(digest, find_exercise(name, topic), set())
    return digest.hexdigest()


def _add(digest: Any, thing: Any, seen: set[int]) -> None:
    if id(thing) in seen:
        return
    if isinstance(thing, types.FunctionType):
        seen.add(id(thing))
        _add_code(digest, thing.__code__)
        for part in (thing.__defaults__, thing.__kwdefaults__):
            _add(digest, part, seen)
        for cell in thing.__closure__ or ():
            _add(digest, cell.cell_contents, seen)
        names = _names(thing.__code__)
        for name in sorted(names & set(thing.__globals__)):
            value = thing.__globals__[name]
            if isinstance(value, types.ModuleType) and value.__name__.startswith("course_lib"):
                for attribute in sorted(names & set(vars(value))):
                    _add(digest, vars(value)[attribute], seen)
            elif not isinstance(value, types.ModuleType):
                _add(digest, value, seen)
    elif isinstance(thing, type):
        seen.add(id(thing))
        digest.update(thing.__qualname__.encode())
        if thing.__module__.startswith("course_lib"):
            for name in sorted(vars(thing)):
                _add(digest, vars(thing)[name], seen)
    elif isinstance(thing, staticmethod | classmethod | types.MethodType):
        _add(digest, thing.__func__, seen)
    elif isinstance(thing, functools.partial):
        _add(digest, (thing.func, thing.args, thing.keywords), seen)
    elif is_dataclass(thing):
        seen.add(id(thing))
        for field in fields(thing):
            digest.update(field.name.encode())
            _add(digest, getattr(thing, field.name), seen)
    elif isinstance(thing, tuple | list):
        for part in thing:
            _add(digest, part, seen)
    elif isinstance(thing, dict):
        for key, value in thing.items():
            _add(digest, (key, value), seen)
    elif isinstance(thing, str | int | float | bytes | bool | None):
        digest.update(repr(thing).encode())
    else:  # a tensor's values would matter; anything else is known by its type
        digest.update(
            repr(thing).encode() if type(thing).__module__.startswith("torch") else type(thing).__name__.encode()
        )


def _add_code(digest: Any, code: types.CodeType) -> None:
    digest.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _add_code(digest, constant)
        else:
            digest.update(repr(constant).encode())


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*(_names(part) for part in inner))
