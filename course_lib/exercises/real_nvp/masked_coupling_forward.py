"""The affine coupling of images by a mask, from z to x."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.probes import Network, many_pixels_probe, mask_probe, masked
from course_lib.image_flows import masked_coupling_forward

IMAGE = (1, 2, 3)


def _right(z: Tensor, mask: Tensor, g: Tensor, h: Tensor) -> Tensor:
    return mask * z + (1 - mask) * (z * h.exp() + g)


def _log_det(mask: Tensor, h: Tensor) -> Tensor:
    return ((1 - mask) * h).sum(IMAGE)


def _by_where(z: Tensor, mask: Tensor, g: Network, h: Network) -> Any:
    kept = mask.bool().expand_as(z)
    seen = torch.where(kept, z, torch.zeros_like(z))
    log_scale = h(seen).masked_fill(kept, 0)
    return torch.where(kept, z, z * log_scale.exp() + g(seen)), log_scale.flatten(1).sum(1)


def _masked_first(z: Tensor, mask: Tensor, g: Network, h: Network) -> Any:
    shift, log_scale = g(mask * z) * (1 - mask), h(mask * z) * (1 - mask)
    return z * log_scale.exp() + shift, log_scale.reshape(len(z), -1).sum(-1)


def _in_place(draw: Draw) -> tuple[Any, ...]:
    """One image, square, one channel: where shapes cannot help."""
    _, mask, g, h = mask_probe(draw)
    width = draw.sizes.dim + 2
    return draw.normal(1, 2, draw.sizes.dim, width), mask, g, h


EXERCISE = Exercise(
    reference=masked_coupling_forward,
    points=2,
    returns={"x": "(batch, channels, height, width)", "log_det": "(batch,)"},
    convention="x = z where the mask is 1, z · exp(h) + g where it is 0, with g and h of mask · z; log_det sums h where the mask is 0, nats.",
    probe=mask_probe,
    gradients=("z",),
    edge_cases=(
        EdgeCase(
            "two thousand entries",
            "Right for few pixels, but not for many: a product of a thousand scales is 0 in floating point, the sum of their logarithms is not.",
            many_pixels_probe,
        ),
        EdgeCase(
            "one image",
            "Right for several images, but not for one alone: does .squeeze() take away the batch?",
            _in_place,
        ),
    ),
    misconceptions=(
        Misconception(
            "mask turned round",
            "You change what the mask keeps: where it is 1 an entry stays, where it is 0 it is scaled and shifted.",
            masked(
                lambda z, mask, g, h: (1 - mask) * z + mask * (z * h.exp() + g),
                lambda mask, h: (mask * h).sum(IMAGE),
                lambda z, mask: z * (1 - mask),
            ),
        ),
        Misconception(
            "networks see everything",
            "Your networks look at all of z, what they change included: nobody could compute them on the way back. They look at mask · z.",
            masked(_right, _log_det, lambda z, mask: z),
        ),
        Misconception(
            "networks see the changed",
            "Your networks look at the entries that are changed, (1 - mask) · z: they look at the kept ones, mask · z.",
            masked(_right, _log_det, lambda z, mask: z * (1 - mask)),
        ),
        Misconception(
            "everything changed",
            "You scale and shift every entry: where the mask is 1 it stays as it is.",
            masked(lambda z, mask, g, h: z * h.exp() + g, lambda mask, h: h.sum(IMAGE)),
        ),
        Misconception(
            "log_det of all entries",
            "x is right; your log_det sums h over all entries: those that are kept are not stretched.",
            masked(_right, lambda mask, h: h.sum(IMAGE)),
        ),
        Misconception(
            "log_det of the kept",
            "x is right; your log_det sums h where the mask is 1: it is the others that are stretched.",
            masked(_right, lambda mask, h: (mask * h).sum(IMAGE)),
        ),
        Misconception(
            "shift not masked",
            "The kept entries are shifted: g counts only where the mask is 0.",
            masked(lambda z, mask, g, h: z * ((1 - mask) * h).exp() + g, _log_det),
        ),
        Misconception(
            "kept lost",
            "The kept entries come out as 0: add mask · z.",
            masked(lambda z, mask, g, h: (1 - mask) * (z * h.exp() + g), _log_det),
        ),
        Misconception(
            "changed lost",
            "z itself is missing where the mask is 0: it is scaled by exp(h), then shifted.",
            masked(lambda z, mask, g, h: mask * z + (1 - mask) * (h.exp() + g), _log_det),
        ),
        Misconception(
            "the inverse",
            "That is the way back, from x to z.",
            masked(
                lambda z, mask, g, h: mask * z + (1 - mask) * (z - g) * (-h).exp(), lambda mask, h: -_log_det(mask, h)
            ),
        ),
        Misconception(
            "scaled by h",
            "You scale by h: it is the logarithm of the scale, exp(h) the scale.",
            masked(lambda z, mask, g, h: mask * z + (1 - mask) * (z * h + g), _log_det),
        ),
        Misconception(
            "g and h exchanged",
            "g and h have changed places: g is the shift, h the logarithm of the scale.",
            lambda z, mask, g, h: masked(_right, _log_det)(z, mask, h, g),
        ),
        Misconception(
            "log_det has the wrong sign",
            "x is right; the log_det has the wrong sign: it is that of the map just applied, from z to x.",
            masked(_right, lambda mask, h: -_log_det(mask, h)),
        ),
        Misconception(
            "a log_det for each channel",
            "x is right; you sum over height and width alone: one value for each image, (batch,), so over the channels as well.",
            masked(_right, lambda mask, h: ((1 - mask) * h).sum((-2, -1))),
        ),
        Misconception(
            "one log_det for the batch",
            "x is right; you sum over the batch as well: one value for each image, (batch,).",
            masked(_right, lambda mask, h: ((1 - mask) * h).sum()),
        ),
        Misconception(
            "log_det is a mean",
            "x is right; your log_det is a mean: the logarithms of all scales add.",
            masked(_right, lambda mask, h: ((1 - mask) * h).mean(IMAGE)),
        ),
    ),
    alternatives=(_by_where, _masked_first),
)
