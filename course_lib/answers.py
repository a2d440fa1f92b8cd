"""The narrow interface through which a check touches an answer, and what can go wrong on the way.

A check calls a function, constructs an instance of a class and calls its methods, reads parameters, or
reads a plain value, nothing else: so the same check runs where the answer is a local object and where it
lives in another process.
"""

from __future__ import annotations

import numbers
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Module

from course_lib.not_finite import Watch
from course_lib.phrases import say
from course_lib.student_code import half_written, namespace_of, reached_from, replaced, student_line
from course_lib.time_limits import OutOfTime, call_within
from course_lib.torch_errors import meaning

# What helps where something other than a tensor is returned, by its type.
REMEDIES = {
    "NoneType": "none",
    "ndarray": "numpy",
    "float": "float",
    "int": "int",
    "method": "method",
    "builtin_function_or_method": "method",
    "function": "method",
    "Normal": "distribution",
}


class Answer(Protocol):
    """What a student handed in, wherever it lives."""

    def call(self, *args: Any) -> Any:
        """Call the answer; raises :class:`AnswerFailed` whatever goes wrong inside it."""

    def value(self) -> Any:
        """Read the answer as a plain value (a choice)."""

    def construct(self, *args: Any) -> Instance:
        """Call the answer as a class; raises :class:`AnswerFailed` as :meth:`call` does."""

    def reaches(self, names: Collection[str]) -> list[str]:
        """Return those of some names that the answer's code uses, itself or through what else the student wrote."""

    def standing_in(self, parts: Mapping[str, Any]) -> Answer:
        """Return the answer as it is where other things have some names that it uses."""

    def watched(self) -> Answer:
        """Return the answer as it is where the first inf or NaN that it makes stops it, as an error of type ``NotFinite``."""


class Instance(Protocol):
    """An instance of a class that a student wrote, wherever it lives."""

    def call(self, method: str, *args: Any) -> Any:
        """Call a method (``"__call__"`` for a module's forward); raises :class:`AnswerFailed`."""

    def parameters(self) -> dict[str, Tensor]:
        """Return its parameters by name, empty where it has none; raises :class:`AnswerFailed` for a module that is none.

        Gradients of results flow to them.
        """

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        """Give parameters new values; raises :class:`AnswerFailed` for an unknown name or another shape."""


class AnswerFailed(Exception):
    """The answer could not be observed.

    Attributes:
        kind: ``"unanswered"``, ``"half"`` (a part is still a stub), ``"raised"``, ``"type"``, ``"time"`` or ``"lost"`` (its
            process has ended).
        says: one or two sentences to the student.
        line: the student's line it happened at, or None.
        error: the name of the exception's type, or None.
    """

    def __init__(self, kind: str, says: str, line: str | None = None, error: str | None = None) -> None:
        super().__init__(says)
        self.kind, self.says, self.line, self.error = kind, says, line, error


@dataclass(frozen=True)
class Foreign:
    """Stands for a thing that is no data, so that it did not come across from another process.

    Attributes:
        type_name: the name of its type, or of itself if it is a class.
        is_class: whether it is a class.
        number: its value, if it is a number of a type of its own (numpy's).
        layout, dtype: of a tensor that is sparse, quantized or complex.
    """

    type_name: str
    is_class: bool = False
    number: float | None = None
    layout: str | None = None
    dtype: str | None = None


class LocalAnswer:
    """An answer in this process, which may compute for ``seconds`` in all."""

    def __init__(
        self,
        name: str,
        thing: Any,
        seconds: float = 20.0,
        stand_ins: Mapping[str, Any] | None = None,
        watched: bool = False,
    ) -> None:
        self.name = name
        self._thing = thing
        self._seconds = self._seconds_left = seconds
        self._stand_ins = stand_ins or {}
        self._watched = watched

    def value(self) -> Any:
        return self._thing

    def call(self, *args: Any) -> Any:
        if self._thing is None or self._thing is ...:
            raise AnswerFailed("unanswered", say("answer.unwritten", name=self.name))
        if not callable(self._thing):
            what = _describe_type(self._thing)
            raise AnswerFailed("type", say("answer.no_function", name=self.name, what=what))
        return self.run(self._thing, *args)

    def construct(self, *args: Any) -> LocalInstance:
        if self._thing is None or self._thing is ...:
            raise AnswerFailed("unanswered", say("answer.unwritten", name=self.name))
        if not isinstance(self._thing, type):
            what = _describe_type(self._thing)
            raise AnswerFailed("type", say("answer.no_class", name=self.name, what=what))
        return LocalInstance(self, self.run(self._thing, *args))

    def reaches(self, names: Collection[str]) -> list[str]:
        return [name for name in reached_from(self._thing) if name in names and name != self.name]

    def standing_in(self, parts: Mapping[str, Any]) -> LocalAnswer:
        return LocalAnswer(self.name, self._thing, self._seconds, parts, self._watched)

    def watched(self) -> LocalAnswer:
        return LocalAnswer(self.name, self._thing, self._seconds, self._stand_ins, watched=True)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call something of the student's within what is left of the time; raises :class:`AnswerFailed`."""
        start = time.monotonic()
        try:
            with replaced(namespace_of(self._thing), self._stand_ins), Watch() if self._watched else nullcontext():
                return call_within(max(self._seconds_left, 0.01), function, *args)
        except NotImplementedError as stub:
            if half := half_written(self.name, self._thing, stub.__traceback__):
                raise AnswerFailed("half", *half) from None
            raise AnswerFailed("unanswered", say("answer.unwritten", name=self.name)) from None
        except KeyboardInterrupt:
            raise
        except OutOfTime:
            line = student_line(sys.exc_info()[2], self._thing)
            raise AnswerFailed("time", say("answer.endless", name=self.name), line) from None
        except AnswerFailed:
            raise
        except BaseException as error:
            raise AnswerFailed(
                "raised",
                _describe_error(self.name, error),
                student_line(error.__traceback__, self._thing),
                type(error).__name__,
            ) from None
        finally:
            self._seconds_left -= time.monotonic() - start


