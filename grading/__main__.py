"""The command line of authors and instructors: ``python -m grading --help``.

What a command works with is imported in it: torch, nbgrader and Dask take seconds, and help needs none of them.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from grading.course import ROOT, CourseError, find_topic, topics
from grading.job import GRADED, NOT_GRADED
from grading.safe_text import safe_name
from grading.sandbox.limits import Limits

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Build the notebooks, and grade what students hand in. Plain `nbgrader` commands work beside it.",
)
console = Console()
CORES = os.cpu_count() or 1
ROWS = 40  # of a larger class, only what needs a look is listed; the report has them all

Topic = Annotated[str, typer.Argument(help="A notebook by name or number: 02_jensen_entropy_kl, or 02.")]
Students = Annotated[list[str] | None, typer.Option("--student", "-s", help="Only this student (repeatable).")]

Workers = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Notebooks by name or number; all by default.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Execute also what did not change.")] = False,
) -> None:
    """Build solutions and released notebooks from their sources; execute only what changed."""
    from grading.release import build as building
    from grading.release import surroundings

    for topic in [find_topic(name) for name in names] if names else topics():
        if not force and not building.needs_execution(topic):
            console.print(f"{topic}: unchanged")
        elif not force and building.carry_over(topic):
            console.print(f"{topic}: only text has changed")
        else:
            with console.status(f"{topic}: executing"):
                building.build_solution(topic)
            console.print(f"{topic}: executed")
        building.release(topic)
    for sentence in surroundings.bring_into_line():
        console.print(f"{sentence}: mended")


@app.command()
def check() -> None:
    """Fail if a built notebook does not come from its source."""
    from grading.release import build as building
    from grading.release import surroundings

    found = building.drift() + surroundings.drift()
    for sentence in found:
        console.print(f"[red]drift[/red] {sentence}")
    if found:
        console.print("Build again and commit: python -m grading build")
        raise typer.Exit(1)
    console.print(f"No drift in {len(topics())} notebooks.")


@app.command()
def autograde(
    name: Topic,
    student: Students = None,
    workers: Workers = CORES,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="A limit, such as cell_seconds=30 (repeatable).")] = None,
    again: Annotated[bool, typer.Option("--again", help="Grade also what did not change.")] = False,
    show_hidden: Annotated[
        bool, typer.Option("--show-hidden-tests", help="Name them in the graded notebooks.")
    ] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Let students' code do all that you can.")
    ] = False,
) -> None:
    """Grade every submission of a notebook in a sandbox; stop it at any time, and go on with the same command."""
    from grading.batch import submissions as submitted

    if unsafe:
        console.print("[red]No sandbox:[/red] what is graded now can read and change everything you can.")
    settings = submitted.Settings(workers, scheduler, unsafe, Limits().changed(limit or []), again, show_hidden)
    total = len(submitted.submissions(find_topic(name), student))
    table = Table("student", "points", "of", "status")
    states: Counter[str] = Counter()
    moved: list[str] = []
    try:
        with Progress(*COLUMNS, console=console) as progress:
            bar = progress.add_task(f"grading {find_topic(name)}", total=total)
            for outcome in submitted.autograde(name, student, settings=settings):
                states[outcome.state if outcome.fresh else f"unchanged, {outcome.state}"] += 1
                progress.advance(bar)
                said = (
                    f"not graded: {outcome.problem}"
                    if outcome.problem
                    else "; ".join([outcome.state, *outcome.repairs])
                )
                if total <= ROWS or outcome.state != GRADED:
                    table.add_row(
                        _shown(outcome.student), _number(outcome.points), _number(outcome.max_points), _shown(said)
                    )
                moved += [f"{outcome.student}: {e}: {old:g} before, {new:g} now" for e, old, new in outcome.moved]
    except KeyboardInterrupt:
        console.print(f"Stopped after {sum(states.values())} of {total}; the same command goes on from here.")
        raise typer.Exit(130) from None
    if table.row_count:
        console.print(table)
    console.print(", ".join(f"{count} {state}" for state, count in sorted(states.items())) + ".")
    for line in moved:
        console.print(f"Points moved: {_shown(line)}.", highlight=False)
    if failed := sum(count for state, count in states.items() if NOT_GRADED in state):
        console.print(f"{failed} of {total} submissions were not graded; they have no points, not 0 points.")
        raise typer.Exit(1)


def _shown(text: str) -> str:
    """Keep names from moving the terminal's cursor, and from being read as colours."""
    return escape(safe_name(text, 2000))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


@app.command()
def feedback(name: Topic, student: Students = None, workers: Workers = CORES) -> None:
    """Write an HTML page for every submission: its points and messages, or why it was not graded."""
    from grading.batch import submissions as submitted

    total = len(submitted.submissions(find_topic(name), student))
    with Progress(*COLUMNS, console=console) as progress:
        outcomes = submitted.feedback(name, student, workers=workers)
        problems = [outcome for outcome in progress.track(outcomes, total, description="feedback") if outcome.problem]
    for outcome in problems:
        console.print(_shown(f"{outcome.student}: no feedback: {outcome.problem}"))
    if problems:
        raise typer.Exit(1)
    console.print(f"Feedback is in grading/feedback/STUDENT/{find_topic(name)}/.")


@app.command()
def report(name: Topic) -> None:
    """Write the report on a notebook: points, misconceptions, what was not graded, signs of tampering."""
    from grading.records.report import write_report

    page, table = write_report(name)
    console.print(f"The report is in {page}, its numbers in {table}.")


@app.command()
def export(
    name: Annotated[str | None, typer.Argument(help="A notebook by name or number; all by default.")] = None,
    to: Annotated[Path, typer.Option("--to", help="The CSV file to write.")] = ROOT / "grading" / "grades.csv",
    form: Annotated[str, typer.Option("--for", help="nbgrader, canvas or moodle.")] = "nbgrader",
) -> None:
    """Write grades to a CSV file; a submission that could not be graded has a status instead of a score."""
    from grading.records import export as exporting

    rows = exporting.export(to, form=form, only=name)
    console.print(f"Grades are in {to}.")
    if form == "moodle":
        for topic, points in exporting.maxima(rows).items():
            console.print(
                f"In Moodle, the grade item for {topic} needs a maximum grade of {points:g}.", highlight=False
            )
    for row in rows:
        if row.status == NOT_GRADED:
            said = f"{row.student_id}: {row.assignment} was handed in but not graded; its score is left empty."
            console.print(_shown(said))


@app.command()
def doctor() -> None:
    """Say what is missing on this machine for safe grading."""
    from grading.doctor import examine

    bad = 0
    for finding in examine():
        bad += finding.good is False
        mark = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "•"}[finding.good]
        console.print(f"{mark} {finding.what}: {escape(finding.says)}", highlight=False)
    if bad:
        raise typer.Exit(1)
    console.print("This machine can grade safely.")


def main() -> None:
    try:
        app()
    except CourseError as error:
        said = escape("\n".join(map(safe_name, str(error).splitlines())))
        console.print(f"[red]{said}[/red]" if "\n" not in said else said, highlight=False)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
