"""Building: source → executed solution → released notebook; and finding where they drifted apart."""

from __future__ import annotations

import copy
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from sqlalchemy.exc import SAWarning
from traitlets.config import Config, PyFileConfigLoader

from grading.course import NOTEBOOKS, ROOT, SOLUTIONS, CourseError, release_path, solution_path, topics
from grading.release.source import read_notebook, read_source

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 300
warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own queries raise them


def nbgrader_config(root: Path = ROOT) -> Config:
    """Return the configuration that plain nbgrader commands use, for the course in ``root``."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT / "grading")).load_config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = (
        os.environ.get("LATENT_COURSE_DB") or f"sqlite:///{root / 'grading' / 'gradebook.db'}"
    )
    return config


def same_source(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether two notebooks agree in everything but outputs."""

    def bare(notebook: NotebookNode) -> list[tuple[str, str, str, dict[str, object]]]:
        return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]

    return bare(one) == bare(other) and one.metadata == other.metadata


def needs_execution(topic: str) -> bool:
    """Whether the committed solution is missing or was built from another source."""
    path = solution_path(topic)
    return not path.exists() or not same_source(read_source(topic), read_notebook(path))


def build_solution(topic: str) -> None:
    """Execute a topic's source and write the solution notebook beside it.

    Raises:
        CourseError: a cell fails; the message shows it. The notebook on disk stays as it was.
    """
    notebook = execute(read_source(topic), cwd=SOLUTIONS / topic)
    _write(notebook, solution_path(topic))


def carry_over(topic: str) -> bool:
    """Write a topic's solution with the outputs that are there, if no code has changed; return whether that could be done.

    The address in the setup cell is no code that matters here: it is where the course comes from if it is not installed.
    """
    path = solution_path(topic)
    if not path.exists():
        return False
    notebook, before = read_source(topic), read_notebook(path)
    cells, known = ([cell for cell in book.cells if cell.cell_type == "code"] for book in (notebook, before))
    if _without_address(cells) != _without_address(known) or notebook.metadata != before.metadata:
        return False
    for cell, old in zip(cells, known, strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
    _write(notebook, path)
    return True


def _without_address(cells: list[NotebookNode]) -> list[tuple[str, dict[str, object]]]:
    return [(re.sub(r'"git\+[^"]+"', "", cell.source), dict(cell.metadata)) for cell in cells]


def execute(notebook: NotebookNode, cwd: Path) -> NotebookNode:
    """Run a notebook from top to bottom and strip from its outputs what differs between runs."""
    metadata = copy.deepcopy(notebook.metadata)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
        store_widget_state=False,
        resources={"metadata": {"path": str(cwd)}},
    )
    try:
        client.execute(env={**os.environ, "PYTHONHASHSEED": "0"})
    except CellExecutionError as error:
        raise CourseError(f"{cwd.name}: a cell failed.\n{error}") from None
    for cell in notebook.cells:
        if "outputs" not in cell:
            continue
        # A widget is dead without its kernel: its static picture stays; a progress bar has none, and goes.
        cell.outputs = [out for out in cell.outputs if set(out.get("data", {})) != {WIDGET_VIEW, "text/plain"}]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)
    notebook.metadata = metadata
    return notebook


def release(topic: str) -> None:
    """Release a solution to students with nbgrader, and enter the assignment into the gradebook.

    Raises:
        CourseError: nbgrader could not; the message holds its log. The old release stays.
    """
    path = release_path(topic)
    kept = path.read_bytes() if path.exists() else None
    try:
        generate(topic, nbgrader_config())
    except CourseError:
        if kept is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept)
        raise


def generate(topic: str, config: Config) -> None:
    """Run nbgrader's generate_assignment under a configuration."""
    result = NbGraderAPI(config=config).generate_assignment(topic, force=True, create=True)
    if not result["success"]:
        log = (result.get("log") or "") + (result.get("error") or "")
        raise CourseError(f"{topic}: nbgrader could not release it.\n{log[-2000:]}")


def drift(released: Path = NOTEBOOKS) -> list[str]:
    """Return a sentence for every built file that does not come from its source, executing nothing.

    Args:
        released: the folder with the released notebooks.
    """
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "grading").mkdir()
        config = nbgrader_config(root)
        for topic in topics():
            if needs_execution(topic):
                found.append(f"{solution_path(topic).relative_to(ROOT)} was not built from its source")
                continue
            shutil.copytree(SOLUTIONS / topic, root / "solutions" / topic)
            generate(topic, config)
            fresh = (root / "notebooks" / topic / f"{topic}.ipynb").read_bytes()
            path = released / topic / f"{topic}.ipynb"
            if not path.exists() or path.read_bytes() != fresh:
                found.append(f"{released.name}/{topic}/{topic}.ipynb was not released from the committed solution")
    return found


def _write(notebook: NotebookNode, path: Path) -> None:
    """Write whole or not at all, so that an interrupt never leaves half a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".ipynb.part")
    nbformat.write(notebook, part)
    part.replace(path)
