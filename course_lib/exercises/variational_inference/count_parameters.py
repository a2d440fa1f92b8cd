"""How many numbers a q of its own for every point costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.networks import decoder_network, only_tensor
from course_lib.checker.probes import Draw
from course_lib.per_point import count_parameters


def _count_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return decoder_network(draw, sizes.latent, sizes.dim), sizes.latent + 3, 1000 * sizes.batch + draw.integer(900) + 7


def _iterable_probe(draw: Draw) -> tuple[Any, ...]:
    theta, latent_dim, num_points = _count_probe(draw)
    return [parameter.detach().clone() for parameter in theta.parameters()], latent_dim, num_points


def _tensors(theta: Any) -> list[Tensor]:
    return list(theta.parameters()) if isinstance(theta, nn.Module) else list(theta)


def _theta(theta: Any) -> int:
    return sum(tensor.numel() for tensor in _tensors(theta))


def observe_count(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    return (only_tensor(tensors_from(answer.call(*args))).double(),)


EXERCISE = Exercise(
    reference=count_parameters,
    points=2,
    returns={"count": "a whole number"},
    convention="|θ| + (|μ_i| + |σ_i|) · N: |θ| counts every number in every tensor of theta, |μ_i| = |σ_i| = latent_dim.",
    probe=_count_probe,
    observe=observe_count,
    number_accepted=True,
    misconceptions=(
        Misconception(
            "sigma not counted",
            "You count mu_i only: each data point has a mu_i and a sigma_i, latent_dim numbers each.",
            lambda theta, latent_dim, num_points: _theta(theta) + latent_dim * num_points,
        ),
        Misconception(
            "theta not counted",
            "theta is missing: |θ| + (|μ_i| + |σ_i|) · N.",
            lambda theta, latent_dim, num_points: 2 * latent_dim * num_points,
        ),
        Misconception(
            "only theta",
            "You count theta only: every data point brings a mu_i and a sigma_i of its own.",
            lambda theta, latent_dim, num_points: _theta(theta),
        ),
        Misconception(
            "one q for all",
            "You count one q: there is one for each of the num_points data points.",
            lambda theta, latent_dim, num_points: _theta(theta) + 2 * latent_dim,
        ),
        Misconception(
            "tensors counted instead of numbers",
            "You count the tensors of theta: count the numbers in them, .numel().",
            lambda theta, latent_dim, num_points: len(_tensors(theta)) + 2 * latent_dim * num_points,
        ),
        Misconception(
            "first dimension counted",
            "You count the rows of theta's tensors (len): count all their numbers, .numel().",
            lambda theta, latent_dim, num_points: sum(len(t) for t in _tensors(theta)) + 2 * latent_dim * num_points,
        ),
        Misconception(
            "biases forgotten",
            "You count the weight matrices of theta only: the biases are parameters too.",
            lambda theta, latent_dim, num_points: (
                sum(t.numel() for t in _tensors(theta) if t.dim() > 1) + 2 * latent_dim * num_points
            ),
        ),
        Misconception(
            "theta for every data point",
            "You count theta once for each data point: the decoder is shared, only mu_i and sigma_i are not.",
            lambda theta, latent_dim, num_points: (_theta(theta) + 2 * latent_dim) * num_points,
        ),
        Misconception(
            "full covariance",
            "You count a full covariance, latent_dim² numbers: sigma_i is diagonal, latent_dim numbers.",
            lambda theta, latent_dim, num_points: _theta(theta) + (latent_dim + latent_dim**2) * num_points,
        ),
        Misconception(
            "one number for sigma",
            "You count one number for sigma_i: it has one for each latent dimension.",
            lambda theta, latent_dim, num_points: _theta(theta) + (latent_dim + 1) * num_points,
        ),
    ),
    edge_cases=(
        EdgeCase(
            "an iterable of tensors",
            "Right for a module, but theta may also be an iterable of tensors, such as a list of them: that has no .parameters(), "
            "go through it as it is.",
            _iterable_probe,
        ),
    ),
    alternatives=(
        lambda theta, latent_dim, num_points: _theta(theta) + num_points * (latent_dim + latent_dim),
        lambda theta, latent_dim, num_points: (
            sum(t.numel() for t in (theta.parameters() if hasattr(theta, "parameters") else theta))
            + 2 * latent_dim * num_points
        ),
        lambda theta, latent_dim, num_points: torch.tensor(_theta(theta) + 2 * latent_dim * num_points),
    ),
)
