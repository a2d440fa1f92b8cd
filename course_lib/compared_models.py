"""The trained models that notebook 12 compares: a VAE and NICE of the same dequantized digits, and the Real-NVP of notebook 11."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.comparing import Density, LogitVAE
from course_lib.data import ASSETS, load_clothes, load_images
from course_lib.digit_flow import PIXELS, load_digit_flow
from course_lib.image_flows import ImageRealNVP
from course_lib.nice import NICE

MODELS_FILE = ASSETS / "compared_models.npz"  # made by scripts/make_compared_models.py
COMPARED = 500  # test digits
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

    def __init__(self, flow: ImageRealNVP) -> None:
        super().__init__()
        self.flow = flow

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y), ``(batch,)``, nats, of ``y (batch, 784)``."""
        return self.flow.log_prob(y.unflatten(-1, (1, 28, 28)))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of y, ``(n, 784)``."""
        return self.flow.sample(n, generator).flatten(1)


def load_real_nvp() -> Flat:
    """Return the Real-NVP of digits of notebook 11, of logits ``(batch, 784)``."""
    return Flat(load_digit_flow())


FLOWS: dict[str, Callable[[], Density]] = {"NICE": load_nice, "Real-NVP": load_real_nvp}


@lru_cache(maxsize=1)
def compared_digits(number: int = COMPARED) -> tuple[Tensor, Tensor]:
    """Return the test digits that all models are compared on, and the noise that dequantizes them, ``(number, 784)`` each."""
    pixels = load_images("test").images.flatten(1)[:number]
    return pixels, noise_for(pixels)


def noise_for(pixels: Tensor) -> Tensor:
    """Return noise in [0, 1) of the shape of pixels, the same each time."""
    return torch.rand(pixels.shape, generator=torch.Generator().manual_seed(12))


def kinds_of_images() -> dict[str, Tensor]:
    """Return bytes ``(n, 784)`` by name: test digits, and images unlike those that the models were trained on."""
    digits, _ = compared_digits()
    square = digits.view(-1, 28, 28)
    flat = torch.ones(1, 784, dtype=torch.uint8)
    return {
        "digits": digits,
        "mirrored": square[:200].flip(-1).flatten(1),
        "negatives": 255 - digits[:50],
        "clothes": load_clothes().images.flatten(1),
        "blank": 0 * flat,
        "black": 255 * flat,
    }


def measured() -> dict[str, Tensor]:
    """Return what was measured beforehand: ``MODEL/KIND`` bits/dim of :func:`kinds_of_images`, ``MODEL/samples`` bytes, ``VAE/ELBO``.

    ``reports/MODEL`` are mean bits/dim by three pipelines with one bug each, of the Real-NVP and of a uniform density, to be diagnosed.
    The VAE's are importance-weighted bounds with K = 5,000 for digits, and with K = 500 elsewhere.
    """
    return shipped_models()[MEASURED].arrays
