"""What stands around the notebooks and speaks of the course, too: lines of files that people and platforms read, rows of the README.

Title, address and authors come from course_lib/course.toml, points from the exercises. A line that is not there is left alone: whoever
forks the course may have written another README.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from course_lib.checks import TOPICS
from course_lib.settings import SETTINGS
from grading.course import NOTEBOOKS, ROOT, left_out, repository


def quoted(text: str) -> str:
    """Return a text as TOML, YAML and JSON all read it."""
    return json.dumps(text, ensure_ascii=False)


def lines() -> dict[str, list[tuple[str, str]]]:
    """Return, by file, what to look for and what to write in its place."""
    said = "notebooks, reference implementations and checks that say what is wrong."
    return {
        "README.md": [
            (r"\A# .+", f"# {SETTINGS.full_title}"),
            (r"(?<=`pip install git\+)[^`]+", repository()),
        ],
        "CITATION.cff": [
            (r"(?<=^title: ).+", quoted(SETTINGS.full_title)),
            (r"(?<=^  - name: ).+", quoted(SETTINGS.authors)),
            (r"(?<=^repository-code: ).+", quoted(repository())),
        ],
        "pyproject.toml": [
            (r"(?<=^description = ).+", quoted(f"{SETTINGS.full_title}: {said}")),
            (r"(?<=^Repository = ).+", quoted(repository())),
        ],
        ".devcontainer/devcontainer.json": [(r'(?<=^  "name": )".*"(?=,$)', quoted(SETTINGS.title))],
    }


def written(file: str) -> str:
    """Return the text that a file should have."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for pattern, value in lines()[file]:
        text = re.sub(pattern, value.replace("\\", "\\\\"), text, count=1, flags=re.M)
    return _rows(text) if file == "README.md" else text


def _rows(text: str) -> str:
    """Return the README with the points of every notebook in its row, and no row of one that is left out."""
    kept = []
    for line in text.splitlines(keepends=True):
        row = re.search(r"^\|.*\(notebooks/(\w+)/\1\.ipynb\)", line)
        topic = row[1] if row else None
        if topic in TOPICS:
            points = sum(exercise.points for exercise in TOPICS[topic])
            kept.append(re.sub(r"\d+ points", f"{points} points", line))
        elif topic not in left_out():
            kept.append(line)
    return "".join(kept)


def left_over() -> list[Path]:
    """Return the folders of released notebooks that are taught no more."""
    return [NOTEBOOKS / topic for topic in left_out() if (NOTEBOOKS / topic).exists()]


def bring_into_line() -> list[str]:
    """Write what should stand there; return a sentence for everything that changed."""
    found = drift()
    for file in lines():
        text = written(file)
        if text != (ROOT / file).read_text(encoding="utf-8"):
            (ROOT / file).write_text(text, encoding="utf-8")
    for folder in left_over():
        shutil.rmtree(folder)
    return found


def drift() -> list[str]:
    """Return a sentence for everything that does not say what course.toml and the exercises say."""
    stale = [file for file in lines() if (ROOT / file).read_text(encoding="utf-8") != written(file)]
    return [f"{file} did not say what course.toml and the exercises say" for file in stale] + [
        f"{folder.parent.name}/{folder.name} is left out, and was still released" for folder in left_over()
    ]
