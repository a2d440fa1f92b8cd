"""Where a number stops being finite: an answer is run again, and the first operation that makes inf or NaN stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from course_lib.answers import Answer, AnswerFailed, LocalAnswer
from course_lib.checker.compare import Case, observe
from course_lib.checker.exercise import Exercise


class _NotFinite(Exception):
    """Carries what an operation did, and by its traceback the line that asked for it."""


class _Watch(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            given = [arg for arg in args if _is_real(arg)]
            if given and _is_real(result) and not result.isfinite().all() and all(a.isfinite().all() for a in given):
                raise _NotFinite(_told(getattr(func, "__name__", ""), args))
        return result


def _is_real(thing: Any) -> bool:
    return isinstance(thing, Tensor) and thing.is_floating_point() and thing.numel() > 0


def _told(name: str, args: tuple[Any, ...]) -> str:
    """Say in words what an operation was asked for, where a cause can be seen; else name it."""
    name = name.strip("_").removesuffix("_")
    first, last = args[0], args[-1]
    if name in ("log", "log2", "log10", "log1p", "sqrt") and isinstance(first, Tensor):
        what = "square root" if name == "sqrt" else "logarithm"
        edge = -1 if name == "log1p" else 0
        return f"the {what} of {'a negative number' if (first < edge).any() else '0'}"
    if name in ("exp", "exp2", "expm1") and isinstance(first, Tensor):
        return f"exp of a number as large as {first.max().item():.4g}"
    if name in ("div", "truediv", "rtruediv", "reciprocal"):
        divisor = first if name in ("rtruediv", "reciprocal") else last
        if not isinstance(divisor, Tensor) or (divisor == 0).any():
            return "a division by 0"
    if name in ("pow", "rpow"):
        return "a power"
    return f"`{name}`"


def first_not_finite(exercise: Exercise, answer: Answer, case: Case) -> tuple[str, str | None] | None:
    """Return a sentence on the first inf or NaN that an answer makes, and the line; None where that cannot be seen.

    An answer that lives in another process is not watched.
    """
    if not isinstance(answer, LocalAnswer):
        return None
    with _Watch():
        seen = observe(exercise, answer, case)
    failed: AnswerFailed | None = seen.failed
    if failed is None or failed.error != _NotFinite.__name__:
        return None
    what = failed.says.partition(f"{_NotFinite.__name__}: ")[2].rstrip(".")
    return f"The first of them comes from {what}.", failed.line
