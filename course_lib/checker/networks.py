"""Small networks as probes, and how answers are observed that train them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, AnswerFailed
from course_lib.checker.probes import Draw

MakeOptimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class TwoHeads(nn.Module):
    """An encoder: x to mu and log_sigma."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(data_dim, hidden_dim)
        self.mu, self.log_sigma = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.hidden(x).tanh()
        return self.mu(hidden), self.log_sigma(hidden)


def decoder_network(draw: Draw, latent: int, dim: int) -> nn.Module:
    """A decoder with weights from a draw: z to the mean of p(x|z), for any leading shape."""
    return _drawn(nn.Sequential(nn.Linear(latent, 6), nn.Tanh(), nn.Linear(6, dim)), draw)


def encoder_network(draw: Draw, dim: int, latent: int) -> nn.Module:
    """An encoder with weights from a draw."""
    return _drawn(TwoHeads(dim, 6, latent), draw)


def _drawn(network: nn.Module, draw: Draw) -> nn.Module:
    network = network.to(draw.device, draw.dtype)
    for parameter in network.parameters():
        parameter.data = draw.normal(*parameter.shape, scale=0.5, shift=0.05)
    return network


def sgd(draw: Draw) -> MakeOptimizer:
    """Plain gradient descent: its step shows the gradient's sign and scale."""
    rate = 0.05 + 0.01 * draw.integer(5)
    return lambda parameters: torch.optim.SGD(parameters, lr=rate)


def weights_of(*networks: nn.Module) -> Tensor:
    """Return all parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for network in networks for parameter in network.parameters()])


def with_old_gradients(network: nn.Module) -> nn.Module:
    """Return a copy whose parameters still hold gradients of an earlier step, as after any step."""
    own = copy.deepcopy(network)
    for index, parameter in enumerate(own.parameters()):
        parameter.grad = torch.full_like(parameter, 0.3 + 0.1 * index)
    return own


def only_tensor(result: tuple[Tensor, ...]) -> Tensor:
    """Return the one tensor of a result.

    Raises:
        AnswerFailed: several came.
    """
    if len(result) != 1:
        raise AnswerFailed("type", f"One tensor is expected, {len(result)} came.")
    return result[0]


def one_of(value: Tensor, canonical: Tensor, also: Iterable[Tensor]) -> Tensor:
    """Return ``canonical`` where a value agrees with one of several readings that are all right."""
    for reading in (canonical, *also):
        if value.shape == reading.shape and torch.allclose(value.double(), reading.double(), rtol=1e-4, atol=1e-4):
            return canonical.to(value)
    return value


def draws_its_own_noise(probe: Callable[[Draw], tuple[object, ...]]) -> Callable[[Answer, Draw], str | None]:
    """Return a property: with the same inputs an answer gives the same values."""

    def violated(answer: Answer, draw: Draw) -> str | None:
        args = probe(draw)
        first, second = (answer.call(*args) for _ in range(2))
        pairs = zip(*(r if isinstance(r, tuple | list) else (r,) for r in (first, second)), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor) and isinstance(b, Tensor))
        return None if same else OWN_NOISE

    return violated


OWN_NOISE = (
    "Called twice with the same eps it gives different values: it draws noise of its own. Take the eps that is given, "
    "z = mu + sigma · eps; .sample() and .rsample() draw anew, and .sample() cuts the gradient as well."
)
