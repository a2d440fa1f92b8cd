"""What the exercises on the amortized bound share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.bounds import per_point_elbo
from course_lib.checker.networks import decoder_network, encoder_network
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.variational_inference.probes import sigma_probe, standard_normal


def elbo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(sizes.samples, sizes.batch, sizes.latent, shift=0.1),
        encoder_network(draw, sizes.dim, sizes.latent),
        decoder_network(draw, sizes.latent, sizes.dim),
        sigma_probe(draw),
    )


def amortized(elbo: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wrong(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
        return elbo(x, *encoder(x), eps, decoder, sigma_x)

    return wrong


def encoder_cut_off(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    return per_point_elbo(x, mu.detach(), log_sigma.detach(), eps, decoder, sigma_x)


def sampled_entropy(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    """The bound with -log q(z) at the samples for the entropy: right in expectation."""
    z = mu + log_sigma.exp() * eps
    log_joint = gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma_x).to(x)) + standard_normal(z)
    return (log_joint - gaussian_log_prob(z, mu, log_sigma.exp())).mean(0)


# Right on average, but with other values on the same noise; told as what it is.
SAMPLED = (
    "You take -log q(z) at the samples for the entropy: right in expectation. Here the entropy is the formula of notebook 02, "
    "which has no noise, so that values can be compared."
)
