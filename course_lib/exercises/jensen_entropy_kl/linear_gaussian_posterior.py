"""The exact posterior of the linear-Gaussian model; held against Bayes' rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.jensen_entropy_kl.probes import linear_image, linear_probe
from course_lib.linear_gaussian import linear_gaussian_posterior


def _posterior_variant(
    prior: float = 1.0, power: int = 2, covariance_power: int | None = None, shift: bool = True
) -> Callable[..., Any]:
    def wrong(x: Tensor, W: Tensor, b: Tensor, sigma: Tensor) -> Any:
        identity = prior * torch.eye(W.shape[1], dtype=W.dtype)
        covariance = torch.linalg.inv(identity + W.mT @ W / sigma ** (covariance_power or power))
        centred = x - b if shift else x
        return centred @ W @ covariance / sigma**power, covariance

    return wrong


def _bayes_rule_holds(answer: Answer, draw: Draw) -> str | None:
    """log p(x|z) + log p(z) - log p(z|x) = log p(x) must not depend on z."""
    x, W, b, sigma = (draw.normal(1, 4), draw.normal(4, 2), draw.normal(4), draw.positive(1).squeeze())
    result = tensors_from(answer.call(x, W, b, sigma))
    if len(result) != 2 or result[0].shape != (1, 2) or result[1].shape != (2, 2):
        return None  # the shapes are judged elsewhere
    mean, covariance = result
    z = draw.normal(6, 2)
    joint = Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)
    try:
        posterior = MultivariateNormal(mean[0], covariance).log_prob(z)
    except ValueError:
        return "Your covariance is not symmetric and positive definite."
    spread = (joint - posterior).max() - (joint - posterior).min()
    if spread < 1e-6:
        return None
    return (
        "By Bayes' rule log p(x|z) + log p(z) - log p(z|x) is log p(x), the same for every z. With your posterior it "
        f"varies by {spread:.3f} nats over six values of z."
    )


EXERCISE = Exercise(
    reference=linear_gaussian_posterior,
    points=4,
    returns={"mean": "(batch, latent)", "covariance": "(latent, latent)"},
    convention="z ~ N(0, I), x = W z + b + noise, W is (dim, latent), sigma is the standard deviation of the noise. "
    "The mean has one row per data point; the covariance is the same for all.",
    probe=linear_probe,
    gradients=("x", "W", "b"),
    misconceptions=(
        Misconception(
            "prior precision forgotten",
            "The identity is missing: precisions add, the prior N(0, I) contributes I and the data WᵀW/sigma².",
            lambda x, W, b, sigma: (
                (x - b) @ W @ torch.linalg.pinv(W.mT @ W),
                sigma**2 * torch.linalg.pinv(W.mT @ W),
            ),
        ),
        Misconception(
            "b not subtracted",
            "b is not subtracted: what z has to explain is x - b.",
            _posterior_variant(shift=False),
        ),
        Misconception(
            "sigma read as the variance",
            "You divide by sigma: it is the standard deviation of the noise, divide by sigma².",
            _posterior_variant(power=1),
        ),
        Misconception(
            "sigma read as the variance in the mean only",
            "In the mean you divide by sigma: divide by sigma², as in the covariance.",
            lambda x, W, b, sigma: _posterior_variant(power=1, covariance_power=2)(x, W, b, sigma),
        ),
        Misconception(
            "noise left out of the mean",
            "The mean is not divided by sigma²: m = C Wᵀ(x - b) / sigma².",
            lambda x, W, b, sigma: (
                (x - b) @ W @ linear_gaussian_posterior(x, W, b, sigma)[1],
                linear_gaussian_posterior(x, W, b, sigma)[1],
            ),
        ),
        Misconception(
            "precision returned as covariance",
            "You return the precision I + WᵀW/sigma²: its inverse is the covariance.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                torch.linalg.inv(linear_gaussian_posterior(x, W, b, sigma)[1]),
            ),
        ),
        Misconception(
            "standard deviations returned",
            "You return the square root of the covariance: the covariance itself is wanted.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].abs().sqrt(),
            ),
        ),
        Misconception(
            "only the diagonal",
            "You return only the diagonal of the covariance: the exact posterior's dimensions are correlated.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].diagonal(),
            ),
        ),
        Misconception(
            "correlations dropped",
            "The entries off the diagonal are zero: the exact posterior's dimensions are correlated.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                torch.diag(linear_gaussian_posterior(x, W, b, sigma)[1].diagonal()),
            ),
        ),
        Misconception(
            "one covariance for every data point",
            "You return the covariance once per data point, (batch, latent, latent): it is the same for every x, "
            "return it once.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].expand(len(x), -1, -1),
            ),
        ),
        Misconception(
            "mean with latent first",
            "Your mean is (latent, batch): the batch comes first.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0].T,
                linear_gaussian_posterior(x, W, b, sigma)[1],
            ),
        ),
        Misconception(
            "order of the two",
            "You return (covariance, mean): the mean comes first.",
            lambda x, W, b, sigma: linear_gaussian_posterior(x, W, b, sigma)[::-1],
        ),
        Misconception(
            "sign of the shift",
            "You add b to x: what z has to explain is x - b.",
            lambda x, W, b, sigma: linear_gaussian_posterior(x, W, -b, sigma),
        ),
        Misconception(
            "covariance of x",
            "You return the covariance of x, WWᵀ + sigma² I: the covariance of z given x is wanted.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype),
            ),
        ),
        Misconception(
            "covariance times the noise variance",
            "You return M⁻¹ of Tipping and Bishop, with M = WᵀW + sigma² I: the covariance is sigma² M⁻¹.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1] / sigma**2,
            ),
        ),
    ),
    alternatives=(
        lambda x, W, b, sigma: (
            (x - b) @ torch.linalg.solve(W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype), W),
            torch.eye(W.shape[1], dtype=W.dtype)
            - W.mT @ torch.linalg.solve(W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype), W),
        ),
        lambda x, W, b, sigma: (
            torch.linalg.solve(W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype), W.T @ (x - b).T).T,
            sigma**2 * torch.inverse(W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)),
        ),
        lambda x, W, b, sigma: list(linear_gaussian_posterior(x, W, b, sigma)),
    ),
    properties=(Property("Bayes' rule", _bayes_rule_holds),),
    edge_cases=(EdgeCase("hundreds of dimensions", "Right in a few dimensions, but not in 400.", linear_image),),
)
