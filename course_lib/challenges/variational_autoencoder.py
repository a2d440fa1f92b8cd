"""The open task of notebook 06: the bound on unseen digits that a minute of training reaches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images

DRAWS, BATCH = 10, 500


@lru_cache(maxsize=1)
def test_digits() -> Tensor:
    """Return the 2,000 test digits, each pixel drawn once as ink or paper, ``(2000, 784)``; the same for everyone."""
    return torch.bernoulli(load_images("test").flat(), generator=torch.Generator().manual_seed(6))


def measure(model: Any) -> float:
    """Return the mean bound of a model on the test digits, in nats, with ten draws of noise for each digit.

    Args:
        model: has ``elbo(x, eps)``, the bound of each image ``(batch,)``, and ``latent_dim``.

    Raises:
        ValueError: it has no such bound.
    """
    elbo, latent_dim = getattr(model, "elbo", None), getattr(model, "latent_dim", None)
    if not callable(elbo) or not isinstance(latent_dim, int):
        raise ValueError("hand in a model with elbo(x, eps) and latent_dim, as your VAE has them")
    generator = torch.Generator().manual_seed(7)
    if isinstance(model, torch.nn.Module):
        model.eval()
    total = 0.0
    with torch.no_grad():
        for x in test_digits().split(BATCH):
            for _ in range(DRAWS):
                bounds = elbo(x, torch.randn(len(x), latent_dim, generator=generator))
                if not isinstance(bounds, Tensor) or bounds.shape != (len(x),):
                    shape = tuple(bounds.shape) if isinstance(bounds, Tensor) else type(bounds).__name__
                    raise ValueError(f"elbo gives one bound for each image, ({len(x)},); yours gives {shape}")
                if bool((bounds > 0).any()):
                    raise ValueError("elbo is positive for a binary image, which no bound of a log-probability can be")
                total += bounds.double().sum().item()
    return total / (DRAWS * len(test_digits()))


CHALLENGE = Challenge(
    task="Raise the bound on test digits as far as a minute of training takes you.",
    unit="nats a test digit",
    higher_is_better=True,
    measure=measure,
    record=-100.84,
    how="a VAE with 500 hidden units and 24 latent dimensions, on all 60,000 training digits, 200 in a batch: nine passes at a learning "
    "rate of 2e-3, and three at a fifth of it.",
)
