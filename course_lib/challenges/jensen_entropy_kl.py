"""The open task of notebook 02: a ring for a posterior, and six Gaussians to cover it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.challenges.challenge import Challenge
from course_lib.distributions import LOG_2PI
from course_lib.mixtures import mixture_log_prob

RADIUS, NOISE = 1.5, 0.25
MOST = 6  # Gaussians in q


def ring_log_joint(z: Tensor) -> Tensor:
    """Return log p(x, z) for z ~ N(0, I) in the plane and x = |z| + noise: x says how far out z lies, not where.

    ``z`` is ``(..., 2)``, the result ``(...)``, in nats; x is 1.5 and the noise's standard deviation 0.25.
    """
    log_prior = -0.5 * (z**2).sum(-1) - LOG_2PI
    return log_prior - 0.5 * ((RADIUS - z.norm(dim=-1)) / NOISE) ** 2 - math.log(NOISE) - 0.5 * LOG_2PI


def ring_kl(weights: Tensor, mu: Tensor, sigma: Tensor, points: int = 201) -> Tensor:
    """Return D_KL(q‖p(z|x)) of a mixture of Gaussians to the ring, by quadrature on a grid; gradients flow.

    Args:
        weights: ``(components,)``, sum to one.
        mu, sigma: ``(components, 2)``.
        points: of the grid on each axis.

    Returns:
        A scalar, nats.

    Raises:
        ValueError: q cannot be measured on the grid: it lies outside, or is narrower than the grid sees.
    """
    side = torch.linspace(-4, 4, points, dtype=torch.float64)
    z = torch.cartesian_prod(side, side)
    log_area = 2 * math.log(8 / (points - 1))
    log_q = mixture_log_prob(z, weights.double(), mu.double(), sigma.double())
    q = (log_q + log_area).exp()
    if not abs(q.sum().item() - 1) < 0.01:
        raise ValueError("q must lie within 4 of the origin, and no sigma may be below 0.04")
    log_joint = ring_log_joint(z)
    log_posterior = log_joint - torch.logsumexp(log_joint, 0) - log_area
    # Far out q underflows: there it adds nothing.
    return (q * (log_q.clamp(min=-700) - log_posterior)).sum()


def _measure(weights: Any, mu: Any, sigma: Any) -> float:
    parts = [torch.as_tensor(part, dtype=torch.float64).detach() for part in (weights, mu, sigma)]
    weights, mu, sigma = parts
    k = len(weights) if weights.dim() == 1 else 0
    if not 1 <= k <= MOST or mu.shape != (k, 2) or sigma.shape != (k, 2):
        raise ValueError(
            f"weights (components,), mu and sigma (components, 2) are expected, with at most {MOST} components; their shapes "
            f"are {', '.join(str(tuple(part.shape)) for part in parts)}"
        )
    if not bool((weights >= 0).all()) or abs(weights.sum().item() - 1) > 1e-4:
        raise ValueError("the weights must be probabilities: none negative, their sum one")
    if not bool((sigma > 0).all()):
        raise ValueError("standard deviations must be positive")
    return float(ring_kl(weights, mu, sigma))


CHALLENGE = Challenge(
    task="Bring a mixture of at most six Gaussians as near as you can to a posterior that is a ring: make D_KL(q‖p(z|x)) small.",
    unit="nats of KL",
    higher_is_better=False,
    measure=_measure,
    record=0.07493,
    how="From six Gaussians at random places near the ring, each as wide as e^-0.7, 400 steps of Adam on ring_kl with the logits "
    "of the weights, mu and log sigma as parameters; of eight starts, four ended here.",
)
