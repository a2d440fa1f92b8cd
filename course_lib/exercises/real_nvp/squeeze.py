"""Blocks of 2 × 2 pixels become channels."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.exercises.real_nvp.probes import image_probe
from course_lib.image_flows import squeeze

ORDER = "Channel 4c + 2i + j holds x[:, c, i::2, j::2]: a block's four pixels follow each other, row by row."


def _by_reshape(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(batch, 4 * channels, height // 2, width // 2)


def _by_slices(x: Tensor) -> Tensor:
    parts = [x[:, c, i::2, j::2] for c in range(x.shape[1]) for i in range(2) for j in range(2)]
    return torch.stack(parts, 1)


def _stacked(x: Tensor) -> Tensor:
    parts = [x[:, :, i::2, j::2] for i in range(2) for j in range(2)]
    return torch.stack(parts, 2).flatten(1, 2)


def _slice_after_slice(x: Tensor) -> Tensor:
    return torch.cat([x[:, :, i::2, j::2] for i in range(2) for j in range(2)], 1)


def _quarters(x: Tensor) -> Tensor:
    height, width = x.shape[-2] // 2, x.shape[-1] // 2
    rows, columns = (slice(0, height), slice(height, None)), (slice(0, width), slice(width, None))
    return torch.stack([x[:, :, row, column] for row in rows for column in columns], 2).flatten(1, 2)


def _column_first(x: Tensor) -> Tensor:
    return torch.stack([x[:, :, i::2, j::2] for j in range(2) for i in range(2)], 2).flatten(1, 2)


def _pooled(x: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(x, 2).repeat_interleave(4, 1)


def _rows_only(x: Tensor) -> Tensor:
    return torch.stack([x[:, :, i::2] for i in range(2)], 2).flatten(1, 2)


EXERCISE = Exercise(
    reference=squeeze,
    points=1,
    returns={"squeezed": "(batch, 4·channels, height/2, width/2)"},
    convention=ORDER,
    probe=image_probe,
    gradients=("x",),
    misconceptions=(
        Misconception(
            "reshaped",
            "A reshape alone reads the image row after row: neighbouring pixels of one block then land far apart. Cut it into blocks first.",
            lambda x: x.reshape(len(x), 4 * x.shape[1], x.shape[2] // 2, x.shape[3] // 2),
        ),
        Misconception(
            "slice after slice",
            "Right for one channel; with several the order differs: first all four pixels of channel 0, then those of channel 1.",
            _slice_after_slice,
        ),
        Misconception(
            "quarters",
            "You cut the image into four quarters: a block is two pixels high and two wide, and every block gives one pixel to each of four channels.",
            _quarters,
        ),
        Misconception(
            "column by column",
            "Rows and columns of a block are exchanged: i counts rows and counts double, 4c + 2i + j.",
            _column_first,
        ),
        Misconception(
            "averaged",
            "You average each block: a flow loses nothing, so all four pixels go on, in four channels.",
            _pooled,
        ),
        Misconception(
            "one pixel of four",
            "You keep one pixel of each block: the three others go on as well, in channels of their own.",
            lambda x: x[:, :, ::2, ::2],
        ),
        Misconception(
            "rows alone",
            "You take every other row, but all columns: a block is two wide as well.",
            _rows_only,
        ),
        Misconception(
            "unsqueezed",
            "That is the way back, channels into pixels.",
            lambda x: torch.nn.functional.pixel_shuffle(torch.cat([x, x], 1)[:, :4], 2),
        ),
        Misconception(
            "channels last",
            "The channels stand last: images are (batch, channels, height, width).",
            lambda x: squeeze(x).permute(0, 2, 3, 1),
        ),
        Misconception(
            "sides exchanged",
            "Height and width are exchanged.",
            lambda x: squeeze(x).mT,
        ),
    ),
    alternatives=(_by_reshape, _by_slices, _stacked),
)
