"""Where a number stops being finite: the first operation that makes inf or NaN of finite numbers stops what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class NotFinite(Exception):
    """Carries what an operation did, and by its traceback the line that asked for it."""


class Watch(TorchFunctionMode):
    """Inside it, an operation on finite numbers that makes inf or NaN raises :class:`NotFinite`."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            given = [arg for arg in args if _is_real(arg)]
            if given and _is_real(result) and not result.isfinite().all() and all(a.isfinite().all() for a in given):
                raise NotFinite(_told(getattr(func, "__name__", ""), args))
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
