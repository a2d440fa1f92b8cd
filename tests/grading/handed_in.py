"""A course's folder with what students handed in, and what came of it."""

from __future__ import annotations

import csv
import socket
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from grading.course import SOLUTIONS
from grading.records.store import Store
from grading.release.build import nbgrader_config

SHORT = "00_start_here"


def course(tmp_path: Path, topic: str, handed_in: dict[str, object]) -> Path:
    (tmp_path / "grading").mkdir(exist_ok=True)
    (tmp_path / "solutions").mkdir(exist_ok=True)
    (tmp_path / "solutions" / topic).symlink_to(SOLUTIONS / topic)
    for student, notebook in handed_in.items():
        hand_in(tmp_path, topic, student, notebook)
    return tmp_path


def hand_in(root: Path, topic: str, student: str, notebook: object) -> None:
    folder = root / "grading" / "submitted" / student / topic
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{topic}.ipynb"
    if isinstance(notebook, str):
        path.write_text(notebook)
    else:
        nbformat.write(notebook, path)


def scores(root: Path, topic: str, student: str) -> dict[str, float]:
    config = nbgrader_config(root)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        (notebook,) = gradebook.find_submission(topic, student).notebooks
        return {grade.name.removesuffix("-check"): grade.score for grade in notebook.grades}


def times_graded(root: Path, topic: str) -> dict[str, int]:
    return {result["student"]: result["times_graded"] for result in Store(root).all(topic)}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
