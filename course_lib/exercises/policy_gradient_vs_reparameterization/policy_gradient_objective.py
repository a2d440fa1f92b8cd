"""The whole objective with the encoder trained by policy gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.bounds import elbo_with_analytic_kl
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.distributions import kl_to_standard_normal
from course_lib.exercises.policy_gradient_vs_reparameterization.probes import gradients_of
from course_lib.gradients import leave_one_out_baseline, policy_gradient_objective


def _objective_probe(draw: Draw) -> tuple[Any, ...]:
    samples, batch, latent = draw.sizes.samples, draw.sizes.batch, draw.sizes.latent
    return (
        draw.normal(samples, batch, scale=2.0, shift=-7.0),
        draw.normal(samples, batch, shift=-2.0),
        draw.normal(batch, latent),
        draw.positive(batch, latent),
    )


def _kl(mu: Tensor, sigma: Tensor) -> Tensor:
    return kl_to_standard_normal(mu, sigma.log()).mean()


def _objective(
    advantage: Callable[[Tensor], Tensor] = lambda r: (r - leave_one_out_baseline(r)).detach(),
    decoder: Callable[[Tensor], Tensor] = lambda r: r.mean(),
    kl: Callable[[Tensor, Tensor], Tensor] = _kl,
    score: Callable[[Tensor], Tensor] = lambda log_q: log_q,
    average: Callable[[Tensor], Tensor] = lambda terms: terms.mean(),
) -> Callable[..., Tensor]:
    """The objective with one of its parts replaced."""

    def objective(log_likelihood: Tensor, log_q: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
        return average(score(log_q) * advantage(log_likelihood)) + decoder(log_likelihood) - kl(mu, sigma)

    return objective


def _bound_as_reward(log_likelihood: Tensor, log_q: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    bound = elbo_with_analytic_kl(log_likelihood, mu, sigma)
    return (log_q * bound.detach()).mean() + bound.mean()


def _per_point(log_likelihood: Tensor, log_q: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    reward = log_likelihood.detach()
    others = (reward.sum(0) - reward) / (len(reward) - 1)
    kl = kl_divergence(Normal(mu, sigma), Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)
    return ((log_q * (reward - others) + log_likelihood).mean(0) - kl).mean()


def _scaled_sample_mean(log_likelihood: Tensor, log_q: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Leaving out the own sample is the mean of all, and M/(M-1) times the deviation from it."""
    samples = len(log_likelihood)
    deviation = (log_likelihood - log_likelihood.mean(0)).detach() * samples / (samples - 1)
    return (log_q * deviation).mean() + log_likelihood.mean() - _kl(mu, sigma)


EXERCISE = Exercise(
    reference=policy_gradient_objective,
    points=3,
    returns={
        "gradient of log_likelihood (trains θ)": "(samples, batch)",
        "gradient of log_q (trains φ)": "(samples, batch)",
        "gradient of mu": "(batch, latent_dim)",
        "gradient of sigma": "(batch, latent_dim)",
    },
    convention="Maximised: mean of log_q · (reward - leave-one-out baseline), the bracket detached, plus the mean of "
    "log_likelihood, minus the mean of D_KL(N(mu, sigma)‖N(0, I)) in closed form. Only the gradient is looked at.",
    probe=_objective_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1, 2, 3)),
    misconceptions=(
        Misconception(
            "no baseline",
            "Without a baseline: right on average, but far noisier. This objective takes the leave-one-out baseline.",
            _objective(advantage=lambda r: r.detach()),
        ),
        Misconception(
            "baseline that contains its own sample",
            "Your baseline is the mean of all samples, the own one included: that shortens the gradient by (M - 1)/M. Leave "
            "each sample out of its own mean.",
            _objective(advantage=lambda r: (r - r.mean(0)).detach()),
        ),
        Misconception(
            "baseline alone",
            "You multiply log q with the baseline: with the reward minus the baseline.",
            _objective(advantage=lambda r: leave_one_out_baseline(r).detach()),
        ),
        Misconception(
            "the bound as reward",
            "You weight every sample with the same number, the bound, which is a mean over the samples already: each log q has a "
            "reward of its own, log p(x|z_j), less the mean of the others.",
            _bound_as_reward,
        ),
        Misconception(
            "reward not detached",
            "The reward in the surrogate is not detached: theta would be trained through log q as well.",
            _objective(advantage=lambda r: r - leave_one_out_baseline(r)),
        ),
        Misconception(
            "reward not detached, no baseline",
            "The reward in the surrogate is not detached, so that theta is trained through log q as well; and the baseline "
            "is missing.",
            _objective(advantage=lambda r: r),
        ),
        Misconception(
            "decoder not trained",
            "No gradient reaches theta: add the mean of log_likelihood, attached. The surrogate trains phi alone.",
            _objective(decoder=lambda r: 0 * r.mean()),
        ),
        Misconception(
            "encoder not trained",
            "No gradient reaches log_q: it is the reward that is detached.",
            _objective(score=lambda log_q: log_q.detach()),
        ),
        Misconception(
            "KL missing",
            "The KL is missing: mu and sigma are trained by it directly, not through samples.",
            _objective(kl=lambda mu, sigma: 0 * (mu + sigma).mean()),
        ),
        Misconception(
            "KL added",
            "The KL has the wrong sign: it is subtracted.",
            _objective(kl=lambda mu, sigma: -_kl(mu, sigma)),
        ),
        Misconception(
            "KL averaged over dimensions",
            "You average the KL over the latent dimensions too: it sums over them, and averages over the batch.",
            _objective(kl=lambda mu, sigma: _kl(mu, sigma) / mu.shape[-1]),
        ),
        Misconception(
            "KL summed over the batch",
            "You sum the KL over the batch: average over it, as over everything else.",
            _objective(kl=lambda mu, sigma: _kl(mu, sigma) * len(mu)),
        ),
        Misconception(
            "sigma taken for its logarithm",
            "In the KL you read sigma as its logarithm: it is the standard deviation.",
            _objective(kl=lambda mu, sigma: _kl(mu, sigma.exp())),
        ),
        Misconception(
            "sum over samples",
            "In the surrogate you sum over the samples: average over them.",
            _objective(average=lambda terms: terms.sum(0).mean()),
        ),
        Misconception(
            "loss returned",
            "That is the loss: the objective is maximised, without the minus.",
            lambda *args: -policy_gradient_objective(*args),
        ),
    ),
    alternatives=(_objective(), _per_point, _scaled_sample_mean),
)
