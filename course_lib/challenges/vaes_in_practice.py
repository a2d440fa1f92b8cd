"""The open task of notebook 08: how little is lost when an image may cost fifteen nats."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_lib.beta import rate_distortion
from course_lib.challenges.challenge import Challenge
from course_lib.data import load_images
from course_lib.distributions import bernoulli_log_likelihood, kl_to_standard_normal

MOST, DRAWS, BATCH = 15.0, 10, 500  # nats; draws of z for each digit


@lru_cache(maxsize=1)
def test_digits() -> Tensor:
    """Return the 2,000 test digits, each pixel drawn once as ink or paper, ``(2000, 784)``; the same for everyone."""
    return torch.bernoulli(load_images("test").flat(), generator=torch.Generator().manual_seed(8))


def measure(model: Any) -> float:
    """Return the distortion, -E[log p(x|z)], of a model on the test digits, in nats, ten draws of z for each.

    Args:
        model: has ``encoder``, x to mu and log_sigma ``(batch, latent_dim)`` each, and ``decoder``, z to logits ``(batch, 784)``.

    Raises:
        ValueError: it has no such networks, or its rate, the mean KL to N(0, I), is above fifteen nats.
    """
    encoder, decoder = getattr(model, "encoder", None), getattr(model, "decoder", None)
    if not callable(encoder) or not callable(decoder):
        raise ValueError(
            "hand in a model with encoder(x), which gives mu and log_sigma, and decoder(z), which gives logits"
        )
    if isinstance(model, torch.nn.Module):
        model.eval()
    generator = torch.Generator().manual_seed(9)
    kls, log_likelihoods = [], []
    with torch.no_grad():
        for x in test_digits().split(BATCH):
            mu, log_sigma = _codes(encoder, x)
            kls.append(kl_to_standard_normal(mu, log_sigma))
            for _ in range(DRAWS):
                logits = decoder(mu + log_sigma.exp() * torch.randn(mu.shape, generator=generator))
                if not isinstance(logits, Tensor) or logits.shape != x.shape:
                    raise ValueError(f"decoder gives one logit for each pixel, {tuple(x.shape)}")
                log_likelihoods.append(bernoulli_log_likelihood(x, logits))
    rate, distortion = rate_distortion(torch.cat(log_likelihoods), torch.cat(kls))
    if not rate <= MOST:
        raise ValueError(f"the mean KL on the test digits is {rate:.2f} nats: at most {MOST:g} are allowed")
    return distortion.item()


def _codes(encoder: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    codes = encoder(x)
    if not isinstance(codes, tuple | list) or len(codes) != 2 or any(not isinstance(part, Tensor) for part in codes):
        raise ValueError("encoder gives two tensors, mu and log_sigma")
    mu, log_sigma = codes
    if mu.dim() != 2 or mu.shape != log_sigma.shape or len(mu) != len(x):
        raise ValueError(
            f"mu and log_sigma are (batch, latent_dim) both; yours are {tuple(mu.shape)}, {tuple(log_sigma.shape)}"
        )
    return mu, log_sigma


CHALLENGE = Challenge(
    task="Lose as little as you can of the test digits at a rate of at most 15 nats, with a minute of training.",
    unit="nats of distortion a test digit",
    higher_is_better=False,
    measure=measure,
    record=102.28,
    how="a VAE with 300 hidden units and 16 latent dimensions, its decoder's last biases begun at the average image, on the 10,000 embedded "
    "digits; a controller with target 14.6 and factor 1.005; sixteen passes at a learning rate of 2e-3, six at a fifth of it.",
)
