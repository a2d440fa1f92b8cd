"""The whole chain from grey values to bits/dim: noise, logit, flow, and every log-det once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.comparing import flow_bits_per_dim
from course_lib.exercises.comparing_models.probes import some_levels
from course_lib.nice import dequantize
from course_lib.real_nvp import logit_transform
from course_lib.warps import WarpedNormal

LOG_2 = math.log(2)


def _a_density(draw: Draw, dim: int) -> WarpedNormal:
    """A flow with numbers from a draw, wide enough for logits."""
    flow = WarpedNormal(dim).to(draw.device, draw.dtype)
    eye = torch.eye(dim, device=draw.device, dtype=draw.dtype)
    flow.a.data = 0.5 + 0.5 * draw.normal(dim, shift=0.0).sigmoid()
    flow.W.data = 1.5 * eye + draw.normal(dim, dim, shift=0.0).tanh() * (0.9 / max(dim - 1, 1))
    flow.b.data = draw.normal(dim)
    return flow


def _pixels_and_noise(draw: Draw, levels: int) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.dim
    share, noise = (draw.simplex(*shape, 2)[..., 0] for _ in range(2))
    return (share.double() * levels).floor().long(), noise


def _probe(draw: Draw) -> tuple[Any, ...]:
    levels, alpha = some_levels(draw), (0.1, 0.02, 0.2)[draw.integer(3)]
    return _a_density(draw, draw.sizes.dim), *_pixels_and_noise(draw, levels), levels, alpha


def _bytes(draw: Draw) -> tuple[Any, ...]:
    pixels, noise = _pixels_and_noise(draw, 256)
    return _a_density(draw, draw.sizes.dim), pixels.to(torch.uint8), noise, 256, 0.05


def _chain(
    x_of: Callable[..., Tensor] = lambda pixels, noise, levels: dequantize(pixels, noise, levels)[0],
    y_of: Callable[[Tensor, float], Any] = logit_transform,
    whole: Callable[..., Tensor] = lambda log_prob, of_logit, dim, levels: (
        math.log2(levels) - (log_prob + of_logit) / (dim * LOG_2)
    ),
) -> Callable[..., Any]:
    """The chain with another link."""

    def answer(flow: Any, pixels: Tensor, noise: Tensor, levels: int, alpha: float) -> Any:
        y, log_det = y_of(x_of(pixels, noise, levels), alpha)
        return whole(flow.log_prob(y), log_det, pixels.shape[-1], levels)

    return answer


def _shrunk_from_both_ends(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    s = alpha + (1 - 2 * alpha) * x
    return s.logit(), (math.log(1 - 2 * alpha) - s.log() - (-s).log1p()).sum(-1)


def _plain_logit(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    return x.logit(), -(x.log() + (-x).log1p()).sum(-1)


def _without_the_factor(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    y, log_det = logit_transform(x, alpha)
    return y, log_det - x.shape[-1] * math.log1p(-alpha)


def _of_the_whole_numbers(flow: Any, pixels: Tensor, noise: Tensor, levels: int, alpha: float) -> Tensor:
    x, of_levels = dequantize(pixels, noise, levels)
    y, of_logit = logit_transform(x, alpha)
    return -(flow.log_prob(y) + of_logit + of_levels) / (x.shape[-1] * LOG_2)


def _by_hand(flow: Any, pixels: Tensor, noise: Tensor, levels: int, alpha: float) -> Tensor:
    s = alpha + (1 - alpha) * (pixels + noise) / levels
    log_det = (math.log(1 - alpha) - s.log() - (1 - s).log()).sum(-1)
    log_prob = flow.log_prob(s.log() - (1 - s).log()) + log_det
    return math.log2(levels) - log_prob / pixels.shape[1] / LOG_2


EXERCISE = Exercise(
    reference=flow_bits_per_dim,
    points=3,
    returns={"bits": "(batch,)"},
    convention="pixels and noise to x in [0, 1), x to logits y = logit(alpha + (1 - alpha) x); log p(x) = log p(y) + log|det dy/dx|; "
    "bits/dim = log2(levels) - log p(x) / (dim · log 2), the levels counted once.",
    probe=_probe,
    gradients=("noise",),
    edge_cases=(EdgeCase("bytes", "Right elsewhere, but not for pixels of dtype uint8 and 256 levels.", _bytes),),
    misconceptions=(
        Misconception(
            "the logit's log-det forgotten",
            "The logit's log-det is missing: flow.log_prob is the density of y, and x is another variable.",
            _chain(whole=lambda log_prob, of_logit, dim, levels: math.log2(levels) - log_prob / (dim * LOG_2)),
        ),
        Misconception(
            "the logit's log-det subtracted",
            "You subtract the logit's log-det: log p(x) = log p(y) + log|det dy/dx|, and that is what logit_transform returns.",
            _chain(
                whole=lambda log_prob, of_logit, dim, levels: math.log2(levels) - (log_prob - of_logit) / (dim * LOG_2)
            ),
        ),
        Misconception(
            "levels counted twice",
            "The levels are counted twice: once by dequantize's log-det, once by bits_per_dim. Take one of them.",
            _chain(
                whole=lambda log_prob, of_logit, dim, levels: (
                    2 * math.log2(levels) - (log_prob + of_logit) / (dim * LOG_2)
                )
            ),
        ),
        Misconception(
            "levels not counted",
            "The levels are not counted at all: a density of x in [0, 1) is no probability of a grey value, whose cell is 1/levels wide.",
            _chain(whole=lambda log_prob, of_logit, dim, levels: -(log_prob + of_logit) / (dim * LOG_2)),
        ),
        Misconception(
            "dequantize's log-det subtracted",
            "The levels have the wrong sign: log2(levels) - log p(x) / (dim · log 2).",
            _chain(
                whole=lambda log_prob, of_logit, dim, levels: -math.log2(levels) - (log_prob + of_logit) / (dim * LOG_2)
            ),
        ),
        Misconception(
            "nats",
            "You divide by dim only: a bit is log 2 nats.",
            _chain(whole=lambda log_prob, of_logit, dim, levels: math.log2(levels) - (log_prob + of_logit) / dim),
        ),
        Misconception(
            "not for each dimension",
            "That is bits for the whole image: divide log p(x) by dim.",
            _chain(whole=lambda log_prob, of_logit, dim, levels: math.log2(levels) - (log_prob + of_logit) / LOG_2),
        ),
        Misconception(
            "the sign",
            "log p(x) is added: more likelihood means fewer bits.",
            _chain(
                whole=lambda log_prob, of_logit, dim, levels: math.log2(levels) + (log_prob + of_logit) / (dim * LOG_2)
            ),
        ),
        Misconception(
            "the flow at x",
            "You ask the flow for its density at x: it is a flow of logits.",
            _chain(y_of=lambda x, alpha: (x, logit_transform(x, alpha)[1])),
        ),
        Misconception(
            "no noise",
            "The noise is not used: whole numbers have no density.",
            _chain(x_of=lambda pixels, noise, levels: (pixels.to(noise) + 0 * noise) / levels),
        ),
        Misconception(
            "noise on the scaled pixels",
            "You add the noise after dividing by levels: a whole grey value's worth of it belongs to each cell, so add first.",
            _chain(x_of=lambda pixels, noise, levels: (pixels.to(noise) / levels + noise).clamp(max=0.999)),
        ),
        Misconception(
            "divided by levels - 1",
            "You divide by levels - 1: there are levels cells in [0, 1).",
            _chain(x_of=lambda pixels, noise, levels: ((pixels + noise) / (levels - 1)).clamp(max=0.999)),
        ),
        Misconception(
            "alpha at both ends",
            "You shrink by alpha at both ends, alpha + (1 - 2 alpha) x, as the authors' code does; here, as in the paper, "
            "it is alpha + (1 - alpha) x.",
            _chain(y_of=_shrunk_from_both_ends),
        ),
        Misconception(
            "alpha left out",
            "alpha is not used: y = logit(alpha + (1 - alpha) x).",
            _chain(y_of=_plain_logit),
        ),
        Misconception(
            "log(1 - alpha) left out",
            "The logit's log-det lacks log(1 - alpha), once for each dimension: x is scaled before its logit is taken.",
            _chain(y_of=_without_the_factor),
        ),
        Misconception(
            "alpha is 0.05",
            "You take alpha = 0.05, whatever alpha says.",
            _chain(y_of=lambda x, alpha: logit_transform(x, 0.05)),
        ),
        Misconception(
            "256 levels",
            "You take 256 levels, whatever levels says.",
            lambda flow, pixels, noise, levels, alpha: flow_bits_per_dim(flow, pixels, noise, 256, alpha),
        ),
        Misconception(
            "averaged over the images",
            "You average over the images: each has its own number, (batch,).",
            lambda *args: flow_bits_per_dim(*args).mean(),
        ),
        Misconception(
            "log p(x)",
            "That is log p(x) in nats: the unit is still to be changed.",
            _chain(whole=lambda log_prob, of_logit, dim, levels: log_prob + of_logit),
        ),
    ),
    alternatives=(_of_the_whole_numbers, _by_hand),
)
