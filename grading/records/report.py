"""The instructor's report on a notebook: an HTML page and a CSV file, made from the results on disk."""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from course_lib.checker.exercise import Question
from course_lib.checks import find_exercise
from grading.course import ROOT, find_topic
from grading.intake.repair import graded_names
from grading.job import NOT_GRADED, REFERENCE
from grading.records.pages import render
from grading.records.spreadsheet import to_csv
from grading.records.store import Store, write_whole
from grading.safe_text import safe_name

MOST_LINES = 30
COLUMNS = ["student", "exercise", "points", "max_points", "status", "misconception", "seconds"]


def write_report(name: str, root: Path = ROOT) -> tuple[Path, Path]:
    """Write ``grading/reports/TOPIC.html`` and ``.csv``; return both paths."""
    topic = find_topic(name)
    results = [{**result, "student": safe_name(result["student"])} for result in Store(root).all(topic)]
    folder = root / "grading" / "reports"
    page = render("report.html.jinja", topic=topic, **summarise(topic, results))
    write_whole(folder / f"{topic}.html", page.encode())
    write_whole(folder / f"{topic}.csv", _table(results).encode())
    return folder / f"{topic}.html", folder / f"{topic}.csv"


def summarise(topic: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the report shows: exercises, misconceptions, what was not graded, slow cells, signs of tampering."""
    graded = [result for result in results if result["state"] != NOT_GRADED]
    totals = [sum(report["points"] for report in result["exercises"].values()) for result in graded]
    maximum = sum(find_exercise(name, topic).points for name in graded_names(topic))
    slow = [(result["student"], result["slowest"]) for result in graded if result.get("slowest")]
    slow.sort(key=lambda pair: -pair[1]["seconds"])
    return {
        "states": Counter(result["state"] for result in results),
        "count": len(results),
        "maximum": maximum,
        "mean": statistics.fmean(totals) if totals else 0.0,
        "median": statistics.median(totals) if totals else 0.0,
        "histogram": _histogram(totals, maximum),
        "exercises": [_exercise(topic, name, graded) for name in graded_names(topic)],
        "not_graded": [(result["student"], result.get("why")) for result in results if result["state"] == NOT_GRADED],
        "repaired": [(result["student"], result["repairs"]) for result in graded if result["repairs"]],
        "slow": slow[:10],
        "failed_lines": _failed_lines(graded),
        "signs": [(result["student"], result["signs"]) for result in graded if result.get("signs")],
        "seconds": statistics.median([result["seconds"] for result in graded]) if graded else 0.0,
    }


def _failed_lines(graded: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return the lines that failed where they were graded, each with why and how many students had it, most first."""
    found = Counter(
        (line, why) for result in graded for line, why in {(x[1], x[2]) for x in result.get("failed_lines", [])}
    )
    return [(line, why, count) for (line, why), count in found.most_common(MOST_LINES)]


def _exercise(topic: str, name: str, graded: list[dict[str, Any]]) -> dict[str, Any]:
    reports = [result["exercises"][name] for result in graded if name in result["exercises"]]
    statuses = Counter(report["status"] for report in reports)
    hit = Counter(report["misconception"] for report in reports if report["misconception"])
    return {
        "name": name,
        "points": find_exercise(name, topic).points,
        **{status: statuses.get(status, 0) for status in ("right", "wrong", "unanswered")},
        "of": len(reports),
        "misconceptions": [(_sentence(topic, name, key), count) for key, count in hit.most_common()],
        "unexplained": sum(report["status"] == "wrong" and not report["misconception"] for report in reports),
    }


def _sentence(topic: str, name: str, misconception: str) -> str:
    """Return a misconception with the sentence that students were told."""
    exercise = find_exercise(name, topic)
    if misconception == REFERENCE:
        return "calls the course's own solution"
    if not isinstance(exercise, Question):
        says = {known.name: known.says for known in exercise.misconceptions}.get(misconception)
        return f"{misconception}: {says}" if says else misconception
    return f"chose “{misconception}”"


def _histogram(totals: list[int], maximum: int) -> list[tuple[str, int]]:
    """Return ten bins of the points in all, as (label, count)."""
    if not maximum:
        return []
    bins = Counter(min(9, int(10 * total / maximum)) for total in totals)
    return [(f"{10 * i}–{10 * (i + 1)} %", bins.get(i, 0)) for i in range(10)]


def _table(results: list[dict[str, Any]]) -> str:
    rows: list[dict[str, Any]] = []
    for result in results:
        if result["state"] == NOT_GRADED:
            rows.append({"student": result["student"], "status": f"{NOT_GRADED}: {result.get('why')}"})
        else:
            own = result["exercises"].items()
            rows += [{"student": result["student"], "exercise": name, **report} for name, report in own]
    return to_csv(COLUMNS, [[row.get(column, "") for column in COLUMNS] for row in rows])
