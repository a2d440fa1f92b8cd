"""Where things are, and what stands in one place only: folders, notebooks, the repository's address."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"


class CourseError(Exception):
    """Something an author or instructor can mend; the message names it and the remedy."""


def topics() -> list[str]:
    """Return the names of all notebooks that have a source, in order."""
    return sorted(path.parent.name for path in SOLUTIONS.glob("*/*.py") if path.stem == path.parent.name)


def find_topic(name: str) -> str:
    """Return the topic that a name or its number stands for: ``"02"`` or ``"02_jensen_entropy_kl"``.

    Raises:
        CourseError: there is none, or more than one.
    """
    matching = [topic for topic in topics() if topic == name or topic.split("_")[0] == name]
    if len(matching) != 1:
        raise CourseError(f"no notebook is called {name!r}; there are: {', '.join(topics())}")
    return matching[0]


def source_path(topic: str) -> Path:
    """The one file in which a notebook is written."""
    return SOLUTIONS / topic / f"{topic}.py"


def solution_path(topic: str) -> Path:
    """The built, executed solution."""
    return SOLUTIONS / topic / f"{topic}.ipynb"


def release_path(topic: str) -> Path:
    """The notebook that students get."""
    return NOTEBOOKS / topic / f"{topic}.ipynb"


def repository() -> str:
    """Return the repository's address, which stands in pyproject.toml alone."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["urls"]["Repository"]).rstrip("/")
