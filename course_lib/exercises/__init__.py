"""The exercises, one folder a notebook, one file an exercise: what is asked, and every mistake that has a name.

A folder's ``__init__`` says which notebook it belongs to and lists its exercises in the notebook's order: an exercise
by the name of its file, whose ``EXERCISE`` it is, a question by its own name, from the folder's ``questions``. A folder
or a file that is there is found; nothing else has to be told of it. ``TOPICS`` are the notebooks that are taught:
of those ``DECLARED``, all that course.toml does not leave out.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checker.mutants import inherit
from course_lib.settings import SETTINGS

SHARED = ("questions", "probes")  # files of a folder that are no exercise


class LeftOut(KeyError):
    """An exercise of a notebook that is not taught here."""


def read_folder(folder: ModuleType) -> tuple[Exercise | ClassExercise | Question, ...]:
    """Return a folder's exercises in the notebook's order.

    Raises:
        LookupError: ``ORDER`` and the files do not hold the same; the message names the file and the remedy.
    """
    files = {module.name for module in iter_modules(folder.__path__)}
    found: dict[str, Exercise | ClassExercise | Question] = {}
    if "questions" in files:
        there = vars(import_module(f"{folder.__name__}.questions")).values()
        found |= {thing.name: thing for thing in there if isinstance(thing, Question)}
    for name in sorted(files.difference(SHARED)):
        module = import_module(f"{folder.__name__}.{name}")
        if not hasattr(module, "EXERCISE"):
            raise LookupError(f"{module.__file__} declares no EXERCISE: what exercises share goes into probes.py")
        found[name] = module.EXERCISE
    if missing := set(folder.ORDER) - set(found):
        raise LookupError(f"ORDER in {folder.__file__} names {_listed(missing)}, and there is no such file or question")
    if forgotten := set(found) - set(folder.ORDER):
        raise LookupError(f"{_listed(forgotten)} stands in no place yet: add it to ORDER in {folder.__file__}")
    return tuple(found[name] for name in folder.ORDER)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _read() -> dict[str, tuple[Exercise | ClassExercise | Question, ...]]:
    folders = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return {folder.NOTEBOOK: read_folder(folder) for folder in sorted(folders, key=lambda folder: folder.NOTEBOOK)}


DECLARED = _read()
TOPICS = {topic: exercises for topic, exercises in DECLARED.items() if SETTINGS.teaches(topic)}
inherit(exercise for exercises in DECLARED.values() for exercise in exercises if isinstance(exercise, Exercise))


def find_exercise(name: str, topic: str | None = None) -> Exercise | ClassExercise | Question:
    """Return the exercise of that name.

    Args:
        topic: the notebook it stands in; needed where several notebooks ask for the same name.

    Raises:
        KeyError: there is none, or more than one, or its notebook is left out; the message names the remedy.
    """
    if topic is not None and topic not in TOPICS:
        raise KeyError(f"no notebook is called {topic!r}; they are {', '.join(TOPICS)}")
    looked_at = [topic] if topic else list(TOPICS)
    found = {t: exercise for t in looked_at for exercise in TOPICS[t] if exercise.name == name}
    if not found:
        if out := [
            t for t, exercises in DECLARED.items() if t not in TOPICS and any(e.name == name for e in exercises)
        ]:
            raise LeftOut(f"{name!r} is an exercise of {out[0]}, which is left out here (course_lib/course.toml)")
        known = {exercise.name for t in looked_at for exercise in TOPICS[t]}
        near = difflib.get_close_matches(name, known, n=1)
        raise KeyError(f"no exercise is called {name!r}" + (f": do you mean {near[0]!r}?" if near else ""))
    if len(found) > 1:
        raise KeyError(
            f"{name!r} is an exercise of several notebooks: say which with topic=, one of {', '.join(found)}"
        )
    return next(iter(found.values()))