class LocalInstance:
    """An instance in this process; its methods compute on the answer's time."""

    def __init__(self, answer: LocalAnswer, thing: Any) -> None:
        self._answer, self._thing = answer, thing

    def call(self, method: str, *args: Any) -> Any:
        bound = self._answer.run(getattr, self._thing, method, None)
        if not callable(bound):
            raise AnswerFailed("type", say("answer.no_method", name=self._answer.name, method=method))
        return self._answer.run(bound, *args)

    def parameters(self) -> dict[str, Tensor]:
        if not isinstance(self._thing, Module):
            return {}
        return self._answer.run(lambda: dict(self._thing.named_parameters()))

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        own = self.parameters()
        for name, value in values.items():
            if name not in own or own[name].shape != value.shape:
                places = {"name": self._answer.name, "parameter": name, "shape": tuple(value.shape)}
                raise AnswerFailed("type", say("answer.no_parameter", **places))
            with torch.no_grad():
                own[name].copy_(value)


def type_name(thing: Any) -> str:
    """Return the name of a thing's type, also where it lives in another process."""
    if isinstance(thing, Foreign):
        return "type" if thing.is_class else thing.type_name
    return type(thing).__name__


def _describe_type(thing: Any) -> str:
    if thing is None:
        return "None"
    if isinstance(thing, Foreign) and thing.is_class:
        return say("type.class", name=thing.type_name)
    if isinstance(thing, type):
        return say("type.class", name=thing.__name__)
    name = type_name(thing)
    return say("type.an" if name[:1].lower() in "aeiou" else "type.a", name=name)


def _describe_error(name: str, error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return say("answer.recursion", name=name)
    if isinstance(error, SystemExit):
        return say("answer.exits", name=name)
    try:
        text = str(error)
    except Exception:
        text = ""
    first = text.strip().splitlines()[0][:300] if text.strip() else say("answer.no_message")
    said = say("answer.raised", name=name, error=f"{type(error).__name__}: {first}")
    if means := meaning(text):
        return f"{said}{'' if said.endswith(('.', '!', '?')) else '.'} {means}"
    return said


def tensors_from(result: Any) -> tuple[Tensor, ...]:
    """Read a returned tensor, or a tuple or list of tensors.

    Raises:
        AnswerFailed: it is something else; the message says what, and what to do.
    """
    if isinstance(result, tuple | list):
        return tuple(_tensor(part) for part in result)
    return (_tensor(result),)


def is_number(thing: Any) -> bool:
    """Whether a thing is a plain number, of Python or of numpy."""
    if isinstance(thing, Foreign):
        return thing.number is not None
    return isinstance(thing, numbers.Real) and not isinstance(thing, bool)


def number(thing: Any) -> float:
    """Return the value of a plain number; see :func:`is_number`."""
    return float(thing.number or 0.0) if isinstance(thing, Foreign) else float(thing)


def _tensor(part: Any) -> Tensor:
    if isinstance(part, Tensor):
        if part.is_sparse or part.is_quantized or part.dtype.is_complex:
            raise AnswerFailed("type", say("answer.odd_tensor", layout=part.layout, dtype=part.dtype))
        return part.as_subclass(Tensor)
    if isinstance(part, Foreign) and part.layout:
        raise AnswerFailed("type", say("answer.odd_tensor", layout=part.layout, dtype=part.dtype))
    says = say("answer.no_tensor", what=_describe_type(part))
    if remedy := REMEDIES.get(type_name(part)):
        says = f"{says} {say(f'remedy.{remedy}')}"
    raise AnswerFailed("type", says)
