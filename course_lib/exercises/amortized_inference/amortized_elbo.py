"""The bound with q from an encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from course_lib.bounds import amortized_elbo, per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.amortized_inference.probes import (
    SAMPLED,
    amortized,
    elbo_probe,
    encoder_cut_off,
    sampled_entropy,
)
from course_lib.exercises.variational_inference.probes import (
    CLOSED_FORM_KL,
    ELBO_CONVENTION,
    ELBO_MISCONCEPTIONS,
    closed_form_kl_elbo,
    elbo_variant,
)


def _heads_exchanged(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    log_sigma, mu = encoder(x)
    return per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)


def _decoded_noise(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    return elbo_variant(z=lambda mu, log_sigma, eps: eps)(x, mu, log_sigma, eps, decoder, sigma_x)


def _own_noise(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    return amortized_elbo(x, torch.randn_like(eps), encoder, decoder, sigma_x)


def _amortized_with_distributions(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    q = Independent(Normal(mu, log_sigma.exp()), 1)
    z = q.mean + q.stddev * eps
    log_joint = Normal(decoder(z), sigma_x).log_prob(x).sum(-1) + Normal(0, 1).log_prob(z).sum(-1)
    return log_joint.mean(0) + q.entropy()


def _amortized_by_loop(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any) -> Tensor:
    mu, log_sigma = encoder(x)
    terms = []
    for noise in eps:
        z = torch.addcmul(mu, log_sigma.exp(), noise)
        terms.append(gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma_x).to(x)) - 0.5 * (z**2).sum(-1))
    constant = 0.5 * mu.shape[-1]  # -½ log 2π of the prior and ½ log 2πe of the entropy leave ½
    return torch.stack(terms).mean(0) + log_sigma.sum(-1) + constant


EXERCISE = Exercise(
    reference=amortized_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention=ELBO_CONVENTION + "mu and log_sigma come from encoder(x).",
    probe=elbo_probe,
    gradients=("x",),
    misconceptions=(
        Misconception("KL in closed form", CLOSED_FORM_KL, amortized(closed_form_kl_elbo)),
        Misconception("entropy at the samples", SAMPLED, amortized(sampled_entropy)),
        *(Misconception(name, says, amortized(elbo_variant(**change))) for name, says, change in ELBO_MISCONCEPTIONS),
        Misconception(
            "outputs exchanged",
            "You exchange the encoder's outputs: it returns mu first, then log_sigma.",
            _heads_exchanged,
        ),
        Misconception(
            "encoder cut off",
            "The values are right, but no gradient reaches the encoder: mu or log_sigma is detached.",
            encoder_cut_off,
        ),
        Misconception(
            "noise decoded",
            "You decode eps: samples of q are z = mu + sigma · eps. As it stands z knows nothing of x.",
            _decoded_noise,
        ),
        Misconception("own noise", OWN_NOISE, _own_noise),
    ),
    alternatives=(_amortized_with_distributions, _amortized_by_loop),
    properties=(Property("own noise", draws_its_own_noise(elbo_probe)),),
)
