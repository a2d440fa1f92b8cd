"""The gradient through z = mu + sigma · eps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checker.probes import Draw
from course_lib.exercises.policy_gradient_vs_reparameterization.probes import SURROGATE, gradients_of
from course_lib.gradients import reparameterized_surrogate, score_function_surrogate


def _reward_fn(draw: Draw) -> Callable[[Tensor], Tensor]:
    target, scale = draw.normal(draw.sizes.latent), draw.positive(draw.sizes.latent)
    return lambda z: -(scale * (z - target) ** 2).sum(-1) + (z * target).sum(-1).sin()


def _reparameterized_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    shape = sizes.batch, sizes.latent
    eps = draw.normal(sizes.samples, *shape, shift=0.1)
    return draw.normal(*shape), draw.positive(*shape), eps, _reward_fn(draw)


def _at(z: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda mu, sigma, eps, reward_fn: reward_fn(z(mu, sigma, eps)).mean()


def _score_form(mu: Tensor, sigma: Tensor, eps: Tensor, reward_fn: Any) -> Tensor:
    z = (mu + sigma * eps).detach()
    return score_function_surrogate(Normal(mu, sigma).log_prob(z).sum(-1), reward_fn(z))


EXERCISE = Exercise(
    reference=reparameterized_surrogate,
    points=2,
    returns={"gradient of mu": "(batch, latent_dim)", "gradient of sigma": "(batch, latent_dim)"},
    convention=SURROGATE.replace("The reward is detached inside. ", "")
    + "Its gradient is (1/M) Σ_j ∇r(mu + sigma · eps_j), averaged over the batch; sigma is the standard deviation.",
    probe=_reparameterized_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "z detached",
            "No gradient reaches mu and sigma: z must stay attached to both (.rsample() does, .sample(), .detach() and "
            "torch.no_grad() cut it).",
            _at(lambda mu, sigma, eps: (mu + sigma * eps).detach()),
        ),
        Misconception(
            "sigma detached",
            "No gradient reaches sigma: z = mu + sigma · eps moves with both.",
            _at(lambda mu, sigma, eps: mu + sigma.detach() * eps),
        ),
        Misconception(
            "mu detached",
            "No gradient reaches mu: z = mu + sigma · eps moves with both.",
            _at(lambda mu, sigma, eps: mu.detach() + sigma * eps),
        ),
        Misconception(
            "reward at mu",
            "The reward is taken at mu: take it at z = mu + sigma · eps.",
            _at(lambda mu, sigma, eps: mu.expand(eps.shape) + 0 * sigma * eps),
        ),
        Misconception(
            "sigma taken for its logarithm",
            "You take exp of sigma: it is the standard deviation itself.",
            _at(lambda mu, sigma, eps: mu + sigma.exp() * eps),
        ),
        Misconception(
            "sigma taken for the variance",
            "You take the square root of sigma: it is the standard deviation, not the variance.",
            _at(lambda mu, sigma, eps: mu + sigma.sqrt() * eps),
        ),
        Misconception(
            "variance in the noise",
            "You scale the noise by sigma²: by sigma.",
            _at(lambda mu, sigma, eps: mu + sigma**2 * eps),
        ),
        Misconception(
            "noise shared across the batch",
            "All data points get the noise of the first: eps has its own for every point.",
            _at(lambda mu, sigma, eps: mu + sigma * eps[:, :1]),
        ),
        Misconception(
            "only the first sample",
            "You use the first sample only: average over all of them.",
            _at(lambda mu, sigma, eps: mu + sigma * eps[:1]),
        ),
        Misconception(
            "samples averaged before the reward",
            "You average the samples before the reward: average the rewards.",
            _at(lambda mu, sigma, eps: (mu + sigma * eps).mean(0, keepdim=True)),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda mu, sigma, eps, reward_fn: -reward_fn(mu + sigma * eps).mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: average over them.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).sum(0).mean(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: average over it.",
            lambda mu, sigma, eps, reward_fn: reward_fn(mu + sigma * eps).mean(0).sum(),
        ),
        Misconception(
            "policy gradient",
            "That is the policy gradient: unbiased, but it does not use how r changes with z. Let the gradient flow through "
            "z = mu + sigma · eps into reward_fn.",
            _score_form,
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            lambda mu, sigma, eps, reward_fn: reward_fn(Normal(mu, sigma).rsample((len(eps),))).mean(),
        ),
        Misconception(
            "log q of an attached sample",
            "You multiply the reward with log q, and z is attached to both: that mixes the two estimators. Here no log q is "
            "needed.",
            lambda mu, sigma, eps, reward_fn: (
                Normal(mu, sigma).log_prob(mu + sigma * eps).sum(-1) * reward_fn(mu + sigma * eps)
            ).mean(),
        ),
    ),
    alternatives=(
        _at(lambda mu, sigma, eps: torch.addcmul(mu.expand_as(eps), sigma.expand_as(eps), eps)),
        lambda mu, sigma, eps, reward_fn: torch.stack([reward_fn((mu + sigma * e)[None])[0] for e in eps]).mean(),
        lambda mu, sigma, eps, reward_fn: reward_fn(sigma[None] * eps + mu[None]).mean(0).mean(0) + 3.0,
    ),
    properties=(Property("own noise", draws_its_own_noise(_reparameterized_probe)),),
)
