"""The command line of authors and instructors: ``python -m grading --help``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SAWarning

from grading import build as building
from grading import export as exporting
from grading import submissions as grading
from grading.course import ROOT, CourseError, find_topic, topics

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Build the notebooks, and grade what students hand in. Plain `nbgrader` commands work beside it.",
)
console = Console()
warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own queries raise them

Topic = Annotated[str, typer.Argument(help="A notebook by name or number: 02_jensen_entropy_kl, or 02.")]
Students = Annotated[list[str] | None, typer.Option("--student", "-s", help="Only this student (repeatable).")]


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Notebooks by name or number; all by default.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Execute also what did not change.")] = False,
) -> None:
    """Build solutions and released notebooks from their sources; execute only what changed."""
    for topic in [find_topic(name) for name in names] if names else topics():
        if force or building.needs_execution(topic):
            with console.status(f"{topic}: executing"):
                building.build_solution(topic)
            console.print(f"{topic}: executed")
        else:
            console.print(f"{topic}: unchanged")
        building.release(topic)


@app.command()
def check() -> None:
    """Fail if a built notebook does not come from its source."""
    found = building.drift()
    for sentence in found:
        console.print(f"[red]drift[/red] {sentence}")
    if found:
        console.print("Build again and commit: python -m grading build")
        raise typer.Exit(1)
    console.print(f"No drift in {len(topics())} notebooks.")


@app.command()
def autograde(name: Topic, student: Students = None) -> None:
    """Grade every submission of a notebook; one that fails is reported and stops none of the others."""
    table = Table("student", "points", "of", "status")
    failed = 0
    with console.status(f"grading {name}") as status:
        for outcome in grading.autograde(name, student):
            failed += outcome.problem is not None
            points = "–" if outcome.points is None else f"{outcome.points:g}"
            of = "–" if outcome.max_points is None else f"{outcome.max_points:g}"
            said = "graded" if outcome.problem is None else f"not graded: {outcome.problem}"
            table.add_row(outcome.student, points, of, said)
            status.update(f"grading {name}: {table.row_count} done")
    console.print(table)
    if failed:
        console.print(f"{failed} of {table.row_count} submissions were not graded; they have no points, not 0 points.")
        raise typer.Exit(1)


@app.command()
def feedback(name: Topic, student: Students = None) -> None:
    """Write an HTML page for every graded submission."""
    problems = [outcome for outcome in grading.feedback(name, student) if outcome.problem]
    for outcome in problems:
        console.print(f"{outcome.student}: no feedback: {outcome.problem}")
    if problems:
        raise typer.Exit(1)
    console.print(f"Feedback is in grading/feedback/STUDENT/{find_topic(name)}/.")


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="The CSV file to write.")] = ROOT / "grading" / "grades.csv",
) -> None:
    """Write all grades to a CSV file; a submission that could not be graded has a status instead of a score."""
    failed = exporting.export(to)
    console.print(f"Grades are in {to}.")
    for topic, student in failed:
        console.print(f"{student}: {topic} was handed in but not graded; its score is left empty.")


def main() -> None:
    try:
        app()
    except CourseError as error:
        console.print(f"[red]{error}[/red]" if "\n" not in str(error) else str(error), highlight=False)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
