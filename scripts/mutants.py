"""Try every one-change mutant of every right answer as an answer, and write what the checks make of them to docs/checks.md.

Contract: `python scripts/mutants.py [EXERCISE ...]` in the course's environment (`make mutants`), some minutes on two cores.
Without names, all exercises, functions and classes, and docs/checks.md is written; with names, their mutants are listed one by
one. A mutant of a function that passes has to agree with the reference on inputs that no check uses, what is told of one has to
be true there, and so of two changes at once; a mutant of a class that passes has to do as the unchanged class, or stand in
tests/checker/equivalents.toml with a reason. The command fails where one does not.
"""

from __future__ import annotations

import functools
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from course_lib.answers import LocalAnswer
from course_lib.checker.candidates import known_answers
from course_lib.checker.compare import Case, Observation, difference, expected, observe, reference_answer
from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checker.further import observed
from course_lib.checker.mutants import class_mutants, mutants, two_changes
from course_lib.checker.probes import HIDDEN, Draw
from course_lib.checker.report import Report
from course_lib.checker.review import review_exercise
from course_lib.checker.stages import prepare
from course_lib.checker.twins import does_the_same
from course_lib.exercises import TOPICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "checks.md"
HIDDEN_SEED = 31_337
SECONDS = 5.0  # that a mutant may take: one without an end must not stop the rest
PAIRS = 40  # of changes at once, of one exercise
OTHER_SEEDS = range(900, 910)
EQUIVALENTS = PAGE.parent.parent / "tests" / "checker" / "equivalents.toml"
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


Seen = Callable[[int, tuple[str, ...]], Observation]
# What functions that are known do on inputs that recur.
_KNOWN: dict[tuple[Callable[..., Any], int, tuple[str, ...]], Observation] = {}


def seen_of(exercise: Exercise, one: Callable[..., Any]) -> Seen:
    """Return what a function does on other inputs, by their seed and the gradients asked for; run once on each."""

    @functools.cache
    def seen(seed: int, gradients: tuple[str, ...]) -> Observation:
        answer = LocalAnswer(exercise.name, one, SECONDS)
        return observe(exercise, answer, _case(exercise, seed, gradients))

    return seen


def agrees(exercise: Exercise, seen: Seen) -> bool:
    """Whether a mutant does on other inputs what the reference does, gradients included."""
    return all(
        _same(exercise, seen, exercise.reference, seed, gradients)
        for seed in OTHER_SEEDS
        for gradients in ((), exercise.gradients)
    )


def is_true(exercise: Exercise, seen: Seen, mutant: Callable[..., Any], told: list[Callable[..., Any]]) -> bool:
    """Whether one of the mistakes that bear the name told does on other inputs what a mutant does.

    What is told of a value says nothing of its gradient, nor of an extreme: it is held where a check first finds something
    wrong. A mistake that draws noise of its own says no more than that.
    """
    if all(_same(exercise, seen, exercise.reference, seed, ()) for seed in OTHER_SEEDS):
        return _is_true_where_wrong(exercise, mutant, told)
    return any(
        all(_same(exercise, seen, function, seed, ()) for seed in OTHER_SEEDS)
        or (_draws(exercise, function) and _draws(exercise, mutant))
        for function in told
    )


def _is_true_where_wrong(exercise: Exercise, mutant: Callable[..., Any], told: list[Callable[..., Any]]) -> bool:
    """Whether a mistake does what a mutant does in the first stage in which that one is wrong, on several draws of it."""
    drawn: dict[str, list[tuple[Case, Observation]]] = {}
    for seed in OTHER_SEEDS:
        for stage, want in prepare(exercise, seed):
            drawn.setdefault(stage.name, []).extend(zip(stage.cases, want, strict=True))
    got: list[tuple[Case, Observation]] = []
    for pairs in drawn.values():
        seen = [(case, observe(exercise, LocalAnswer(exercise.name, mutant, SECONDS), case)) for case, _ in pairs]
        got += seen
        if any(difference(exercise, mine, right) for (_, mine), (_, right) in zip(seen, pairs, strict=True)):
            got = seen
            break
    return any(
        all(_alike(exercise, mine, observed(exercise, function, case)) for case, mine in got) for function in told
    )


