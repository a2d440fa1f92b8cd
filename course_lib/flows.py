r"""Normalizing flows: an invertible map :math:`x = f(z)` turns a simple density into p(x).

.. math:: \log p(x) = \log p(z) - \log\Big|\det \frac{dx}{dz}\Big|, \qquad z = f^{-1}(x)

Lecture part "A simpler kind of model: normalizing flows"; Rezende and Mohamed 2015; notebook 09.

A layer maps ``forward(z) -> (x, log_det)`` with ``log_det`` = log \|det dx/dz\|, and back by
``inverse(x) -> (z, log_det)`` with log \|det dz/dx\|: always of the map just applied. ``z`` and ``x`` are
``(..., dim)``, most often ``(batch, dim)``; ``log_det`` is ``(...,)``, one value for each point, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from course_lib.distributions import LOG_2PI

LogProb = Callable[[Tensor], Tensor]


class Flow(Protocol):
    """What is asked of a flow, and of a layer of one."""

    def forward(self, z: Tensor, /) -> tuple[Tensor, Tensor]: ...

    def inverse(self, x: Tensor, /) -> tuple[Tensor, Tensor]: ...


def change_of_variables(log_prob_z: Tensor, log_det: Tensor) -> Tensor:
    r"""Return :math:`\log p(x) = \log p(z) - \log|\det dx/dz|`, ``(batch,)``, nats.

    Args:
        log_prob_z: log p(z) at :math:`z = f^{-1}(x)`, ``(batch,)``.
        log_det: of the forward map at that z, ``(batch,)``.
    """
    return log_prob_z - log_det


def numerical_log_det(f: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    r"""Return :math:`\log|\det \partial f/\partial z|` from the full Jacobian: the oracle for every flow.

    One backward pass for each output and an LU decomposition, :math:`O(\text{dim}^3)`: for tests, not for training.

    >>> z = torch.randn(5, 3)
    >>> numerical_log_det(lambda z: 2 * z, z).div(math.log(2)).round()
    tensor([3., 3., 3., 3., 3.])

    Args:
        f: returns x alone; smooth, and acts on each point by itself, for any leading shape.
        z: ``(batch, dim)``.

    Returns:
        ``(batch,)``, nats; ``-inf`` where the Jacobian is singular.
    """
    jacobian = torch.func.vmap(torch.func.jacrev(f))(z)
    return torch.linalg.slogdet(jacobian).logabsdet


def standard_normal_log_prob(z: Tensor) -> Tensor:
    r"""Return :math:`\log \mathcal N(z; 0, I)`, summed over the last dimension, nats."""
    return -0.5 * (z**2 + LOG_2PI).sum(-1)


def flow_log_prob(flow: Flow, x: Tensor, base_log_prob: LogProb) -> Tensor:
    """Return log p(x), ``(batch,)``, nats, for ``x (batch, dim)``.

    Args:
        base_log_prob: log p(z), a callable that maps ``(batch, dim)`` to ``(batch,)``.
    """
    z, log_det = flow.inverse(x)
    return change_of_variables(base_log_prob(z), -log_det)


def negative_log_likelihood(flow: Flow, x: Tensor) -> Tensor:
    r"""Return the loss :math:`-\frac1N\sum_i \log p(x_i)` with z ~ N(0, I), a scalar, nats, for ``x (batch, dim)``."""
    return -flow_log_prob(flow, x, standard_normal_log_prob).mean()


def sample_flow(flow: nn.Module, n: int, dim: int, generator: torch.Generator) -> Tensor:
    """Return f(z) for n draws z ~ N(0, I), ``(n, dim)``, with dtype and device of the flow's parameters."""
    like = next(flow.parameters(), torch.empty(0, device=generator.device))
    z = torch.randn(n, dim, generator=generator, device=generator.device, dtype=like.dtype)
    return flow(z.to(like.device))[0]


class ElementwiseAffine(nn.Module):
    r""":math:`x_d = e^{s_d} z_d + t_d`, one trained scale and shift for each dimension; at first the identity.

    >>> x, log_det = ElementwiseAffine(3)(torch.randn(5, 3))
    >>> x.shape, log_det
    (torch.Size([5, 3]), tensor([0., 0., 0., 0., 0.], grad_fn=<ExpandBackward0>))

    Raises:
        ValueError: dim is not positive.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        check_size(dim)
        self.log_scale, self.shift = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z * self.log_scale.exp() + self.shift, self.log_scale.sum().expand(z.shape[:-1])

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (x - self.shift) * (-self.log_scale).exp(), -self.log_scale.sum().expand(x.shape[:-1])


class LeakyReLU(nn.Module):
    r""":math:`x_d = z_d` where it is positive and :math:`\text{slope}\cdot z_d` where it is not: a ReLU with an inverse.

    Raises:
        ValueError: slope is not between 0 and 1.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        if not 0 < slope < 1:
            raise ValueError(f"slope lies between 0 (no inverse) and 1 (no bend), not at {slope}")
        self.slope = slope

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(z < 0, self.slope * z, z), self._log_det(z)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x < 0, x / self.slope, x), -self._log_det(x)

    def _log_det(self, z: Tensor) -> Tensor:
        return math.log(self.slope) * (z < 0).to(z.dtype).sum(-1)


class Composition(nn.Module):
    r"""Layers one after the other, :math:`x = f_K(\dots f_1(z))`: log-dets add, the inverse runs backwards.

    >>> flow = Composition([ElementwiseAffine(2), LeakyReLU(0.5)])
    >>> z = torch.tensor([[-2.0, 3.0]])
    >>> x, log_det = flow(z)
    >>> x.tolist(), bool(log_det == math.log(0.5)), flow.inverse(x)[0].tolist()
    ([[-1.0, 3.0]], True, [[-2.0, 3.0]])

    Args:
        layers: one or more; the first is applied first to z.

    Raises:
        ValueError: there is no layer.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        if not layers:
            raise ValueError("a composition has at least one layer")
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_det = z.new_zeros(z.shape[:-1])
        for layer in self.layers:
            z, of_layer = layer(z)
            log_det = log_det + of_layer
        return z, log_det

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(x.shape[:-1])
        for layer in reversed(self.layers):
            x, of_layer = cast(Flow, layer).inverse(x)
            log_det = log_det + of_layer
        return x, log_det


def check_size(dim: int, at_least: int = 1) -> None:
    """Look at a flow's number of dimensions.

    Raises:
        ValueError: it is too small.
    """
    if dim < at_least:
        raise ValueError(f"dim is at least {at_least}, not {dim}")


def check_points(x: Tensor, dim: int) -> None:
    """Look at shape and dtype only: looking at values would make a GPU wait in every step.

    Raises:
        ValueError: x is not ``(batch, dim)``, or holds integers.
    """
    if x.dim() != 2 or x.shape[-1] != dim:
        remedy = " For one point write x.unsqueeze(0)." if x.shape == (dim,) else ""
        raise ValueError(f"x is {tuple(x.shape)}; (batch, {dim}) is expected.{remedy}")
    if not x.is_floating_point():
        raise ValueError(f"x is {x.dtype}: a density is one of real numbers, so dequantize pixels first")
