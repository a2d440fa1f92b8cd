"""What an exercise is: one declaration, from which the check, the hidden tests and their own tests come.

An author writes an :class:`Exercise` (a function the student writes) or a :class:`Question` (a
prediction chosen from a list); see docs/authoring.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.probes import Draw


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer seems to have done: a name for statistics, and a sentence for the student."""

    name: str
    says: str


@dataclass(frozen=True)
class Misconception:
    """A named wrong answer: a short runnable implementation, and one sentence to the student."""

    name: str
    says: str
    answer: Callable[..., Any]


@dataclass(frozen=True)
class EdgeCase:
    """Inputs with a difficulty of their own, and what to say to an answer that only fails there."""

    name: str
    says: str
    probe: Callable[[Draw], tuple[Any, ...]]


@dataclass(frozen=True)
class Property:
    """Something every right answer has, checked without the reference.

    ``violated`` returns a sentence with the numbers that show the violation, or None.
    """

    name: str
    violated: Callable[[Answer, Draw], str | None]


def call_and_read(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """The usual way to observe an answer: call it once and read the tensors it returns."""
    return tensors_from(answer.call(*args))


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function that the student writes.

    Attributes:
        reference: the right answer; its name is the exercise's name, its parameters name the inputs.
        points: what it is worth.
        returns: one name and shape for each returned tensor, for messages: ``{"log_prob": "(batch,)"}``.
        convention: the convention in force, printed when the check fails.
        probe: draws the inputs.
        misconceptions: named wrong answers, the most particular first.
        alternatives: right answers written in other ways, which must be accepted.
        properties: oracles that need no reference.
        edge_cases: inputs with difficulties of their own.
        gradients: names of the inputs through which gradients must flow as in the reference.
        sums_over: the input whose last dimension is summed over, for "you took the mean".
        observe: how the answer is observed; a sampler is observed through statistics of what it draws.
        atol, rtol: tolerances of an observation that is not deterministic arithmetic.
        number_accepted: a plain Python number is as good as a tensor of shape ().
    """

    reference: Callable[..., Any]
    points: int
    returns: dict[str, str]
    convention: str
    probe: Callable[[Draw], tuple[Any, ...]]
    misconceptions: tuple[Misconception, ...]
    alternatives: tuple[Callable[..., Any], ...] = ()
    properties: tuple[Property, ...] = ()
    edge_cases: tuple[EdgeCase, ...] = ()
    gradients: tuple[str, ...] = ()
    sums_over: str | None = None
    observe: Callable[[Answer, tuple[Any, ...]], tuple[Tensor, ...]] = call_and_read
    atol: float | None = None
    rtol: float | None = None
    number_accepted: bool = False
    inputs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(inspect.signature(self.reference).parameters))

    @property
    def name(self) -> str:
        return str(self.reference.__name__)


@dataclass(frozen=True)
class Trait:
    """Something that every right class has.

    Attributes:
        name: for statistics; the misconceptions that lack it carry the same name.
        says: one or two sentences to a student whose class lacks it.
        lacking: whether an answer lacks it. A sentence with the numbers that show it, "" where there is
            nothing to add, None if the class is right.
    """

    name: str
    says: str
    lacking: Callable[[Answer, Draw], str | None]


@dataclass(frozen=True)
class ClassExercise:
    """A class that the student writes; how it is built inside is the student's, so traits are what is checked.

    Attributes:
        reference: a right answer; its name is the exercise's name.
        points: what it is worth.
        convention: the convention in force, printed when the check fails.
        traits: what every right class has, the most basic first.
        misconceptions: wrong classes, each named after the trait whose sentence it must be told.
        alternatives: right classes written in other ways.
    """

    reference: type
    points: int
    convention: str
    traits: tuple[Trait, ...]
    misconceptions: tuple[Misconception, ...]
    alternatives: tuple[type, ...] = ()

    @property
    def name(self) -> str:
        return self.reference.__name__


@dataclass(frozen=True)
class Question:
    """A prediction that the student chooses from a list.

    Attributes:
        name: the variable that holds the choice.
        text: the question, in one line.
        options: every option with the sentence said to a student who chose it.
        correct: the right option.
    """

    name: str
    points: int
    text: str
    options: dict[str, str]
    correct: str

    def __post_init__(self) -> None:
        if self.correct not in self.options:
            raise ValueError(f"{self.name}: the correct option {self.correct!r} is not among the options")
