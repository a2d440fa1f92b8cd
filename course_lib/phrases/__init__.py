"""The frame of what a check says: headings, "expected", "yours", "not right yet", in the language of the course.

One file a language, ``en.toml`` the one that all others translate: the same keys, the same ``{places}``. What is not translated is said in
English. What a mistake is told stands with its exercise, and is not here.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from course_lib.settings import SETTINGS

FOLDER = Path(__file__).parent
VARIABLE = "LATENT_COURSE_LANGUAGE"  # of the environment: another language than the course's, for one session
LANGUAGE = os.environ.get(VARIABLE) or SETTINGS.language


def read(language: str) -> dict[str, str]:
    """Return the phrases of a language by their keys, ``"state.wrong"``.

    Raises:
        LookupError: there is no such file; the message lists those there are.
    """
    file = FOLDER / f"{language}.toml"
    if not file.exists():
        there = ", ".join(sorted(path.stem for path in FOLDER.glob("*.toml")))
        raise LookupError(f"{file} is not there; the course speaks {there}")
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {f"{table}.{key}": phrase for table, phrases in tables.items() for key, phrase in phrases.items()}


def spoken(language: str) -> dict[str, str]:
    """Return all phrases: a language's own, and English ones where it has none."""
    return read("en") | read(language)


_SPOKEN = spoken(LANGUAGE)  # read once: later, in a sandbox, there are no files


def say(key: str, **places: object) -> str:
    """Return a phrase in the language of the course, its places filled in."""
    return _SPOKEN[key].format(**places)
