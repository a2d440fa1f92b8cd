"""The unit in which papers compare densities of images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.real_nvp import bits_per_dim

LOG_2 = math.log(2)


def _probe(draw: Draw) -> tuple[Tensor, int, int]:
    num_dims = 5 * draw.sizes.dim
    return (
        draw.normal(draw.sizes.batch, scale=3.0 * num_dims, shift=2.0 * num_dims),
        num_dims,
        (16, 5, 100, 32)[draw.integer(4)],
    )


def _uniform_is_not_8(answer: Answer, draw: Draw) -> str | None:
    """A density of 1 everywhere, 256 levels."""
    zeros = torch.zeros(draw.sizes.batch, dtype=torch.float64)
    value, *_ = tensors_from(answer.call(zeros, 784, 256))
    if bool((value - 8).abs().max() < 1e-4):
        return None
    return f"A model that finds every image equally likely has log p(x) = 0 and 8 bits/dim at 256 levels; yours says {value.flatten()[0]:.4g}."


def _by_probability(log_prob: Tensor, num_dims: int, levels: int) -> Tensor:
    log_mass = log_prob - num_dims * math.log(levels)  # of the cell that belongs to one image
    return -log_mass / math.log(2) / num_dims


EXERCISE = Exercise(
    reference=bits_per_dim,
    points=1,
    returns={"bits": "(batch,)"},
    convention="log2(levels) - log_prob / (num_dims · log 2), with log_prob in nats, of data in [0, 1). Lower is better.",
    probe=_probe,
    gradients=("log_prob",),
    properties=(Property("uniform is not 8", _uniform_is_not_8),),
    misconceptions=(
        Misconception(
            "levels left out",
            "The levels are missing: log_prob is a density over [0, 1), where a cell is only 1/levels wide. log2(levels) bits a dimension belong to that.",
            lambda log_prob, num_dims, levels: -log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "256 levels always",
            "You take 256 levels whatever `levels` says.",
            lambda log_prob, num_dims, levels: 8 - log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "levels counted twice",
            "The levels are counted twice: log_prob is that of data divided by them already, so log2(levels) once.",
            lambda log_prob, num_dims, levels: 2 * math.log2(levels) - log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "levels subtracted",
            "log2(levels) has the wrong sign: an image costs it where the density is 1.",
            lambda log_prob, num_dims, levels: -math.log2(levels) - log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "levels in nats",
            "log(levels) is in nats, the rest in bits: log2(levels).",
            lambda log_prob, num_dims, levels: math.log(levels) - log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "in nats",
            "That is in nats a dimension: divide by log 2 for bits.",
            lambda log_prob, num_dims, levels: math.log(levels) - log_prob / num_dims,
        ),
        Misconception(
            "log_prob in nats",
            "log_prob is left in nats: divide it by log 2 as well.",
            lambda log_prob, num_dims, levels: math.log2(levels) - log_prob / num_dims,
        ),
        Misconception(
            "multiplied by log 2",
            "One nat is more than one bit: divide by log 2.",
            lambda log_prob, num_dims, levels: math.log2(levels) - log_prob * LOG_2 / num_dims,
        ),
        Misconception(
            "log_prob added",
            "log_prob has the wrong sign: what is likelier costs fewer bits.",
            lambda log_prob, num_dims, levels: math.log2(levels) + log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "for the whole image",
            "Those are the bits of a whole image: divide by num_dims.",
            lambda log_prob, num_dims, levels: num_dims * math.log2(levels) - log_prob / LOG_2,
        ),
        Misconception(
            "log_prob not divided by num_dims",
            "log_prob is that of the whole image: divide it by num_dims.",
            lambda log_prob, num_dims, levels: math.log2(levels) - log_prob / LOG_2,
        ),
        Misconception(
            "levels divided by num_dims",
            "log2(levels) is divided by num_dims: every dimension has that many levels.",
            lambda log_prob, num_dims, levels: (math.log2(levels) - log_prob / LOG_2) / num_dims,
        ),
        Misconception(
            "levels themselves",
            "You add the number of levels, not its logarithm.",
            lambda log_prob, num_dims, levels: levels - log_prob / (num_dims * LOG_2),
        ),
        Misconception(
            "one number",
            "You average over the batch: one value for each image, (batch,).",
            lambda log_prob, num_dims, levels: (math.log2(levels) - log_prob / (num_dims * LOG_2)).mean(),
        ),
    ),
    alternatives=(
        _by_probability,
        lambda log_prob, num_dims, levels: (num_dims * math.log(levels) - log_prob) / (num_dims * math.log(2)),
    ),
)
