"""How well bits/dim tell unusual images: the share of pairs in which the unusual one costs more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.networks import only_tensor
from course_lib.checker.probes import Draw
from course_lib.comparing import detection


def _probe(draw: Draw) -> tuple[Tensor, Tensor]:
    # Most unusual images cost more, some less; never all of them, so that every reading shows.
    usual = draw.normal(draw.sizes.samples + 3, scale=0.9, shift=2.0)
    unusual = draw.normal(draw.sizes.batch + 3, scale=0.9, shift=2.3)
    middle = usual.median()
    return torch.cat([usual, middle[None] + 2.3]), torch.cat([unusual, middle[None] + 3.4, middle[None] - 0.77])


def _ties(draw: Draw) -> tuple[Tensor, Tensor]:
    usual, unusual = _probe(draw)
    return usual, torch.cat([unusual, usual[:2]])


def _observe(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """A share, as a number of Python or as a tensor."""
    value = only_tensor(tensors_from(answer.call(*args)))
    return (value.detach().to(args[0]),)


def _by_loop(usual: Tensor, unusual: Tensor) -> float:
    total = 0.0
    for bits in unusual.tolist():
        for other in usual.tolist():
            total += 1.0 if bits > other else 0.5 if bits == other else 0.0
    return total / (len(usual) * len(unusual))


def _by_ranks(usual: Tensor, unusual: Tensor) -> Tensor:
    below = (usual < unusual[:, None]).sum(1) + 0.5 * (usual == unusual[:, None]).sum(1)
    return (below / len(usual)).to(usual.dtype).mean()


def _above(threshold: Any) -> Any:
    return lambda usual, unusual: (unusual > threshold(usual)).to(usual.dtype).mean()


EXERCISE = Exercise(
    reference=detection,
    points=2,
    returns={"share": "()"},
    convention="Of all pairs of one usual and one unusual image, the share in which the unusual one has more bits/dim; a tie counts half. "
    "One number.",
    probe=_probe,
    observe=_observe,
    number_accepted=True,
    edge_cases=(
        EdgeCase("ties", "Right elsewhere, but not where two images have equal bits: a tie counts half.", _ties),
    ),
    misconceptions=(
        Misconception(
            "turned round",
            "You count pairs in which the usual image costs more: it is the unusual one that should.",
            lambda usual, unusual: 1 - detection(usual, unusual),
        ),
        Misconception(
            "above the mean",
            "You count unusual images above the mean of the usual ones: every pair counts, not one threshold.",
            _above(lambda usual: usual.mean()),
        ),
        Misconception(
            "above all",
            "You count unusual images above every usual one: one hard digit would spoil the number. Every pair counts.",
            _above(lambda usual: usual.max()),
        ),
        Misconception(
            "above the median",
            "You count unusual images above the median of the usual ones: every pair counts, not one threshold.",
            _above(lambda usual: usual.median()),
        ),
        Misconception(
            "the difference of means",
            "You return a difference in bits: the share of pairs is wanted, between 0 and 1.",
            lambda usual, unusual: unusual.mean() - usual.mean(),
        ),
        Misconception(
            "the means compared",
            "You compare the two means alone, which says yes or no: the share of pairs is wanted.",
            lambda usual, unusual: (unusual.mean() > usual.mean()).to(usual.dtype),
        ),
        Misconception(
            "image by image",
            "You compare the first with the first, the second with the second: the two sets are not paired, every one meets every other.",
            lambda usual, unusual: (
                (unusual[: min(len(usual), len(unusual))] > usual[: min(len(usual), len(unusual))])
                .to(usual.dtype)
                .mean()
            ),
        ),
        Misconception(
            "a count",
            "You count the pairs: their share is wanted, so divide by how many pairs there are.",
            lambda usual, unusual: (unusual[:, None] > usual).to(usual.dtype).sum(),
        ),
        Misconception(
            "divided by one set's size",
            "You divide by the number of unusual images alone: there are n · m pairs.",
            lambda usual, unusual: (unusual[:, None] > usual).to(usual.dtype).sum() / len(unusual),
        ),
        Misconception(
            "from -1 to 1",
            "Your number runs from -1 to 1: won minus lost. The share of pairs won runs from 0 to 1.",
            lambda usual, unusual: (unusual[:, None] - usual).sign().mean(),
        ),
        Misconception(
            "guessing taken off",
            "You take off 0.5: the share itself is wanted, 0.5 for guessing.",
            lambda usual, unusual: detection(usual, unusual) - 0.5,
        ),
        Misconception(
            "a tie lost",
            "Right but for ties, which you count as lost: two images of equal bits count half.",
            lambda usual, unusual: (unusual[:, None] > usual).to(usual.dtype).mean(),
        ),
        Misconception(
            "a tie won",
            "Right but for ties, which you count as won: two images of equal bits count half.",
            lambda usual, unusual: (unusual[:, None] >= usual).to(usual.dtype).mean(),
        ),
    ),
    alternatives=(_by_loop, _by_ranks),
)
