"""The open task of notebook 07: the bound on unseen lower halves of digits that a minute of training reaches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.challenges.challenge import Challenge
from course_lib.challenges.variational_autoencoder import test_digits

DRAWS, BATCH, HALF = 10, 500, 392


def measure(model: Any) -> float:
    """Return the mean bound of log p(lower half | upper half) on the 2,000 test digits, nats, ten draws of noise for each.

    Args:
        model: has ``elbo(x, y, eps)``, the bound of each image ``(batch,)`` for halves ``(batch, 392)``, and ``latent_dim``.

    Raises:
        ValueError: it has no such bound.
    """
    elbo, latent_dim = getattr(model, "elbo", None), getattr(model, "latent_dim", None)
    if not callable(elbo) or not isinstance(latent_dim, int):
        raise ValueError("hand in a model with elbo(x, y, eps) and latent_dim, as ConditionalVAE has them")
    generator = torch.Generator().manual_seed(7)
    if isinstance(model, torch.nn.Module):
        model.eval()
    total = 0.0
    with torch.no_grad():
        for digits in test_digits().split(BATCH):
            x, y = digits.split(HALF, -1)
            for _ in range(DRAWS):
                bounds = elbo(x, y, torch.randn(len(x), latent_dim, generator=generator))
                if not isinstance(bounds, Tensor) or bounds.shape != (len(x),):
                    shape = tuple(bounds.shape) if isinstance(bounds, Tensor) else type(bounds).__name__
                    raise ValueError(f"elbo gives one bound for each image, ({len(x)},); yours gives {shape}")
                if bool((bounds > 0).any()):
                    raise ValueError("elbo is positive for a binary image, which no bound of a log-probability can be")
                total += bounds.double().sum().item()
    return total / (DRAWS * len(test_digits()))


CHALLENGE = Challenge(
    task="Raise the bound on unseen lower halves of digits as far as a minute of training takes you.",
    unit="nats a test digit",
    higher_is_better=True,
    measure=measure,
    record=-45.64,
    how="a conditional VAE with 500 hidden units and 24 latent dimensions, on all 60,000 training digits, 200 in a batch: nine passes at "
    "a learning rate of 2e-3, and three at a fifth of it.",
)
