"""The block matrix of the slide, at every point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.exercises.nice.probes import coupling_probe
from course_lib.nice import additive_coupling_forward, additive_coupling_inverse, coupling_jacobian

G = Callable[[Tensor], Tensor]


def _in_blocks(z: Tensor, d: int, g: G) -> Tensor:
    jacobian = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device).repeat(len(z), 1, 1)
    jacobian[:, d:, :d] = _block(z, d, g)
    return jacobian


def _block(z: Tensor, d: int, g: G) -> Tensor:
    """dg/dz₁ at every point, ``(batch, dim - d, d)``, row by row."""
    kept = z[:, :d].detach().requires_grad_()
    shift = g(kept)
    rows = [torch.autograd.grad(shift[:, i].sum(), kept, retain_graph=True)[0] for i in range(shift.shape[-1])]
    return torch.stack(rows, 1)


def _point_by_point(z: Tensor, d: int, g: G) -> Tensor:
    jacobian = torch.autograd.functional.jacobian
    return torch.stack(
        [jacobian(lambda row: additive_coupling_forward(row.unsqueeze(0), d, g).squeeze(0), row) for row in z]
    )


def _whole_batch(z: Tensor, d: int, g: G) -> Tensor:
    return torch.autograd.functional.jacobian(lambda points: additive_coupling_forward(points, d, g), z)


def _diagonal_of_batch(z: Tensor, d: int, g: G) -> Tensor:
    return torch.einsum("bibj->bij", _whole_batch(z, d, g))


def _summed_over_batch(z: Tensor, d: int, g: G) -> Tensor:
    return torch.autograd.functional.jacobian(lambda points: additive_coupling_forward(points, d, g).sum(0), z)


def _finite_differences(z: Tensor, d: int, g: G) -> Tensor:
    step = 1e-3
    steps = step * torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    here = additive_coupling_forward(z, d, g)
    return torch.stack([(additive_coupling_forward(z + way, d, g) - here) / step for way in steps], -1)


def _inverse(z: Tensor, d: int, g: G) -> Tensor:
    return torch.stack(
        [
            torch.autograd.functional.jacobian(
                lambda point: additive_coupling_inverse(point.unsqueeze(0), d, g)[0], row
            )
            for row in z
        ]
    )


def _changed(change: Callable[[Tensor, int], Any]) -> Callable[..., Any]:
    return lambda z, d, g: change(_in_blocks(z, d, g), d)


def _without_ones(kept: bool = False, changed: bool = False) -> Callable[..., Tensor]:
    """The matrix without the ones of its upper left block, of its lower right one, or of both."""

    def change(jacobian: Tensor, d: int) -> Tensor:
        ones = torch.cat([torch.full((d,), float(kept)), torch.full((jacobian.shape[-1] - d,), float(changed))])
        return jacobian - torch.diag(ones).to(jacobian)

    return _changed(change)


EXERCISE = Exercise(
    reference=coupling_jacobian,
    points=2,
    returns={"jacobian": "(batch, dim, dim)"},
    convention="Entry [b, i, j] is dx_i/dz_j of the forward map at the b-th point: outputs are rows, inputs are columns.",
    probe=coupling_probe,
    misconceptions=(
        Misconception(
            "transposed",
            "Your matrix is transposed: row i belongs to the output x_i, column j to the input z_j, so dg/dz₁ stands in "
            "the lower left.",
            _changed(lambda jacobian, d: jacobian.mT.contiguous()),
        ),
        Misconception(
            "of the inverse",
            "That is the Jacobian of the inverse, with -dg/dz₁ in the lower left: forward adds g.",
            _inverse,
        ),
        Misconception(
            "g forgotten",
            "Your matrix is the identity: x₂ = z₂ + g(z₁) changes with z₁ too, by dg/dz₁ in the lower left.",
            _changed(lambda jacobian, d: torch.eye(jacobian.shape[-1]).to(jacobian).expand_as(jacobian).clone()),
        ),
        Misconception(
            "no ones at all",
            "The ones on the diagonal are missing: x₁ changes with z₁ as it is, and x₂ with z₂.",
            _without_ones(kept=True, changed=True),
        ),
        Misconception(
            "dx2/dz2 missing",
            "The lower right block is 0: x₂ = z₂ + g(z₁) contains z₂ itself, so dx₂/dz₂ is the identity.",
            _without_ones(changed=True),
        ),
        Misconception(
            "dx1/dz1 missing",
            "The upper left block is 0: x₁ = z₁, so dx₁/dz₁ is the identity.",
            _without_ones(kept=True),
        ),
        Misconception(
            "the block alone",
            "You return dg/dz₁ alone: it is the lower left block of a (dim, dim) matrix.",
            _block,
        ),
        Misconception(
            "the whole batch",
            "You differentiate every point by every other, (batch, dim, batch, dim): each point has its own matrix. "
            "torch.func.vmap does it point by point.",
            _whole_batch,
        ),
        Misconception(
            "summed over the batch",
            "The outputs are summed over the batch before they are differentiated, so the batch stands in the middle, "
            "(dim, batch, dim): bring it to the front.",
            _summed_over_batch,
        ),
        Misconception(
            "one matrix",
            "You return one matrix for the whole batch: dg/dz₁ differs from point to point.",
            _changed(lambda jacobian, d: jacobian[:1].expand_as(jacobian).clone()),
        ),
        Misconception(
            "the determinant",
            "You return the determinant: what is asked for is the matrix, (batch, dim, dim).",
            _changed(lambda jacobian, d: torch.linalg.det(jacobian)),
        ),
        Misconception(
            "finite differences",
            "Right to three digits: that is a quotient of differences. Automatic differentiation gives the derivative itself.",
            _finite_differences,
        ),
    ),
    alternatives=(_in_blocks, _point_by_point, _diagonal_of_batch),
)
