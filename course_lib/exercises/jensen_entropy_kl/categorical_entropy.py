"""The entropy of a categorical distribution, with 0 · log 0 = 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Categorical

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import categorical_entropy


def _with_zeros(draw: Draw) -> tuple[Tensor]:
    probs = draw.simplex(draw.sizes.batch, draw.sizes.components + 2)
    probs[:, 1] = 0
    probs[0, :] = 0
    probs[0, 2] = 1  # a certain outcome: entropy 0
    return (probs / probs.sum(-1, keepdim=True),)


def _uniform_is_log_k(answer: Answer, draw: Draw) -> str | None:
    k = draw.sizes.components + 3
    (value,) = tensors_from(answer.call(torch.full((1, k), 1 / k, dtype=torch.float64)))
    if value.numel() != 1 or abs(value.item() - math.log(k)) < 1e-6:
        return None
    return f"{k} equally likely outcomes have entropy log {k} = {math.log(k):.4f}; yours is {value.item():.4f}."


EXERCISE = Exercise(
    reference=categorical_entropy,
    points=2,
    returns={"entropy": "(batch,)"},
    convention="H(p) = -Σ p log p over the last dimension, one value per data point, (batch,), in nats, with 0 log 0 = 0.",
    probe=lambda draw: (draw.simplex(draw.sizes.batch, draw.sizes.components + 1),),
    gradients=("probs",),
    misconceptions=(
        Misconception(
            "sign",
            "The minus sign is missing: H(p) = -Σ p log p, which is never negative.",
            lambda probs: (probs * probs.log()).sum(-1),
        ),
        Misconception(
            "probabilities not used as weights",
            "You sum -log p without weights: each term is weighted by its probability p.",
            lambda probs: -probs.log().sum(-1),
        ),
        Misconception(
            "mean over categories",
            "You average over the categories: weighted by p already, the terms are summed.",
            lambda probs: -(probs * probs.log()).mean(-1),
        ),
        Misconception(
            "bits",
            "Your value is in bits (log2): the course counts in nats, with the natural logarithm.",
            lambda probs: -(probs * probs.log2()).sum(-1),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): sum over the categories, the last dimension.",
            lambda probs: -(probs * probs.log()).sum(0),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda probs: torch.special.entr(probs).sum(),
        ),
        Misconception(
            "not summed",
            "You return one term per category: sum over the last dimension.",
            lambda probs: torch.special.entr(probs),
        ),
        Misconception(
            "log of the sum",
            "You take the logarithm after the sum: -Σ p log p has it inside.",
            lambda probs: -(probs * probs).sum(-1).log(),
        ),
        Misconception(
            "softmax of probabilities",
            "You treat the probabilities as logits: they sum to one already.",
            lambda probs: categorical_entropy(probs.softmax(-1)),
        ),
        Misconception(
            "0 log 0 = NaN",
            "A probability of 0 gives NaN: 0 · log 0 is 0 · (-inf) = NaN in floating point, but counts 0 in an entropy "
            "(p log p → 0). torch.special.entr and torch.xlogy know that; torch.where can do it too.",
            lambda probs: -(probs * probs.log()).sum(-1),
        ),
        Misconception(
            "renormalised after a shift",
            "You change the probabilities to avoid log 0 (for instance by adding a small number): that changes the "
            "entropy. Leave p as it is and count 0 · log 0 as 0.",
            lambda probs: -((probs + 1e-3) * (probs + 1e-3).log()).sum(-1),
        ),
    ),
    alternatives=(
        lambda probs: -torch.xlogy(probs, probs).sum(-1),
        lambda probs: -(probs * torch.where(probs > 0, probs, torch.ones_like(probs)).log()).sum(dim=1),
        lambda probs: -(probs * probs.clamp(min=1e-38 if probs.dtype == torch.float32 else 1e-300).log()).sum(-1),
        lambda probs: -torch.nansum(probs * probs.log(), dim=-1),
        lambda probs: -(probs * (probs + 1e-12).log()).sum(-1),
        lambda probs: Categorical(probs=probs, validate_args=False).entropy(),
    ),
    # Adding 1e-12 inside the logarithm is a common, harmless guard, which this lets pass.
    atol=1e-6,
    rtol=1e-5,
    properties=(Property("log k for k equal outcomes", _uniform_is_log_k),),
    edge_cases=(
        EdgeCase(
            "probabilities of zero",
            "Right for positive probabilities, but not where one is 0: 0 · log 0 counts 0 in an entropy.",
            _with_zeros,
        ),
    ),
)
