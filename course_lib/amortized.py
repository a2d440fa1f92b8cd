r"""Amortized inference: a network that gives q for any data point, :math:`q_\phi(z|x)`.

Lecture part "Amortized variational inference"; notebook 04. Shapes as in :mod:`course_lib.bounds`.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.optim import Optimizer

from course_lib.bounds import Decoder, EncoderMap, amortized_elbo
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
