r"""Two ways to the gradient of :math:`J(\phi) = E_{z \sim q_\phi}[r(z)]`: policy gradient and reparameterization.

A surrogate is a scalar whose gradient is the estimate; it is maximised. Samples come in front:
``log_q`` and ``reward`` are ``(samples, batch)``. Lecture parts "Amortized variational inference" (policy
gradient), "The reparameterization trick" and "Reparameterization trick vs. policy gradient"; notebook 05.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.distributions import kl_to_standard_normal


def reparameterize(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    r"""Return :math:`z = \mu + \epsilon\,\sigma`, through which gradients flow to both parameters.

    Lecture part "The reparameterization trick"; notebook 06.

    Args:
        mu, log_sigma: ``(batch, latent_dim)``.
        eps: standard Gaussian noise, ``(batch, latent_dim)`` or ``(samples, batch, latent_dim)``.

    Returns:
        The shape of ``eps``.
    """
    return mu + log_sigma.exp() * eps


def gaussian_score(z: Tensor, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return :math:`\nabla_\mu \log q(z)` and :math:`\nabla_\sigma \log q(z)` of a diagonal Gaussian.

    .. math:: \frac{z - \mu}{\sigma^2}, \qquad \frac{(z - \mu)^2 - \sigma^2}{\sigma^3}

    Args:
        z: ``(samples, batch, latent_dim)``.
        mu, sigma: ``(batch, latent_dim)``.

    Returns:
        Both ``(samples, batch, latent_dim)``; their expectation under q is zero.
    """
    standardised = (z - mu) / sigma
    return standardised / sigma, (standardised**2 - 1) / sigma


def score_function_surrogate(log_q: Tensor, reward: Tensor) -> Tensor:
    r"""Return the scalar whose gradient is :math:`\frac1M \sum_j \nabla_\phi \log q_\phi(z_j|x)\, r(x, z_j)`.

    The samples must not carry gradients themselves: ``log_q`` is evaluated at ``z.detach()``.

    Args:
        log_q: ``(samples, batch)``, attached to the parameters of q.
        reward: ``(samples, batch)``; detached here.

    Returns:
        A scalar, the mean over samples and batch.
    """
    return (log_q * reward.detach()).mean()


def leave_one_out_baseline(reward: Tensor) -> Tensor:
    r"""Return for each sample the mean reward of the others, :math:`b_j = \frac1{M-1} \sum_{k \ne j} r_k`.

    Independent of its own sample, so subtracting it leaves the gradient unbiased. Mnih and Rezende 2016;
    Kool, van Hoof and Welling 2019.

    Args:
        reward: ``(samples, batch)``, at least two samples.

    Returns:
        ``(samples, batch)``.

    Raises:
        ValueError: one sample has no others.
    """
    samples = len(reward)
    if samples < 2:
        raise ValueError(f"a leave-one-out baseline needs at least 2 samples for each data point, there is {samples}")
    return (reward.sum(0) - reward) / (samples - 1)


def policy_gradient_objective(log_likelihood: Tensor, log_q: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    r"""Return the scalar whose gradient trains decoder and encoder, the encoder by policy gradient.

    .. math:: \frac1M\sum_j \log q_\phi(z_j|x)\,[r_j - b_j] + \frac1M\sum_j \log p_\theta(x|z_j)
        - D_{KL}(q_\phi(z|x)\|p(z)), \qquad r_j = \log p_\theta(x|z_j)\ \text{detached}

    averaged over the batch, with the leave-one-out baseline and the KL to N(0, I) in closed form.

    Args:
        log_likelihood: :math:`\log p_\theta(x|z_j)`, ``(samples, batch)``, attached to theta; at least two samples.
        log_q: :math:`\log q_\phi(z_j|x)`, ``(samples, batch)``, attached to phi, at samples that are not.
        mu, sigma: mean and standard deviation of q, ``(batch, latent_dim)``, attached to phi.

    Returns:
        A scalar, the mean over samples and batch, to be maximised.
    """
    reward = log_likelihood.detach()
    surrogate = score_function_surrogate(log_q, reward - leave_one_out_baseline(reward))
    return surrogate + log_likelihood.mean() - kl_to_standard_normal(mu, sigma.log()).mean()


def variance_saved(h: Tensor, sigma: Tensor, samples: Tensor) -> Tensor:
    r"""Return how much variance the closed-form KL takes out of the reparameterized gradient for mu, ``(batch,)``.

    For :math:`\log p(x|z) = -\tfrac h2 (z - a)^2`, p(z) = N(0, 1), :math:`z = \mu + \sigma\epsilon`: the gradient's
    variance is :math:`(h + 1)^2\sigma^2/M` with log p(z) sampled, and :math:`h^2\sigma^2/M` with the KL as a formula.

    Args:
        h: curvature of the likelihood, ``(batch,)``, not negative.
        sigma: standard deviation of q, ``(batch,)``, positive.
        samples: M, ``(batch,)``, positive.
    """
    return (2 * h + 1) * sigma**2 / samples


def reparameterized_surrogate(mu: Tensor, sigma: Tensor, eps: Tensor, reward_fn: Callable[[Tensor], Tensor]) -> Tensor:
    r"""Return the scalar whose gradient is :math:`\frac1M \sum_j \nabla_\phi r(x, \mu_\phi + \epsilon_j \sigma_\phi)`.

    Args:
        mu, sigma: ``(batch, latent_dim)``.
        eps: ``(samples, batch, latent_dim)``.
        reward_fn: maps ``z (samples, batch, latent_dim)`` to rewards ``(samples, batch)``, differentiably.

    Returns:
        A scalar, the mean over samples and batch.
    """
    return reward_fn(mu + sigma * eps).mean()


def categorical_policy_gradient(logits: Tensor, reward: Tensor, z: Tensor) -> Tensor:
    r"""Return the surrogate of :func:`score_function_surrogate` for a categorical q.

    Args:
        logits: unnormalised log-probabilities, ``(batch, categories)``.
        reward: ``(samples, batch)``; detached here.
        z: sampled categories, int64 ``(samples, batch)``.

    Returns:
        A scalar, the mean over samples and batch.
    """
    log_q = logits.log_softmax(-1).expand(len(z), -1, -1).gather(-1, z.unsqueeze(-1)).squeeze(-1)
    return score_function_surrogate(log_q, reward)


def gradient_mean_and_variance(estimator: Callable[[], Tensor], num_repeats: int) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased variance, for each entry, of an estimator that is called ``num_repeats`` times.

    Raises:
        ValueError: fewer than two repeats have no variance.
    """
    if num_repeats < 2:
        raise ValueError(f"a variance needs at least 2 repeats, not {num_repeats}")
    draws = torch.stack([estimator() for _ in range(num_repeats)])
    return draws.mean(0), draws.var(0)
