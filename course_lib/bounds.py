r"""Estimates and lower bounds of the log-likelihood from samples of the latent variable.

Monte Carlo samples come in front: ``z (samples, batch, latent_dim)``. Everything is in nats.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.distributions import gaussian_log_prob, log_mean_exp


def monte_carlo_log_likelihood(
    x: Tensor, z: Tensor, decoder: Callable[[Tensor], Tensor], sigma: float | Tensor
) -> Tensor:
    r"""Estimate :math:`\log p(x) \approx \log \frac1S \sum_s p(x|z_s)` with :math:`z_s \sim p(z)`.

    Its expectation lies below :math:`\log p(x)` (Jensen), and far below once the latent space is too
    large for prior samples to hit where the posterior lives. Lecture part "Estimating the
    log-likelihood"; notebook 01.

    Args:
        x: ``(batch, dim)``.
        z: prior samples, ``(samples, batch, latent_dim)``, or ``(samples, latent_dim)`` shared by all data.
        decoder: maps ``z`` to the mean of p(x|z), ``(..., dim)`` for any leading shape.
        sigma: standard deviation of p(x|z), positive, broadcasts to ``(dim,)``.

    Returns:
        ``(batch,)``, nats.
    """
    mean = decoder(z)
    if z.dim() == 2:
        mean = mean.unsqueeze(1)
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    return log_mean_exp(gaussian_log_prob(x, mean, sigma), 0)


def jensen_gap(y: Tensor) -> Tensor:
    r"""Return :math:`\log E[y] - E[\log y]`, what Jensen's inequality gives away.

    Lecture part "The variational approximation", Jensen's inequality; notebook 02.

    Args:
        y: positive values, ``(n,)``, equally likely.

    Returns:
        A scalar, nats, never negative, zero when all values are equal.
    """
    log_y = y.log()
    return log_mean_exp(log_y, 0) - log_y.mean()


def monte_carlo_elbo(z: Tensor, log_joint: Callable[[Tensor], Tensor], log_q: Callable[[Tensor], Tensor]) -> Tensor:
    r"""Estimate :math:`\mathcal L = E_{z \sim q}[\log p(x, z) - \log q(z)]` from samples of q.

    Lecture part "The variational approximation"; notebook 02.

    Args:
        z: samples of q, ``(samples, batch, latent_dim)``; gradients flow through them.
        log_joint, log_q: callables on ``z`` that return ``(samples, batch)``.

    Returns:
        ``(batch,)``, nats.
    """
    return (log_joint(z) - log_q(z)).mean(0)
