"""The objective with a weight on the KL."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.beta import beta_elbo
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw


def _terms(draw: Draw) -> tuple[Tensor, Tensor]:
    return draw.normal(draw.sizes.batch, scale=3.0, shift=-9.0), 4 * draw.positive(draw.sizes.batch)


def _probe(draw: Draw) -> tuple[Any, ...]:
    return *_terms(draw), round(0.2 + 0.1 * draw.integer(6), 1)


def _above_one(draw: Draw) -> tuple[Any, ...]:
    return *_terms(draw), 2.5 + draw.integer(4)


def _a_tensor(draw: Draw) -> tuple[Any, ...]:
    log_likelihood, kl = _terms(draw)
    return log_likelihood, kl, torch.tensor(1.7 + draw.integer(4), dtype=kl.dtype, device=kl.device)


EXERCISE = Exercise(
    reference=beta_elbo,
    points=2,
    returns={"objective": "(batch,)"},
    convention="log p(x|z) - β · D_KL(q‖p(z)) of each image, to be maximised; (batch,), in nats. β is any number from 0 up.",
    probe=_probe,
    gradients=("log_likelihood", "kl"),
    edge_cases=(
        EdgeCase("beta above 1", "Right for β below 1, but not above: β may be any number from 0 up.", _above_one),
        EdgeCase(
            "beta a tensor", "Right where β is a Python number, but not where it is a tensor of shape ().", _a_tensor
        ),
    ),
    misconceptions=(
        Misconception(
            "the KL added",
            "The KL is added: it is what a code costs, and is subtracted.",
            lambda log_likelihood, kl, beta: log_likelihood + beta * kl,
        ),
        Misconception(
            "beta on the likelihood",
            "β multiplies the log-likelihood: it is the KL's weight.",
            lambda log_likelihood, kl, beta: beta * log_likelihood - kl,
        ),
        Misconception(
            "beta left out",
            "β is missing: that is the ELBO, the case β = 1.",
            lambda log_likelihood, kl, beta: log_likelihood - kl,
        ),
        Misconception(
            "beta on both terms",
            "β multiplies both terms: that is the ELBO on another scale, with the same maximum.",
            lambda log_likelihood, kl, beta: beta * (log_likelihood - kl),
        ),
        Misconception(
            "a mixture of the two",
            "You weigh the likelihood with 1 - β: its weight stays 1, whatever β is.",
            lambda log_likelihood, kl, beta: (1 - beta) * log_likelihood - beta * kl,
        ),
        Misconception(
            "the loss",
            "That is the loss, to be minimised: the objective is its negative.",
            lambda log_likelihood, kl, beta: beta * kl - log_likelihood,
        ),
        Misconception(
            "divided by beta",
            "You divide the KL by β: a larger β makes a code dearer.",
            lambda log_likelihood, kl, beta: log_likelihood - kl / beta,
        ),
        Misconception(
            "beta squared",
            "β enters squared: it is the weight itself.",
            lambda log_likelihood, kl, beta: log_likelihood - beta**2 * kl,
        ),
        Misconception(
            "cut off at one",
            "You keep β at 1 or below: above 1 it is a weight as well.",
            lambda log_likelihood, kl, beta: log_likelihood - min(float(beta), 1.0) * kl,
        ),
        Misconception(
            "the mean",
            "You average over the batch: keep one value for each image, (batch,).",
            lambda log_likelihood, kl, beta: (log_likelihood - beta * kl).mean(),
        ),
        Misconception(
            "the KL detached",
            "The KL is detached: its value counts, but the encoder does not feel it.",
            lambda log_likelihood, kl, beta: log_likelihood - beta * kl.detach(),
        ),
    ),
    alternatives=(
        lambda log_likelihood, kl, beta: (log_likelihood - kl) + (1 - beta) * kl,
        lambda log_likelihood, kl, beta: -(beta * kl - log_likelihood),
        lambda log_likelihood, kl, beta: torch.sub(log_likelihood, kl * beta),
    ),
)
