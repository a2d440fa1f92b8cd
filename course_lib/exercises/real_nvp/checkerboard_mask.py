"""The mask of a checkerboard."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import only_tensor
from course_lib.checker.probes import Draw
from course_lib.image_flows import checkerboard_mask


def _probe(draw: Draw) -> tuple[int, int]:
    return draw.sizes.dim, draw.sizes.samples


def as_numbers(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Read a mask as numbers, whatever its dtype."""
    return (only_tensor(tensors_from(answer.call(*args))).double(),)


def _sums(height: int, width: int) -> Tensor:
    return torch.arange(height).unsqueeze(1) + torch.arange(width)


def _by_slices(height: int, width: int) -> Tensor:
    mask = torch.zeros(height, width)
    mask[::2, 1::2] = 1
    mask[1::2, ::2] = 1
    return mask


def _truth(height: int, width: int) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (rows + columns) % 2 == 1


def _by_loop(height: int, width: int) -> Tensor:
    return torch.tensor([[(i + j) % 2 for j in range(width)] for i in range(height)])


EXERCISE = Exercise(
    reference=checkerboard_mask,
    points=1,
    returns={"mask": "(height, width)"},
    convention="1 where row + column is odd, counted from 0: the first cell is 0. Any dtype of zeros and ones.",
    probe=_probe,
    observe=as_numbers,
    misconceptions=(
        Misconception(
            "turned round",
            "Zeros and ones are exchanged: the first cell, row 0 and column 0, is 0.",
            lambda height, width: 1.0 - checkerboard_mask(height, width),
        ),
        Misconception(
            "stripes across",
            "Your rows are all of one kind: the mask changes along a row, too.",
            lambda height, width: (torch.arange(height) % 2).float().unsqueeze(1).expand(height, width).clone(),
        ),
        Misconception(
            "stripes down",
            "Your columns are all of one kind: the mask changes down a column, too.",
            lambda height, width: (torch.arange(width) % 2).float().expand(height, width).clone(),
        ),
        Misconception(
            "counted through",
            "You count through all cells: where the width is even, every row then begins alike. It is row + column that counts.",
            lambda height, width: (torch.arange(height * width) % 2).float().reshape(height, width),
        ),
        Misconception(
            "product",
            "You take row times column: odd only where both are. It is their sum.",
            lambda height, width: (torch.arange(height).unsqueeze(1) * torch.arange(width) % 2).float(),
        ),
        Misconception(
            "sides exchanged",
            "Height and width are exchanged: rows come first, (height, width).",
            lambda height, width: checkerboard_mask(width, height),
        ),
        Misconception(
            "square",
            "You make a square: height and width may differ.",
            lambda height, width: checkerboard_mask(height, height),
        ),
        Misconception(
            "flat",
            "The mask is flat: it has the shape (height, width).",
            lambda height, width: checkerboard_mask(height, width).flatten(),
        ),
        Misconception(
            "the sum itself",
            "You return row + column: whether it is odd is asked for, its remainder by 2.",
            lambda height, width: _sums(height, width).float(),
        ),
        Misconception(
            "-1 and 1",
            "Your mask holds -1 and 1: it is 0 and 1, to multiply with.",
            lambda height, width: 2 * checkerboard_mask(height, width) - 1,
        ),
        Misconception(
            "a quarter",
            "Only one cell in four is 1: odd rows begin with a 1.",
            lambda height, width: checkerboard_mask(height, width) * (1 - torch.arange(height) % 2).unsqueeze(1),
        ),
    ),
    alternatives=(_by_slices, _truth, _by_loop),
)
