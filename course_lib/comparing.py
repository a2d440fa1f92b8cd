r"""One unit for models of every kind: bits/dim of the same dequantized data, and how sure a difference is.

.. math:: \text{bits/dim} = \log_2 \text{levels} - \frac{\log p(x)}{\text{dim} \cdot \log 2}

Lecture part "Concluding remarks"; notebook 12. A flow's number is exact, a VAE's lies between bounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from course_lib.amortized import Encoder, hidden_stack
from course_lib.bounds import importance_weighted_bound
from course_lib.distributions import gaussian_log_prob
from course_lib.gradients import reparameterize
from course_lib.nice import dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform
from course_lib.vae import VAE


class Density(Protocol):
    """What is asked of a flow here: the exact log-density of points."""

    def log_prob(self, y: Tensor, /) -> Tensor: ...


def evidence_gap(log_weights: Tensor) -> Tensor:
    r"""Return how far the ELBO lies below the importance-weighted estimate of log p(x), from the same samples.

    .. math:: \log\frac1K\sum_k w_k - \frac1K\sum_k \log w_k \ \ge 0

    As K grows it tends to :math:`D_{KL}(q(z|x) \| p(z|x))`; at every K its expectation lies below that.

    >>> evidence_gap(torch.tensor([[0.0], [2.0]]).log().exp().log1p())
    tensor([0.1438])

    Args:
        log_weights: :math:`\log p(x, z_k) - \log q(z_k|x)`, ``(samples, batch)``.

    Returns:
        ``(batch,)``, nats, never negative.
    """
    return importance_weighted_bound(log_weights) - log_weights.mean(0)


def vae_bits_per_dim(log_weights: Tensor, num_dims: int, levels: int) -> tuple[Tensor, Tensor]:
    """Return the ELBO and the importance-weighted bound as bits/dim: upper bounds of the model's own, both ``(batch,)``.

    Args:
        log_weights: as in :func:`evidence_gap`, of a VAE of data dequantized to [0, 1).
        num_dims: pixels times channels.
        levels: number of grey values.
    """
    elbo, iwae = log_weights.mean(0), importance_weighted_bound(log_weights)
    return bits_per_dim(elbo, num_dims, levels), bits_per_dim(iwae, num_dims, levels)


def flow_bits_per_dim(flow: Density, pixels: Tensor, noise: Tensor, levels: int, alpha: float) -> Tensor:
    """Return the exact bits/dim, ``(batch,)``, of whole numbers under a flow of their logits: the whole chain.

    Args:
        flow: its ``log_prob`` maps logits ``(batch, dim)`` to ``(batch,)``, nats.
        pixels: whole numbers 0 … levels − 1, ``(batch, dim)``.
        noise: uniform in [0, 1), ``(batch, dim)``.
        levels: number of grey values.
        alpha: of :func:`course_lib.real_nvp.logit_transform`.
    """
    x, _ = dequantize(pixels, noise, levels)  # bits_per_dim counts the levels: this log-det would count them twice
    y, log_det = logit_transform(x, alpha)
    return bits_per_dim(flow.log_prob(y) + log_det, x.shape[-1], levels)


def paired_difference(bits_a: Tensor, bits_b: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the mean of a − b over the same images, and its standard error, :math:`s_{a-b} / \sqrt n`; two scalars.

    Args:
        bits_a, bits_b: two models' numbers of the same images, ``(images,)``, at least 2.
    """
    difference = bits_a - bits_b
    return difference.mean(), difference.std() / len(difference) ** 0.5


def detection(usual: Tensor, unusual: Tensor) -> Tensor:
    """Return the share of pairs in which the unusual image has more bits than the usual one; a tie counts half.

    Args:
        usual, unusual: bits/dim, ``(n,)`` and ``(m,)``.

    Returns:
        A scalar in [0, 1]; 0.5 is guessing. (The area under the ROC curve.)
    """
    above = unusual.unsqueeze(1) - usual
    return (0.5 * (above.sign() + 1)).mean()


