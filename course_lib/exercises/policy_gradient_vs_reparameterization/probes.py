"""What the exercises on surrogates share: a gradient is what is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.checker.networks import only_tensor

SURROGATE = (
    "A surrogate is maximised (no minus sign): the mean over samples and batch, a scalar. The reward is detached inside. "
    "Only the gradient is looked at. "
)


def gradients_of(
    answer: Answer, args: tuple[Any, ...], names: tuple[int, ...], shape: str = "the mean over samples and batch"
) -> tuple[Tensor, ...]:
    """Observe the gradients of a surrogate with respect to some of its arguments; zero where none flows."""
    leaves = [args[i].detach().requires_grad_() for i in names]
    # Not the leaves themselves: what is handed over may be changed in place.
    given = [leaves[names.index(i)] * 1 if i in names else arg for i, arg in enumerate(args)]
    value = only_tensor(tensors_from(answer.call(*given)))
    if value.numel() != 1:
        raise AnswerFailed("type", f"A scalar is expected, {shape}; yours has the shape {tuple(value.shape)}.")
    if not value.requires_grad:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    try:
        grads = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    except RuntimeError as error:
        says = f"No gradient can be computed through your surrogate: {str(error).splitlines()[0][:200]}"
        raise AnswerFailed("raised", says, None, "RuntimeError") from None
    return tuple(torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, grads, strict=True))
