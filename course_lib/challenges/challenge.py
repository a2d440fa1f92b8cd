"""What an open task is: a number to beat, how it is measured, and the course's own record."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import torch

from course_lib.phrases import say

FEW = 0.005  # a difference of half a percent is called a tie


@dataclass(frozen=True)
class Challenge:
    """An open task; it earns no points.

    Attributes:
        task: what to beat, in one sentence.
        unit: of the number, as it stands behind it: ``"nats a test digit"``.
        higher_is_better: whether more of it is better.
        measure: takes what the student made and returns the number; the same data and seeds for everyone. It raises
            ``ValueError`` with a sentence for what cannot be measured.
        record: what the course's own answer reached, measured by the same function.
        how: how that was reached, in one sentence.
    """

    task: str
    unit: str
    higher_is_better: bool
    measure: Callable[..., float]
    record: float
    how: str

    def attempt(self, *made: Any) -> Result:
        """Measure what a student made; whatever that does, nothing is raised."""
        try:
            with torch.random.fork_rng():
                value = float(self.measure(*made))
        except Exception as error:
            return Result(self, None, say("task.unmeasured", why=str(error) or type(error).__name__))
        if not math.isfinite(value):
            return Result(self, None, say("task.no_number", value=value))
        return Result(self, value, "")


@dataclass(frozen=True)
class Result:
    """What an attempt reached.

    Attributes:
        value: the number, None if there is none.
        problem: why there is none.
    """

    challenge: Challenge
    value: float | None
    problem: str

    @property
    def verdict(self) -> str:
        """Say how far the number is from the course's record."""
        if self.value is None:
            return self.problem
        record = self.challenge.record
        ahead = (self.value - record) * (1 if self.challenge.higher_is_better else -1)
        if abs(ahead) <= FEW * abs(record):
            return say("task.level")
        if ahead > 0:
            return say("task.ahead")
        return say("task.behind", difference=shown(abs(ahead)))

    @property
    def line(self) -> str:
        """The number beside the record, in one line."""
        if self.value is None:
            return self.problem
        of = self.challenge
        return say("task.line", mine=shown(self.value), record=shown(of.record), unit=of.unit)

    @property
    def _sentences(self) -> tuple[str, ...]:
        reached = () if self.value is None else (say("task.reached", line=self.line),)
        return (*reached, self.verdict, say("task.how", how=self.challenge.how))

    def __repr__(self) -> str:
        return "\n".join(self._sentences)

    def _repr_html_(self) -> str:
        first, *rest = (escape(sentence) for sentence in self._sentences)
        lines = "".join(f"<div>{sentence}</div>" for sentence in rest)
        return (
            '<div style="border-left:6px solid #0072B2;padding:4px 12px;margin:4px 0;line-height:1.45">'
            f"<div><b>{first}</b></div>{lines}</div>"
        )


def shown(value: float) -> str:
    """Format a number with four significant digits, as a person would write it."""
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
