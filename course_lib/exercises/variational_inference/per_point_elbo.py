"""The bound with a q of its own for every point; held against the exact evidence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.variational_inference.probes import (
    CLOSED_FORM_KL,
    ELBO_CONVENTION,
    ELBO_MISCONCEPTIONS,
    closed_form_kl_elbo,
    elbo_probe,
    elbo_variant,
    standard_normal,
)
from course_lib.linear_gaussian import linear_gaussian_evidence


def _is_a_bound(answer: Answer, draw: Draw) -> str | None:
    """In the linear-Gaussian model log p(x) is known, and the bound lies below it."""
    W, b, sigma = draw.normal(3, 2), draw.normal(3), draw.positive(1).squeeze()
    x = draw.normal(2, 3)
    mu, log_sigma = draw.normal(2, 2, scale=0.3), draw.normal(2, 2, scale=0.1, shift=-0.3)
    # Eight samples whose mean is zero and whose covariance is the identity: for a quadratic that is the expectation.
    eps = draw.normal(8, 2, 2, shift=0.0).transpose(0, 1)
    eps = eps - eps.mean(1, keepdim=True)
    eps = (torch.linalg.qr(eps).Q * 8**0.5).transpose(0, 1).contiguous()
    (value,) = tensors_from(answer.call(x, mu, log_sigma, eps, lambda z: z @ W.mT + b, sigma))
    exact = linear_gaussian_evidence(x, W, b, sigma)
    if value.shape == exact.shape and bool((value > exact + 1e-6).any()):
        worst = (value - exact).argmax()
        return (
            f"A bound lies below log p(x). In the linear-Gaussian model, where log p(x) is known, yours lies above it: "
            f"{value[worst].item():.3f} against {exact[worst].item():.3f}."
        )
    return None


def _entropy_from_samples(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    z = mu + log_sigma.exp() * eps
    log_joint = gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma_x).to(x)) + standard_normal(z)
    return (log_joint - gaussian_log_prob(z, mu, log_sigma.exp())).mean(0)


def _own_noise_elbo(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    return per_point_elbo(x, mu, log_sigma, torch.randn_like(eps), decoder, sigma_x)


def _elbo_with_distributions(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any
) -> Tensor:
    q = Independent(Normal(mu, log_sigma.exp()), 1)
    z = q.base_dist.loc + q.base_dist.scale * eps
    likelihood = Independent(Normal(decoder(z), sigma_x), 1).log_prob(x)
    prior = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)
    return (likelihood + prior).mean(dim=0) + q.entropy()


def _elbo_in_a_loop(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for noise in eps:
        z = mu + torch.exp(log_sigma) * noise
        total = total + Normal(decoder(z), sigma_x).log_prob(x).sum(1) + Normal(0.0, 1.0).log_prob(z).sum(1)
    return total / eps.shape[0] + Normal(mu, log_sigma.exp()).entropy().sum(1)


EXERCISE = Exercise(
    reference=per_point_elbo,
    points=3,
    returns={"elbo": "(batch,)"},
    convention=ELBO_CONVENTION,
    probe=elbo_probe,
    gradients=("mu", "log_sigma"),
    misconceptions=(
        *(Misconception(name, says, elbo_variant(**change)) for name, says, change in ELBO_MISCONCEPTIONS),
        Misconception(
            "entropy from the samples",
            "You estimate the entropy from the samples, -log q(z). That is the same bound in expectation; for a Gaussian the "
            "entropy is known, gaussian_entropy from notebook 02, and the formula has no noise.",
            _entropy_from_samples,
        ),
        Misconception("KL in closed form", CLOSED_FORM_KL, closed_form_kl_elbo),
        Misconception("own noise", OWN_NOISE, _own_noise_elbo),
    ),
    alternatives=(_elbo_with_distributions, _elbo_in_a_loop, elbo_variant()),
    properties=(Property("own noise", draws_its_own_noise(elbo_probe)), Property("is a bound", _is_a_bound)),
)