def power_law(sizes: Tensor, costs: Tensor, size: float) -> tuple[Tensor, Tensor]:
    r"""Fit :math:`\text{cost} = c \cdot \text{size}^k` by least squares of the logarithms.

    >>> exponent, cost = power_law(torch.tensor([1.0, 10.0]), torch.tensor([2.0, 200.0]), 100.0)
    >>> round(exponent.item(), 4), round(cost.item(), 1)
    (2.0, 20000.0)

    Args:
        sizes, costs: measured, positive, ``(n,)``, at least two different sizes.
        size: where the line is asked for.

    Returns:
        The exponent k, and the cost at that size; two scalars.
    """
    x, y = sizes.log(), costs.log()
    centred = x - x.mean()
    exponent = (centred * y).sum() / (centred**2).sum()
    return exponent, (y.mean() + exponent * (math.log(size) - x.mean())).exp()


def core_seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Return the seconds of one core that some work takes, the quickest of several rounds: much the same on a busy machine."""
    threads, taken = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):
            began = time.thread_time()
            work()
            taken.append(time.thread_time() - began)
    finally:
        torch.set_num_threads(threads)
    return min(taken)


def cost_of_step(model: nn.Module, objective: Callable[[Tensor], Tensor], x: Tensor) -> tuple[float, int]:
    """Measure a step of training without the optimizer's: forward and backward pass of a batch.

    Args:
        model: its parameters are not counted among what is kept.
        objective: maps x to one number for each data point, ``(batch,)``.
        x: ``(batch, ...)``.

    Returns:
        Seconds of one core, and bytes that the forward pass keeps for the backward pass.
    """
    weights = list(model.parameters())
    own = {parameter.untyped_storage().data_ptr() for parameter in weights}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    def step() -> None:
        loss = -objective(x).mean()
        torch.autograd.grad(loss, weights, allow_unused=True)

    asked = [parameter.requires_grad for parameter in weights]
    for parameter in weights:
        parameter.requires_grad_()
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            step()
        return core_seconds(step, rounds=2), sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    finally:
        for parameter, was in zip(weights, asked, strict=True):
            parameter.requires_grad_(was)


class GreyEncoder(Encoder):
    """An encoder of logits that looks at grey values: a logit of 10 and one of 6 are nearly the same white."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x.sigmoid())


class LogitVAE(VAE):
    r"""A VAE of logits of dequantized pixels: the same data as a flow's, so that its bound can stand beside a flow's likelihood.

    .. math:: p(y|z) = \mathcal N(\mu_\theta(z), \sigma_\theta(z))

    >>> vae = LogitVAE(data_dim=784, hidden_dim=160, latent_dim=24)
    >>> y = torch.randn(5, 784)
    >>> vae.log_weights(y, torch.randn(7, 5, 24)).shape, vae.sample(2, torch.Generator().manual_seed(0)).shape
    (torch.Size([7, 5]), torch.Size([2, 784]))

    Args:
        data_dim, hidden_dim, latent_dim, hidden_layers: as in :class:`course_lib.vae.VAE`.
    """

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int, hidden_layers: int = 1) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim, hidden_layers)
        self.encoder = GreyEncoder(data_dim, hidden_dim, latent_dim, hidden_layers)
        self.decoder = nn.Sequential(
            hidden_stack(latent_dim, hidden_dim, hidden_layers), nn.Linear(hidden_dim, 2 * data_dim)
        )

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(y|z), ``(..., batch)``, nats, for logits ``x (batch, data_dim)``."""
        mean, log_sigma = self.decoder(z).chunk(2, -1)
        return gaussian_log_prob(x, mean, log_sigma.exp())

    def log_weights(self, y: Tensor, eps: Tensor) -> Tensor:
        """Return log p(y, z) − log q(z|y), ``(samples, batch)``, nats, for ``eps (samples, batch, latent_dim)``."""
        mu, log_sigma = self.encoder(y)
        z = reparameterize(mu, log_sigma, eps)
        prior = gaussian_log_prob(z, torch.zeros_like(mu), torch.ones_like(mu))
        return self.log_likelihood(y, z) + prior - gaussian_log_prob(z, mu, log_sigma.exp())

    def mean(self, z: Tensor) -> Tensor:
        """Return the mean of p(y|z), ``(..., data_dim)``."""
        return self.decoder(z).chunk(2, -1)[0]

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of y, ``(n, data_dim)``: z ~ p(z), then y ~ p(y|z), its noise included."""
        like = next(self.parameters())
        shape = (n, self.latent_dim + self.data_dim)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
        mean, log_sigma = self.decoder(noise[:, : self.latent_dim]).chunk(2, -1)
        return mean + log_sigma.exp() * noise[:, self.latent_dim :]

    def check_data(self, data: Tensor) -> None:
        """A Gaussian likelihood takes any value."""
