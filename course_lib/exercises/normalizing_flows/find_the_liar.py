"""Five layers, one of which tells a wrong log-determinant; the student's own oracle finds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, is_number, number, tensors_from
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import a_warp
from course_lib.flows import numerical_log_det
from course_lib.warps import say

Layers = Sequence[Any]
# Drawn would be seldom in one check; by the batch's size each kind comes up in turn. With one point, one for all is no lie.
BY_BATCH = (
    "the last dimension is missing",
    "at x instead of z",
    "the sign",
    "the mean over the dimensions",
    "one for all points",
)


def points_of(layer: Any) -> Callable[[Tensor], Tensor]:
    """Return the layer as a function that gives points alone."""
    return lambda z: layer(z)[0]


def differences(layers: Layers, z: Tensor) -> Tensor:
    """Return how far each layer's word is from its Jacobian, the largest over the points, ``(layers,)``."""
    with torch.no_grad():
        told = [layer(z)[1] for layer in layers]
    true = [numerical_log_det(points_of(layer), z).detach() for layer in layers]
    return torch.stack([(a - b).abs().max() for a, b in zip(told, true, strict=True)])


def find_the_liar(layers: Layers, z: Tensor) -> int:
    """Return the index of the one layer whose ``forward`` reports another log-det than its Jacobian has."""
    return int(differences(layers, z).argmax())


def _probe(draw: Draw) -> tuple[list[nn.Module], Tensor]:
    dim = draw.sizes.dim + 1  # in one dimension a mean over dimensions is the truth
    layers = [a_warp(draw, dim, turned=True) for _ in range(5)]
    # In turn as well, so that each wrong way of looking goes astray somewhere.
    say(layers[(3 * draw.sizes.batch + 1) % 5], BY_BATCH[draw.sizes.batch % 5])
    return list(layers), draw.normal(draw.sizes.batch, dim)


def _observe(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Read an index, whether it is a number or a tensor of one."""
    result, z = answer.call(*args), args[1]
    if is_number(result):
        return (z.new_tensor(number(result)),)
    return tuple(part.to(z).reshape(()) if part.numel() == 1 else part for part in tensors_from(result))


def _told(layers: Layers, z: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([layer(z)[1] for layer in layers])


def _true(layers: Layers, z: Tensor) -> Tensor:
    return torch.stack([numerical_log_det(points_of(layer), z).detach() for layer in layers])


def _pick(off: Callable[[Layers, Tensor], Tensor]) -> Callable[[Layers, Tensor], int]:
    return lambda layers, z: int(off(layers, z).argmax())


def _against_the_inverse(layers: Layers, z: Tensor) -> Tensor:
    """Forward's word against inverse's: a layer that lies lies twice."""
    with torch.no_grad():
        return torch.stack(
            [(layer(z)[1] + layer.inverse(layer(z)[0])[1]).abs().max().round(decimals=6) for layer in layers]
        )


def _diagonal(layers: Layers, z: Tensor) -> Tensor:
    """Against the product of the Jacobian's diagonal."""
    of = [torch.func.vmap(torch.func.jacrev(points_of(layer)))(z) for layer in layers]
    logs = torch.stack([jacobian.diagonal(dim1=-2, dim2=-1).abs().log().sum(-1) for jacobian in of])
    return (_told(layers, z) - logs.detach()).abs().amax(-1)


def _by_hand(layers: Layers, z: Tensor) -> Tensor:
    """One Jacobian after another, in a chain of layers."""
    worst, index = -1.0, -1
    for i, layer in enumerate(layers):
        rows = [torch.autograd.functional.jacobian(lambda p, layer=layer: layer(p.unsqueeze(0))[0][0], p) for p in z]
        off = (layer.forward(z)[1] - torch.linalg.slogdet(torch.stack(rows))[1]).abs().sum().item()
        if off > worst:
            worst, index = off, i
    return torch.tensor(index)


def _first_above(layers: Layers, z: Tensor) -> int:
    return next(i for i, off in enumerate(differences(layers, z)) if off > 1e-3)


EXERCISE = Exercise(
    reference=find_the_liar,
    points=2,
    returns={"index": "()"},
    convention="The index counts from 0. The liar's forward is honest about x: what is wrong is the log_det that it reports, "
    "for some points at least.",
    probe=_probe,
    observe=_observe,
    atol=1e-6,
    number_accepted=True,
    misconceptions=(
        Misconception(
            "counted from one",
            "You count from 1: layers[0] is the first, so the index counts from 0.",
            lambda layers, z: find_the_liar(layers, z) + 1,
        ),
        Misconception(
            "the most honest",
            "You return the layer that is nearest to the truth: the liar is the one that is furthest from it (argmax).",
            lambda layers, z: int(differences(layers, z).argmin()),
        ),
        Misconception(
            "sizes compared",
            "You compare |log_det| with |log_det|, and so a wrong sign goes unnoticed: take the size of the difference.",
            _pick(lambda layers, z: (_told(layers, z).abs() - _true(layers, z).abs()).abs().amax(-1)),
        ),
        Misconception(
            "means compared",
            "You compare means over the batch: a layer that says the same mean of every point is right on average. Compare point by point.",
            _pick(lambda layers, z: (_told(layers, z).mean(-1) - _true(layers, z).mean(-1)).abs()),
        ),
        Misconception(
            "forward against inverse",
            "You compare forward with inverse: they undo each other in every layer, and the liar tells the same lie in both. Hold what it says against the Jacobian.",
            _pick(_against_the_inverse),
        ),
        Misconception(
            "the diagonal alone",
            "Your oracle takes the diagonal of the Jacobian alone: these layers mix their entries, and so all of them seem to lie.",
            _pick(_diagonal),
        ),
        Misconception(
            "the largest log_det",
            "You return the layer that reports the largest log_det: large is not wrong. Hold each against its own Jacobian.",
            _pick(lambda layers, z: _told(layers, z).amax(-1)),
        ),
        Misconception(
            "all differences",
            "You return how far each layer is off, five numbers: the index of the largest is asked for.",
            differences,
        ),
    ),
    alternatives=(_by_hand, _first_above),
)
