r"""Real-NVP: affine couplings, which scale as well as shift.

.. math:: x_1 = z_1, \qquad x_2 = z_2 \cdot e^{h(z_1)} + g(z_1), \qquad \log\Big|\det\frac{dx}{dz}\Big| = \sum_d h_d(z_1)

Lecture part "Real-NVP"; Dinh, Sohl-Dickstein and Bengio, *Density estimation using Real NVP*, 2017; notebook 11.
Shapes and directions as in :mod:`course_lib.flows`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from course_lib.flows import (
    Composition,
    ElementwiseAffine,
    check_points,
    flow_log_prob,
    sample_flow,
    standard_normal_log_prob,
)
from course_lib.nice import Coupling, Network

LOG_SCALE_BOUND = 1.5  # of one coupling: without a bound exp(h) overflows in the first steps of training


def affine_coupling_forward(z: Tensor, d: int, g: Network, h: Network) -> tuple[Tensor, Tensor]:
    r"""Return x: the first d entries of z as they are, the others as :math:`z_2 e^{h(z_1)} + g(z_1)`; and the log-det.

    Args:
        z: ``(..., dim)``.
        d: how many entries are kept, ``1 <= d < dim``.
        g, h: shift and log-scale, each maps ``(..., d)`` to ``(..., dim - d)``. h is taken as it comes: a bound is its own.

    Returns:
        ``x (..., dim)`` and log|det dx/dz|, ``(...,)``, nats.
    """
    kept, changed = z[..., :d], z[..., d:]
    log_scale = h(kept)
    return torch.cat([kept, changed * log_scale.exp() + g(kept)], -1), log_scale.sum(-1)


def affine_coupling_inverse(x: Tensor, d: int, g: Network, h: Network) -> tuple[Tensor, Tensor]:
    r"""Return z, from which :func:`affine_coupling_forward` makes x, :math:`z_2 = (x_2 - g(x_1)) e^{-h(x_1)}`.

    Returns:
        ``z (..., dim)`` and log|det dz/dx|, ``(...,)``, nats.
    """
    kept, changed = x[..., :d], x[..., d:]
    log_scale = h(kept)
    return torch.cat([kept, (changed - g(kept)) * (-log_scale).exp()], -1), -log_scale.sum(-1)


def logit_transform(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    r"""Stretch [0, 1) to the real line, :math:`y = \mathrm{logit}(\alpha + (1 - \alpha) x)`; section 4.1 of the paper.

    >>> y, log_det = logit_transform(torch.tensor([[0.0, 0.5]]), 0.05)
    >>> torch.allclose(logit_transform_inverse(y, 0.05)[0], torch.tensor([[0.0, 0.5]]), atol=1e-6)
    True

    Args:
        x: in [0, 1), ``(batch, dim)`` or images ``(batch, channels, height, width)``.
        alpha: keeps 0 away from :math:`-\infty`; in [0, 1), 0.05 in the paper.

    Returns:
        y of x's shape, and log|det dy/dx| summed over everything but the batch, ``(batch,)``, nats.

    Raises:
        ValueError: alpha is not in [0, 1).
    """
    _check_alpha(alpha)
    # log(1 − s) from 1 − x, which is exact where x is close to 1.
    log_s, log_rest = (alpha + (1 - alpha) * x).log(), ((1 - alpha) * (1 - x)).log()
    return log_s - log_rest, (math.log1p(-alpha) - log_s - log_rest).flatten(1).sum(-1)


def logit_transform_inverse(y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    r"""Undo :func:`logit_transform`: :math:`x = (\sigma(y) - \alpha) / (1 - \alpha)`, not clamped; log|det dx/dy|, nats.

    Raises:
        ValueError: alpha is not in [0, 1).
    """
    _check_alpha(alpha)
    log_det = (logsigmoid(y) + logsigmoid(-y) - math.log1p(-alpha)).flatten(1).sum(-1)
    return (y.sigmoid() - alpha) / (1 - alpha), log_det


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha lies in [0, 1), not at {alpha}")


def bits_per_dim(log_prob: Tensor, num_dims: int, levels: int) -> Tensor:
    r"""Return :math:`\log_2 \text{levels} - \log p(x) / (\text{num\_dims} \cdot \log 2)`; lower is better.

    A model that finds every image equally likely has 8 bits/dim where there are 256 grey values.

    >>> bits_per_dim(torch.zeros(2), num_dims=784, levels=256)
    tensor([8., 8.])

    Args:
        log_prob: log-density in nats of data dequantized to [0, 1), ``(batch,)``.
        num_dims: pixels times channels.
        levels: number of grey values.

    Raises:
        ValueError: num_dims or levels is not positive.
    """
    if num_dims < 1 or levels < 1:
        raise ValueError(f"num_dims and levels are at least 1, not {num_dims} and {levels}")
    return math.log2(levels) - log_prob / (num_dims * math.log(2))


class AffineCoupling(Coupling):
    r"""A coupling of even and odd entries; one network gives g and h, :math:`h = 1.5 \tanh(\cdot)`.

    Args:
        dim, hidden_dim, swap, hidden_layers: as in :class:`course_lib.nice.Coupling`.
    """

    def __init__(self, dim: int, hidden_dim: int, swap: bool, hidden_layers: int = 2) -> None:
        super().__init__(dim, hidden_dim, swap, hidden_layers, outputs=2)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        z = self.kept_first(z)
        shift, log_scale = self._shift_and_log_scale(z)
        x, log_det = affine_coupling_forward(z, self.d, lambda _: shift, lambda _: log_scale)
        return self.in_place(x), log_det

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.kept_first(x)
        shift, log_scale = self._shift_and_log_scale(x)
        z, log_det = affine_coupling_inverse(x, self.d, lambda _: shift, lambda _: log_scale)
        return self.in_place(z), log_det

    def _shift_and_log_scale(self, kept_first: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = self.network(kept_first[..., : self.d]).chunk(2, -1)
        return shift, LOG_SCALE_BOUND * raw.tanh()


class RealNVP(Composition):
    """Affine couplings of z ~ N(0, I) that take turns, then a scale and a shift of each entry, the data's own.

    >>> real_nvp = RealNVP(dim=2, hidden_dim=32, num_couplings=4)
    >>> x = real_nvp.sample(5, torch.Generator().manual_seed(0))
    >>> x.shape, real_nvp.log_prob(x).shape
    (torch.Size([5, 2]), torch.Size([5]))

    Args:
        dim, hidden_dim: sizes; dim at least 2.
        num_couplings: at least 2, so that every entry is changed.
        hidden_layers: of each coupling's network.

    Raises:
        ValueError: a size is too small.
    """

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int, hidden_layers: int = 2) -> None:
        if num_couplings < 2:
            raise ValueError(f"num_couplings is at least 2, so that every entry is changed, not {num_couplings}")
        couplings = [AffineCoupling(dim, hidden_dim, bool(i % 2), hidden_layers) for i in range(num_couplings)]
        super().__init__([*couplings, ElementwiseAffine(dim)])
        self.dim = dim

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), ``(batch,)``, nats, of ``x (batch, dim)`` as it is: dequantization and logit are applied outside."""
        check_points(x, self.dim)
        return flow_log_prob(self, x, standard_normal_log_prob)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of x, ``(n, dim)``."""
        return sample_flow(self, n, self.dim, generator)
