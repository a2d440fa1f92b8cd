"""The open task of notebook 10: the exact log-likelihood of unseen digits that a minute of training reaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images
from course_lib.nice import NICE, dequantize

DIM, LEVELS, BATCH = 784, 256, 500
STEPS, RATE, SCALING_RATE = 1700, 2e-3, 1e-2


@lru_cache(maxsize=1)
def test_digits() -> Tensor:
    """Return the 2,000 test digits, dequantized once, ``(2000, 784)`` in [0, 1); the same for everyone."""
    pixels = load_images("test").images.flatten(1)
    noise = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(10))
    return dequantize(pixels, noise, LEVELS)[0]


def measure(log_prob: Any) -> float:
    """Return the mean log-density of the test digits, in nats.

    Args:
        log_prob: maps ``(batch, 784)`` in [0, 1) to log p(x), ``(batch,)``; or a model that has one of that name.

    Raises:
        ValueError: it is no such function, or gives what no density can.
    """
    log_prob = getattr(log_prob, "log_prob", log_prob)
    if not callable(log_prob) or isinstance(log_prob, nn.Module):
        raise ValueError("hand in log_prob, a function from digits (batch, 784) to their log-densities (batch,)")
    total = 0.0
    with torch.no_grad():
        for x in test_digits().split(BATCH):
            values = log_prob(x)
            if not isinstance(values, Tensor) or values.shape != (len(x),):
                shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise ValueError(f"log_prob gives one number for each image, ({len(x)},); yours gives {shape}")
            total += values.double().sum().item()
    mean = total / len(test_digits())
    if math.isnan(mean):
        raise ValueError("log_prob gives nan for a digit, which is no number to compare")
    if mean > DIM * math.log(LEVELS):
        raise ValueError(
            f"a mean of {mean:.0f} nats is more than a density of dequantized pixels can have, 784 log 256"
        )
    return mean


def record(images: Tensor, steps: int = STEPS) -> Callable[[Tensor], Tensor]:
    """Train as the course's record was trained, and return its log p(x).

    Args:
        images: digits, bytes ``(n, 1, 28, 28)``.
        steps: of Adam, 200 digits each, with learning rates that fall to 0.
    """
    torch.manual_seed(0)
    pixels, generator = images.flatten(1), torch.Generator().manual_seed(0)

    def some(n: int) -> Tensor:
        rows = torch.randint(len(pixels), (n,), generator=generator)
        return dequantize(pixels[rows], torch.rand(n, DIM, generator=generator), LEVELS)[0]

    # Pixels in units of the logistic's spread; where hardly anything varies the gradients would be too steep at first.
    unit = some(10_000).std(0).clamp(min=0.03) * 3**0.5 / math.pi
    nice = NICE(DIM, 500, 4)

    def log_prob(x: Tensor) -> Tensor:
        return nice.log_prob(x / unit) - unit.log().sum()

    scaling = [parameter for parameter in nice.parameters() if parameter.numel() == DIM]
    networks = [parameter for parameter in nice.parameters() if parameter.numel() != DIM]
    groups = [{"params": networks, "lr": RATE}, {"params": scaling, "lr": SCALING_RATE}]
    optimizer = torch.optim.Adam(groups, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        (-log_prob(some(200)).mean()).backward()
        nn.utils.clip_grad_norm_(networks, 100.0)
        optimizer.step()
        schedule.step()
    return log_prob


CHALLENGE = Challenge(
    task="Raise the exact log-likelihood of test digits as far as a minute of training takes you.",
    unit="nats a test digit",
    higher_is_better=True,
    measure=measure,
    record=1920.5,
    how="NICE with four couplings of 500 × 2 units on all 60,000 training digits, 1,700 steps of 200 digits, in units of each pixel's spread "
    "(at least 0.03), learning rates of 2e-3 and, for the scaling, 1e-2, falling to 0.",
)
