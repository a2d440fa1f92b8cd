"""Submissions graded per minute: `python -m grading autograde` against stock `nbgrader autograde`.

The same notebook, the same submissions, the same environment, interleaved in one run. Stock nbgrader runs with its
own defaults, and once more without the cells that only draw or train for show, which ours does not run either.

    python -m benchmarks.grading                      # about 6 minutes on two cores
    python -m benchmarks.grading --many 1000          # that many submissions in one run of ours
    python -m benchmarks.grading 11 --many 1000 --hostile   # a tenth of them attacks, of the tests' own
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import nbformat
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course_lib.checker.exercise import ClassExercise, Question
from course_lib.checks import find_exercise
from grading.course import ROOT, SOLUTIONS, find_topic, release_path, solution_path
from grading.intake.repair import graded_names
from grading.job import NOT_GRADED
from grading.records.store import Store
from grading.release.source import read_notebook

STOCK = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "benchmark"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.db_url = "sqlite:///{root}/grading/gradebook.db"
c.CourseDirectory.ignore = ["*.py"]
{more}
"""
SKIPPING = 'c.Execute.skip_cells_with_tag = "show"'
TURNS = 5  # in which answers are right, wrong and missing
TENTH, HOSTILE = 10, "hostile"
SHORT = ("cell_seconds=5", "answer_seconds=10")  # limits beside attacks: endless ones take all of them
console = Console()


def attacks() -> list[Any]:
    """Return the attacks of the tests that a cell makes."""
    sys.path.insert(0, str(ROOT / "tests" / "grading"))
    return [attack for attack in import_module("attacks").ATTACKS if attack.cell]


