"""Channels become blocks of 2 × 2 pixels again."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.probes import image_probe
from course_lib.image_flows import squeeze, unsqueeze


def _probe(draw: Draw) -> tuple[Tensor]:
    return (squeeze(*image_probe(draw)),)


def _by_reshape(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(batch, channels // 4, 2 * height, 2 * width)


def _by_slices(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    image = x.new_zeros(batch, channels // 4, 2 * height, 2 * width)
    for i in range(2):
        for j in range(2):
            image[:, :, i::2, j::2] = x[:, 2 * i + j :: 4]
    return image


def _filled(take: object) -> object:
    """Fill an image from the slice of x that ``take(x, i, j)`` gives for each place of a block."""

    def wrong(x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        image = x.new_zeros(batch, channels // 4, 2 * height, 2 * width)
        for i in range(2):
            for j in range(2):
                image[:, :, i::2, j::2] = take(x, i, j)  # type: ignore[operator]
        return image

    return wrong


def _quarter(x: Tensor, i: int, j: int) -> Tensor:
    size = x.shape[1] // 4
    return x[:, (2 * i + j) * size : (2 * i + j + 1) * size]


def _quarters(x: Tensor) -> Tensor:
    rows = [torch.cat([x[:, 2 * i :: 4], x[:, 2 * i + 1 :: 4]], -1) for i in range(2)]
    return torch.cat(rows, -2)


def _undoes_squeeze(answer: Answer, draw: Draw) -> str | None:
    (image,) = image_probe(draw)
    back = answer.call(squeeze(image))
    if isinstance(back, Tensor) and back.shape == image.shape and torch.equal(back.to(image), image):
        return None
    return "An image that is squeezed and then unsqueezed by yours is another one."


EXERCISE = Exercise(
    reference=unsqueeze,
    points=1,
    returns={"image": "(batch, channels, 2·height, 2·width)"},
    convention="It undoes squeeze: channel 4c + 2i + j goes to x[:, c, i::2, j::2].",
    probe=_probe,
    gradients=("x",),
    properties=(Property("undoes squeeze", _undoes_squeeze),),
    misconceptions=(
        Misconception(
            "reshaped",
            "A reshape alone reads channel after channel: the four channels of a block have to meet in its four pixels.",
            lambda x: x.reshape(len(x), x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3]),
        ),
        Misconception(
            "slice after slice",
            "Right for one channel; with several the order differs: the four pixels of a block stand in channels 4c to 4c + 3.",
            _filled(_quarter),  # type: ignore[arg-type]
        ),
        Misconception(
            "column by column",
            "Rows and columns of a block are exchanged: i counts rows and counts double, 4c + 2i + j.",
            _filled(lambda x, i, j: x[:, 2 * j + i :: 4]),  # type: ignore[arg-type]
        ),
        Misconception(
            "quarters",
            "You put four small images side by side: their pixels have to be interleaved, x[:, c, i::2, j::2].",
            _quarters,
        ),
        Misconception(
            "repeated",
            "You repeat one channel over the whole block: its four pixels come from four channels.",
            _filled(lambda x, i, j: x[:, ::4]),  # type: ignore[arg-type]
        ),
        Misconception(
            "squeezed again",
            "That squeezes once more: this is the way back, channels into pixels.",
            lambda x: torch.nn.functional.pixel_unshuffle(torch.nn.functional.pad(x, (0, 1, 0, 1))[..., :2, :2], 2),
        ),
        Misconception(
            "a block turned",
            "The blocks are turned by half a turn: 2i + j, not 3 - (2i + j).",
            _filled(lambda x, i, j: x[:, 3 - 2 * i - j :: 4]),  # type: ignore[arg-type]
        ),
        Misconception(
            "sides exchanged",
            "Height and width are exchanged.",
            lambda x: unsqueeze(x).mT,
        ),
        Misconception(
            "channels last",
            "The channels stand last: images are (batch, channels, height, width).",
            lambda x: unsqueeze(x).permute(0, 2, 3, 1),
        ),
    ),
    alternatives=(_by_reshape, _by_slices),
)
