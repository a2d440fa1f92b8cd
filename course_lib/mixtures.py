r"""Mixtures of diagonal Gaussians: the latent variable model in which every integral is a sum.

Shapes throughout: ``weights (components,)`` are probabilities, ``mu`` and ``sigma (components, dim)``
are means and standard deviations, ``x (batch, dim)``. Lecture parts "Latent variable models in
general" and "Estimating the log-likelihood"; notebook 01.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.distributions import gaussian_log_prob


def sample_mixture(
    n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    r"""Draw from a mixture as it is written: first :math:`z \sim p(z)`, then :math:`x \sim p(x|z)`.

    Returns:
        ``z (n,)`` of dtype int64, the component of each point, and ``x (n, dim)``.
    """
    z = torch.multinomial(weights, n, replacement=True, generator=generator)
    eps = torch.randn(n, mu.shape[-1], generator=generator, dtype=mu.dtype, device=mu.device)
    return z, mu[z] + sigma[z] * eps


def mixture_log_joint(x: Tensor, weights: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`\log p(x, z=k) = \log \pi_k + \log \mathcal N(x; \mu_k, \sigma_k)`, ``(batch, components)``, nats."""
    return weights.log() + gaussian_log_prob(x.unsqueeze(-2), mu, sigma)


def mixture_log_prob(x: Tensor, weights: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`\log p(x) = \log \sum_k p(x, z=k)`, ``(batch,)``, nats."""
    return torch.logsumexp(mixture_log_joint(x, weights, mu, sigma), -1)


def mixture_posterior(x: Tensor, weights: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`p(z=k|x) = p(x, z=k) / p(x)`, ``(batch, components)``; each row sums to one."""
    return torch.softmax(mixture_log_joint(x, weights, mu, sigma), -1)


def expected_log_joint(x: Tensor, weights: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`E_{z \sim p(z|x)}[\log p(x, z)]`, ``(batch,)``, nats.

    The objective of the slide "Estimating the log-likelihood". A component without weight adds
    nothing (:math:`0 \log 0 = 0`).
    """
    log_joint = mixture_log_joint(x, weights, mu, sigma)
    posterior = torch.softmax(log_joint, -1)
    return (posterior * log_joint.masked_fill(posterior == 0, 0.0)).sum(-1)


def maximising_means(x: Tensor, posterior: Tensor) -> Tensor:
    r"""Return the means that maximise the expected log-joint, :math:`\sum_i r_{ik} x_i / \sum_i r_{ik}`.

    Args:
        x: ``(batch, dim)``.
        posterior: the :math:`r_{ik}`, ``(batch, components)``, held fixed.

    Returns:
        ``(components, dim)``.
    """
    return posterior.T @ x / posterior.sum(0).unsqueeze(-1)


def em_step(x: Tensor, weights: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return the ``weights``, ``mu`` and ``sigma`` that maximise :func:`expected_log_joint`, the posterior held fixed.

    One step of expectation-maximisation (Dempster, Laird and Rubin, 1977); it never lowers the mean of
    :func:`mixture_log_prob` over ``x``.
    """
    posterior = mixture_posterior(x, weights, mu, sigma)
    means = maximising_means(x, posterior)
    # By the mean of squares, without a (batch, components, dim) of differences; rounding may leave it below zero.
    variance = maximising_means(x**2, posterior) - means**2
    return posterior.mean(0), means, variance.clamp(min=0).sqrt()
