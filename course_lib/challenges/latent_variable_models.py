"""The open task of notebook 01: a mixture that finds unseen digits likely, with fifty components at most."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images, principal_directions
from course_lib.mixtures import mixture_log_prob

DIRECTIONS, MOST = 20, 50


@lru_cache(maxsize=1)
def _directions() -> tuple[Tensor, Tensor]:
    return principal_directions(load_images("train").flat(torch.float64), DIRECTIONS)


def _seen_along_directions(split: Any) -> Tensor:
    mean, directions = _directions()
    return (load_images(split).flat(torch.float64) - mean) @ directions


def training_digits() -> Tensor:
    """Return the 10,000 training digits along their 20 principal directions, ``(10000, 20)``, float64."""
    return _seen_along_directions("train")


def images_of(mu: Tensor) -> Tensor:
    """Return the images ``(n, 28, 28)`` that points ``(n, 20)`` stand for, grey values clamped to [0, 1]."""
    mean, directions = _directions()
    return (mean + mu.detach().double() @ directions.T).clamp(0, 1).reshape(-1, 28, 28)


def measure(weights: Tensor, mu: Tensor, sigma: Tensor) -> float:
    """Return the mean of log p(x) over the 2,000 test digits, in nats.

    Args:
        weights: ``(components,)``, probabilities.
        mu, sigma: ``(components, 20)``, means and standard deviations.

    Raises:
        ValueError: this is no mixture of at most 50 Gaussians in 20 dimensions.
    """
    parts = {"weights": weights, "mu": mu, "sigma": sigma}
    for name, part in parts.items():
        if not isinstance(part, Tensor):
            raise ValueError(f"{name} is a {type(part).__name__}: hand in weights, mu and sigma, three tensors.")
        if not part.isfinite().all():
            raise ValueError(f"{name} holds a number that is not finite: has a component lost all of its points?")
    weights, mu, sigma = (part.detach().double().cpu() for part in parts.values())
    components = len(weights) if weights.ndim == 1 else 0
    if not 1 <= components <= MOST:
        raise ValueError(f"weights is (components,), with {MOST} components at most; yours is {tuple(weights.shape)}.")
    for name, part in (("mu", mu), ("sigma", sigma)):
        if part.shape != (components, DIRECTIONS):
            raise ValueError(f"{name} is (components, {DIRECTIONS}); yours is {tuple(part.shape)}.")
    if weights.min() < 0 or abs(weights.sum().item() - 1) > 1e-4:
        raise ValueError(f"weights are probabilities and sum to 1; yours sum to {weights.sum():.4f}.")
    if sigma.min() <= 0:
        raise ValueError("sigma holds standard deviations, all of them above 0.")
    return mixture_log_prob(_seen_along_directions("test"), weights, mu, sigma).mean().item()


CHALLENGE = Challenge(
    task=f"Fit a mixture of at most {MOST} Gaussians to the training digits so that it finds the test digits likely.",
    unit="nats a test digit",
    higher_is_better=True,
    measure=measure,
    record=-26.99,
    how="a hundred Gaussians that start at random digits, thirty rounds of EM; then down to fifty, each time without the one "
    "that the training digits miss least, four rounds after each; and a hundred rounds more.",
)
