"""A VAE whose heads have no biases is judged by what it computes, and by the same sentences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

from course_lib.checks import review
from course_lib.exercises.variational_autoencoder.vae.classes import Chunked, Deep, Plain, WithoutBiases


class OneHead(Chunked):
    """Both heads in one layer without a bias."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.head = nn.Linear(hidden_dim, 2 * latent_dim, bias=False)


class DeepOne(Deep):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.mu, self.log_sigma = (nn.Linear(hidden_dim, latent_dim, bias=False) for _ in range(2))


class Linear(Plain):
    """One layer, and a sigma that is the same for all images."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        nn.Module.__init__(self)
        self.latent_dim = latent_dim
        self.mu = nn.Linear(data_dim, latent_dim, bias=False)
        self.width = nn.Parameter(torch.zeros(latent_dim))
        self.pixels = nn.Linear(latent_dim, data_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(x), self.width.expand(len(x), -1)

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(z)


class Normed(Plain):
    """A third vector of the latent size, which is no head's bias."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.norm = nn.LayerNorm(latent_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_sigma = super().encode(x)
        return self.norm(mu), log_sigma


class LogVariance(WithoutBiases):
    def latent(self, mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
        return mu + (log_sigma / 2).exp() * eps

    def kl(self, mu: Tensor, log_sigma: Tensor) -> Tensor:
        return Plain.kl(self, mu, log_sigma / 2)


def one_sample(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    z = mu + log_sigma.exp() * eps
    log_q = Normal(mu, log_sigma.exp()).log_prob(z)
    return self.likelihood(x, self.decode(z)) + (Normal(0.0, 1.0).log_prob(z) - log_q).sum(-1)


def half(self: Any, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return 0.5 * Plain.kl(self, mu, log_sigma)


def twice(self: Any, mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    return mu + (2 * log_sigma).exp() * eps


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "half the KL": ("weighted KL", {"kl": half}),
    "three times the KL": ("weighted KL", {"kl": lambda self, mu, s: 3 * Plain.kl(self, mu, s)}),
    "the mean over latents": (
        "KL averaged over latents",
        {"kl": lambda self, mu, s: Plain.kl(self, mu, s) / mu.shape[-1]},
    ),
    "sigma squared in the noise": ("log variance in one place", {"latent": twice}),
    "a log-variance in the noise": (
        "log variance in one place",
        {"latent": lambda self, mu, s, eps: mu + (s / 2).exp() * eps},
    ),
    "sigma squared in the KL": (
        "log variance in one place",
        {"kl": lambda self, mu, s: Plain.kl(self, mu, 2 * s)},
    ),
    "half of mu in the KL": (
        "another KL",
        {"kl": lambda self, mu, s: Plain.kl(self, mu, s) - 0.25 * (mu**2).sum(-1)},
    ),
    "sigma for its square": (
        "another KL",
        {"kl": lambda self, mu, s: 0.5 * (mu**2 + s.exp() - 1 - 2 * s).sum(-1)},
    ),
    "log sigma as sigma": ("log sigma drawn as sigma", {"latent": lambda self, mu, s, eps: mu + s * eps}),
    "the KL added": ("KL added", {"kl": lambda self, mu, s: -Plain.kl(self, mu, s)}),
    "no KL": ("KL missing", {"kl": lambda self, mu, s: 0.0}),
    "the KL of one sample": ("sampled KL", {"elbo": one_sample}),
    "z detached": ("z detached", {"latent": lambda self, mu, s, eps: (mu + s.exp() * eps).detach()}),
    "uniform z": (
        "z not from the prior",
        {"noise": lambda self, n, g: 3 * torch.rand(n, self.latent_dim, generator=g)},
    ),
    "x and logits exchanged": (
        "reconstruction term",
        {
            "likelihood": lambda self, x, logits: (
                -functional.binary_cross_entropy_with_logits(x, logits, reduction="none").sum(-1)
            )
        },
    ),
}


@pytest.mark.parametrize("right", [WithoutBiases, OneHead, DeepOne, Linear, Normed, LogVariance])
@pytest.mark.parametrize("seed", [None, 5, 77])
def test_a_right_one_passes(right, seed):
    report = review("VAE", right, seed=seed)
    assert report.passed, report.sentences


@pytest.mark.parametrize(("trait", "methods"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("base", [WithoutBiases, DeepOne])
def test_a_wrong_one_is_told_so(base, trait, methods):
    report = review("VAE", type("VAE", (base,), methods))
    assert report.misconception == trait, report.sentences


@pytest.mark.parametrize("base", [Linear, Normed])
def test_half_the_kl_is_seen_in_other_networks(base):
    assert review("VAE", type("VAE", (base,), {"kl": half})).misconception == "weighted KL"
