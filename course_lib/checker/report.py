"""What a student sees of a check: rich in a notebook, plain in a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor

from course_lib.phrases import say

GREEN, ORANGE, BLUE = "#009E73", "#D55E00", "#0072B2"  # Okabe-Ito: told apart by colour-blind readers
MARKS = {"right": "✓", "wrong": "✗", "unanswered": "…"}


@dataclass(frozen=True)
class Report:
    """The result of one check.

    Attributes:
        exercise: its name.
        points, max_points: earned, and to be earned.
        status: ``"right"``, ``"wrong"`` or ``"unanswered"``.
        sentences: what to say to the student, the most helpful first.
        misconception: name of the recognised wrong answer, or None.
        shown: rows ``(label, text)``: inputs, expected and returned for one small example.
        line: the student's line an exception came from, or None.
        convention: the convention in force.
        printed: what the answer printed while it was checked.
    """

    exercise: str
    points: int
    max_points: int
    status: str
    sentences: tuple[str, ...]
    misconception: str | None = None
    shown: tuple[tuple[str, str], ...] = ()
    line: str | None = None
    convention: str | None = None
    printed: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "right"

    @property
    def headline(self) -> str:
        state = say(f"state.{self.status}")
        if not self.max_points:
            return say("report.headline_example", exercise=self.exercise, state=state)
        key = "report.headline_of_one" if self.max_points == 1 else "report.headline"
        return say(key, exercise=self.exercise, state=state, points=self.points, max_points=self.max_points)

    def __str__(self) -> str:
        lines = [f"{MARKS[self.status]} {self.headline}", *(f"  {sentence}" for sentence in self.sentences)]
        for told, line in zip((f"{say('report.in_your_code')} ", ""), (self.line or "").splitlines(), strict=False):
            lines.append(f"  {told}{line}")
        width = max((len(label) for label, _ in self.shown), default=0)
        for label, text in self.shown:
            first, *rest = text.splitlines() or [""]
            lines.append(f"    {label.ljust(width)}  {first}")
            lines += [f"    {' ' * width}  {line}" for line in rest]
        if self.convention:
            lines.append(f"  {say('report.convention')}: {self.convention}")
        if self.printed:
            lines.append(f"  {say('report.printed')}")
            lines += [f"    | {line}" for line in self.printed.splitlines()]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = {"right": GREEN, "wrong": ORANGE, "unanswered": BLUE}[self.status]
        mark = MARKS[self.status]
        code = "font-family:monospace;white-space:pre-wrap"
        parts = [
            f'<div style="border-left:6px solid {colour};padding:4px 12px;margin:4px 0;line-height:1.45">',
            f'<div style="font-weight:bold"><span style="color:{colour}">{mark}</span> {escape(self.headline)}</div>',
            *(f"<div>{_inline_code(sentence)}</div>" for sentence in self.sentences),
        ]
        if self.line:
            said = _said("report.in_your_code")
            parts.append(f'<div>{said} <span style="{code}">{escape(self.line)}</span></div>')
        if self.shown:
            cell = "text-align:left;vertical-align:top;padding:1px 12px 1px 0;background:none;border:none"
            rows = "".join(
                f'<tr style="background:none"><th scope="row" style="{cell}">{escape(label)}</th>'
                f'<td style="{cell};{code}">{escape(text)}</td></tr>'
                for label, text in self.shown
            )
            parts.append(f'<table style="margin:4px 0;border:none">{rows}</table>')
        if self.convention:
            heading = f"<em>{_said('report.convention')}.</em>"
            parts.append(f'<div style="opacity:0.8">{heading} {_inline_code(self.convention)}</div>')
        if self.printed:
            said = _said("report.printed")
            parts.append(f'<div>{said}<div style="{code}">{escape(self.printed)}</div></div>')
        return "".join(parts) + "</div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def _said(key: str) -> str:
    return escape(say(key))


def _inline_code(text: str) -> str:
    """Escape a sentence, turning `backticks` into code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


class CheckFailed(Exception):
    """Raised after a failed check has been shown, so that graders see the cell fail.

    In a notebook it renders as one line: the report above it has said everything.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.headline}. {report.sentences[0] if report.sentences else ''}".strip())
        self.report = report

    def _render_traceback_(self) -> list[str]:
        return [self.report.headline]


@dataclass(frozen=True)
class Note:
    """A sentence of the course's, beside a demonstration."""

    says: str

    def __str__(self) -> str:
        return self.says.replace("`", "")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return (
            f'<div style="border-left:6px solid {BLUE};padding:4px 12px;margin:4px 0">{_inline_code(self.says)}</div>'
        )


class Summary:
    """The points of a notebook so far, and what the open task's best attempt reached, if there was one."""

    def __init__(self, reports: tuple[Report, ...], attempted: str | None = None) -> None:
        self.reports = reports
        self.attempted = attempted

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        rows = [
            (r.exercise, f"{MARKS[r.status]} {say(f'state.{r.status}')}", f"{r.points} / {r.max_points}")
            for r in self.reports
        ]
        earned, total = (sum(getattr(r, name) for r in self.reports) for name in ("points", "max_points"))
        task = [(say("summary.open_task"), self.attempted, "")] if self.attempted else []
        return [*rows, (say("summary.in_all"), "", f"{earned} / {total}"), *task]

    def __repr__(self) -> str:
        widths = [max(len(row[i]) for row in self._rows) for i in range(3)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in self._rows)

    def _repr_html_(self) -> str:
        body = "".join(
            f'<tr><td style="text-align:left">{escape(name)}</td><td style="text-align:left">{escape(word)}</td><td>{points}</td></tr>'
            for name, word, points in self._rows
        )
        heads = "".join(f"<th>{_said(f'summary.{key}')}</th>" for key in ("exercise", "state", "points"))
        return f"<table><tr>{heads}</tr>{body}</table>"


def show_value(value: Any) -> str:
    """Format an input or a result for a student: few digits, no gradient clutter, never long."""
    if isinstance(value, Tensor):
        plain = value.detach().as_subclass(Tensor).cpu()
        if plain.numel() > 40:
            return say("shown.large", shape=tuple(plain.shape))
        kind = {torch.float32: "", torch.float64: "", torch.int64: ""}.get(plain.dtype, f"  ({plain.dtype})")
        return _nested(plain.tolist(), 0) + kind
    if isinstance(value, float):
        return show_number(value, 6)
    if callable(value):
        return say("shown.function")
    return repr(value)[:200]


def _nested(numbers: Any, depth: int) -> str:
    if not isinstance(numbers, list):
        return show_number(numbers, 4) if isinstance(numbers, float) else str(numbers)
    if numbers and isinstance(numbers[0], list):
        separator = ",\n" + " " * (depth + 1)
        return "[" + separator.join(_nested(row, depth + 1) for row in numbers) + "]"
    return "[" + ", ".join(_nested(number, depth + 1) for number in numbers) + "]"


def show_number(value: float, digits: int) -> str:
    """Format a number as a person would write it: no minus before 0, no power of ten where the number itself is short."""
    if not math.isfinite(value) or (value and not 1e-4 <= abs(value) < 1e7):
        return f"{value:.{digits}g}"
    if value == round(value):
        return str(int(value))
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_shape(value: Tensor) -> str:
    """Format a shape as torch users write it."""
    return str(tuple(value.shape)).replace(" ", "")