def _alike(exercise: Exercise, mine: Observation, theirs: Observation) -> bool:
    """Whether two observations are the same; of one that overflows it is the entries without a number that count.

    Beside them the others are what is left of digits that were lost: log(1 - sigmoid(36)) has two.
    """
    if difference(exercise, mine, theirs) is None:
        return True
    pairs = list(zip(mine.values, theirs.values, strict=False))
    lost = [(~one.isfinite(), ~other.isfinite()) for one, other in pairs if one.shape == other.shape]
    return (
        len(lost) == len(mine.values) == len(theirs.values)
        and any(bool(one.any()) for one, _ in lost)
        and all(bool((one == other).all()) for one, other in lost)
    )


def _draws(exercise: Exercise, function: Callable[..., Any]) -> bool:
    """Whether a function called twice with the same inputs gives different results."""
    answer, case = LocalAnswer(exercise.name, function, SECONDS), _case(exercise, OTHER_SEEDS[0], ())
    return difference(exercise, observe(exercise, answer, case), observe(exercise, answer, case)) is not None


def _same(exercise: Exercise, seen: Seen, function: Callable[..., Any], seed: int, gradients: tuple[str, ...]) -> bool:
    known = (function, seed, gradients)
    if known not in _KNOWN:
        case, right = _case(exercise, seed, gradients), function is exercise.reference
        answer = reference_answer(exercise, function)
        _KNOWN[known] = expected(exercise, case) if right else observe(exercise, answer, case)
    return difference(exercise, seen(seed, gradients), _KNOWN[known]) is None


def _case(exercise: Exercise, seed: int, gradients: tuple[str, ...]) -> Case:
    return Case(exercise.probe(Draw(seed, HIDDEN[seed % len(HIDDEN)])), gradients)


