"""The oracle for every layer that follows: the log-determinant from the full Jacobian, by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.flows import numerical_log_det

Map = Callable[[Tensor], Tensor]
MANY = 130


def _linear(draw: Draw, weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).to(draw.device, draw.dtype)
    layer.weight.data, layer.bias.data = weight, bias
    return layer


def _square(draw: Draw, dim: int, turned: bool = False) -> Tensor:
    """A matrix far from singular; ``turned`` exchanges its sides, so that the determinant is negative."""
    off = draw.normal(dim, dim, shift=0.0).tanh() * (0.9 / max(dim - 1, 1))
    matrix = off + 1.4 * torch.eye(dim, device=draw.device, dtype=draw.dtype)
    return torch.cat([-matrix[:1], matrix[1:]]) if turned else matrix


def _probe(draw: Draw) -> tuple[Map, Tensor]:
    dim = draw.sizes.dim
    # A softplus never has slope 0: f is invertible, smooth, and each entry of x depends on all of z.
    parts = [_linear(draw, _square(draw, dim), draw.normal(dim)) for _ in range(2)]
    return nn.Sequential(parts[0], nn.Softplus(), parts[1]), draw.normal(draw.sizes.batch, dim)


def _negative(draw: Draw) -> tuple[Map, Tensor]:
    dim = draw.sizes.dim
    f = nn.Sequential(_linear(draw, _square(draw, dim, turned=True), draw.normal(dim)), nn.Softplus())
    return f, draw.normal(draw.sizes.batch, dim)


def _many(factor: float) -> Callable[[Draw], tuple[Map, Tensor]]:
    def probe(draw: Draw) -> tuple[Map, Tensor]:
        f = nn.Sequential(nn.Softplus(), _linear(draw, factor * _square(draw, MANY), draw.normal(MANY)))
        return f, draw.normal(draw.sizes.batch, MANY)

    return probe


def _jacobians(f: Map, z: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.jacrev(f))(z)


def _from_jacobian(change: Callable[[Tensor], Any]) -> Callable[[Map, Tensor], Any]:
    return lambda f, z: change(_jacobians(f, z))


def _point_by_point(f: Map, z: Tensor) -> Tensor:
    rows = [torch.autograd.functional.jacobian(f, point) for point in z]
    return torch.linalg.slogdet(torch.stack(rows))[1]


def _by_hand(f: Map, z: Tensor) -> Tensor:
    start = z.detach().clone().requires_grad_()
    x = f(start)
    rows = [torch.autograd.grad(x[:, i].sum(), start, retain_graph=True)[0] for i in range(z.shape[1])]
    return torch.stack(rows, 1).slogdet().logabsdet


def _forward_mode(f: Map, z: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.jacfwd(f))(z).slogdet()[1]


def _singular_values(f: Map, z: Tensor) -> Tensor:
    return torch.linalg.svdvals(_jacobians(f, z)).log().sum(-1)


def _summed_outputs(f: Map, z: Tensor) -> Tensor:
    """The gradient of the sum of all outputs, taken for a diagonal."""
    start = z.detach().clone().requires_grad_()
    (slopes,) = torch.autograd.grad(f(start).sum(), start)
    return slopes.abs().log().sum(-1)


def _differences(f: Map, z: Tensor) -> Tensor:
    step = 1e-3
    ways = step * torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    columns = [(f(z + way) - f(z)).detach() / step for way in ways]
    return torch.linalg.slogdet(torch.stack(columns, -1)).logabsdet


def _mean_point(f: Map, z: Tensor) -> Tensor:
    return torch.linalg.slogdet(torch.autograd.functional.jacobian(f, z.mean(0))).logabsdet.expand(len(z))


EXERCISE = Exercise(
    reference=numerical_log_det,
    points=2,
    returns={"log_det": "(batch,)"},
    convention="log|det| of the full Jacobian dx/dz at each point, nats; f returns x alone, and acts on each point by itself.",
    probe=_probe,
    edge_cases=(
        EdgeCase(
            "negative determinants",
            "Right where the determinant is positive, but not where it is negative: what counts is how much f stretches, |det|. "
            "torch.linalg.slogdet gives sign and logarithm apart.",
            _negative,
        ),
        EdgeCase(
            "130 dimensions, pressed together",
            "Right in few dimensions; in 130 the determinant is smaller than any number of the machine, and becomes 0. Take its logarithm "
            "without it: torch.linalg.slogdet.",
            _many(1e-4),
        ),
        EdgeCase(
            "130 dimensions, stretched",
            "Right in few dimensions; in 130 the determinant is larger than any number of the machine. Take its logarithm without "
            "it: torch.linalg.slogdet.",
            _many(1e4),
        ),
    ),
    misconceptions=(
        Misconception(
            "the diagonal alone",
            "You take the diagonal of the Jacobian alone: that is right for a layer whose entries do not depend on each other. The "
            "determinant needs all of it.",
            _from_jacobian(lambda jacobian: jacobian.diagonal(dim1=-2, dim2=-1).abs().log().sum(-1)),
        ),
        Misconception(
            "outputs added before they are differentiated",
            "You differentiate the sum of the outputs: that gives the sums of the Jacobian's columns, one number for each entry of "
            "z, and not the matrix.",
            _summed_outputs,
        ),
        Misconception(
            "of the inverse",
            "The sign is turned: yours is log|det dz/dx|, the log-determinant of the inverse.",
            _from_jacobian(lambda jacobian: -torch.linalg.slogdet(jacobian).logabsdet),
        ),
        Misconception(
            "the determinant itself",
            "You return the determinant: its logarithm is asked for.",
            _from_jacobian(torch.linalg.det),
        ),
        Misconception(
            "the sign",
            "You return the determinant's sign: slogdet gives two results, the sign and the logarithm; the second is meant.",
            _from_jacobian(lambda jacobian: torch.linalg.slogdet(jacobian).sign),
        ),
        Misconception(
            "the logarithm of a negative determinant",
            "Right where the determinant is positive; where it is negative, its logarithm does not exist. It is |det| that counts: "
            "torch.linalg.slogdet.",
            _from_jacobian(lambda jacobian: torch.linalg.det(jacobian).log()),
        ),
        Misconception(
            "the logarithm of a determinant that is 0 or infinite",
            "Right in few dimensions; in 130 the determinant itself leaves the machine's range, before you take its logarithm. "
            "torch.linalg.slogdet never computes it.",
            _from_jacobian(lambda jacobian: torch.linalg.det(jacobian).abs().log()),
        ),
        Misconception(
            "the size of the Jacobian",
            "You take the logarithm of the Jacobian's norm: that is how long its entries are, not how much volume changes.",
            _from_jacobian(lambda jacobian: torch.linalg.matrix_norm(jacobian).log()),
        ),
        Misconception(
            "logarithms of the entries",
            "You add the logarithms of the matrix's entries: a determinant is no product of all entries.",
            _from_jacobian(lambda jacobian: jacobian.abs().log().sum((-2, -1))),
        ),
        Misconception(
            "the matrices",
            "You return the Jacobians, (batch, dim, dim): the logarithm of each one's determinant is asked for.",
            _from_jacobian(lambda jacobian: jacobian),
        ),
        Misconception(
            "one for all points",
            "You take the Jacobian at the mean of the points: each point has its own.",
            _mean_point,
        ),
        Misconception(
            "a quotient of differences",
            "Right to three digits: that is a quotient of differences. Automatic differentiation gives the derivative itself, and an oracle should "
            "be exact.",
            _differences,
        ),
    ),
    alternatives=(_point_by_point, _by_hand, _forward_mode, _singular_values),
)
