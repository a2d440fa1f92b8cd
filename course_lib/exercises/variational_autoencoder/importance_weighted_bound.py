"""The importance-weighted bound: log-mean-exp of the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import importance_weighted_bound
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import log_mean_exp


def _log_weights(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=1.5, shift=-4.0),)


def _image_weights(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=30.0, shift=-900.0),)


def _between_mean_and_maximum(answer: Answer, draw: Draw) -> str | None:
    (log_weights,) = _log_weights(draw)
    (value,) = tensors_from(answer.call(log_weights))
    if value.shape != log_weights.shape[1:]:
        return None
    low, high = log_weights.mean(0), log_weights.max(0).values
    if bool((value < low - 1e-6).any()) or bool((value > high + 1e-6).any()):
        return "The bound lies between the mean of the log-weights (Jensen) and their maximum; yours does not."
    return None


EXERCISE = Exercise(
    reference=importance_weighted_bound,
    points=2,
    returns={"bound": "(batch,)"},
    convention="log (1/K) Σ_k w_k over the K samples, dimension 0, from the log-weights; (batch,), in nats.",
    probe=_log_weights,
    gradients=("log_weights",),
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average the logarithms: that is the ELBO. Average the weights, then take the logarithm.",
            lambda log_weights: log_weights.mean(0),
        ),
        Misconception(
            "log K forgotten",
            "log K is missing: logsumexp gives the logarithm of the sum, the mean is log K less. As it stands your bound "
            "grows with K without end.",
            lambda log_weights: log_weights.logsumexp(0),
        ),
        Misconception(
            "log K added",
            "log K has the wrong sign: the mean is the sum divided by K.",
            lambda log_weights: log_weights.logsumexp(0) + math.log(len(log_weights)),
        ),
        Misconception(
            "divided by K after the logarithm",
            "You divide the logarithm by K: divide the sum inside, which subtracts log K.",
            lambda log_weights: log_weights.logsumexp(0) / len(log_weights),
        ),
        Misconception(
            "maximum",
            "You take the largest weight: the mean of all of them is wanted.",
            lambda log_weights: log_weights.max(0).values,
        ),
        Misconception(
            "over the batch",
            "You average over the data points: over the samples, dimension 0.",
            lambda log_weights: log_mean_exp(log_weights, 1),
        ),
        Misconception(
            "one number for the whole batch",
            "You average over everything: keep one bound per data point, (batch,).",
            lambda log_weights: log_mean_exp(log_weights.flatten(), 0),
        ),
        Misconception(
            "mean over the batch",
            "You average the bounds over the batch: keep one per data point, (batch,).",
            lambda log_weights: importance_weighted_bound(log_weights).mean(),
        ),
        Misconception(
            "mean of the weights",
            "You return the mean weight: its logarithm is wanted.",
            lambda log_weights: log_weights.exp().mean(0),
        ),
        Misconception(
            "sum of the logarithms",
            "You sum the logarithms: average the weights, then take the logarithm.",
            lambda log_weights: log_weights.sum(0),
        ),
        Misconception(
            "unstable",
            "For images the weights underflow: log(mean(exp(...))) gives -inf. Take the largest out first, as logsumexp "
            "does.",
            lambda log_weights: log_weights.exp().mean(0).log(),
        ),
    ),
    alternatives=(
        lambda log_weights: torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0]),
        lambda log_weights: (log_weights - log_weights.max(0).values).exp().mean(0).log() + log_weights.max(0).values,
    ),
    properties=(Property("between mean and maximum", _between_mean_and_maximum),),
    edge_cases=(
        EdgeCase(
            "weights of images",
            "Right for moderate log-weights, but not for those of images, near -900.",
            _image_weights,
        ),
    ),
)
