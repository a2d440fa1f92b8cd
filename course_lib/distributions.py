r"""Densities, entropies and divergences: the vocabulary of the lecture.

Everything is in nats, is batch first, sums over the last (event) dimension, and works on any device
and floating-point dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def log_mean_exp(log_values: Tensor, dim: int) -> Tensor:
    r"""Return the logarithm of a mean from the logarithms of its terms, without overflow.

    .. math:: \log \frac{1}{S} \sum_{s=1}^S e^{a_s}

    Notebook 00; the last step of every Monte Carlo estimate of ``log p(x)``.

    Args:
        log_values: any shape; entries may be ``-inf`` (a term that is zero).
        dim: the dimension that is averaged away.

    Returns:
        The shape of ``log_values`` without ``dim``, in nats.
    """
    return torch.logsumexp(log_values, dim) - math.log(log_values.shape[dim])


def gaussian_log_prob(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return the log-density of a diagonal Gaussian.

    .. math:: \log \mathcal N(x; \mu, \sigma)
        = -\sum_d \Big[ \tfrac12 \big(\tfrac{x_d - \mu_d}{\sigma_d}\big)^2 + \log \sigma_d + \tfrac12 \log 2\pi \Big]

    Lecture part "Latent variable models in general"; notebook 01.

    Args:
        x: ``(batch, dim)``.
        mu, sigma: mean and standard deviation (positive), anything that broadcasts to ``x``.

    Returns:
        ``(batch,)``, nats.
    """
    standardised = (x - mu) / sigma
    return (-0.5 * standardised**2 - sigma.log() - 0.5 * LOG_2PI).sum(-1)


def gaussian_entropy(sigma: Tensor) -> Tensor:
    r"""Return the entropy of a diagonal Gaussian, :math:`\sum_d \log \sigma_d + \tfrac12 \log 2 \pi e`.

    Lecture part "A brief aside... Entropy"; notebook 02.

    Args:
        sigma: standard deviations ``(batch, dim)``, positive.

    Returns:
        ``(batch,)``, nats; negative where the density is narrow.
    """
    return (sigma.log() + 0.5 * (LOG_2PI + 1)).sum(-1)


def categorical_entropy(probs: Tensor) -> Tensor:
    r"""Return :math:`-\sum_k p_k \log p_k` with :math:`0 \log 0 = 0`.

    Lecture part "A brief aside... Entropy"; notebook 02.

    Args:
        probs: probabilities ``(batch, categories)``; zeros are allowed.

    Returns:
        ``(batch,)``, nats, between 0 and ``log(categories)``.
    """
    return torch.special.entr(probs).sum(-1)


def gaussian_kl(mu_q: Tensor, sigma_q: Tensor, mu_p: Tensor, sigma_p: Tensor) -> Tensor:
    r"""Return :math:`D_{KL}(q\|p)` of two diagonal Gaussians.

    .. math:: \sum_d \Big[ \log\frac{\sigma_{p,d}}{\sigma_{q,d}}
        + \frac{\sigma_{q,d}^2 + (\mu_{q,d} - \mu_{p,d})^2}{2\sigma_{p,d}^2} - \tfrac12 \Big]

    Lecture part "A brief aside... KL-Divergence"; notebook 02.

    Args:
        mu_q, sigma_q: mean and standard deviation of q, ``(batch, dim)``.
        mu_p, sigma_p: those of p, anything that broadcasts to ``(batch, dim)``.

    Returns:
        ``(batch,)``, nats, never negative.
    """
    ratio = sigma_q / sigma_p
    return (0.5 * (ratio**2 + ((mu_q - mu_p) / sigma_p) ** 2 - 1) - ratio.log()).sum(-1)


def kl_to_standard_normal(mu: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Return :math:`D_{KL}(\mathcal N(\mu, \sigma)\,\|\,\mathcal N(0, I))`, the regulariser of a VAE.

    .. math:: \tfrac12 \sum_d \big[ \mu_d^2 + \sigma_d^2 - 1 - 2 \log \sigma_d \big]

    Lecture part "Another way to look at it"; Kingma and Welling 2014, appendix B; notebook 06.

    Args:
        mu, log_sigma: mean and logarithm of the standard deviation, ``(batch, latent_dim)``.

    Returns:
        ``(batch,)``, nats, never negative.
    """
    return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    r"""Return :math:`\sum_d x_d \log p_d + (1 - x_d) \log(1 - p_d)` with :math:`p = \mathrm{sigmoid}(\text{logits})`.

    Computed from the logits, so that it stays finite however sure the decoder is. For grey values it is no
    log-probability, but the same formula is maximised. Lecture part "The variational autoencoder"; notebook 06.

    Args:
        x: pixels in [0, 1], ``(batch, dim)``.
        logits: ``(..., batch, dim)``.

    Returns:
        ``(..., batch)``, nats.
    """
    return (x * logits - torch.nn.functional.softplus(logits)).sum(-1)


def monte_carlo_kl(z: Tensor, log_q: Callable[[Tensor], Tensor], log_p: Callable[[Tensor], Tensor]) -> Tensor:
    r"""Estimate :math:`D_{KL}(q\|p)` as the mean of :math:`\log q(z) - \log p(z)` over samples of q.

    Lecture part "A brief aside... KL-Divergence"; notebook 02.

    Args:
        z: samples of q, ``(samples, ...)``; gradients flow through them.
        log_q, log_p: log-densities, callables on ``z`` that return ``(samples, ...)``.

    Returns:
        A scalar, nats. One sample, or an unlucky mean, can be negative; the KL cannot.
    """
    return (log_q(z) - log_p(z)).mean()
