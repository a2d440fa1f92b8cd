r"""A q of its own for every data point: the lecture's alternation, and what it costs.

Lecture parts "How do we use this?" and "What's the problem?"; notebook 03. Shapes as in
:mod:`course_lib.bounds`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam, Optimizer

from course_lib.bounds import Decoder, per_point_elbo


def ascend_q(
    x: Tensor,
    mu: Tensor,
    log_sigma: Tensor,
    eps: Tensor,
    decoder: Decoder,
    sigma_x: float | Tensor,
    step_size: float,
) -> tuple[Tensor, Tensor]:
    r"""Take one gradient-ascent step of each :math:`q_i` along its own gradient of :math:`\mathcal L_i`.

    .. math:: \mu_i \leftarrow \mu_i + \alpha \nabla_{\mu_i} \mathcal L_i, \qquad
        \log\sigma_i \leftarrow \log\sigma_i + \alpha \nabla_{\log\sigma_i} \mathcal L_i

    Both gradients are taken at the old values; the decoder stays as it is.

    Returns:
        New ``mu`` and ``log_sigma``, ``(batch, latent_dim)``, without a graph.
    """
    with torch.enable_grad():
        mu, log_sigma = (old.detach().clone().requires_grad_() for old in (mu, log_sigma))
        elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
        steps = torch.autograd.grad(elbo.sum(), (mu, log_sigma))
    return (mu + step_size * steps[0]).detach(), (log_sigma + step_size * steps[1]).detach()


def train_step(
    x: Tensor,
    mu: Tensor,
    log_sigma: Tensor,
    eps: Tensor,
    decoder: Module,
    optimizer: Optimizer,
    sigma_x: float | Tensor,
    step_size: float,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Make one round of the lecture's alternation on a mini-batch: step :math:`\theta`, then this batch's :math:`q_i`.

    The optimiser steps the decoder on the loss ``-elbo.mean()``; then each q_i ascends with the decoder as
    it is now, on the same noise.

    Returns:
        New ``mu`` and ``log_sigma``, and the bound ``(batch,)`` before either step, nats.
    """
    elbo = per_point_elbo(x, mu.detach(), log_sigma.detach(), eps, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    mu, log_sigma = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    return mu, log_sigma, elbo.detach()


def infer_q(
    x: Tensor, eps: Tensor, decoder: Decoder, sigma_x: float | Tensor, learning_rate: float
) -> tuple[Tensor, Tensor]:
    r"""Fit a new :math:`q_i` to each data point with Adam, starting at the prior, the decoder held fixed.

    Args:
        x: ``(batch, dim)``.
        eps: the noise of every step, ``(steps, samples, batch, latent_dim)``.
        learning_rate: Adam's.

    Returns:
        ``mu`` and ``log_sigma``, ``(batch, latent_dim)``, without a graph.
    """
    start = torch.zeros_like(eps[0, 0])
    return improve_q(x, start, start, eps, decoder, sigma_x, learning_rate)


def improve_q(
    x: Tensor,
    mu: Tensor,
    log_sigma: Tensor,
    eps: Tensor,
    decoder: Decoder,
    sigma_x: float | Tensor,
    learning_rate: float,
) -> tuple[Tensor, Tensor]:
    """Improve each q_i from where it is, as :func:`infer_q` does from the prior."""
    with torch.enable_grad():
        mu, log_sigma = (old.detach().clone().requires_grad_() for old in (mu, log_sigma))
        optimizer = Adam([mu, log_sigma], lr=learning_rate)
        for noise in eps:
            elbo = per_point_elbo(x, mu, log_sigma, noise, decoder, sigma_x)
            # The sum, not the mean: a q_i must not move by less because others are fitted beside it.
            mu.grad, log_sigma.grad = torch.autograd.grad(-elbo.sum(), (mu, log_sigma))
            optimizer.step()
    return mu.detach(), log_sigma.detach()


def count_parameters(theta: Module | Iterable[Tensor], latent_dim: int, num_points: int) -> int:
    r"""Return :math:`|\theta| + (|\mu_i| + |\sigma_i|) \times N`.

    Args:
        theta: a module, or an iterable of tensors.
        latent_dim: the size of each mu_i and each sigma_i.
        num_points: N.
    """
    tensors = theta.parameters() if isinstance(theta, Module) else theta
    return sum(tensor.numel() for tensor in tensors) + 2 * latent_dim * num_points
