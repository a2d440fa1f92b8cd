"""The graded notebook: the answers, under each what its check says, and before them a summary."""

from __future__ import annotations

from typing import Any

import nbformat
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from course_lib.phrases import say
from grading.intake.repair import Repaired
from grading.job import Job
from grading.sandbox.host import CellRun

MOST_LINES = 20


def graded_notebook(
    job: Job, repaired: Repaired, ran: list[tuple[int, CellRun]], reports: dict[str, dict[str, Any]], first: str
) -> NotebookNode:
    """Return the notebook as graders and students see it: the answers, and under each what its check says.

    Args:
        ran: the cells that ran, by number.
        reports: by exercise.
        first: the Markdown of the first cell.
    """
    notebook = repaired.notebook()
    outputs = dict(ran)
    sanitize = SanitizeHTML(enabled=True)
    for index, (cell, step) in enumerate(zip(notebook.cells, repaired.steps, strict=True)):
        if cell.cell_type == "markdown":
            if not step.is_released:
                sanitize.preprocess_cell(cell, {}, index)
        elif step.place and step.place.exercise and step.place.role == "check":
            cell.source = _check_source(job, step.place.exercise, step.place.source)
            report = reports.get(step.place.exercise)
            cell.outputs = _report_outputs(report) if report else []
        elif step.place and step.place.role == "show":  # it did not run here
            cell.outputs = [_picture(png, text) for png, text in step.pictures]
        elif index in outputs:
            cell.outputs = [nbformat.from_dict(out) for out in outputs[index].outputs]
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(first, id="grading-summary"))
    return notebook


def _picture(png: str, text: str) -> NotebookNode:
    """Return a picture as it was handed in, with its text for those who do not see it."""
    alt = text.removeprefix("[picture: ").removesuffix("]") or "A picture, as it was handed in"
    data = {"image/png": png, "text/plain": text}
    return _output("display_data", data=data, metadata={"image/png": {"alt": alt}})


def _output(kind: str, **parts: Any) -> NotebookNode:
    """Return an output; what nbformat makes, it holds against the schema at once, and again with the whole."""
    return nbformat.from_dict({"output_type": kind, **parts})


def _check_source(job: Job, name: str, source: str) -> str:
    if not job.show_hidden or name not in job.seeds:
        return source
    return f'{source}\ncheck("{name}", seed={job.seeds[name]})  # the hidden test'


def _report_outputs(report: dict[str, Any]) -> list[NotebookNode]:
    """Return the outputs by which nbgrader reads the points: an error is none, anything else all."""
    data = {"text/plain": report["text"], "text/html": report["html"]}
    shown = _output("display_data", data=data, metadata={})
    if report["status"] == "right":
        return [shown]
    headline = report["text"].splitlines()[0].lstrip("✓✗… ")
    failed = _output("error", ename="CheckFailed", evalue=headline, traceback=[headline])
    return [shown, failed]


def summary(result: dict[str, Any]) -> str:
    """Return the first cell of a graded notebook: points, what was repaired, time and memory."""
    reports = result["exercises"].values()
    earned, total = (sum(report[key] for report in reports) for key in ("points", "max_points"))
    words = {"right": say("state.right"), "wrong": say("state.wrong"), "unanswered": say("graded.unanswered")}
    heads = " | ".join(say(f"graded.{key}") for key in ("exercise", "result", "points", "checked_in", "memory"))
    rows = "\n".join(
        f"| [`{r['name']}`](#{r['name']}) | {words[r['status']]} | {r['points']} / {r['max_points']} | {r['seconds']:.2f} s | {r['memory_mb']:.0f} MB |"
        for r in reports
    )
    repairs = "".join(f"\n- {_plain(sentence)}" for sentence in result["repairs"])
    said = f"\n\n{say('graded.mended')}\n{repairs}" if repairs else ""
    failed = "".join(
        f"\n- {_plain(line or say('graded.a_line'))}: {_plain(why)}"
        for _, line, why in result.get("failed_lines", [])[:MOST_LINES]
    )
    if failed:
        said += f"\n\n{say('graded.failed')}\n{failed}"
    heading = say("graded.heading", earned=earned, total=total)
    ran = say("graded.ran", seconds=f"{result['ran_seconds']:.1f}", memory=f"{result['memory_mb']:.0f}")
    return f"## {heading}\n\n| {heads} |\n| :--- | :--- | ---: | ---: | ---: |\n{rows}\n\n{ran}{said}"


def _plain(text: str) -> str:
    """Keep a file's name from becoming Markdown or HTML."""
    return "".join(
        f"\\{c}" if c in "\\`*_{}[]()#|!~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text
    )
