"""What a fork changes first: title, address, language, and notebooks left out. It stands in course.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

FILE = Path(__file__).with_name("course.toml")


@dataclass(frozen=True)
class Settings:
    """What stands in course.toml.

    Attributes:
        title, subtitle: of the course.
        authors: who is cited.
        repository: its address on GitHub.
        language: in which checks speak, the name of a file in course_lib/phrases.
        left_out: numbers of the notebooks that are not taught, ``"08"``.
    """

    title: str
    subtitle: str
    authors: str
    repository: str
    language: str
    left_out: tuple[str, ...]

    @property
    def full_title(self) -> str:
        return f"{self.title}, {self.subtitle}" if self.subtitle else self.title

    def teaches(self, topic: str) -> bool:
        """Whether a notebook is taught: ``"08_vaes_in_practice"``."""
        return topic.partition("_")[0] not in self.left_out


def read(file: Path = FILE) -> Settings:
    """Read the settings.

    Raises:
        ValueError: a line is missing, is of another kind, or means nothing; the message names it.
    """
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    wanted = {field.name: list if field.name == "left_out" else str for field in fields(Settings)}
    for name in {*told, *wanted}:
        if name not in wanted or not isinstance(told.get(name), wanted[name]):
            raise ValueError(
                f"{file}: {name} is {told.get(name)!r}; expected are {', '.join(wanted)}, text all but the last, a list"
            )
    return Settings(**{**told, "left_out": tuple(told["left_out"])})


SETTINGS = read()
