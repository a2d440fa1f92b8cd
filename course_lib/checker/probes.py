"""What answers are tried on: sizes that all differ, and numbers drawn from a seed, never degenerate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """Sizes of one probe. All differ, so that an exchanged dimension shows."""

    batch: int
    dim: int
    latent: int
    samples: int
    components: int


SHOWN = Sizes(batch=2, dim=3, latent=1, samples=4, components=5)
VISIBLE = (
    SHOWN,
    Sizes(batch=5, dim=4, latent=3, samples=6, components=2),
    Sizes(batch=3, dim=2, latent=4, samples=5, components=6),
)
HIDDEN = (
    Sizes(batch=6, dim=5, latent=2, samples=7, components=3),
    Sizes(batch=2, dim=7, latent=5, samples=3, components=4),
    Sizes(batch=9, dim=3, latent=4, samples=8, components=5),
)
MANY = Sizes(batch=4, dim=400, latent=120, samples=8, components=7)
ONE_POINT = Sizes(batch=1, dim=3, latent=2, samples=4, components=5)
ONE_DIMENSION = Sizes(batch=4, dim=1, latent=2, samples=3, components=5)


class Draw:
    """A seeded source of probe inputs, never degenerate: no zeros, no unit sigmas, no equal sizes.

    Everything is drawn in float64 on the CPU and then cast, so that the same seed gives the same numbers
    in every dtype and on every device. With ``decimals`` the numbers are rounded, to be shown; ``scale`` makes positive
    numbers all small or all large.
    """

    def __init__(
        self,
        seed: int,
        sizes: Sizes = SHOWN,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        decimals: int | None = None,
        scale: float = 1.0,
    ) -> None:
        self.sizes = sizes
        self.dtype = dtype
        self.device = torch.device(device)
        self.decimals = decimals
        self.scale = scale
        self._generator = torch.Generator().manual_seed(seed)

    def _cast(self, values: Tensor) -> Tensor:
        if self.decimals is not None:
            values = values.round(decimals=self.decimals)
        return values.to(self.device, self.dtype)

    def normal(self, *shape: int, scale: float = 1.0, shift: float = 0.3) -> Tensor:
        """Gaussian numbers, off centre so that no sum cancels by chance."""
        values = torch.randn(*shape, generator=self._generator, dtype=torch.float64)
        return self._cast(values * scale + shift)

    def positive(self, *shape: int) -> Tensor:
        """Positive numbers in [0.35, 0.85] and [1.3, 2.6], clear of 1, where squares and logs hide."""
        uniform = torch.rand(*shape, generator=self._generator, dtype=torch.float64)
        small = torch.rand(*shape, generator=self._generator, dtype=torch.float64) < 0.5
        return self._cast(self.scale * torch.where(small, 0.35 + 0.5 * uniform, 1.3 + 1.3 * uniform))

    def simplex(self, *shape: int) -> Tensor:
        """Probabilities that sum to one over the last dimension, all of them well above zero."""
        logits = torch.randn(*shape, generator=self._generator, dtype=torch.float64)
        probs = (0.8 * logits).softmax(-1)
        if self.decimals is not None:
            probs = probs.round(decimals=self.decimals + 1)
            rest = 1 - probs[..., :-1].sum(-1, keepdim=True)
            probs = torch.cat([probs[..., :-1], rest], -1)
        return probs.to(self.device, self.dtype)

    def integer(self, high: int) -> int:
        """A whole number in [0, high)."""
        return int(torch.randint(high, (), generator=self._generator))
