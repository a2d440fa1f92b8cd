r"""NICE: additive couplings, whose determinant is 1, and one scaling.

.. math:: x_1 = z_1, \qquad x_2 = z_2 + g(z_1)

Lecture part "NICE"; Dinh, Krueger and Bengio, *NICE: Non-linear independent components estimation*, 2015;
notebook 10. Shapes and directions as in :mod:`course_lib.flows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from course_lib.amortized import hidden_stack
from course_lib.flows import Composition, check_points, check_size, flow_log_prob

Network = Callable[[Tensor], Tensor]


def additive_coupling_forward(z: Tensor, d: int, g: Network) -> Tensor:
    r"""Return x: the first d entries of z as they are, the others shifted by :math:`g(z_{1 \dots d})`.

    Args:
        z: ``(..., dim)``.
        d: how many entries are kept, ``1 <= d < dim``.
        g: maps ``(..., d)`` to ``(..., dim - d)``.
    """
    kept, changed = z[..., :d], z[..., d:]
    return torch.cat([kept, changed + g(kept)], -1)


def additive_coupling_inverse(x: Tensor, d: int, g: Network) -> Tensor:
    """Return z, ``(..., dim)``, from which :func:`additive_coupling_forward` makes x; g itself is never inverted."""
    kept, changed = x[..., :d], x[..., d:]
    return torch.cat([kept, changed - g(kept)], -1)


def coupling_jacobian(z: Tensor, d: int, g: Network) -> Tensor:
    r"""Return :math:`dx_i/dz_j` of an additive coupling at each point.

    .. math:: \begin{pmatrix} I & 0 \\ dg/dz_1 & I \end{pmatrix}, \qquad \det = 1

    >>> coupling_jacobian(torch.ones(1, 3), 1, lambda kept: torch.cat([kept**2, 3 * kept], -1))
    tensor([[[1., 0., 0.],
             [2., 1., 0.],
             [3., 0., 1.]]])

    Args:
        z: ``(batch, dim)``.
        d, g: as in :func:`additive_coupling_forward`.

    Returns:
        ``(batch, dim, dim)``; entry ``[b, i, j]`` is dx_i/dz_j.
    """
    return torch.func.vmap(torch.func.jacrev(lambda point: additive_coupling_forward(point, d, g)))(z)


def logistic_log_prob(z: Tensor) -> Tensor:
    r"""Return the log-density of the standard logistic, :math:`\sum_d \log\sigma(z_d) + \log\sigma(-z_d)`, nats."""
    return (logsigmoid(z) + logsigmoid(-z)).sum(-1)


def logistic_sample(uniform: Tensor) -> Tensor:
    r"""Return :math:`z = \log u - \log(1 - u)`, standard logistic where u is uniform, strictly between 0 and 1."""
    return uniform.log() - (-uniform).log1p()


def dequantize(pixels: Tensor, noise: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    r"""Spread whole numbers evenly over their cells, :math:`x = (\text{pixels} + \text{noise}) / \text{levels}`.

    >>> x, log_det = dequantize(torch.tensor([[0, 255]]), torch.tensor([[0.5, 0.5]]), 256)
    >>> x, log_det
    (tensor([[0.0020, 0.9980]]), tensor([-11.0904]))

    Args:
        pixels: whole numbers 0 … levels − 1 of any dtype, ``(batch, dim)``.
        noise: uniform in [0, 1), ``(batch, dim)``, of the wanted dtype.
        levels: number of grey values.

    Returns:
        ``x (batch, dim)`` in [0, 1), and log|det dx/d(pixels + noise)| = −dim · log(levels), ``(batch,)``, nats.

    Raises:
        ValueError: levels is not positive, or pixels and noise differ in shape.
    """
    if levels < 1:
        raise ValueError(f"levels is the number of grey values, at least 1, not {levels}")
    if pixels.shape != noise.shape:
        raise ValueError(
            f"pixels are {tuple(pixels.shape)} and noise is {tuple(noise.shape)}: one value for each pixel"
        )
    # In float32 255 + 0.999999 is 256, and a logit of 1 is infinite: take the largest number below 1.
    x = ((pixels.to(noise.dtype) + noise) / levels).clamp(max=1 - torch.finfo(noise.dtype).eps / 2)
    return x, x.new_full(x.shape[:-1], -x.shape[-1] * math.log(levels))


def inpaint_step(
    x: Tensor, known: Tensor, log_prob: Callable[[Tensor], Tensor], step_size: float, noise: Tensor
) -> Tensor:
    r"""Climb log p(x) in the unknown entries, :math:`x + \alpha\,(\nabla \log p(x) + \epsilon)`; section 5 of the paper.

    Args:
        x: ``(batch, dim)``, unknown entries with whatever stands there so far.
        known: true where an entry is given and stays, ``(batch, dim)``.
        log_prob: maps ``(batch, dim)`` to ``(batch,)``.
        step_size: :math:`\alpha`.
        noise: ``(batch, dim)``.

    Returns:
        A new tensor ``(batch, dim)``, without gradient.
    """
    with torch.enable_grad():
        start = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(log_prob(start).sum(), start)
    return torch.where(known, x, x + step_size * (gradient + noise)).detach()


class Coupling(nn.Module):
    """What couplings of every kind share: which entries are kept, and a network that looks at those alone.

    Even entries (0, 2, …) and odd ones take turns, as in section 5.1 of the paper: an image's pixel is told by its
    neighbours.

    Args:
        dim, hidden_dim: sizes; dim at least 2.
        swap: keep the odd entries and change the even ones.
        hidden_layers: of the network.
        outputs: how many numbers the network gives for each entry that is changed. They start at 0, the coupling
            as the identity.

    Raises:
        ValueError: a size is too small.
    """

    order: Tensor
    back: Tensor

    def __init__(self, dim: int, hidden_dim: int, swap: bool, hidden_layers: int, outputs: int) -> None:
        super().__init__()
        check_size(dim, at_least=2)
        halves = [torch.arange(0, dim, 2), torch.arange(1, dim, 2)]
        order = torch.cat(halves[::-1] if swap else halves)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)
        self.d = len(halves[swap])
        hidden, last = hidden_stack(self.d, hidden_dim, hidden_layers), nn.Linear(hidden_dim, outputs * (dim - self.d))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(hidden, last)

    def kept_first(self, z: Tensor) -> Tensor:
        """Return the entries of ``z (..., dim)`` in another order, the ``d`` that are kept first."""
        return z.index_select(-1, self.order)

    def in_place(self, z: Tensor) -> Tensor:
        """Undo :meth:`kept_first`."""
        return z.index_select(-1, self.back)


class AdditiveCoupling(Coupling):
    """A coupling of even and odd entries: :func:`additive_coupling_forward` with a network for g; its log-det is 0.

    Args:
        dim, hidden_dim, swap, hidden_layers: as in :class:`Coupling`.
    """

    def __init__(self, dim: int, hidden_dim: int, swap: bool, hidden_layers: int = 2) -> None:
        super().__init__(dim, hidden_dim, swap, hidden_layers, outputs=1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = additive_coupling_forward(self.kept_first(z), self.d, self.network)
        return self.in_place(x), z.new_zeros(z.shape[:-1])

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = additive_coupling_inverse(self.kept_first(x), self.d, self.network)
        return self.in_place(z), x.new_zeros(x.shape[:-1])


class Scaling(nn.Module):
    r""":math:`x_d = e^{s_d} z_d`: the one layer of NICE with a log-det, :math:`\sum_d s_d`; at first the identity.

    Raises:
        ValueError: dim is not positive.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        check_size(dim)
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z * self.log_scale.exp(), self.log_scale.sum().expand(z.shape[:-1])

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * (-self.log_scale).exp(), -self.log_scale.sum().expand(x.shape[:-1])


