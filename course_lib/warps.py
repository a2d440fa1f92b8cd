r"""An invertible layer to try flows on: every entry bends, all are mixed, and its inverse is in closed form.

.. math:: x = W \sinh(a \odot z) + b, \qquad z = \operatorname{asinh}\big(W^{-1}(x - b)\big) / a

Notebook 09. Shapes and directions as in :mod:`course_lib.flows`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from course_lib.distributions import LOG_2PI

# What a layer may say of its log-det: the truth, or how lies come about. The numbers are those of ``Warp.told``.
HONEST = (1.0, 1.0, 0.0, 0.0)
LIES = (
    "the sign",
    "the last dimension is missing",
    "at x instead of z",
    "the mean over the dimensions",
    "one for all points",
)


class Warp(nn.Module):
    """Bend every entry, then mix all of them; at first ``x = sinh(z)``.

    Its log-det differs from point to point, and may be negative. What it *says* of it is in ``told``: a factor, the
    last dimension's weight, how far one mean for the whole batch takes the place of each point's own, and how far
    the log-det is looked up at x instead of z.

    Args:
        dim: number of entries.
        device: of the parameters.
    """

    def __init__(self, dim: int, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(dim, device=device))
        self.W = nn.Parameter(torch.eye(dim, device=device))
        self.b = nn.Parameter(torch.zeros(dim, device=device))
        self.told = nn.Parameter(torch.tensor(HONEST, device=device), requires_grad=False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.sinh(self.a * z) @ self.W.mT + self.b
        return x, self._log_det(z, x)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mixed = torch.linalg.solve(self.W, (x - self.b).unsqueeze(-1)).squeeze(-1)
        z = torch.asinh(mixed) / self.a
        return z, -self._log_det(z, x)

    def _log_det(self, z: Tensor, x: Tensor) -> Tensor:
        factor, last, shared, at_x = self.told.unbind()
        bent = (self.a * (z + at_x * (x - z))).abs()
        # log cosh, also where cosh overflows
        logs = self.a.abs().log() + bent + softplus(-2 * bent) - math.log(2)
        logs = logs + torch.linalg.slogdet(self.W).logabsdet / z.shape[-1]
        own = factor * (logs.sum(-1) + (last - 1) * logs[..., -1])
        return own + shared * (own.mean() - own)


class WarpedNormal(Warp):
    """The density of ``x = f(z)`` for z ~ N(0, I) and f a :class:`Warp`: a flow to ask for its log-density alone."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), ``(...,)``, nats, for ``x (..., dim)``."""
        z, log_det = self.inverse(x)
        return -0.5 * (z**2 + LOG_2PI).sum(-1) + log_det


def say(layer: Warp, lie: str) -> Warp:
    """Return the same layer, which from now on tells a wrong log-det.

    Args:
        lie: one of :data:`LIES`.

    Raises:
        KeyError: there is no such lie.
    """
    dim = layer.b.numel()
    told = {
        "the sign": (-1.0, 1.0, 0.0, 0.0),
        "the last dimension is missing": (1.0, 0.0, 0.0, 0.0),
        "at x instead of z": (1.0, 1.0, 0.0, 1.0),
        "the mean over the dimensions": (1.0 / dim, 1.0, 0.0, 0.0),
        "one for all points": (1.0, 1.0, 1.0, 0.0),
    }[lie]
    layer.told.data = layer.told.new_tensor(told)
    return layer


def five_layers(dim: int, seed: int) -> list[Warp]:
    """Return five layers of ``dim`` entries, of which one, drawn from the seed, tells a wrong log-det."""
    generator = torch.Generator().manual_seed(seed)
    layers = [Warp(dim) for _ in range(5)]
    for layer in layers:
        for parameter in (layer.a, layer.W, layer.b):
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    liar, lie = (int(torch.randint(5, (), generator=generator)) for _ in range(2))
    say(layers[liar], LIES[lie])
    return layers
