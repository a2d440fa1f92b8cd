"""The open task of notebook 05: a gradient from sixteen rewards, without their derivative, with as little variance as can be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images
from course_lib.digit_model import load_digit_model

BUDGET, REPEATS, DIGITS, AWAY = 16, 2000, (2, 5, 11), 1.5
NODES = 64
TOO_FAR = 5.0  # standard errors; chance alone comes this far once in a million


class Reward:
    """r(z) = log p(x|z) + log p(z) of the digit model, as numbers; it counts what it is asked for.

    Attributes:
        left: how many rewards are still to be had in this estimate.
    """

    def __init__(self, image: Tensor) -> None:
        self._image, self.left = image, BUDGET

    def __call__(self, z: Tensor) -> Tensor:
        """Return the rewards ``(n,)`` of z ``(n, 2)``, without a graph."""
        if not isinstance(z, Tensor) or z.dim() != 2 or z.shape[-1] != 2:
            shape = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
            raise ValueError(f"reward takes z of the shape (n, 2), not {shape}.")
        self.left -= len(z)
        if self.left < 0:
            raise ValueError(f"one estimate may ask for {BUDGET} rewards, not more.")
        return self.exact(z)

    def exact(self, z: Tensor) -> Tensor:
        """Return the rewards without counting them."""
        with torch.no_grad():
            return load_digit_model().log_likelihood(self._image, z) - 0.5 * z.square().sum(-1)


def problems() -> list[tuple[Callable[[], Reward], Tensor, Tensor]]:
    """Return rewards, mu and sigma ``(2,)`` of three test digits: the encoder's q, moved off where the gradient is small."""
    images, model = load_images("test").flat(), load_digit_model()
    found: list[tuple[Callable[[], Reward], Tensor, Tensor]] = []
    for index in DIGITS:
        image = images[index : index + 1]
        with torch.no_grad():
            mu, log_sigma = (part[0] for part in model.encoder(image))
        sigma = log_sigma.exp()
        found.append((partial(Reward, image), mu + AWAY * sigma, sigma))
    return found


def true_gradient(reward: Reward, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`\nabla_\mu E_q[r(z)]`, ``(2,)``, by Gauss-Hermite quadrature."""
    # Golub and Welsch 1969: nodes are the eigenvalues of the recurrence's matrix.
    off = torch.arange(1, NODES, dtype=torch.float64).sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    weights = vectors[0].square()
    eps = torch.cartesian_prod(nodes, nodes)
    weight = (weights[:, None] * weights).flatten()
    rewards = reward.exact((mu + sigma * eps).float()).double()
    return ((weight * (rewards - rewards.mean()))[:, None] * eps / sigma).sum(0)


def measure(estimator: Any) -> float:
    """Return the variance of one estimate over the squared length of the gradient, mean of three digits.

    Args:
        estimator: ``estimator(reward, mu, sigma, generator)`` returns one estimate ``(2,)`` of the gradient with respect
            to mu; ``reward`` maps z ``(n, 2)`` to numbers ``(n,)`` and gives 16 of them.

    Raises:
        ValueError: it gives something else, asks for more, or is biased.
    """
    if not callable(estimator):
        raise ValueError(
            f"hand in a function, estimator(reward, mu, sigma, generator), not {type(estimator).__name__}."
        )
    ratios = []
    for number, (make_reward, mu, sigma) in enumerate(problems()):
        generator = torch.Generator().manual_seed(number)
        estimates = []
        for _ in range(REPEATS):
            estimate = estimator(make_reward(), mu.clone(), sigma.clone(), generator)
            if not isinstance(estimate, Tensor) or estimate.shape != (2,):
                shape = tuple(estimate.shape) if isinstance(estimate, Tensor) else type(estimate).__name__
                raise ValueError(f"an estimate has the shape (2,), one entry for each mu, not {shape}.")
            estimates.append(estimate.detach().double())
        draws, true = torch.stack(estimates), true_gradient(make_reward(), mu, sigma)
        if not bool(draws.isfinite().all()):
            raise ValueError("there is NaN or infinity among the estimates.")
        variance, mean = draws.var(0), draws.mean(0)
        allowed = TOO_FAR * (variance / REPEATS).sqrt() + 0.01 * true.norm()
        if bool(((mean - true).abs() > allowed).any()):
            raise ValueError(
                f"it is biased: the mean of {REPEATS} estimates is ({mean[0]:.1f}, {mean[1]:.1f}), the gradient is "
                f"({true[0]:.1f}, {true[1]:.1f})."
            )
        ratios.append(variance.sum() / true.square().sum())
    return float(torch.stack(ratios).mean())


CHALLENGE = Challenge(
    task="Estimate the gradient for mu without bias from sixteen rewards, and without their derivative, with less variance than "
    "the policy gradient.",
    unit="(variance of one estimate over the squared length of the gradient)",
    higher_is_better=False,
    measure=measure,
    record=1.14e-4,
    how="Sixteen z on four circles around mu, four equally far apart on each, turned at random: constant and curvature of the reward "
    "cancel. Radii are drawn in strata, with R² from a Gamma distribution of shape 2 instead of 1, and weighted with 2/R²: the "
    "slope then comes out without noise.",
)