class Whitening(nn.Module):
    r""":math:`x = m + A z`, a fixed layer fitted to data: z has the spread of the standard logistic in all directions.

    A is the symmetric root of the data's covariance, whose inverse is known as ZCA, in the units of the logistic's
    standard deviation, :math:`\pi/\sqrt3`: what remains for a flow is all that is not linear (sections 5.1 and 5.2 of the
    paper).

    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 2, generator=generator) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]])
    >>> z, log_det = Whitening(x, floor=0.01).inverse(x)
    >>> (z.T.cov() * 3 / math.pi**2).round(decimals=3).abs()
    tensor([[1., 0.],
            [0., 1.]])

    Args:
        x: ``(n, dim)``, at least 2 points.
        floor: standard deviation that every direction has at least, in x's units: what hardly varies is not blown up.

    Raises:
        ValueError: x is not ``(n, dim)`` with two points or more, or floor is not positive.
    """

    mean: Tensor
    root: Tensor
    root_inverse: Tensor
    log_det: Tensor

    def __init__(self, x: Tensor, floor: float) -> None:
        super().__init__()
        if x.dim() != 2 or len(x) < 2 or not floor > 0:
            raise ValueError(f"x is (n, dim) with 2 points or more, floor positive; here {tuple(x.shape)} and {floor}")
        mean = x.double().mean(0)
        variances, directions = torch.linalg.eigh((x.double() - mean).T.cov())
        spread = variances.clamp(min=floor**2).sqrt() * 3**0.5 / math.pi
        self.register_buffer("mean", mean.to(x.dtype))
        self.register_buffer("root", ((directions * spread) @ directions.T).to(x.dtype))
        self.register_buffer("root_inverse", ((directions / spread) @ directions.T).to(x.dtype))
        self.register_buffer("log_det", spread.log().sum().to(x.dtype))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean + z @ self.root, self.log_det.expand(z.shape[:-1])

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (x - self.mean) @ self.root_inverse, -self.log_det.expand(x.shape[:-1])


class NICE(Composition):
    """A scaling of standard logistic z, then additive couplings that take turns.

    >>> nice = NICE(dim=784, hidden_dim=100, num_couplings=4)
    >>> x = nice.sample(5, torch.Generator().manual_seed(0))
    >>> x.shape, nice.log_prob(x).shape
    (torch.Size([5, 784]), torch.Size([5]))

    Args:
        dim, hidden_dim: sizes; dim at least 2.
        num_couplings: at least 2, so that every entry is shifted.
        hidden_layers: of each coupling's network.

    Raises:
        ValueError: a size is too small.
    """

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int, hidden_layers: int = 2) -> None:
        if num_couplings < 2:
            raise ValueError(f"num_couplings is at least 2, so that every entry is shifted, not {num_couplings}")
        couplings = [AdditiveCoupling(dim, hidden_dim, bool(i % 2), hidden_layers) for i in range(num_couplings)]
        super().__init__([Scaling(dim), *couplings])
        self.dim = dim

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), ``(batch,)``, nats, of ``x (batch, dim)`` as it is: pixels are dequantized outside."""
        check_points(x, self.dim)
        return flow_log_prob(self, x, logistic_log_prob)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of x, ``(n, dim)``."""
        like = next(self.parameters())
        uniform = torch.rand(n, self.dim, generator=generator, device=generator.device, dtype=like.dtype)
        # A draw of exactly 0 would be a z of −inf.
        z = logistic_sample(uniform.clamp(min=torch.finfo(like.dtype).eps / 2))
        return self(z.to(like.device))[0]
