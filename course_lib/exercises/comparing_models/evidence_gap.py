"""How far the bound lies below what importance sampling finds, from the same samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.comparing import evidence_gap
from course_lib.distributions import log_mean_exp
from course_lib.exercises.comparing_models.probes import far_apart, log_weights_of


def _never_negative(answer: Answer, draw: Draw) -> str | None:
    (gap,) = tensors_from(answer.call(log_weights_of(draw)))
    lowest = gap.min().item()
    if lowest >= -1e-5:
        return None
    return f"By Jensen's inequality the gap is never negative, not even for the few samples at hand; yours is {lowest:.3f} nats."


def _by_hand(log_weights: Tensor) -> Tensor:
    largest = log_weights.max(0).values
    return (log_weights - largest).exp().mean(0).log() + largest - log_weights.sum(0) / len(log_weights)


def _from_the_mean(log_weights: Tensor) -> Tensor:
    return torch.logsumexp(log_weights - log_weights.mean(0), 0) - math.log(len(log_weights))


EXERCISE = Exercise(
    reference=evidence_gap,
    points=2,
    returns={"gap": "(batch,)"},
    convention="log-mean-exp of the log-weights over the samples, minus their mean; dimension 0, one gap for each image, nats.",
    probe=lambda draw: (log_weights_of(draw),),
    gradients=("log_weights",),
    properties=(Property("never negative", _never_negative),),
    edge_cases=(
        EdgeCase(
            "weights of images",
            "Right for moderate log-weights, but not for those of images, thousands of nats apart.",
            lambda draw: (far_apart(draw),),
        ),
    ),
    misconceptions=(
        Misconception(
            "the sign",
            "The sign is turned: the estimate of log p(x) is the larger one, the ELBO is taken from it.",
            lambda log_weights: -evidence_gap(log_weights),
        ),
        Misconception(
            "log K forgotten",
            "log K is missing: logsumexp is the logarithm of a sum, the estimate that of a mean. Your gap grows with K even where all "
            "weights are alike.",
            lambda log_weights: evidence_gap(log_weights) + math.log(len(log_weights)),
        ),
        Misconception(
            "log K added",
            "log K has the wrong sign: the mean is the sum divided by K.",
            lambda log_weights: evidence_gap(log_weights) + 2 * math.log(len(log_weights)),
        ),
        Misconception(
            "the largest weight",
            "You take the largest log-weight for the estimate of log p(x): it is the logarithm of the mean weight.",
            lambda log_weights: log_weights.max(0).values - log_weights.mean(0),
        ),
        Misconception(
            "the estimate alone",
            "That is the estimate of log p(x). The gap is what the ELBO lacks of it.",
            lambda log_weights: log_mean_exp(log_weights, 0),
        ),
        Misconception(
            "the ELBO alone",
            "That is the ELBO. The gap is what it lacks of the estimate of log p(x).",
            lambda log_weights: log_weights.mean(0),
        ),
        Misconception(
            "over the images",
            "You average over the images: the samples stand in dimension 0.",
            lambda log_weights: log_mean_exp(log_weights, 1) - log_weights.mean(1),
        ),
        Misconception(
            "one number",
            "You average the gaps: each image has its own, (batch,).",
            lambda log_weights: evidence_gap(log_weights).mean(),
        ),
        Misconception(
            "all images in one mean",
            "The mean of the weights runs over all images at once: p(x) of one image is no part of another's.",
            lambda log_weights: log_mean_exp(log_weights.flatten(), 0) - log_weights.mean(0),
        ),
        Misconception(
            "the median",
            "You subtract the median: the ELBO is the mean of the log-weights.",
            lambda log_weights: log_mean_exp(log_weights, 0) - log_weights.median(0).values,
        ),
        Misconception(
            "the spread",
            "That is the standard deviation of the log-weights. It is large where the gap is large, but it is not the gap.",
            lambda log_weights: log_weights.std(0),
        ),
        Misconception(
            "one sample's bound",
            "You subtract the first sample's log-weight: the ELBO is the mean over all samples.",
            lambda log_weights: log_mean_exp(log_weights, 0) - log_weights[0],
        ),
        Misconception(
            "unstable",
            "For images exp() of the log-weights is 0 or infinite: take the largest out first, as logsumexp does.",
            lambda log_weights: log_weights.exp().mean(0).log() - log_weights.mean(0),
        ),
    ),
    alternatives=(_by_hand, _from_the_mean),
)
