"""VAEs: right ones written differently, and for each trait one that lacks it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn import functional


class Plain(nn.Module):
    """A VAE of our own, to be made wrong in one place."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.inner = nn.Linear(data_dim, hidden_dim)
        self.mu, self.log_sigma = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)
        self.outer, self.pixels = nn.Linear(latent_dim, hidden_dim), nn.Linear(hidden_dim, data_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.inner(x).relu()
        return self.mu(hidden), self.log_sigma(hidden)

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(self.outer(z).tanh())

    def latent(self, mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
        return mu + log_sigma.exp() * eps

    def likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def kl(self, mu: Tensor, log_sigma: Tensor) -> Tensor:
        return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encode(x)
        return self.likelihood(x, self.decode(self.latent(mu, log_sigma, eps))) - self.kl(mu, log_sigma)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0]).sigmoid()

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.latent_dim, generator=generator)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.decode(self.noise(n, generator)).sigmoid()


class Chunked(nn.Module):
    """Two hidden layers, one head for both, a log-variance kept inside and used rightly."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Linear(data_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim), nn.ReLU()
        )
        self.head = nn.Linear(hidden_dim, 2 * latent_dim)
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, data_dim))

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_variance = self.head(self.encoder(x)).chunk(2, -1)
        q = Independent(Normal(mu, (0.5 * log_variance).exp()), 1)
        prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
        z = q.mean + q.stddev * eps
        p = Independent(Bernoulli(logits=self.decoder(z), validate_args=False), 1)
        return p.log_prob(x) - kl_divergence(q, prior)

    def reconstruct(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.sigmoid(self.decoder(self.head(self.encoder(x)).chunk(2, -1)[0]))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, self.latent_dim, generator=generator)
        return self.decoder(z).sigmoid()


class Deep(Plain):
    """Deep and with ReLU, so that much of the decoder is flat; probabilities kept off 0 and 1 by a clamp."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.middle = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim))

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(self.middle(self.outer(z).relu()).relu())

    def likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
        return (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)


class WithoutBiases(Plain):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.mu = nn.Linear(hidden_dim, latent_dim, bias=False)
        self.log_sigma = nn.Linear(hidden_dim, latent_dim, bias=False)


class _OneHead(WithoutBiases):
    """The width is made of mu: with nothing to tell the two apart, any KL could be right."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu = self.mu(self.inner(x).relu())
        return mu, -(mu**2)


def _changed(**methods: Any) -> type:
    return type("VAE", (Plain,), methods)


class _NoModule:
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        self.model = Plain(data_dim, hidden_dim, latent_dim)
        self.elbo, self.reconstruct, self.sample = self.model.elbo, self.model.reconstruct, self.model.sample


def _single(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    return Plain.elbo(self, x, eps).mean()


def _loss(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    return -Plain.elbo(self, x, eps)


def _beta(self: Any, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return 0.5 * Plain.kl(self, mu, log_sigma)


def _one_sample(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    q, prior = Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = mu + log_sigma.exp() * eps
    return self.likelihood(x, self.decode(z)) + (prior.log_prob(z) - q.log_prob(z)).sum(-1)


def _random_code(self: Any, x: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    return self.decode(mu + log_sigma.exp() * torch.randn_like(mu)).sigmoid()


def _unseeded(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return self.decode(torch.randn(n, self.latent_dim)).sigmoid()


def _fixed(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return self.decode(torch.zeros(n, self.latent_dim)).sigmoid()


def _swapped(self: Any, x: Tensor, logits: Tensor) -> Tensor:
    return -functional.binary_cross_entropy_with_logits(x, logits, reduction="none").sum(-1)


WRONG_VAES: dict[str, type] = {
    "no parameters": _NoModule,
    "elbo's shape": _changed(elbo=_single),
    "reconstruct's shape": _changed(reconstruct=lambda self, x: self.encode(x)[0]),
    "sample's shape": _changed(sample=lambda self, n, generator: Plain.sample(self, 1, generator)[0]),
    "own noise": _changed(
        latent=lambda self, mu, log_sigma, eps: mu + log_sigma.exp() * torch.randn_like(mu),
    ),
    "reconstruct is random": _changed(reconstruct=_random_code),
    "logits returned": _changed(reconstruct=lambda self, x: self.decode(self.encode(x)[0])),
    "logits sampled": _changed(sample=lambda self, n, generator: self.decode(self.noise(n, generator))),
    "ink sampled": _changed(sample=lambda self, n, generator: torch.bernoulli(Plain.sample(self, n, generator))),
    "sigmoid twice": _changed(reconstruct=lambda self, x: Plain.reconstruct(self, x).sigmoid()),
    "mu decoded instead of z": _changed(latent=lambda self, mu, log_sigma, eps: mu),
    "noise shared across the batch": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma.exp() * eps[:1]),
    "loss returned": _changed(elbo=_loss),
    "mean over pixels": _changed(likelihood=lambda self, x, logits: Plain.likelihood(self, x, logits) / x.shape[-1]),
    "bound at zero": _changed(
        kl=lambda self, mu, log_sigma: 0.5 * (mu**2 + (2 * log_sigma).exp() - 2 * log_sigma).sum(-1)
    ),
    "KL added": _changed(kl=lambda self, mu, log_sigma: -Plain.kl(self, mu, log_sigma)),
    "KL missing": _changed(kl=lambda self, mu, log_sigma: 0.0),
    "KL averaged over latents": _changed(kl=lambda self, mu, log_sigma: Plain.kl(self, mu, log_sigma) / mu.shape[-1]),
    "data points mixed": _changed(kl=lambda self, mu, log_sigma: Plain.kl(self, mu, log_sigma).mean()),
    "weighted KL": _changed(kl=_beta),
    "another KL": _changed(kl=lambda self, mu, log_sigma: 0.5 * (mu**2 + log_sigma.exp() - 1 - 2 * log_sigma).sum(-1)),
    "log sigma drawn as sigma": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma * eps),
    "log variance in one place": _changed(latent=lambda self, mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps),
    "sampled KL": _changed(elbo=_one_sample),
    "reconstruction term": _changed(likelihood=_swapped),
    "z detached": _changed(
        latent=lambda self, mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach(),
    ),
    "generator ignored": _changed(sample=_unseeded),
    "samples all alike": _changed(sample=_fixed),
    "z not from the prior": _changed(
        noise=lambda self, n, generator: 3 * torch.rand(n, self.latent_dim, generator=generator)
    ),
    "sigma cannot be told": _OneHead,
}
