"""Fully convolutional VAEs: right ones written differently, and for each trait one that lacks it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional


class Plain(nn.Module):
    """A model of our own, to be made wrong in one place."""

    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        self.one = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.two = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.mu, self.log_sigma = nn.Conv2d(width, latent_channels, 1), nn.Conv2d(width, latent_channels, 1)
        self.back = nn.ConvTranspose2d(latent_channels, width, 4, stride=2, padding=1)
        self.pixels = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.two(self.one(x).relu()).relu()
        return self.mu(hidden), self.log_sigma(hidden)

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(self.back(z).relu())

    def latent(self, mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
        return mu + log_sigma.exp() * eps

    def likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))

    def kl(self, mu: Tensor, log_sigma: Tensor) -> Tensor:
        return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum((1, 2, 3))

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encode(x)
        return self.likelihood(x, self.decode(self.latent(mu, log_sigma, eps))) - self.kl(mu, log_sigma)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0]).sigmoid()

    def noise(self, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        shape = n, self.latent_channels, height // 4, width // 4
        return torch.randn(shape, generator=generator).to(next(self.parameters()))

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        return self.decode(self.noise(n, height, width, generator)).sigmoid()


class Strided(nn.Module):
    """One convolution of stride 4 on either side, torch's distributions, a list of heads."""

    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__()
        self.latents = latent_channels
        self.inward = nn.Sequential(nn.Conv2d(channels, 2 * width, 4, stride=4), nn.BatchNorm2d(2 * width), nn.ELU())
        self.heads = nn.Conv2d(2 * width, 2 * latent_channels, 3, padding=1)
        self.outward = nn.Sequential(
            nn.Conv2d(latent_channels, 2 * width, 1), nn.Tanh(), nn.ConvTranspose2d(2 * width, channels, 4, stride=4)
        )

    def encode(self, x: Tensor) -> list[Tensor]:
        return list(self.heads(self.inward(x)).chunk(2, 1))

    def decode(self, z: Tensor) -> Tensor:
        return self.outward(z)

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encode(x)
        q = Normal(mu, log_sigma.exp())
        p = Bernoulli(logits=self.decode(q.mean + q.stddev * eps), validate_args=False)
        kl = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu)))
        return p.log_prob(x).flatten(1).sum(1) - kl.flatten(1).sum(1)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.decode(self.encode(x)[0]))

    @torch.no_grad()
    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        images = [torch.randn(self.latents, height // 4, width // 4, generator=generator) for _ in range(n)]
        return torch.sigmoid(self.decode(torch.stack(images)))


class Doubled(Plain):
    """Pooling and repetition in place of strides."""

    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__(channels, width, latent_channels)
        self.one, self.two = nn.Conv2d(channels, width, 5, padding=2), nn.Conv2d(width, width, 3, padding=1)
        self.inward = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.outward = nn.Conv2d(width, channels, 3, padding=1)
        del self.back, self.pixels

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = functional.avg_pool2d(functional.gelu(self.one(x)), 2)
        hidden = functional.avg_pool2d(functional.gelu(self.two(hidden)), 2)
        return self.mu(hidden), self.log_sigma(hidden)

    def decode(self, z: Tensor) -> Tensor:
        hidden = functional.gelu(self.inward(functional.interpolate(z, scale_factor=2)))
        return self.outward(functional.interpolate(hidden, scale_factor=2))


def _changed(**methods: Any) -> type:
    return type("FullyConvVAE", (Plain,), methods)


class _NoModule:
    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        own = Plain(channels, width, latent_channels)
        self.encode, self.decode, self.elbo, self.reconstruct, self.sample = (
            own.encode,
            own.decode,
            own.elbo,
            own.reconstruct,
            own.sample,
        )


class _Connected(Plain):
    """A linear layer over all of the map: only 28 × 28 fits."""

    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__(channels, width, latent_channels)
        self.between = nn.Linear(49 * width, 49 * width)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.two(self.one(x).relu()).relu()
        hidden = self.between(hidden.flatten(1)).view_as(hidden)
        return self.mu(hidden), self.log_sigma(hidden)


class _OneCode(Plain):
    """A decoder that knows one size only."""

    def decode(self, z: Tensor) -> Tensor:
        return functional.interpolate(Plain.decode(self, z), size=(28, 28))


class _OwnWidth(Plain):
    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__(channels, 5, latent_channels)


class _Unused(Plain):
    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__(channels, width, latent_channels)
        self.extra = nn.Conv2d(width, width, 3)


def _pooled(self: Any, x: Tensor) -> tuple[Tensor, ...]:
    mu, log_sigma = Plain.encode(self, x)
    return mu.mean((-2, -1)), log_sigma.mean((-2, -1))


def _sampled_kl(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    q, prior = Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = mu + log_sigma.exp() * eps
    return self.likelihood(x, self.decode(z)) + (prior.log_prob(z) - q.log_prob(z)).sum((1, 2, 3))


def _random_code(self: Any, x: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    return self.decode(mu + log_sigma.exp() * torch.randn_like(mu)).sigmoid()


def _unseeded(self: Any, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    return self.decode(torch.randn(n, self.latent_channels, height // 4, width // 4)).sigmoid()


def _one_for_all_positions(self: Any, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    z = torch.randn(n, self.latent_channels, 1, 1, generator=generator)
    return z.expand(-1, -1, height // 4, width // 4)


def _mixing(self: Any, x: Tensor) -> tuple[Tensor, ...]:
    mu, log_sigma = Plain.encode(self, x)
    return mu - mu.mean(0), log_sigma


WRONG: dict[str, type] = {
    "no parameters": _NoModule,
    "encode's shape": _changed(encode=_pooled),
    "decode's shape": _changed(decode=lambda self, z: self.back(z).relu()),
    "one size to encode": _Connected,
    "one size to decode": _OneCode,
    "elbo's shape": _changed(elbo=lambda self, x, eps: Plain.elbo(self, x, eps).mean()),
    "reconstruct's shape": _changed(reconstruct=lambda self, x: self.encode(x)[0]),
    "sample's shape": _changed(sample=lambda self, n, h, w, generator: Plain.sample(self, n, 28, 28, generator)),
    "own noise": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma.exp() * torch.randn_like(mu)),
    "reconstruct is random": _changed(reconstruct=_random_code),
    "probabilities decoded": _changed(decode=lambda self, z: Plain.decode(self, z).sigmoid()),
    "logits returned": _changed(reconstruct=lambda self, x: self.decode(self.encode(x)[0])),
    "logits sampled": _changed(sample=lambda self, n, h, w, generator: self.decode(self.noise(n, h, w, generator))),
    "ink sampled": _changed(
        sample=lambda self, n, h, w, generator: torch.bernoulli(Plain.sample(self, n, h, w, generator))
    ),
    "images mixed": _changed(encode=_mixing),
    "loss returned": _changed(elbo=lambda self, x, eps: -Plain.elbo(self, x, eps)),
    "mean over pixels": _changed(likelihood=lambda self, x, logits: Plain.likelihood(self, x, logits) / x[0].numel()),
    "KL missing": _changed(kl=lambda self, mu, log_sigma: 0.0),
    "KL added": _changed(kl=lambda self, mu, log_sigma: -Plain.kl(self, mu, log_sigma)),
    "KL averaged": _changed(kl=lambda self, mu, log_sigma: Plain.kl(self, mu, log_sigma) / mu[0].numel()),
    "KL averaged over positions": _changed(
        kl=lambda self, mu, log_sigma: Plain.kl(self, mu, log_sigma) / mu[0, 0].numel()
    ),
    "mu decoded instead of z": _changed(latent=lambda self, mu, log_sigma, eps: mu),
    "log sigma drawn as sigma": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma * eps),
    "log variance": _changed(
        latent=lambda self, mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps,
        kl=lambda self, mu, log_sigma: Plain.kl(self, mu, log_sigma / 2),
    ),
    "sigmoid twice": _changed(likelihood=lambda self, x, logits: Plain.likelihood(self, x, logits.sigmoid())),
    "another bound": _changed(kl=lambda self, mu, log_sigma: 0.5 * Plain.kl(self, mu, log_sigma)),
    "sampled KL": _changed(elbo=_sampled_kl),
    "another reconstruction": _changed(reconstruct=lambda self, x: self.decode(self.encode(x)[0] * 0.5).sigmoid()),
    "generator ignored": _changed(sample=_unseeded),
    "samples all alike": _changed(noise=lambda self, *args: 0 * Plain.noise(self, *args)),
    "one z for all positions": _changed(noise=_one_for_all_positions),
    "z not from the prior": _changed(noise=lambda self, *args: 3 * Plain.noise(self, *args)),
    "z detached": _changed(latent=lambda self, mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach()),
    "width ignored": _OwnWidth,
    "a parameter never learns": _Unused,
    "created in float32": _changed(decode=lambda self, z: Plain.decode(self, z).float()),
}
