"""Reviewing an answer: from an exercise's declaration to a report."""

from __future__ import annotations

import builtins
import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, LocalAnswer, type_name
from course_lib.checker.behaviour import behaviour
from course_lib.checker.compare import Case, Observation, Reading, difference, observe, reference_answer
from course_lib.checker.diagnose import NOT_FINITE, diagnose
from course_lib.checker.exercise import ClassExercise, Diagnosis, Exercise, Property, Question
from course_lib.checker.further import Further
from course_lib.checker.probes import HIDDEN, VISIBLE, Draw
from course_lib.checker.report import Report, show_shape, show_value
from course_lib.checker.stages import VISIBLE_SEED, Stage, prepare, visible_cases
from course_lib.not_finite import NotFinite
from course_lib.phrases import say

PRINTED_CHARACTERS = 400
STOPPING = ("unanswered", "half", "time", "lost")  # failures after which nothing more is tried
ENDLESS, DEADLY = "never comes to an end", "ends the whole program"
NAMED = {"time": ENDLESS, "lost": DEADLY}
GPU = "cuda"
ON_OTHERS = say("verdict.not_on_others")


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def undisturbed(printed: io.StringIO) -> Iterator[None]:
    """Keep prints, warnings and random states of an answer away from the student's notebook, and the check to one thread.

    Several threads gain nothing on inputs this small, and beside other work they wait for each other until time is up.
    """
    with (
        _one_thread(),
        torch.random.fork_rng(),
        torch.inference_mode(False),
        torch.enable_grad(),
        warnings.catch_warnings(),
        redirect_stdout(printed),
        redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def review_answer(exercise: Exercise | ClassExercise | Question, answer: Answer, seed: int | None = None) -> Report:
    """Check the answer to an exercise of any kind; see the functions below."""
    if isinstance(exercise, Question):
        return review_question(exercise, answer)
    return review_exercise(exercise, answer, seed)


def review_exercise(exercise: Exercise | ClassExercise, answer: Answer, seed: int | None = None) -> Report:
    """Check an answer, stage by stage or trait by trait, and say what is wrong at the first that fails.

    Args:
        seed: None for the student's own check; a number for the hidden tests, whose report shows
            neither inputs nor expected values.
    """
    printed = io.StringIO()
    with undisturbed(printed):
        if isinstance(exercise, ClassExercise):
            report = _review_class(exercise, answer, seed)
        else:
            report = _review(exercise, answer, seed)
    text = printed.getvalue()
    if report.passed or not text or seed is not None:
        return report
    shortened = text[:PRINTED_CHARACTERS] + ("…" if len(text) > PRINTED_CHARACTERS else "")
    return replace(report, printed=shortened)


def _review(exercise: Exercise, answer: Answer, seed: int | None) -> Report:
    passed: list[tuple[Case, Observation]] = []
    for stage, want in prepare(exercise, seed):
        got: list[Observation] = []
        wrong: int | None = None
        for index, case in enumerate(stage.cases):
            got.append(observe(exercise, answer, case))
            failed = got[-1].failed
            if failed is not None and failed.kind in STOPPING:
                return _stopped(exercise, failed, seed)
            if wrong is None and difference(exercise, got[-1], want[index]):
                wrong = index
        if wrong is not None:
            seen = list(zip(stage.cases, got, strict=True))
            visible = functools.partial(_visible, exercise, answer, seed, passed, got)
            further = Further(exercise, answer, stage.name)
            found = diagnose(exercise, seen, want, passed, visible, further)
            return _wrong(exercise, answer, stage, seen[wrong], want[wrong], found, seed)
        passed += zip(stage.cases, want, strict=True)
    for rule in exercise.properties:
        violated = _violated(exercise, rule, answer, seed)
        if violated:
            return _report(exercise, (violated if seed is None else ON_OTHERS,), misconception=rule.name)
    says = say("verdict.right_hidden" if seed is not None else "verdict.right")
    if seed is None and isinstance(answer, LocalAnswer) and torch.cuda.is_available():
        says = " ".join((says, _on_the_gpu(exercise, answer))).strip()
    return Report(exercise.name, exercise.points, exercise.points, "right", (says,))


def _visible(
    exercise: Exercise, answer: Answer, seed: int | None, passed: list[tuple[Case, Observation]], got: list[Observation]
) -> list[Observation]:
    """Return what an answer does on the first inputs, from what was seen already where it can be."""
    cases = visible_cases(exercise)
    if seed is None:
        return [seen for _, seen in passed[: len(cases)]] if passed else got
    return [observe(exercise, answer, case) for case in cases]


def _on_the_gpu(exercise: Exercise, answer: Answer) -> str:
    """Say what a right answer should know of a GPU; its points are the same on every machine."""
    case = Case(exercise.probe(Draw(VISIBLE_SEED + 30, VISIBLE[-1], torch.float32, GPU)))
    got, want = (observe(exercise, one, case) for one in (answer, reference_answer(exercise)))
    if want.failed or (not got.failed and [v.device for v in got.values] == [v.device for v in want.values]):
        return ""
    return say("verdict.gpu", why=got.failed.says) if got.failed else say("verdict.gpu_device")


def _review_class(exercise: ClassExercise, answer: Answer, seed: int | None) -> Report:
    """Look for each trait on several sizes; what a class lacks is said for the first trait it lacks."""
    sizes, base = (VISIBLE, VISIBLE_SEED) if seed is None else (HIDDEN, seed)
    for trait in exercise.traits:
        for index, size in enumerate(sizes):
            try:
                lacking = trait.lacking(answer, Draw(base + index, size))
            except AnswerFailed as failed:
                if failed.kind in STOPPING or seed is not None:
                    return _stopped(exercise, failed, seed)
                return _report(exercise, (failed.says,), line=failed.line)
            if lacking is not None:
                told = (trait.says, lacking) if seed is None else (ON_OTHERS, trait.says)
                return _report(exercise, told, misconception=trait.name)
    says = say("verdict.class_right_hidden" if seed is not None else "verdict.class_right")
    return Report(exercise.name, exercise.points, exercise.points, "right", (says,))


def _violated(exercise: Exercise, rule: Property, answer: Answer, seed: int | None) -> str | None:
    try:
        return rule.violated(Reading(answer, exercise), Draw(VISIBLE_SEED if seed is None else seed))
    except AnswerFailed as failure:
        return failure.says


def _stopped(exercise: Exercise | ClassExercise, failed: AnswerFailed, seed: int | None) -> Report:
    if seed is not None:
        return _report(exercise, (ON_OTHERS, _without_details(failed)), misconception=NAMED.get(failed.kind))
    if failed.kind == "unanswered":
        return Report(exercise.name, 0, exercise.points, "unanswered", (failed.says, say("verdict.unanswered")))
    if failed.kind == "half":
        return Report(exercise.name, 0, exercise.points, "wrong", (failed.says,), line=failed.line)
    return _report(exercise, (failed.says,), misconception=NAMED.get(failed.kind), line=failed.line)


def _without_details(failed: AnswerFailed) -> str:
    """Say what failed on hidden inputs; an exception's own text could hold them."""
    if failed.kind == "raised":
        known = isinstance(getattr(builtins, failed.error or "", None), type)
        return say("hidden.raised", error=failed.error) if known else say("hidden.an_exception")
    key = {"time": "time", "lost": "lost", "unanswered": "stub", "half": "stub"}.get(failed.kind, "other")
    return say(f"hidden.{key}")


def _wrong(
    exercise: Exercise,
    answer: Answer,
    stage: Stage,
    seen: tuple[Case, Observation],
    right: Observation,
    found: Diagnosis | None,
    seed: int | None,
) -> Report:
    case, mine = seen
    sentences: list[str] = []
    if found is not None and found.says == NOT_FINITE and stage.says:
        found = None  # the stage says what it is that is lost there
    if found:
        sentences.append(found.says)
    elif stage.says:
        sentences.append(stage.says)
    kind = difference(exercise, mine, right)
    if seed is not None and mine.failed:
        return _report(exercise, (ON_OTHERS, found.says if found else stage.says, _without_details(mine.failed)))
    plain = _plain_difference(exercise, stage, mine, right, kind, seed is not None)
    if plain and not (found and kind in ("value", "nan", "gradient", "dtype")):
        sentences.append(plain)
    name = found.name if found else None
    if not found and kind == "value" and stage.name == "values":
        violations = ((rule.name, _violated(exercise, rule, answer, seed)) for rule in exercise.properties)
        rule_name, says = next(((name, says) for name, says in violations if says), (None, ""))
        known = next((m for m in exercise.misconceptions if m.name == rule_name), None)
        shows = None if known else behaviour(exercise, answer, case, mine)
        name = known.name if known else shows.name if shows else None
        if shows:
            says = shows.says
        elif seed is not None:  # the numbers in a property's own sentence would tell of hidden inputs
            says = known.says if known else ""
        sentences.append(says or "")  # empty sentences are left out of a report
    if seed is not None:
        sentences.insert(0, ON_OTHERS)
        shown: tuple[tuple[str, str], ...] = ()
    else:
        shown = _shown(exercise, case, mine, right, kind)
    line = mine.failed.line if mine.failed else None
    if seed is None and _lost_numbers(mine, right) and (first := _first_not_finite(exercise, answer, case)):
        sentences.append(first[0])
        line = first[1]
    return _report(exercise, tuple(sentences), misconception=name, shown=shown, line=line)


def _first_not_finite(exercise: Exercise, answer: Answer, case: Case) -> tuple[str, str | None] | None:
    """Return a sentence on the first inf or NaN that an answer makes, and the line; None where that cannot be seen."""
    failed = observe(exercise, answer.watched(), case).failed
    if failed is None or failed.error != NotFinite.__name__:
        return None
    what = failed.says.partition(f"{NotFinite.__name__}: ")[2].rstrip(".")
    return f"The first of them comes from {what}.", failed.line


def _lost_numbers(mine: Observation, right: Observation) -> bool:
    """Whether there is inf or NaN where a number is expected."""
    return any(
        a.shape == b.shape and bool((b.isfinite() & ~a.isfinite()).any())
        for a, b in zip(mine.values, right.values, strict=False)
    )


def _plain_difference(
    exercise: Exercise, stage: Stage, mine: Observation, right: Observation, kind: str | None, hidden: bool
) -> str:
    """Say what kind of difference there is, without any theory of why."""
    if mine.failed:
        return mine.failed.says
    if kind == "gradient":
        names = ", ".join(f"`{name}`" for name in mine.disconnected)
        return say("difference.gradient", names=names)
    if kind == "count":
        names = ", ".join(exercise.returns)
        return say("difference.count", expected=len(right.values), names=names, came=len(mine.values))
    if kind == "shape" and not stage.cases[0].gradients:
        wanted = ", ".join(f"{name} {shape}" for name, shape in exercise.returns.items())
        if hidden:
            return say("difference.shape", wanted=wanted)
        theirs, yours = (", ".join(map(show_shape, seen.values)) for seen in (right, mine))
        return say("difference.shape_shown", wanted=wanted, right=theirs, mine=yours)
    if kind == "nan":
        return say("difference.nan")
    if kind == "dtype":
        return say("difference.dtype", mine=mine.values[0].dtype, right=right.values[0].dtype)
    if kind == "device":
        return say("difference.device", mine=mine.values[0].device, right=right.values[0].device)
    if kind == "in place":
        return say("difference.in_place", name=mine.changed_input)
    if stage.name == "values":
        return say("difference.values")
    return ""


def _shown(
    exercise: Exercise, case: Case, mine: Observation, right: Observation, kind: str | None
) -> tuple[tuple[str, str], ...]:
    if exercise.atol is not None or case.gradients or kind in ("in place", "dtype", "device"):
        return ()
    given = [(name, arg) for name, arg in zip(exercise.inputs, case.args, strict=True) if not callable(arg)]
    if mine.failed:  # what numbers they are does not matter, their shapes may
        return tuple(
            (name, say("shown.shape", shape=show_shape(arg))) for name, arg in given if isinstance(arg, Tensor)
        )
    rows = [(name, show_value(arg)) for name, arg in given]
    for name, value in zip(exercise.returns, right.values, strict=False):
        label = say("shown.expected_one", name=name) if len(exercise.returns) > 1 else say("shown.expected")
        rows.append((label, show_value(value)))
    names = list(exercise.returns) if len(mine.values) == len(exercise.returns) else []
    for i, value in enumerate(mine.values[:3]):
        label = say("shown.your_one", name=names[i]) if len(names) > 1 else say("shown.yours")
        small = value.numel() <= 40
        rows.append((label, show_value(value) if small else say("shown.shape", shape=show_shape(value))))
    return tuple(rows)


def _report(
    exercise: Exercise | ClassExercise,
    sentences: tuple[str, ...],
    misconception: str | None = None,
    shown: tuple[tuple[str, str], ...] = (),
    line: str | None = None,
) -> Report:
    return Report(
        exercise.name,
        0,
        exercise.points,
        "wrong",
        tuple(dict.fromkeys(s for s in sentences if s)),
        misconception,
        shown,
        line,
        exercise.convention,
    )


def review_question(question: Question, answer: Answer) -> Report:
    """Check a choice."""
    choice = answer.value()
    options = {_normal(option): option for option in question.options}
    listed = ", ".join(f'"{option}"' for option in question.options)
    if choice is None or choice is ... or (isinstance(choice, str) and not choice.strip()):
        says = say("question.unanswered", name=question.name, options=listed)
        return Report(question.name, 0, question.points, "unanswered", (says,))
    if not isinstance(choice, str) or _normal(choice) not in options:
        shown = repr(choice)[:80] if isinstance(choice, str | int | float) else type_name(choice)
        says = say("question.unknown", choice=shown, options=listed)
        return Report(question.name, 0, question.points, "wrong", (says,))
    option = options[_normal(choice)]
    status = "right" if option == question.correct else "wrong"
    points = question.points if status == "right" else 0
    return Report(
        question.name,
        points,
        question.points,
        status,
        (question.options[option],),
        misconception=None if status == "right" else option,
    )


def _normal(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