@functools.cache
def equivalents(name: str) -> dict[str, str]:
    """Return the changes of a class that are no mistakes, each with the reason."""
    return dict(tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8")).get(name, {}))


def sample(everything: Sequence[Any], most: int | None) -> Sequence[Any]:
    """Return all, or at most so many from the first to the last, always the same."""
    if most is None or len(everything) <= most:
        return everything
    return [everything[i * (len(everything) - 1) // max(most - 1, 1)] for i in range(most)]


def try_function(exercise: Exercise, outcome: Outcome, most: int | None) -> None:
    """Hand in the mutants of a function, of the reference and of each right answer written differently."""
    for right in (exercise.reference, *exercise.alternatives):
        for mutant in sample(mutants(right, exercise.inputs), most):
            report = _judged(exercise, mutant.function, outcome)
            outcome.counts["tried"] += 1
            if report.passed:
                outcome.counts["pass"] += 1
                if not agrees(exercise, seen_of(exercise, mutant.function)):
                    outcome.let_pass.append(mutant.says)
            elif report.misconception is None and _is_error(report):
                outcome.counts["error"] += 1
            elif report.misconception is None and not any("No gradient reaches" in says for says in report.sentences):
                outcome.counts["unnamed"] += 1
                outcome.unnamed.append(mutant.says)
            else:
                outcome.counts["named"] += 1
                told = known_answers(exercise, report.misconception or "")
                if told and not is_true(exercise, seen_of(exercise, mutant.function), mutant.function, told):
                    outcome.untrue.append(f"{mutant.says} Told: {report.misconception}")


def try_pairs(exercise: Exercise, outcome: Outcome, most: int | None) -> None:
    """Hand in two changes of the reference at once: what is told of them has to be true of both together."""
    for one, other, function in sample(list(two_changes(exercise.reference, exercise.inputs, PAIRS)), most):
        report = _judged(exercise, function, outcome)
        if report.passed or (report.misconception is None and _is_error(report)):
            continue
        outcome.counts["pairs"] += 1
        if report.misconception is None:
            continue
        outcome.counts["pairs named"] += 1
        told = known_answers(exercise, report.misconception)
        if told and not is_true(exercise, seen_of(exercise, function), function, told):
            outcome.untrue.append(f"{one} And: {other} Told: {report.misconception}")


def try_class(exercise: ClassExercise, outcome: Outcome, most: int | None) -> None:
    """Hand in the mutants of a class, of the reference and of each right class written differently."""
    for right in (exercise.reference, *exercise.alternatives):
        for says, mutant in sample(list(class_mutants(right)), most):
            report = _judged(exercise, mutant, outcome)
            outcome.counts["tried"] += 1
            if not report.passed:
                error = report.misconception is None and _is_error(report)
                outcome.counts["error" if error else "unnamed" if report.misconception is None else "named"] += 1
                continue
            outcome.counts["pass"] += 1
            if not does_the_same(exercise, right, mutant) and says not in equivalents(exercise.name):
                outcome.let_pass.append(f"{right.__qualname__}: {says}")


def _judged(exercise: Exercise | ClassExercise, thing: Any, outcome: Outcome) -> Report:
    """Return the report of a wrong answer on the inputs it is seen through first."""
    began = time.monotonic()
    answer = LocalAnswer(exercise.name, thing, SECONDS)
    report = review_exercise(exercise, answer)
    outcome.slowest = max(outcome.slowest, time.monotonic() - began)
    return review_exercise(exercise, answer, HIDDEN_SEED) if report.passed else report


def try_all(topic: str, index: int, most: int | None = None) -> Outcome:
    """Hand in the mutants of one exercise: all, or at most so many of each right answer."""
    torch.set_num_threads(1)
    exercise = TOPICS[topic][index]
    assert not isinstance(exercise, Question)
    outcome = Outcome(topic, exercise.name)
    if isinstance(exercise, ClassExercise):
        try_class(exercise, outcome, most)
    else:
        try_function(exercise, outcome, most)
        try_pairs(exercise, outcome, most)
    return outcome


def _is_error(report: Report) -> bool:
    """Whether an answer failed before there was anything to judge; a line is told with its error, or with its first NaN."""
    said = any("raise" in says or "Error" in says for says in report.sentences)
    return said or (report.line is not None and not any("first of them" in says for says in report.sentences))


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table in Markdown."""
    rows = [
        "| notebook | exercise | tried | end in an error | named | unnamed | do the same | let pass | pairs | named | untrue |"
    ]
    rows.append("| --- |" + " --- |" * 10)
    total: Counter[str] = Counter()
    for o in outcomes:
        c = o.counts
        same = c["pass"] - len(o.let_pass)
        values: tuple[int, ...] = (c["tried"], c["error"], c["named"], c["unnamed"], same, len(o.let_pass))
        values += (c["pairs"], c["pairs named"], len(o.untrue))
        rows.append(f"| {o.topic[:2]} | `{o.name}` | " + " | ".join(map(str, values)) + " |")
        total.update(dict(zip("abcdefghi", values, strict=True)))
    rows.append("| | all | " + " | ".join(str(total[k]) for k in "abcdefghi") + " |")
    return "\n".join(rows)


def main(names: list[str]) -> int:
    chosen = [
        (topic, index)
        for topic, exercises in TOPICS.items()
        for index, exercise in enumerate(exercises)
        if not isinstance(exercise, Question) and (not names or exercise.name in names)
    ]
    with ProcessPoolExecutor() as pool:
        outcomes = list(tqdm(pool.map(try_all, *zip(*chosen, strict=True)), total=len(chosen)))
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
