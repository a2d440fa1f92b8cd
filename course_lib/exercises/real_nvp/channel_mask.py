"""The mask of half the channels."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.checkerboard_mask import as_numbers
from course_lib.image_flows import channel_mask


def _probe(draw: Draw) -> tuple[int]:
    return (2 * draw.sizes.samples,)


def _joined(channels: int) -> Tensor:
    return torch.cat([torch.ones(channels // 2), torch.zeros(channels // 2)])


EXERCISE = Exercise(
    reference=channel_mask,
    points=1,
    returns={"mask": "(channels,)"},
    convention="1 for the first half of the channels, 0 for the second; channels is even. Any dtype of zeros and ones.",
    probe=_probe,
    observe=as_numbers,
    misconceptions=(
        Misconception(
            "turned round",
            "Zeros and ones are exchanged: the first half is 1.",
            lambda channels: 1 - channel_mask(channels),
        ),
        Misconception(
            "every other",
            "Your mask alternates, 1, 0, 1, 0: the first half of the channels is 1.",
            lambda channels: 1 - torch.arange(channels) % 2,
        ),
        Misconception(
            "every other, from 0",
            "Your mask alternates, 0, 1, 0, 1: the first half of the channels is 1.",
            lambda channels: torch.arange(channels) % 2,
        ),
        Misconception(
            "one too many",
            "One channel too many is 1: the first channels // 2, counted from 0, so < and not <=.",
            lambda channels: (torch.arange(channels) <= channels // 2).float(),
        ),
        Misconception(
            "the half alone",
            "Your mask has half as many entries as there are channels: it has one for each.",
            lambda channels: torch.ones(channels // 2),
        ),
        Misconception(
            "all ones",
            "All of your mask is 1: nothing would be changed.",
            lambda channels: torch.ones(channels),
        ),
        Misconception(
            "twice as long",
            "Your mask has two entries for each channel: halves of channels // 2 each.",
            lambda channels: torch.cat([torch.ones(channels), torch.zeros(channels)]),
        ),
        Misconception(
            "one channel",
            "Only the first channel is 1: half of them are.",
            lambda channels: (torch.arange(channels) < 1).float(),
        ),
        Misconception(
            "shaped for images",
            "The mask is (channels,), one entry for each. It is given the shape (channels, 1, 1) where it meets an image.",
            lambda channels: channel_mask(channels).reshape(-1, 1, 1),
        ),
    ),
    alternatives=(
        _joined,
        lambda channels: torch.arange(channels) < channels / 2,
        lambda channels: torch.tensor([1] * (channels // 2) + [0] * (channels // 2)),
    ),
)
