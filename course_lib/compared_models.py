"""The trained models that notebook 12 compares: a VAE and NICE of the same dequantized digits, and the Real-NVP of notebook 11."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.comparing import LogitVAE
from course_lib.data import ASSETS
from course_lib.nice import NICE

MODELS_FILE = ASSETS / "compared_models.npz"  # made by scripts/make_compared_models.py
PIXELS, LEVELS, ALPHA = 784, 256, 0.05
VAE_HIDDEN, LATENTS = 160, 24
NICE_HIDDEN, COUPLINGS = 96, 4
VAE_NAME, NICE_NAME, MEASURED = "VAE", "NICE", "measured"


def new_vae() -> LogitVAE:
    """Return the untrained VAE of logits of digits."""
    return LogitVAE(PIXELS, VAE_HIDDEN, LATENTS)


def new_nice() -> NICE:
    """Return the untrained NICE of logits of digits."""
    return NICE(PIXELS, NICE_HIDDEN, COUPLINGS)


@lru_cache(maxsize=1)
def shipped_models() -> dict[str, shipped.Shipped]:
    """Return the records, by name: recipe, seed, seconds, figures; and what was measured beforehand.

    Raises:
        DataError: the file is missing or corrupt.
    """
    return shipped.load(MODELS_FILE)


def _loaded(model: nn.Module, name: str) -> None:
    arrays = shipped_models()[name].arrays
    model.load_state_dict({key: values.float() for key, values in arrays.items()})
    model.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def load_vae() -> LogitVAE:
    """Return the trained VAE of logits of digits, on the CPU."""
    vae = new_vae()
    _loaded(vae, VAE_NAME)
    return vae


@lru_cache(maxsize=1)
def load_nice() -> NICE:
    """Return the trained NICE of logits of digits, on the CPU."""
    nice = new_nice()
    _loaded(nice, NICE_NAME)
    return nice


class Flat(nn.Module):
    """A flow of images ``(batch, 1, 28, 28)`` as one of vectors ``(batch, 784)``.

    Args:
        flow: a model of images with ``log_prob`` and ``sample``.
    """

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y), ``(batch,)``, nats, of ``y (batch, 784)``."""
        value: Tensor = self.flow.log_prob(y.unflatten(-1, (1, 28, 28)))
        return value

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of y, ``(n, 784)``."""
        drawn: Tensor = self.flow.sample(n, generator)
        return drawn.flatten(1)


def load_real_nvp() -> Flat:
    """Return the Real-NVP of digits of notebook 11, of logits ``(batch, 784)``."""
    from course_lib.digit_flow import load_digit_flow

    return Flat(load_digit_flow())
