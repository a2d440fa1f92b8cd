"""A VAE's two bounds in the flows' unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.comparing import vae_bits_per_dim
from course_lib.distributions import log_mean_exp
from course_lib.exercises.comparing_models.probes import far_apart, log_weights_of, some_levels

LOG_2 = math.log(2)


def _probe(draw: Draw) -> tuple[Any, ...]:
    return log_weights_of(draw), draw.sizes.dim + 3, some_levels(draw)


def _both(
    unit: Callable[[Tensor, int, int], Tensor] = lambda value, dims, levels: math.log2(levels) - value / (dims * LOG_2),
    iwae: Callable[[Tensor], Tensor] = lambda log_weights: log_mean_exp(log_weights, 0),
    elbo: Callable[[Tensor], Tensor] = lambda log_weights: log_weights.mean(0),
) -> Callable[..., Any]:
    """Both bounds with another unit, or another bound."""

    def answer(log_weights: Tensor, num_dims: int, levels: int) -> Any:
        return tuple(unit(bound(log_weights), num_dims, levels) for bound in (elbo, iwae))

    return answer


def _bits_averaged(log_weights: Tensor, num_dims: int, levels: int) -> Any:
    bits = math.log2(levels) - log_weights / (num_dims * LOG_2)
    return bits.mean(0), log_mean_exp(bits, 0)


def _by_logsumexp(log_weights: Tensor, num_dims: int, levels: int) -> Any:
    iwae = torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])
    return [-(value / num_dims - math.log(levels)) / LOG_2 for value in (log_weights.mean(0), iwae)]


def _sample_by_sample(log_weights: Tensor, num_dims: int, levels: int) -> Any:
    bits = math.log2(levels) - log_weights / (num_dims * LOG_2)
    return bits.mean(0), math.log2(levels) - log_mean_exp(log_weights, 0) / num_dims / LOG_2


EXERCISE = Exercise(
    reference=vae_bits_per_dim,
    points=2,
    returns={"elbo_bits": "(batch,)", "iwae_bits": "(batch,)"},
    convention="bits/dim = log2(levels) - bound / (num_dims · log 2), of the ELBO (mean over samples) and of the importance-weighted "
    "bound (log-mean-exp over samples), in this order.",
    probe=_probe,
    gradients=("log_weights",),
    edge_cases=(
        EdgeCase(
            "weights of images",
            "Right for moderate log-weights, but not for those of images, thousands of nats apart.",
            lambda draw: (far_apart(draw), draw.sizes.dim + 3, some_levels(draw)),
        ),
    ),
    misconceptions=(
        Misconception(
            "exchanged",
            "The two are exchanged: the ELBO's bits come first. (They are the larger ones.)",
            lambda *args: vae_bits_per_dim(*args)[::-1],
        ),
        Misconception(
            "nats",
            "You divide by num_dims only: that is nats for each dimension. A bit is log 2 nats.",
            _both(lambda value, dims, levels: math.log2(levels) - value / dims),
        ),
        Misconception(
            "the levels' logarithm in nats",
            "log(levels) is in nats: in bits it is log2(levels).",
            _both(lambda value, dims, levels: math.log(levels) - value / (dims * LOG_2)),
        ),
        Misconception(
            "levels forgotten",
            "The levels are missing: the density is that of data scaled to [0, 1), each grey value a cell 1/levels wide.",
            _both(lambda value, dims, levels: -value / (dims * LOG_2)),
        ),
        Misconception(
            "levels shared out",
            "You divide log2(levels) by num_dims too: every dimension has all its levels.",
            _both(lambda value, dims, levels: (math.log2(levels) - value / LOG_2) / dims),
        ),
        Misconception(
            "the sign",
            "The bound is added: more log-likelihood means fewer bits.",
            _both(lambda value, dims, levels: math.log2(levels) + value / (dims * LOG_2)),
        ),
        Misconception(
            "256 levels",
            "You take 256 levels, whatever levels says.",
            _both(lambda value, dims, levels: 8 - value / (dims * LOG_2)),
        ),
        Misconception(
            "not for each dimension",
            "That is bits for the whole image: divide by num_dims.",
            _both(lambda value, dims, levels: math.log2(levels) - value / LOG_2),
        ),
        Misconception(
            "log K forgotten",
            "Your second bound lacks log K: the weights are averaged over the samples, not added up.",
            _both(iwae=lambda log_weights: log_weights.logsumexp(0)),
        ),
        Misconception(
            "the ELBO twice",
            "Your second number is the ELBO's again: average the weights, then take the logarithm.",
            _both(iwae=lambda log_weights: log_weights.mean(0)),
        ),
        Misconception(
            "the best sample",
            "Your second number takes the largest weight: the importance-weighted bound is the logarithm of their mean.",
            _both(iwae=lambda log_weights: log_weights.max(0).values),
        ),
        Misconception(
            "log-mean-exp of bits",
            "Your second number is a log-mean-exp of bits: combine the log-weights first, in nats, then change the unit.",
            _bits_averaged,
        ),
        Misconception(
            "one sample",
            "Your ELBO is that of the first sample: average over all of them.",
            _both(elbo=lambda log_weights: log_weights[0]),
        ),
        Misconception(
            "averaged over the images",
            "You average over the images: each has its own two numbers, (batch,).",
            lambda *args: tuple(bits.mean() for bits in vae_bits_per_dim(*args)),
        ),
        Misconception(
            "the bounds themselves",
            "These are the bounds, in nats: the unit is still to be changed.",
            _both(lambda value, dims, levels: value),
        ),
        Misconception(
            "unstable",
            "For images exp() of the log-weights is 0 or infinite: take the largest out first, as logsumexp does.",
            _both(iwae=lambda log_weights: log_weights.exp().mean(0).log()),
        ),
    ),
    alternatives=(_by_logsumexp, _sample_by_sample),
)
