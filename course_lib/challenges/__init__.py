"""Open tasks: at the end of a notebook a number to beat, measured the same way for everyone; one file for each notebook.

A file declares ``CHALLENGE``; that it is there is enough. ``challenge`` and ``plane`` are what they share. The notebook calls ``attempt("06_variational_autoencoder", vae)``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from course_lib.challenges.challenge import Challenge, Result
from course_lib.checker.attempts import remember


def find_challenge(topic: str) -> Challenge:
    """Return the open task of a notebook.

    Raises:
        KeyError: it has none; the message lists those there are.
    """
    files = sorted(module.name for module in iter_modules(__path__) if module.name not in ("challenge", "plane"))
    name = topic.partition("_")[2]
    if name not in files:
        raise KeyError(f"{topic!r} has no open task; these have one: {', '.join(files)}")
    challenge: Challenge = import_module(f"{__name__}.{name}").CHALLENGE
    return challenge


def attempt(topic: str, *made: Any) -> Result:
    """Measure what a student made, and return the number beside the course's own; the summary shows the best so far.

    Args:
        topic: the notebook, ``"06_variational_autoencoder"``.
        made: what the open task asks for.
    """
    result = find_challenge(topic).attempt(*made)
    if result.value is not None:
        remember(topic, result.value, result.challenge.higher_is_better, result.line)
    return result


__all__ = ["Challenge", "Result", "attempt", "find_challenge"]
