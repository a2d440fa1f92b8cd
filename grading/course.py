"""Where things are, and what stands in one place only: folders, notebooks, the repository's address."""

from __future__ import annotations

from pathlib import Path

from course_lib.settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"


class CourseError(Exception):
    """Something an author or instructor can mend; the message names it and the remedy."""


def topics() -> list[str]:
    """Return the names of all notebooks that have a source and are taught, in order."""
    return [topic for topic in _sources() if SETTINGS.teaches(topic)]


def left_out() -> list[str]:
    """Return the names of the notebooks that have a source and are not taught (course_lib/course.toml)."""
    return [topic for topic in _sources() if not SETTINGS.teaches(topic)]


def _sources() -> list[str]:
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
    """Return the repository's address, as course_lib/course.toml has it."""
    return SETTINGS.repository.rstrip("/")
