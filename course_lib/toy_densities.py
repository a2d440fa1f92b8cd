r"""Densities in the plane of which everything is known: samples, log p(x), and the entropy that no model can go below.

The mean of :math:`-\log q(x)` over data of p is the entropy of p plus :math:`D_{KL}(p\|q)`: what a flow is above the entropy
is how far it is from perfect. Notebooks 09 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.distributions import LOG_2PI

Generator = torch.Generator
RADIUS, EIGHT_SIGMA = 2.0, 0.2
NODES = 512  # of the moons' arcs: closer together than any sigma in use
# Nats, by quadrature over the plane; a test computes them anew.
ENTROPIES = {
    "two moons, σ = 0.05": 0.2892,
    "two moons, σ = 0.1": 1.0076,
    "eight Gaussians": 1.6981,
    "checkerboard": math.log(32),
}


def two_moons(n: int, sigma: float, generator: Generator) -> Tensor:
    """Return points of two half circles with Gaussian noise, ``(n, 2)``.

    >>> two_moons(3, 0.05, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 2])
    """
    lower = torch.rand(n, generator=generator) < 0.5
    arc = _moons(math.pi * torch.rand(n, generator=generator), lower)
    return arc + sigma * torch.randn(n, 2, generator=generator)


def _moons(turn: Tensor, lower: Tensor) -> Tensor:
    """The point of an arc at an angle: the upper half circle around 0, or the lower one around (1, 0.5)."""
    upper = torch.stack([turn.cos(), turn.sin()], -1)
    return torch.where(lower.unsqueeze(-1), torch.tensor([1.0, 0.5], dtype=turn.dtype) - upper, upper)


def two_moons_log_prob(x: Tensor, sigma: float) -> Tensor:
    """Return log p(x), ``(n,)``, nats, by the midpoint rule along the arcs, for ``x (n, 2)``."""
    turn = (torch.arange(NODES, dtype=x.dtype) + 0.5) * math.pi / NODES
    centres = torch.cat([_moons(turn, torch.full((NODES,), lower)) for lower in (False, True)])
    return _equal_gaussians(x, centres, sigma)


def eight_gaussians(n: int, generator: Generator) -> Tensor:
    """Return points of eight Gaussians on a circle, ``(n, 2)``."""
    which = torch.randint(8, (n,), generator=generator)
    return _eight_centres(torch.float32)[which] + EIGHT_SIGMA * torch.randn(n, 2, generator=generator)


def eight_gaussians_log_prob(x: Tensor) -> Tensor:
    """Return log p(x), ``(n,)``, nats, for ``x (n, 2)``."""
    return _equal_gaussians(x, _eight_centres(x.dtype), EIGHT_SIGMA)


def _eight_centres(dtype: torch.dtype) -> Tensor:
    turn = torch.arange(8, dtype=dtype) * math.pi / 4
    return RADIUS * torch.stack([turn.cos(), turn.sin()], -1)


def _equal_gaussians(x: Tensor, centres: Tensor, sigma: float) -> Tensor:
    squares = torch.cdist(x, centres, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    return torch.logsumexp(-0.5 * squares / sigma**2, -1) - math.log(len(centres)) - LOG_2PI - 2 * math.log(sigma)


def checkerboard(n: int, generator: Generator) -> Tensor:
    """Return points of the black squares of a board of 4 × 4 squares with sides of 2 around 0, ``(n, 2)``."""
    column = torch.randint(4, (n,), generator=generator)
    row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
    return 2 * (torch.stack([column, row], -1) - 2 + torch.rand(n, 2, generator=generator))


def checkerboard_log_prob(x: Tensor) -> Tensor:
    """Return log p(x), ``(n,)``, nats, for ``x (n, 2)``: minus infinity on white squares and outside."""
    square = (x / 2 + 2).floor()
    inside = ((square >= 0) & (square < 4)).all(-1) & (square.sum(-1) % 2 == 0)
    return torch.where(inside, -math.log(32), -math.inf).to(x.dtype)


def integral(log_prob: Callable[[Tensor], Tensor], reach: float = 8.0, cells: int = 800) -> float:
    """Return the integral of a density over a square around 0, by the midpoint rule: 1 if it is one, and lies inside.

    Args:
        log_prob: maps ``(n, 2)`` to ``(n,)``.
        reach: half of the square's side.
        cells: along each side.
    """
    step = 2 * reach / cells
    middle = torch.arange(cells) * step + step / 2 - reach
    with torch.no_grad():
        parts = [log_prob(part).double().exp().sum() for part in torch.cartesian_prod(middle, middle).split(100_000)]
    return float(torch.stack(parts).sum()) * step**2
