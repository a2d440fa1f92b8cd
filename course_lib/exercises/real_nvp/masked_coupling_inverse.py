"""The affine coupling of images by a mask, from x back to z."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.probes import Network, many_pixels_probe, mask_probe, masked
from course_lib.image_flows import masked_coupling_forward, masked_coupling_inverse

IMAGE = (1, 2, 3)


def _right(x: Tensor, mask: Tensor, g: Tensor, h: Tensor) -> Tensor:
    return mask * x + (1 - mask) * (x - g) * (-h).exp()


def _log_det(mask: Tensor, h: Tensor) -> Tensor:
    return -((1 - mask) * h).sum(IMAGE)


def _by_division(x: Tensor, mask: Tensor, g: Network, h: Network) -> Any:
    kept = mask.bool().expand_as(x)
    log_scale = h(mask * x)
    return torch.where(kept, x, (x - g(mask * x)) / log_scale.exp()), -log_scale.masked_fill(kept, 0).flatten(1).sum(1)


def _undoes_forward(answer: Answer, draw: Draw) -> str | None:
    z, mask, g, h = mask_probe(draw)
    back, *_ = tensors_from(answer.call(masked_coupling_forward(z, mask, g, h)[0].detach(), mask, g, h))
    if back.shape == z.shape and torch.allclose(back, z, atol=1e-6):
        return None
    return "Forward and then your inverse do not lead back to the z where it began."


EXERCISE = Exercise(
    reference=masked_coupling_inverse,
    points=1,
    returns={"z": "(batch, channels, height, width)", "log_det": "(batch,)"},
    convention="z = x where the mask is 1, (x - g) · exp(-h) where it is 0, with g and h of mask · x; log_det = log|det dz/dx|, nats.",
    probe=mask_probe,
    gradients=("x",),
    properties=(Property("undoes forward", _undoes_forward),),
    edge_cases=(
        EdgeCase(
            "two thousand entries",
            "Right for few pixels, but not for many: a product of a thousand scales leaves floating point, the sum of their logarithms does not.",
            many_pixels_probe,
        ),
    ),
    misconceptions=(
        Misconception(
            "forward again",
            "That is forward once more: the way back subtracts g, then divides by exp(h).",
            masked(lambda x, mask, g, h: mask * x + (1 - mask) * (x * h.exp() + g), lambda mask, h: -_log_det(mask, h)),
        ),
        Misconception(
            "in the wrong order",
            "You divide first, then subtract g: what was done last is undone first.",
            masked(lambda x, mask, g, h: mask * x + (1 - mask) * (x * (-h).exp() - g), _log_det),
        ),
        Misconception(
            "mask turned round",
            "You change what the mask keeps: where it is 1 an entry stays.",
            masked(
                lambda x, mask, g, h: (1 - mask) * x + mask * (x - g) * (-h).exp(),
                lambda mask, h: -(mask * h).sum(IMAGE),
                lambda x, mask: x * (1 - mask),
            ),
        ),
        Misconception(
            "networks see everything",
            "Your networks look at all of x: forward has shown them the kept entries alone, mask · z, which are mask · x still.",
            masked(_right, _log_det, lambda x, mask: x),
        ),
        Misconception(
            "everything changed",
            "You change every entry: where the mask is 1 it stays as it is.",
            masked(lambda x, mask, g, h: (x - g) * (-h).exp(), lambda mask, h: -h.sum(IMAGE)),
        ),
        Misconception(
            "g added",
            "You add g: forward has added it, so it is subtracted.",
            masked(lambda x, mask, g, h: mask * x + (1 - mask) * (x + g) * (-h).exp(), _log_det),
        ),
        Misconception(
            "multiplied again",
            "You multiply by exp(h): forward has done that, so divide by it.",
            masked(lambda x, mask, g, h: mask * x + (1 - mask) * (x - g) * h.exp(), _log_det),
        ),
        Misconception(
            "kept lost",
            "The kept entries come out as 0: add mask · x.",
            masked(lambda x, mask, g, h: (1 - mask) * (x - g) * (-h).exp(), _log_det),
        ),
        Misconception(
            "log_det of forward",
            "z is right; the log_det is that of forward: on the way back it is minus that.",
            masked(_right, lambda mask, h: -_log_det(mask, h)),
        ),
        Misconception(
            "log_det of all entries",
            "z is right; your log_det sums over all entries: those that are kept are not stretched.",
            masked(_right, lambda mask, h: -h.sum(IMAGE)),
        ),
        Misconception(
            "log_det is 0",
            "z is right, but your log_det is 0: where the mask is 0 an entry is divided by exp(h).",
            masked(_right, lambda mask, h: 0 * h.sum(IMAGE)),
        ),
        Misconception(
            "a log_det for each channel",
            "z is right; you sum over height and width alone: one value for each image, (batch,), so over the channels as well.",
            masked(_right, lambda mask, h: -((1 - mask) * h).sum((-2, -1))),
        ),
    ),
    alternatives=(_by_division,),
)
