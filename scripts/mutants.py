"""Try every one-change mutant of every reference as an answer, and write what the checks make of them to docs/checks.md.

Contract: `python scripts/mutants.py [EXERCISE ...]` in the course's environment (`make mutants`). Without names, all
exercises, and docs/checks.md is written; with names, their mutants are listed one by one. A mutant that passes has to agree
with the reference on inputs that no check uses: the command fails where one does not.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from course_lib.answers import LocalAnswer
from course_lib.checker.candidates import known_answers
from course_lib.checker.compare import Case, difference, expected, observe, reference_answer
from course_lib.checker.exercise import Exercise
from course_lib.checker.mutants import Mutant, mutants
from course_lib.checker.probes import HIDDEN, Draw
from course_lib.checker.report import Report
from course_lib.checker.review import review_exercise
from course_lib.exercises import TOPICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "checks.md"
HIDDEN_SEED = 31_337
SECONDS = 5.0  # that a mutant may take: one without an end must not stop the rest
MOST = 400  # of one reference; beyond, evenly chosen ones stand for all
OTHER_SEEDS = range(900, 910)
START, END = "<!-- written by make mutants: begin -->", "<!-- written by make mutants: end -->"


@dataclass
class Outcome:
    """What became of the mutants of one exercise."""

    topic: str
    name: str
    counts: Counter[str] = field(default_factory=Counter)
    let_pass: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    slowest: float = 0.0


def agrees(exercise: Exercise, one: Mutant) -> bool:
    """Whether a mutant does on other inputs what the reference does, gradients included."""
    return all(
        _same(exercise, one, exercise.reference, seed, gradients)
        for seed in OTHER_SEEDS
        for gradients in ((), exercise.gradients)
    )


def is_true(exercise: Exercise, one: Mutant, told: list[Callable[..., Any]]) -> bool:
    """Whether one of the mistakes that bear the name told does on other inputs what a mutant does.

    What is told of a value says nothing of its gradient; where the values are right, it is the gradients that were meant.
    """
    values_right = all(_same(exercise, one, exercise.reference, seed, ()) for seed in OTHER_SEEDS)
    gradients = exercise.gradients if values_right else ()
    return any(all(_same(exercise, one, function, seed, gradients) for seed in OTHER_SEEDS) for function in told)


def _same(exercise: Exercise, one: Mutant, function: Callable[..., Any], seed: int, gradients: tuple[str, ...]) -> bool:
    case = Case(exercise.probe(Draw(seed, HIDDEN[seed % len(HIDDEN)])), gradients)
    mine = observe(exercise, LocalAnswer(exercise.name, one.function, SECONDS), case)
    if function is exercise.reference:
        return difference(exercise, mine, expected(exercise, case)) is None
    return difference(exercise, mine, observe(exercise, reference_answer(exercise, function), case)) is None


def try_all(topic: str, index: int) -> Outcome:
    """Hand in the mutants of one exercise."""
    torch.set_num_threads(1)
    exercise = TOPICS[topic][index]
    assert isinstance(exercise, Exercise)
    outcome = Outcome(topic, exercise.name)
    made = mutants(exercise.reference, exercise.inputs)
    for mutant in made[:: 1 + len(made) // MOST]:
        began = time.monotonic()
        answer = LocalAnswer(exercise.name, mutant.function, SECONDS)
        report = review_exercise(exercise, answer)
        outcome.slowest = max(outcome.slowest, time.monotonic() - began)
        if report.passed:
            report = review_exercise(exercise, answer, HIDDEN_SEED)
        outcome.counts["tried"] += 1
        if report.passed:
            outcome.counts["pass"] += 1
            if not agrees(exercise, mutant):
                outcome.let_pass.append(mutant.says)
        elif report.misconception is None and _is_error(report):
            outcome.counts["error"] += 1
        elif report.misconception is None and not any("No gradient reaches" in says for says in report.sentences):
            outcome.counts["unnamed"] += 1
            outcome.unnamed.append(mutant.says)
        else:
            outcome.counts["named"] += 1
            told = known_answers(exercise, report.misconception or "")
            if told and not is_true(exercise, mutant, told):
                outcome.untrue.append(f"{mutant.says} Told: {report.misconception}")
    return outcome


def _is_error(report: Report) -> bool:
    """Whether an answer failed before there was anything to judge; a line is told with its error, or with its first NaN."""
    said = any("raise" in says or "Error" in says for says in report.sentences)
    return said or (report.line is not None and not any("first of them" in says for says in report.sentences))


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table in Markdown."""
    rows = ["| notebook | exercise | tried | end in an error | named | unnamed | do the same | let pass | untrue |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for o in outcomes:
        c = o.counts
        same = c["pass"] - len(o.let_pass)
        values = (c["tried"], c["error"], c["named"], c["unnamed"], same, len(o.let_pass), len(o.untrue))
        rows.append(f"| {o.topic[:2]} | `{o.name}` | " + " | ".join(map(str, values)) + " |")
        total.update(dict(zip("abcdefg", values, strict=True)))
    rows.append("| | all | " + " | ".join(str(total[k]) for k in "abcdefg") + " |")
    return "\n".join(rows)


def main(names: list[str]) -> int:
    chosen = [
        (topic, index)
        for topic, exercises in TOPICS.items()
        for index, exercise in enumerate(exercises)
        if isinstance(exercise, Exercise) and (not names or exercise.name in names)
    ]
    with ProcessPoolExecutor() as pool:
        outcomes = list(pool.map(try_all, *zip(*chosen, strict=True)))
    for o in outcomes:
        print(f"{o.topic[:2]} {o.name}: {dict(o.counts)}, slowest {o.slowest:.2f} s")
        for kind, found in (("let pass", o.let_pass), ("untrue", o.untrue), ("unnamed", o.unnamed if names else [])):
            for says in found:
                print(f"   {kind}: {says}")
    if not names:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(START)
        PAGE.write_text(f"{before}{START}\n{table(outcomes)}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    return int(any(o.let_pass or o.untrue for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