def make_course(folder: Path, topic: str, count: int, hostile: bool = False) -> Path:
    """Make a course with submissions in which each answer is right, wrong or missing, by turns.

    Args:
        hostile: put an attack before the answers of every tenth.
    """
    against = attacks() if hostile else []
    (folder / "grading").mkdir(parents=True)
    shutil.copytree(SOLUTIONS / topic, folder / "solutions" / topic)
    solved = {cell.id: cell.source for cell in read_notebook(solution_path(topic)).cells}
    released = release_path(topic).read_text()
    names = graded_names(topic)
    for number in range(count):
        notebook = nbformat.reads(released, as_version=4)
        for cell in notebook.cells:
            if cell.id not in names:
                continue
            turn = (number + 3 * names.index(cell.id)) % TURNS
            if turn < 3:
                cell.source = solved[cell.id]
            elif turn == 3:
                cell.source = wrong(topic, cell.id, solved[cell.id])
        is_hostile = bool(against) and number % TENTH == TENTH - 1
        if is_hostile:
            attack = against[number // TENTH % len(against)]
            notebook.cells.insert(2, nbformat.v4.new_code_cell(attack.cell))
        name = f"{HOSTILE if is_hostile else 'student'}-{number:04d}"
        path = folder / "grading" / "submitted" / name / topic / f"{topic}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    return folder


def wrong(topic: str, name: str, solved: str) -> str:
    """Return a wrong answer that runs."""
    exercise = find_exercise(name, topic)
    if isinstance(exercise, ClassExercise):
        return f"{solved}\n\n_{name} = {name}\n\n\nclass {name}(_{name}):\n    def log_prob(self, x):\n        return 2 * super().log_prob(x)\n"
    if isinstance(exercise, Question):
        return f'{name} = "{next(option for option in exercise.options if option != exercise.correct)}"'
    doubled = f"tuple(2 * part for part in _{name}(*args))" if len(exercise.returns) > 1 else f"2 * _{name}(*args)"
    return f"{solved}\n\n_{name} = {name}\n\n\ndef {name}(*args):\n    return {doubled}\n"


def run_stock(topic: str, count: int, more: str) -> float:
    """Grade with stock nbgrader in one command; return the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_course(Path(folder) / "course", topic, count)
        (root / "nbgrader_config.py").write_text(STOCK.format(root=str(root), more=more))
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        nbgrader = [str(Path(sys.executable).parent / "nbgrader")]
        options = {"cwd": root, "env": environment, "check": True, "capture_output": True}
        subprocess.run([*nbgrader, "generate_assignment", topic], **options)
        began = time.monotonic()
        subprocess.run([*nbgrader, "autograde", topic], **options)
        seconds = time.monotonic() - began
        assert len(list((root / "grading" / "autograded").glob("*/*/*.ipynb"))) == count
        return seconds


OURS = """
import sys, warnings
warnings.filterwarnings("ignore")
from pathlib import Path
from grading.batch.submissions import Settings, autograde
from grading.sandbox.limits import Limits
if __name__ == "__main__":
    settings = Settings(workers=int(sys.argv[3]), limits=Limits().changed(sys.argv[4:]))
    for outcome in autograde(sys.argv[1], root=Path(sys.argv[2]), settings=settings):
        print(outcome.student, flush=True)
"""


def run_ours(topic: str, count: int, workers: int, hostile: bool = False) -> tuple[float, float, list[dict]]:
    """Grade with ours; return the seconds of the whole command, those after the first result, and the results."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_course(Path(folder) / "course", topic, count, hostile)
        script = Path(folder) / "grade.py"
        script.write_text(OURS)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        began = time.monotonic()
        command = [sys.executable, str(script), topic, str(root), str(workers), *(SHORT if hostile else ())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
            assert process.stdout is not None
            arrived = [
                time.monotonic() for _ in track(process.stdout, f"grading {count}", total=count, console=console)
            ]
        seconds = time.monotonic() - began
        assert process.returncode == 0
        results = Store(root).all(topic)
        assert len(results) == len(arrived) == count
        return seconds, arrived[-1] - arrived[0], results


def main(
    name: Annotated[str, typer.Argument(help="The notebook.")] = "02",
    rounds: Annotated[int, typer.Option(help="How often the three take turns.")] = 2,
    stock: Annotated[int, typer.Option(help="Submissions of stock nbgrader in a round.")] = 6,
    ours: Annotated[int, typer.Option(help="Submissions of ours in a round.")] = 200,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = len(os.sched_getaffinity(0)),
    many: Annotated[int, typer.Option(help="Only grade so many with ours, and count what became of them.")] = 0,
    hostile: Annotated[bool, typer.Option(help="Let a tenth of the many be attacks.")] = False,
) -> None:
    warnings.filterwarnings("ignore")
    topic = find_topic(name)
    if many:
        seconds, steady, results = run_ours(topic, many, workers, hostile)
        lost = sum(result["state"] == NOT_GRADED for result in results)
        console.print(
            f"{many} submissions of {topic} in {seconds:.0f} s ({60 * many / seconds:.0f} per minute), {lost} not graded."
        )
        among(results)
        phases(results)
        return
    rates: dict[str, list[float]] = {"stock": [], "stock, show cells skipped": [], "ours": [], "ours, once started": []}
    results = []
    for _ in range(rounds):
        rates["stock"].append(60 * stock / run_stock(topic, stock, ""))
        seconds, steady, results = run_ours(topic, ours, workers)
        rates["ours"].append(60 * ours / seconds)
        rates["ours, once started"].append(60 * (ours - 1) / steady)
        rates["stock, show cells skipped"].append(60 * stock / run_stock(topic, stock, SKIPPING))
    table = Table("", "submissions per minute", "each round", "times stock")
    base = statistics.fmean(rates["stock"])
    for what, values in rates.items():
        mean = statistics.fmean(values)
        table.add_row(what, f"{mean:.1f}", ", ".join(f"{value:.1f}" for value in values), f"{mean / base:.1f}")
    console.print(table)
    phases(results)
    print(json.dumps(rates))


def among(results: list[dict]) -> None:
    """Print what became of honest and of hostile submissions, and whether the honest ones have what they deserve."""
    table = Table("submissions", "number", "not graded", "mean seconds", "median", "longest")
    for who in ("student", HOSTILE):
        of_these = [result for result in results if result["student"].startswith(who)]
        if of_these:
            seconds = sorted(result["seconds"] for result in of_these)
            lost = sum(result["state"] == NOT_GRADED for result in of_these)
            figures = (statistics.fmean(seconds), statistics.median(seconds), seconds[-1])
            table.add_row(who, str(len(of_these)), str(lost), *(f"{figure:.2f}" for figure in figures))
    console.print(table)
    earned: dict[int, set[int]] = {}  # by turn: those of the same turn handed in the same answers
    for result in results:
        if result["student"].startswith("student") and result["state"] != NOT_GRADED:
            turn = int(result["student"].rsplit("-", 1)[1]) % TURNS
            earned.setdefault(turn, set()).add(sum(report["points"] for report in result["exercises"].values()))
    same = all(len(points) == 1 for points in earned.values())
    console.print(
        f"honest submissions with the same answers have {'the same' if same else 'DIFFERENT'} points: {earned}"
    )


def phases(results: list[dict]) -> None:
    """Print where the time of a submission went, and the memory of the workers."""
    results = [result for result in results if result["state"] != NOT_GRADED]
    table = Table("phase", "mean seconds")
    for phase in ("reading", "start", "cells", "checks", "notebook"):
        table.add_row(phase, f"{statistics.fmean(result['phases'].get(phase, 0.0) for result in results):.3f}")
    table.add_row("writing", f"{statistics.fmean(result['writing'] for result in results):.3f}")
    console.print(table)
    workers = {result["worker"]: result for result in results}
    peak = {worker: max(r["worker_mb"] for r in results if r["worker"] == worker) for worker in workers}
    guests = max(result["memory_mb"] for result in results)
    console.print(
        f"memory: {', '.join(f'{mb:.0f} MB' for mb in peak.values())} for the workers, up to {guests:.0f} MB for a sandbox "
        "(most of it shared with the preloaded server)"
    )


if __name__ == "__main__":
    typer.run(main)
