"""Which of the lecture's two problems a model has, from three numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, type_name
from course_lib.beta import HEALTHY, IGNORED, NOT_COMPRESSED, diagnose
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw

ANSWERS = (IGNORED, NOT_COMPRESSED, HEALTHY)


# Every pair of the rule's cases that a trained model shows, clear of every line: KL, reconstruction gap, sample gap.
PATTERNS = ((0.2, 0.9, 0.2), (0.2, 0.9, 0.8), (0.2, 0.2, 0.1), (20.0, 0.2, 0.2), (20.0, 0.2, 0.8), (20.0, 0.8, 0.9))


def _probe(draw: Draw) -> tuple[Any, ...]:
    kl, reconstruction, sample = PATTERNS[(4, 0, 3)[draw.sizes.batch % 3]]
    return kl * (1 + draw.integer(2)), reconstruction - 0.05 * draw.integer(3), sample + 0.05 * draw.integer(3)


def observe_diagnosis(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe diagnoses, the one asked for and those of all patterns, as their places among the three."""
    return (
        torch.tensor([float(ANSWERS.index(_said(answer, *case))) for case in (args, *PATTERNS)], dtype=torch.float64),
    )


def _said(answer: Answer, *case: float) -> str:
    said = answer.call(*case)
    if not isinstance(said, str):
        raise AnswerFailed("type", f"The result is of type {type_name(said)}, not a string. Is a `return` missing?")
    if said not in ANSWERS:
        listed = ", ".join(f'"{known}"' for known in ANSWERS)
        raise AnswerFailed("type", f'"{said[:60]}" is none of the three strings {listed}.')
    return said


def _said_otherwise(answer: Answer, draw: Draw) -> str | None:
    for case in PATTERNS:
        said, right = _said(answer, *case), diagnose(*case)
        if said != right:
            kl, reconstruction, sample = case
            return (
                f"With a KL of {kl:g} nats, a reconstruction gap of {reconstruction:g} and a sample gap of {sample:g} the rule "
                f'says "{right}"; yours says "{said}".'
            )
    return None


def _by_kl(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    return IGNORED if kl < 1 else NOT_COMPRESSED


def _gaps_alone(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    return IGNORED if reconstruction_gap > 0.5 else NOT_COMPRESSED if sample_gap > 0.5 else HEALTHY


def _samples_first(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    return NOT_COMPRESSED if sample_gap > 0.5 else IGNORED if kl < 1 and reconstruction_gap > 0.5 else HEALTHY


def _or(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    if kl < 1 or reconstruction_gap > 0.5:
        return IGNORED
    return NOT_COMPRESSED if sample_gap > 0.5 else HEALTHY


def _exchanged(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    right = diagnose(kl, reconstruction_gap, sample_gap)
    return {IGNORED: NOT_COMPRESSED, NOT_COMPRESSED: IGNORED}.get(right, right)


EXERCISE = Exercise(
    reference=diagnose,
    points=2,
    returns={"diagnosis": "one of three strings"},
    convention=f'KL below 1 nat and reconstruction gap above 0.5: "{IGNORED}". KL of 1 nat or more and sample gap above 0.5: '
    f'"{NOT_COMPRESSED}". Else "{HEALTHY}".',
    probe=_probe,
    observe=observe_diagnosis,
    atol=0.1,  # the observation is a place in a list, which is nothing to show
    properties=(Property("the rule says otherwise", _said_otherwise),),
    misconceptions=(
        Misconception(
            "names exchanged",
            "The two names are exchanged: without information in z the code is ignored, with too much it is not compressed.",
            _exchanged,
        ),
        Misconception(
            "by the KL alone",
            "You look at the KL alone, and no model is healthy: a large KL is an illness only where samples are bad.",
            _by_kl,
        ),
        Misconception(
            "by the gaps alone",
            "You look at the gaps alone: with a large KL, bad reconstructions do not mean that the code is ignored.",
            _gaps_alone,
        ),
        Misconception(
            "samples first",
            "You look at the samples first: where there is no information in z, the code is ignored, however bad the samples are.",
            _samples_first,
        ),
        Misconception(
            "or instead of and",
            "You ask for one of the two signs: a code is ignored where the KL is small *and* reconstructions are bad.",
            _or,
        ),
        Misconception(
            "a gap taken for a quality",
            "You read a gap as a quality: 0 is as good as can be, 1 as bad as the average image, or as noise.",
            lambda kl, reconstruction, sample: diagnose(kl, 1 - reconstruction, 1 - sample),
        ),
        Misconception(
            "the KL the wrong way round",
            "The KL is compared the wrong way round: below 1 nat there is hardly anything in the code.",
            lambda kl, reconstruction, sample: diagnose(0.0 if kl >= 1 else 9.0, reconstruction, sample),
        ),
        Misconception(
            "gaps exchanged",
            "The two gaps are exchanged: an ignored code shows when reconstructing, one that is not compressed when sampling.",
            lambda kl, reconstruction, sample: diagnose(kl, sample, reconstruction),
        ),
        Misconception(
            "always healthy",
            "You call every model healthy: look at the two rules in the docstring.",
            lambda kl, reconstruction, sample: HEALTHY,
        ),
        Misconception(
            "one illness only",
            "You never say that a code is not compressed: that is the second rule, a KL of 1 nat or more and a sample gap above 0.5.",
            lambda kl, reconstruction, sample: IGNORED if kl < 1 and reconstruction > 0.5 else HEALTHY,
        ),
    ),
    alternatives=(
        lambda kl, reconstruction_gap, sample_gap: (
            (IGNORED if reconstruction_gap > 0.5 else HEALTHY)
            if kl < 1
            else (NOT_COMPRESSED if sample_gap > 0.5 else HEALTHY)
        ),
    ),
)
