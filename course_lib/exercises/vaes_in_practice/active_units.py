"""How many latent dimensions are in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.beta import active_units
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.vaes_in_practice.probes import observe_number


def _probe(draw: Draw) -> tuple[Any, ...]:
    """Dimensions that vary, that vary too little, that hardly vary and lie off centre, more or less, and that do nothing."""
    threshold = round(0.02 + 0.01 * draw.integer(4), 2)
    # Variance over threshold, and the mean, of each dimension: every misconception counts other ones.
    hardly, nothing = (0.3 * threshold) ** 2 / threshold, (0.1 * threshold) ** 2 / threshold
    kinds = [(3.5, 0.0), *[(4.5, 0.5)] * (1 + draw.integer(2)), (0.25, 0.6), *[(hardly, 0.6)] * 2]
    kinds += [*[(hardly, 1.8 * threshold)] * 2, *[(nothing, 0.0)] * draw.sizes.latent]
    share, mean = torch.tensor(kinds, dtype=torch.float64).roll(draw.integer(len(kinds)), 0).T
    mu = draw.normal(60 + draw.sizes.batch, len(kinds)).cpu().double()
    mu = (mu - mu.mean(0)) / mu.std(0) * (threshold * share).sqrt() + mean
    return mu.to(draw.device, draw.dtype), threshold


def _count(mask: Tensor) -> int:
    return int(mask.sum())


EXERCISE = Exercise(
    reference=active_units,
    points=2,
    returns={"number": "a whole number"},
    convention="The number of latent dimensions in which mu, over the batch, has a variance above the threshold: an int.",
    probe=_probe,
    observe=observe_number,
    number_accepted=True,
    misconceptions=(
        Misconception(
            "standard deviation",
            "You compare the standard deviation with the threshold: the threshold is a variance.",
            lambda mu, threshold: _count(mu.std(0) > threshold),
        ),
        Misconception(
            "not centred",
            "You take the mean of mu²: a dimension whose mu is the same for every image says nothing. Subtract the mean: the variance.",
            lambda mu, threshold: _count((mu**2).mean(0) > threshold),
        ),
        Misconception(
            "mean instead of variance",
            "You look at the mean of mu: what counts is how much mu differs from image to image.",
            lambda mu, threshold: _count(mu.mean(0).abs() > threshold),
        ),
        Misconception(
            "over the dimensions",
            "You take the variance over the latent dimensions and count images: take it over the batch, dimension 0.",
            lambda mu, threshold: _count(mu.var(1) > threshold),
        ),
        Misconception(
            "the share",
            "You return the share of active dimensions: their number is wanted.",
            lambda mu, threshold: (mu.var(0) > threshold).double().mean(),
        ),
        Misconception(
            "which ones",
            "You return which dimensions are active: count them.",
            lambda mu, threshold: mu.var(0) > threshold,
        ),
        Misconception(
            "the idle ones",
            "You count the dimensions below the threshold: the active ones are above.",
            lambda mu, threshold: _count(mu.var(0) < threshold),
        ),
        Misconception(
            "all together",
            "You take one variance of all entries: each dimension has its own.",
            lambda mu, threshold: _count(mu.var() > threshold),
        ),
        Misconception(
            "the range",
            "You compare the range of mu: the variance is what the threshold is for.",
            lambda mu, threshold: _count(mu.max(0).values - mu.min(0).values > threshold),
        ),
        Misconception(
            "every entry",
            "You count entries of mu: a dimension counts once, by its variance over the batch.",
            lambda mu, threshold: _count(mu > threshold),
        ),
    ),
    alternatives=(
        lambda mu, threshold: int((mu.var(0, unbiased=False) > threshold).sum()),
        lambda mu, threshold: (mu.var(0) > threshold).sum(),
        lambda mu, threshold: sum(1 for d in range(mu.shape[1]) if mu[:, d].var().item() > threshold),
        lambda mu, threshold: int((torch.cov(mu.T).diagonal() > threshold).sum()),
    ),
)
