r"""Amortized inference: a network that gives q for any data point, :math:`q_\phi(z|x)`.

Lecture part "Amortized variational inference"; notebook 04. Shapes as in :mod:`course_lib.bounds`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_lib.bounds import (
    Decoder,
    EncoderMap,
    amortized_elbo,
    importance_weighted_bound,
    log_importance_weights,
    per_point_elbo,
)
from course_lib.distributions import gaussian_log_prob
from course_lib.per_point import improve_q


class Encoder(nn.Module):
    r"""A network for :math:`\mu_\phi(x)` and :math:`\log\sigma_\phi(x)`: shared hidden layers, two linear heads.

    >>> mu, log_sigma = Encoder(data_dim=784, hidden_dim=200, latent_dim=2)(torch.rand(5, 784))
    >>> mu.shape, log_sigma.shape
    (torch.Size([5, 2]), torch.Size([5, 2]))

    Args:
        data_dim, hidden_dim, latent_dim: sizes, positive.
        hidden_layers: how many hidden layers, 1 by default.
    """

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int, hidden_layers: int = 1) -> None:
        super().__init__()
        self.hidden = hidden_stack(data_dim, hidden_dim, hidden_layers)
        self.mu, self.log_sigma = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``mu`` and ``log_sigma``, each ``(batch, latent_dim)``, for ``x (batch, data_dim)``."""
        hidden = self.hidden(x)
        return self.mu(hidden), self.log_sigma(hidden)


def hidden_stack(input_dim: int, hidden_dim: int, layers: int) -> nn.Sequential:
    """Return ``layers`` linear layers with tanh, from ``input_dim`` to ``hidden_dim``.

    Raises:
        ValueError: a size is not positive.
    """
    for name, size in {"input size": input_dim, "hidden_dim": hidden_dim, "number of layers": layers}.items():
        if size < 1:
            raise ValueError(f"the {name} of a network is at least 1, not {size}")
    sizes = [input_dim, *[hidden_dim] * layers]
    parts = [(nn.Linear(before, after), nn.Tanh()) for before, after in pairwise(sizes)]
    return nn.Sequential(*(module for pair in parts for module in pair))


def train_step(
    x: Tensor, eps: Tensor, encoder: nn.Module, decoder: nn.Module, optimizer: Optimizer, sigma_x: float | Tensor
) -> Tensor:
    r"""Step :math:`\theta` and :math:`\phi` together on the loss ``-elbo.mean()``.

    Args:
        optimizer: holds the parameters of both networks.

    Returns:
        The bound ``(batch,)`` before the step, nats, without a graph.
    """
    elbo = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    return elbo.detach()


def refine_q(
    x: Tensor,
    eps: Tensor,
    encoder: EncoderMap,
    decoder: Decoder,
    sigma_x: float | Tensor,
    learning_rate: float,
) -> tuple[Tensor, Tensor]:
    r"""Start each q at the encoder's answer and improve it by itself with Adam, both networks held fixed.

    What it gains over the encoder is the amortization gap. Cremer, Li and Duvenaud 2018, section 2.

    Args:
        eps: the noise of every step, ``(steps, samples, batch, latent_dim)``.

    Returns:
        ``mu`` and ``log_sigma``, ``(batch, latent_dim)``, without a graph.
    """
    mu, log_sigma = encoder(x)
    return improve_q(x, mu, log_sigma, eps, decoder, sigma_x, learning_rate)


def amortization_gap(elbo_optimal: Tensor, elbo_amortized: Tensor) -> Tensor:
    r"""Return :math:`\mathcal L_i(q_i^*) - \mathcal L_i(q_\phi(z|x_i))`, ``(batch,)``, nats; signed.

    Cremer, Li and Duvenaud, *Inference suboptimality in variational autoencoders*, 2018, equation 3.
    """
    return elbo_optimal - elbo_amortized


def leaning_gap(s_1: Tensor, s_2: Tensor, rho: Tensor) -> Tensor:
    r"""Return the approximation gap of the best diagonal q where the posterior is a Gaussian that leans.

    .. math:: \min_{q\ \text{diagonal}} D_{KL}(q\|p(z|x)) = -\tfrac12\log(1 - \rho^2)

    Args:
        s_1, s_2: standard deviations of the posterior in its two dimensions, positive, ``(batch,)``.
        rho: their correlation, between -1 and 1, ``(batch,)``.

    Returns:
        ``(batch,)``, nats; whatever the standard deviations are.
    """
    return -0.5 * torch.log1p(-(rho**2)) + 0 * (s_1 + s_2)


def log_evidence_estimate(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Decoder, sigma_x: float | Tensor
) -> Tensor:
    r"""Estimate :math:`\log p(x) \approx \log\frac1S\sum_s p(x|z_s)\,p(z_s)/q(z_s)` with :math:`z_s \sim q`.

    Its expectation lies below log p(x) and rises with S. Burda, Grosse and Salakhutdinov 2016, equation 8; Cremer,
    Li and Duvenaud 2018, section 3, use it to judge the bounds.

    Args:
        mu, log_sigma: parameters of q, ``(batch, latent_dim)``.
        eps: standard Gaussian noise, ``(samples, batch, latent_dim)``.
        x, decoder, sigma_x: as in :func:`course_lib.bounds.per_point_elbo`.

    Returns:
        ``(batch,)``, nats.
    """
    z = mu + log_sigma.exp() * eps
    sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
    log_likelihood = gaussian_log_prob(x, decoder(z), sigma_x)
    return importance_weighted_bound(log_importance_weights(log_likelihood, z, mu, log_sigma))


def measure_gaps(
    x: Tensor,
    noise: Tensor,
    eps: Tensor,
    encoder: EncoderMap,
    decoder: Decoder,
    sigma_x: float | Tensor,
    learning_rate: float,
) -> tuple[Tensor, Tensor]:
    r"""Split what an encoder's bound lacks to log p(x) into approximation gap and amortization gap.

    .. math:: \log p(x_i) - \mathcal L_i(q_\phi) = \big[\log p(x_i) - \mathcal L_i(q_i^*)\big]
        + \big[\mathcal L_i(q_i^*) - \mathcal L_i(q_\phi)\big]

    Cremer, Li and Duvenaud 2018, section 3.

    Args:
        noise: of the refinement, ``(steps, samples, batch, latent_dim)``.
        eps: of all three estimates, ``(samples, batch, latent_dim)``; log p(x) is estimated from the refined q.
        x, encoder, decoder, sigma_x, learning_rate: as in :func:`refine_q`.

    Returns:
        Approximation gap and amortization gap, each ``(batch,)``, nats, without a graph.
    """
    mu, log_sigma = refine_q(x, noise, encoder, decoder, sigma_x, learning_rate)
    with torch.no_grad():
        evidence = log_evidence_estimate(x, mu, log_sigma, eps, decoder, sigma_x)
        best = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
        encoders = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    return evidence - best, amortization_gap(best, encoders)
