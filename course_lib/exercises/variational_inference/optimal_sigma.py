"""The width that a derivation leaves open: where the bound is largest when the decoder is linear."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.linear_gaussian import linear_gaussian_posterior


def optimal_sigma(w: Tensor, sigma_x: Tensor) -> Tensor:
    r"""Return the width at which :math:`\mathcal L_i` is largest, for the decoder :math:`z \mapsto wz + b`.

    .. math:: \sigma_i = \big(1 + \|w\|^2 / \sigma_x^2\big)^{-1/2}

    Lecture part "How do we use this?"; notebook 03.

    Args:
        w: ``(dim,)``, the decoder's slope; the latent space has one dimension.
        sigma_x: the standard deviation of p(x|z), a positive scalar.

    Returns:
        A scalar, the same for every data point.
    """
    return (1 + (w**2).sum() / sigma_x**2) ** -0.5


def _probe(draw: Draw) -> tuple[Any, ...]:
    return draw.normal(draw.sizes.dim), draw.positive(1).squeeze()


def _is_the_posteriors(answer: Answer, draw: Draw) -> str | None:
    """The best q is the posterior, which is known for a linear decoder."""
    w, sigma_x = draw.normal(3), draw.positive(1).squeeze()
    (value,) = tensors_from(answer.call(w, sigma_x))
    _, covariance = linear_gaussian_posterior(torch.zeros(1, 3).to(w), w.unsqueeze(-1), torch.zeros_like(w), sigma_x)
    exact = covariance.sqrt().item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return (
        f"The best q is the posterior, and notebook 02 knows its width: for w = {[round(v, 2) for v in w.tolist()]} and "
        f"sigma_x = {sigma_x.item():.2f} it is {exact:.4f}; yours is {value.item():.4f}."
    )


EXERCISE = Exercise(
    reference=optimal_sigma,
    points=2,
    returns={"sigma": "()"},
    convention="The terms of L_i in which σ_i occurs are -½ λ σ_i² + log σ_i; λ comes from E[‖x - b - wz‖²] / σ_x² and from "
    "E[z²]. A scalar: the standard deviation at which they are largest.",
    probe=_probe,
    number_accepted=True,
    misconceptions=(
        Misconception(
            "the variance",
            "That is σ_i², the variance: -λσ_i + 1/σ_i = 0 gives σ_i² = 1/λ, take the root.",
            lambda w, sigma_x: 1 / (1 + (w**2).sum() / sigma_x**2),
        ),
        Misconception(
            "prior missing",
            "log p(z) contains σ_i too: E[z²] = μ_i² + σ_i², which adds 1 to λ.",
            lambda w, sigma_x: sigma_x / (w**2).sum().sqrt(),
        ),
        Misconception(
            "likelihood missing",
            "That is the prior's width. log p(x|z) contains σ_i too: a wide q decodes to a spread of images.",
            lambda w, sigma_x: torch.ones_like(sigma_x),
        ),
        Misconception(
            "entropy missing",
            "Zero is where the first terms are largest, taken alone. The entropy adds log σ_i, which holds against them.",
            lambda w, sigma_x: torch.zeros_like(sigma_x),
        ),
        Misconception(
            "the inverse",
            "That is √λ, one over the width: the more x says about z, the narrower q must become.",
            lambda w, sigma_x: (1 + (w**2).sum() / sigma_x**2).sqrt(),
        ),
        Misconception(
            "the precision",
            "That is λ itself: -λσ_i + 1/σ_i = 0 remains to be solved for σ_i.",
            lambda w, sigma_x: 1 + (w**2).sum() / sigma_x**2,
        ),
        Misconception(
            "length not squared",
            "You take ‖w‖: E[‖wz‖²] holds its square, the sum of the squared entries of w.",
            lambda w, sigma_x: (1 + (w**2).sum().sqrt() / sigma_x**2) ** -0.5,
        ),
        Misconception(
            "sum not squared entrywise",
            "You sum w and square after: ‖w‖² is the sum of the squared entries.",
            lambda w, sigma_x: (1 + w.sum() ** 2 / sigma_x**2) ** -0.5,
        ),
        Misconception(
            "mean over the dimensions",
            "You average over the dimensions of x: log p(x|z) sums over them, so ‖w‖² is a sum.",
            lambda w, sigma_x: (1 + (w**2).mean() / sigma_x**2) ** -0.5,
        ),
        Misconception(
            "sigma_x not squared",
            "You divide by sigma_x: log p(x|z) divides by the variance sigma_x².",
            lambda w, sigma_x: (1 + (w**2).sum() / sigma_x) ** -0.5,
        ),
        Misconception(
            "multiplied by the noise",
            "You multiply by sigma_x²: log p(x|z) divides by it. Less noise in x says more about z.",
            lambda w, sigma_x: (1 + (w**2).sum() * sigma_x**2) ** -0.5,
        ),
        Misconception(
            "the logarithm",
            "That is log σ_i, the parameter: here σ_i itself is wanted.",
            lambda w, sigma_x: -0.5 * (1 + (w**2).sum() / sigma_x**2).log(),
        ),
    ),
    alternatives=(
        lambda w, sigma_x: sigma_x / (sigma_x**2 + w @ w).sqrt(),
        lambda w, sigma_x: torch.rsqrt(1 + (w / sigma_x).square().sum()),
        lambda w, sigma_x: (1 + float(w @ w) / float(sigma_x) ** 2) ** -0.5,
    ),
    properties=(Property("is the posterior's", _is_the_posteriors),),
)
