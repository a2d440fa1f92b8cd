"""Small VAEs trained with the weights 0.01 ... 100 on the KL, and what they reach; made by scripts/make_beta_models.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from course_lib import shipped
from course_lib.data import ASSETS
from course_lib.shipped import Shipped
from course_lib.vae import VAE

MODELS_FILE, PATIENTS_FILE = ASSETS / "beta_models.npz", ASSETS / "patients_08.npz"
SIZES = 784, 100, 16  # pixels, hidden units, latent dimensions
DECADE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
BETAS = (*(float(f"{step}e{power}") for power in (-2, -1, 0, 1) for step in DECADE), 100.0)
WITH_WEIGHTS = (0.05, 1.0, 50.0)  # whose networks ship, in 16 bits


@dataclass(frozen=True)
class Trained:
    """What a model reached that was trained with one weight on the KL.

    Attributes:
        beta: the weight.
        rate, distortion: on the test digits, nats an image.
        active_units: of 16, where the variance of mu exceeds 0.01.
        reconstruction_gap, sample_gap: see :mod:`course_lib.beta`.
        kl_per_dimension: ``(16,)``, nats.
        reconstructions: of the first eight test digits, uint8 ``(8, 28, 28)``.
        samples: of the prior, uint8 ``(16, 28, 28)``.
    """

    beta: float
    rate: float
    distortion: float
    active_units: int
    reconstruction_gap: float
    sample_gap: float
    kl_per_dimension: Tensor
    reconstructions: Tensor
    samples: Tensor


def model_name(beta: float) -> str:
    """Return what a model is called in its file."""
    return f"beta {beta:g}"


@lru_cache(maxsize=1)
def _read() -> dict[str, Shipped]:
    return shipped.load(MODELS_FILE)


@lru_cache(maxsize=1)
def load_sweep() -> tuple[Trained, ...]:
    """Return what was reached with each weight of :data:`BETAS`, the smallest first.

    Raises:
        DataError: the file is missing or corrupt.
    """
    sweep = []
    for beta in BETAS:
        model = _read()[model_name(beta)]
        numbers = model.figures
        sweep.append(
            Trained(
                beta,
                numbers["rate (nats a test digit)"],
                numbers["distortion (nats a test digit)"],
                int(numbers["active units"]),
                numbers["reconstruction gap"],
                numbers["sample gap"],
                **{name: model.arrays[name].float() for name in ("kl_per_dimension",)},
                **{name: model.arrays[name] for name in ("reconstructions", "samples")},
            )
        )
    return tuple(sweep)


def load_beta_vae(beta: float) -> VAE:
    """Return one of the trained models, in evaluation mode, on the CPU.

    Args:
        beta: one of :data:`WITH_WEIGHTS`.

    Raises:
        ValueError: the networks of no such model ship.
        DataError: the file is missing or corrupt.
    """
    if beta not in WITH_WEIGHTS:
        raise ValueError(f"the networks with β = {beta:g} do not ship; those with {WITH_WEIGHTS} do")
    vae = VAE(*SIZES)
    vae.load_state_dict({name: values.float() for name, values in _read()[f"weights {beta:g}"].arrays.items()})
    return vae.eval().requires_grad_(False)


def load_record(name: str) -> Shipped:
    """Return what an experiment over several seeds measured: ``"seeds"`` or ``"strong"``, with its recipe.

    Raises:
        KeyError: there is none of that name.
        DataError: the file is missing or corrupt.
    """
    return _read()[name]
