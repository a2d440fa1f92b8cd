"""A student's fully convolutional VAE with inputs for it, and the bound made of its own encode and decode."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.probes import Draw
from course_lib.distributions import bernoulli_log_likelihood, kl_to_standard_normal
from course_lib.exercises.conditional_and_convolutional_vaes.probes import built, one, sizes, two

N, SAMPLES = 5, 1200


class Model:
    """A student's model with inputs for it, in evaluation mode; its parameters are drawn where a gain is given."""

    def __init__(self, answer: Answer, draw: Draw, gain: float = 0.0, size: tuple[int, int] = (12, 20)) -> None:
        self.channels, _, self.latent = sizes(draw)
        self.instance = built(answer, draw, gain)
        self.size, self.map = size, (size[0] // 4, size[1] // 4)
        self.x = (draw.normal(N, self.channels, *size, shift=0.0) > 0).float()
        self.z = draw.normal(N, self.latent, *self.map).float()
        self.eps = draw.normal(N, self.latent, *self.map, shift=0.1).float()

    def encode(self, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return two(self.instance, "encode", self.x if x is None else x)

    def decode(self, z: Tensor | None = None) -> Tensor:
        return one(self.instance, "decode", self.z if z is None else z)

    def elbo(self, x: Tensor | None = None, eps: Tensor | None = None) -> Tensor:
        return one(self.instance, "elbo", self.x if x is None else x, self.eps if eps is None else eps)

    def reconstruct(self) -> Tensor:
        return one(self.instance, "reconstruct", self.x)

    def sample(self, n: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return one(self.instance, "sample", n, *self.size, generator).detach()

    def likelihood(self, z: Tensor, read: Callable[[Tensor], Tensor] = lambda logits: logits) -> Tensor:
        return bernoulli_log_likelihood(self.x.flatten(1), read(self.decode(z)).flatten(1))


def close(one_: Tensor, other: Tensor) -> bool:
    scale = 1.0 + other.abs().max().item()
    return one_.shape == other.shape and torch.allclose(one_.detach(), other.detach(), rtol=1e-4, atol=2e-5 * scale)


def kl_of_maps(mu: Tensor, log_sigma: Tensor) -> Tensor:
    return kl_to_standard_normal(mu.flatten(1), log_sigma.flatten(1))


def composed(model: Model) -> Tensor:
    """Return the bound made of the model's own encode and decode."""
    mu, log_sigma = model.encode()
    return model.likelihood(mu + log_sigma.exp() * model.eps) - kl_of_maps(mu, log_sigma)
