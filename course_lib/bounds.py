r"""Estimates and lower bounds of the log-likelihood from samples of the latent variable.

Monte Carlo samples come in front: ``z (samples, batch, latent_dim)``. Everything is in nats.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.distributions import (
    gaussian_entropy,
    gaussian_log_prob,
    kl_to_standard_normal,
    log_mean_exp,
)

Decoder = Callable[[Tensor], Tensor]
EncoderMap = Callable[[Tensor], tuple[Tensor, Tensor]]


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


def per_point_elbo(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Decoder, sigma_x: float | Tensor
) -> Tensor:
    r"""Estimate the lecture's bound for a q of its own for each data point, :math:`q_i = \mathcal N(\mu_i, \sigma_i)`.

    .. math:: \mathcal L_i = \frac1S \sum_s \big[ \log p(x_i|z_s) + \log p(z_s) \big] + \mathcal H(q_i),
        \qquad z_s = \mu_i + \sigma_i \epsilon_s

    Lecture part "How do we use this?"; notebook 03.

    Args:
        x: ``(batch, dim)``.
        mu, log_sigma: parameters of the q_i, ``(batch, latent_dim)``.
        eps: standard Gaussian noise, ``(samples, batch, latent_dim)``, or ``(batch, latent_dim)`` for one sample.
        decoder: maps ``z`` to the mean of p(x|z), ``(..., dim)`` for any leading shape.
        sigma_x: standard deviation of p(x|z), positive, broadcasts to ``(dim,)``.

    Returns:
        ``(batch,)``, nats.
    """
    sigma = log_sigma.exp()
    z = mu + sigma * (eps if eps.dim() == 3 else eps.unsqueeze(0))
    sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
    zero = torch.zeros_like(mu)
    log_joint = gaussian_log_prob(x, decoder(z), sigma_x) + gaussian_log_prob(z, zero, zero + 1)
    return log_joint.mean(0) + gaussian_entropy(sigma)


def amortized_elbo(x: Tensor, eps: Tensor, encoder: EncoderMap, decoder: Decoder, sigma_x: float | Tensor) -> Tensor:
    r"""Estimate the bound with a network's q, :math:`q_\phi(z|x) = \mathcal N(\mu_\phi(x), \sigma_\phi(x))`.

    Lecture part "Amortized variational inference"; notebook 04.

    Args:
        encoder: maps ``x (batch, dim)`` to ``mu`` and ``log_sigma``, each ``(batch, latent_dim)``.
        x, eps, decoder, sigma_x: as in :func:`per_point_elbo`.

    Returns:
        ``(batch,)``, nats.
    """
    mu, log_sigma = encoder(x)
    return per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)


def categorical_elbo(log_joint: Tensor, logits: Tensor) -> Tensor:
    r"""Return the exact bound for a categorical q, :math:`\sum_k q_k \big[\log p(x, z{=}k) - \log q_k\big]`.

    Lecture part "Reparameterization trick vs. policy gradient" (discrete latent variables); notebook 05.

    Args:
        log_joint: :math:`\log p(x, z{=}k)`, ``(batch, categories)``.
        logits: unnormalised log-probabilities of q, ``(batch, categories)``.

    Returns:
        ``(batch,)``, nats; at most ``log_joint.logsumexp(-1)``.
    """
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


def elbo_with_analytic_kl(log_likelihood: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return :math:`E_q[\log p(x|z)] - D_{KL}(q\|p(z))` with the KL to N(0, I) in closed form.

    Lecture part "Another way to look at it"; notebook 05.

    Args:
        log_likelihood: :math:`\log p(x|z_s)` at samples of q, ``(samples, batch)``, averaged; or ``(batch,)``.
        mu, sigma: mean and standard deviation of q, ``(batch, latent_dim)``.

    Returns:
        ``(batch,)``, nats.
    """
    expected = log_likelihood.mean(0) if log_likelihood.dim() == 2 else log_likelihood
    return expected - kl_to_standard_normal(mu, sigma.log())


def log_importance_weights(log_likelihood: Tensor, z: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Return :math:`\log w = \log p(x|z) + \log p(z) - \log q(z|x)`, whose mean of exponentials estimates p(x).

    Burda, Grosse and Salakhutdinov 2016, equation 7; notebook 06.

    Args:
        log_likelihood: :math:`\log p(x|z)`, ``(samples, batch)``.
        z: samples of q, ``(samples, batch, latent_dim)``.
        mu, log_sigma: parameters of q, ``(batch, latent_dim)``.

    Returns:
        ``(samples, batch)``, nats.
    """
    zero = torch.zeros_like(mu)
    return log_likelihood + gaussian_log_prob(z, zero, zero + 1) - gaussian_log_prob(z, mu, log_sigma.exp())


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    r"""Return :math:`\log \frac1K \sum_k w_k`, which tightens towards log p(x) as K grows.

    Burda, Grosse and Salakhutdinov 2016, equation 8; notebook 06.

    Args:
        log_weights: ``(samples, batch)``, see :func:`log_importance_weights`.

    Returns:
        ``(batch,)``, nats.
    """
    return log_mean_exp(log_weights, 0)


def aggregate_posterior_log_prob(z: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Return :math:`\log q(z) = \log \frac1N \sum_i q(z|x_i)`, the density of all codes taken together.

    Where it is close to p(z), a decoder that knows the codes of data also knows samples of the prior. Lecture
    part "Using the variational autoencoder", why does this work?; notebook 06.

    Args:
        z: points, ``(n, latent_dim)``.
        mu, log_sigma: codes of N data points, ``(N, latent_dim)``.

    Returns:
        ``(n,)``, nats.
    """
    return log_mean_exp(gaussian_log_prob(z.unsqueeze(1), mu, log_sigma.exp()), 1)
