"""The open task of notebook 03: a decoder in which new images find good codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course_lib.bounds import per_point_elbo
from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images
from course_lib.per_point import infer_q

IMAGES, STEPS, RATE, SIGMA_X = 100, 200, 0.1, 0.3


def _measure(decoder: Any, latent_dim: Any) -> float:
    """Fit a q to each of 100 test digits, and return the mean bound, nats."""
    if not isinstance(decoder, nn.Module):
        raise ValueError("a decoder, a torch.nn.Module, and its number of latent dimensions are expected")
    if not isinstance(latent_dim, int) or latent_dim < 1:
        raise ValueError("the number of latent dimensions must be a whole number, at least one")
    x = load_images("test").flat()[:IMAGES]
    with torch.no_grad():
        mean = decoder(torch.zeros(1, IMAGES, latent_dim))
    if mean.shape != (1, *x.shape):
        raise ValueError(
            f"decoder(z) of a z (1, {IMAGES}, {latent_dim}) must be (1, {IMAGES}, 784); it is {tuple(mean.shape)}"
        )
    noise = torch.randn(STEPS, 2, IMAGES, latent_dim, generator=torch.Generator().manual_seed(1))
    judge = torch.randn(50, IMAGES, latent_dim, generator=torch.Generator().manual_seed(2))
    mu, log_sigma = infer_q(x, noise, decoder, SIGMA_X, RATE)
    with torch.no_grad():
        return per_point_elbo(x, mu, log_sigma, judge, decoder, SIGMA_X).mean().item()


CHALLENGE = Challenge(
    task="Train a decoder in which new digits find good codes: raise the mean bound of 100 test digits, each with 200 steps of "
    "infer_q, σ_x = 0.3.",
    unit="nats a new digit",
    higher_is_better=True,
    measure=_measure,
    record=128.9,
    how="Sixteen latent dimensions, 400 hidden units, all 10,000 shipped digits, 15 passes: before each step of θ, five steps of "
    "Adam for the q_i of the batch, from where they were. About a minute.",
)
