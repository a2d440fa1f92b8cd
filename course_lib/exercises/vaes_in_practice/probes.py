"""What several exercises of notebook 08 share."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.networks import only_tensor


def observe_number(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe an answer whose result is one number, of Python or a tensor."""
    number = only_tensor(tensors_from(answer.call(*args))).detach().double().cpu()
    like = next((arg for arg in args if isinstance(arg, Tensor)), number)
    return (number.to(like.device, like.dtype),)
