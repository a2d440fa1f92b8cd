"""A trained Real-NVP of digits, with its curve, for notebooks 11 and 12; made by scripts/make_real_nvp.py."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from course_lib import shipped
from course_lib.data import ASSETS
from course_lib.image_flows import ImageRealNVP
from course_lib.nice import dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform, logit_transform_inverse

FLOW_FILE = ASSETS / "real_nvp_digits.npz"
NAME, ALPHA, LEVELS, PIXELS = "Real-NVP of digits", 0.05, 256, 784
HIDDEN_CHANNELS, SCALES = 24, 2
CURVE = ("curve/steps", "curve/bits per dim")


def new_digit_flow() -> ImageRealNVP:
    """Return the untrained model of logits of digits, ``(batch, 1, 28, 28)``."""
    return ImageRealNVP(1, 28, 28, HIDDEN_CHANNELS, SCALES)


def to_logits(pixels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return grey values dequantized and sent to the real line, ``(batch, 1, 28, 28)``, and the log-det to [0, 1), nats.

    Args:
        pixels: whole numbers 0 … 255, ``(batch, 1, 28, 28)``.
        noise: uniform in [0, 1), of that shape.
    """
    x, _ = dequantize(pixels.flatten(1), noise.flatten(1), LEVELS)
    return logit_transform(x.reshape(pixels.shape), ALPHA)


def digit_bits_per_dim(flow: ImageRealNVP, pixels: Tensor, noise: Tensor) -> Tensor:
    """Return bits/dim, ``(batch,)``, of digits under a flow of their logits; arguments as in :func:`to_logits`."""
    y, log_det = to_logits(pixels, noise)
    return bits_per_dim(flow.log_prob(y) + log_det, PIXELS, LEVELS)


def to_grey(y: Tensor) -> Tensor:
    """Return what logits mean as images in [0, 1], ``(batch, height, width)``, for one channel."""
    return logit_transform_inverse(y, ALPHA)[0].clamp(0, 1).squeeze(1)


@lru_cache(maxsize=1)
def shipped_digit_flow() -> shipped.Shipped:
    """Return the record: recipe, seed, seconds, figures, and the curve as the arrays named in :data:`CURVE`.

    Raises:
        DataError: its file is missing or corrupt.
    """
    return shipped.load(FLOW_FILE)[NAME]


@lru_cache(maxsize=1)
def load_digit_flow() -> ImageRealNVP:
    """Return the trained model, in evaluation mode, on the CPU: of logits ``(batch, 1, 28, 28)``.

    >>> flow = load_digit_flow()
    >>> to_grey(flow.sample(2, torch.Generator().manual_seed(0), temperature=0.8)).shape
    torch.Size([2, 28, 28])

    Raises:
        DataError: its file is missing or corrupt.
    """
    arrays = shipped_digit_flow().arrays
    flow = new_digit_flow()
    flow.load_state_dict({name: value.float() for name, value in arrays.items() if name not in CURVE})
    return flow.eval().requires_grad_(False)
