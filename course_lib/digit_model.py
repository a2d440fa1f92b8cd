"""A small trained VAE of digits with two latent dimensions, for explorers; made by scripts/make_models.py."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from course_lib.data import ASSETS, DataError
from course_lib.vae import VAE

MODEL_FILE = ASSETS / "digit_model.npz"
PIXELS, HIDDEN_DIM = 784, 128


@lru_cache(maxsize=1)
def load_digit_model() -> VAE:
    """Return the model, in evaluation mode, on the CPU.

    Raises:
        DataError: its file is missing or corrupt.
    """
    vae = VAE(PIXELS, HIDDEN_DIM, 2)
    try:
        with np.load(MODEL_FILE) as arrays:
            vae.load_state_dict({name: torch.from_numpy(arrays[name]).float() for name in arrays.files})
    except Exception as error:
        raise DataError(
            f"{MODEL_FILE} cannot be read ({type(error).__name__}: {error}). It is part of the package: "
            "reinstall it, or in a clone bring it back with `git checkout -- course_lib/assets`."
        ) from error
    return vae.eval().requires_grad_(False)
