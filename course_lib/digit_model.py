"""A small trained VAE of digits with two latent dimensions, for explorers; made by scripts/make_models.py."""

from __future__ import annotations

from functools import lru_cache

from course_lib import shipped
from course_lib.data import ASSETS
from course_lib.vae import VAE

MODEL_FILE = ASSETS / "digit_model.npz"
PIXELS, HIDDEN_DIM = 784, 128


@lru_cache(maxsize=1)
def load_digit_model() -> VAE:
    """Return the model, in evaluation mode, on the CPU.

    Raises:
        DataError: its file is missing or corrupt.
    """
    weights = shipped.load(MODEL_FILE)["digit_model"].arrays
    vae = VAE(PIXELS, HIDDEN_DIM, 2)
    vae.load_state_dict({name: values.float() for name, values in weights.items()})
    return vae.eval().requires_grad_(False)
