"""β and the width of the likelihood are one knob: a derivation to complete."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributions import Normal

from course_lib.answers import Answer, tensors_from
from course_lib.beta import equivalent_sigma
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def _probe(draw: Draw) -> tuple[Any, ...]:
    beta = 3.0 + draw.integer(4) if draw.sizes.batch % 2 == 0 else 0.3
    sigma = draw.positive(draw.sizes.dim)
    return torch.cat([4 * sigma[:1], sigma[1:]]), beta  # rounded ones may all be the same


def _differs_by_more_than_a_constant(answer: Answer, draw: Draw) -> str | None:
    sigma, _ = _probe(draw)
    beta = 4.0
    (value,) = tensors_from(answer.call(sigma, beta))
    if value.shape != sigma.shape or bool((value <= 0).any()):
        return None
    near, far = 0.3 * sigma, 2 * sigma
    want = (Normal(0 * sigma, sigma).log_prob(near) - Normal(0 * sigma, sigma).log_prob(far)).sum() / beta
    got = (Normal(0 * sigma, value).log_prob(near) - Normal(0 * sigma, value).log_prob(far)).sum()
    if torch.isclose(want, got, rtol=1e-4):
        return None
    return (
        f"With β = 4, log N(x; m, σ)/β falls by {want.item():.3f} from an x near m to one far from it; with your σ the "
        f"log-density falls by {got.item():.3f}. They have to fall alike."
    )


EXERCISE = Exercise(
    reference=equivalent_sigma,
    points=2,
    returns={"sigma": "(dim,)"},
    convention="The standard deviation σ' for which log N(x; m, σ') is log N(x; m, σ)/β, up to a constant without m; (dim,).",
    probe=_probe,
    gradients=("sigma_x",),
    properties=(Property("differs by more than a constant", _differs_by_more_than_a_constant),),
    misconceptions=(
        Misconception(
            "without the root",
            "σ stands squared in the density: it is σ² that grows by β, so σ grows by its root.",
            lambda sigma_x, beta: sigma_x * beta,
        ),
        Misconception(
            "the wrong way, with the root",
            "The direction is turned: a β above 1 makes pixels count less, as a *wider* likelihood does.",
            lambda sigma_x, beta: sigma_x / beta**0.5,
        ),
        Misconception(
            "the wrong way",
            "You divide by β: a β above 1 makes pixels count less, as a wider likelihood does; and σ stands squared in the density.",
            lambda sigma_x, beta: sigma_x / beta,
        ),
        Misconception(
            "beta squared",
            "You multiply by β²: look at the exponent, (x - m)²/(2σ²), divided by β.",
            lambda sigma_x, beta: sigma_x * beta**2,
        ),
        Misconception(
            "the variance",
            "That is the variance: the standard deviation is asked for.",
            lambda sigma_x, beta: sigma_x**2 * beta,
        ),
        Misconception(
            "root of both",
            "You take the root of σ as well: sqrt(β · σ²), not sqrt(β · σ).",
            lambda sigma_x, beta: (sigma_x * beta) ** 0.5,
        ),
        Misconception(
            "added",
            "β is added to the variance: it multiplies the exponent's denominator.",
            lambda sigma_x, beta: (sigma_x**2 + beta) ** 0.5,
        ),
        Misconception(
            "unchanged",
            "You return σ as it is: which σ' makes (x - m)²/(2σ'²) equal to (x - m)²/(2σ²β)?",
            lambda sigma_x, beta: sigma_x * 1.0,
        ),
    ),
    alternatives=(
        lambda sigma_x, beta: (beta * sigma_x**2).sqrt(),
        lambda sigma_x, beta: sigma_x * torch.as_tensor(beta, dtype=sigma_x.dtype, device=sigma_x.device).sqrt(),
        lambda sigma_x, beta: sigma_x / (1 / beta) ** 0.5,
    ),
)
