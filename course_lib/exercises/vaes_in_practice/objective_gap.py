"""How far the objective with a weight lies below log p(x): a derivation to complete, held against an exact model."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.beta import objective_gap
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def _kls(draw: Draw) -> tuple[Tensor, Tensor]:
    return _not_alike(draw.positive(draw.sizes.batch)), 3 * _not_alike(draw.positive(draw.sizes.batch))


def _not_alike(values: Tensor) -> Tensor:
    """Make the first value much larger: rounded ones may all be the same."""
    return torch.cat([4 * values[:1], values[1:]])


def _probe(draw: Draw) -> tuple[Any, ...]:
    # Even batches are given a weight above 1, odd ones one so far below that the objective exceeds log p(x).
    beta = 2.5 + draw.integer(3) if draw.sizes.batch % 2 == 0 else 0.1
    posterior, prior = _kls(draw)
    return posterior, prior + (0 if beta > 1 else 3), beta


def _beta_zero(draw: Draw) -> tuple[Any, ...]:
    return *_kls(draw), 0.0


def _in_an_exact_model(answer: Answer, draw: Draw) -> str | None:
    """z ~ N(0, 1), x = w z + noise: log p(x), both KLs and the expected log-likelihood are formulas."""
    w, noise, x = (2 * draw.positive(1), draw.positive(1), draw.normal(1))
    mean, std, beta = draw.normal(1), draw.positive(1), 0.2
    total = w**2 + noise**2
    q, prior, one = Normal(mean, std), Normal(torch.zeros_like(x), torch.ones_like(x)), torch.ones_like(x)
    posterior = Normal(w * x / total, (noise**2 / total).sqrt())
    log_evidence = Normal(0 * x, total.sqrt() * one).log_prob(x)
    expected = Normal(w * mean, noise).log_prob(x) - 0.5 * (w * std / noise) ** 2
    objective = expected - beta * kl_divergence(q, prior)
    (value,) = tensors_from(answer.call(kl_divergence(q, posterior), kl_divergence(q, prior), beta))
    want = log_evidence - objective
    if value.numel() != 1 or math.isclose(value.item(), want.item(), rel_tol=1e-4, abs_tol=1e-4):
        return None
    return (
        f"In an exact model log p(x) = {log_evidence.item():.3f} and the objective with β = 0.2 is {objective.item():.3f}: the gap is "
        f"{want.item():.3f}, yours {value.item():.3f}."
    )


EXERCISE = Exercise(
    reference=objective_gap,
    points=2,
    returns={"gap": "(batch,)"},
    convention="log p(x) - [E_q log p(x|z) - β · D_KL(q‖p(z))], from the KL to p(z|x), the KL to p(z) and β; (batch,), in nats.",
    probe=_probe,
    gradients=("kl_to_posterior", "kl_to_prior"),
    properties=(Property("in an exact model", _in_an_exact_model),),
    edge_cases=(EdgeCase("beta zero", "Right elsewhere, but not for β = 0, an objective without the KL.", _beta_zero),),
    misconceptions=(
        Misconception(
            "1 - beta",
            "The sign of the second term is turned: for β > 1 the objective lies lower than the ELBO, so the gap is larger.",
            lambda post, prior, beta: post + (1 - beta) * prior,
        ),
        Misconception(
            "beta instead of beta - 1",
            "One KL to the prior is in the ELBO already: for β = 1 the gap is the KL to p(z|x) alone.",
            lambda post, prior, beta: post + beta * prior,
        ),
        Misconception(
            "the posterior left out",
            "The KL to p(z|x) is missing: for β = 1 the gap is not 0, it is that KL.",
            lambda post, prior, beta: (beta - 1) * prior,
        ),
        Misconception(
            "the prior left out",
            "That is the gap of the ELBO, β = 1: what does another weight change?",
            lambda post, prior, beta: post + 0 * prior,
        ),
        Misconception(
            "beta on the posterior",
            "β multiplies the KL to p(z|x): in the objective it multiplies the KL to the prior.",
            lambda post, prior, beta: beta * post + 0 * prior,
        ),
        Misconception(
            "the two exchanged",
            "The two KLs are exchanged: it is the one to the prior that is counted β - 1 times.",
            lambda post, prior, beta: prior + (beta - 1) * post,
        ),
        Misconception(
            "never negative",
            "You cut the gap off at 0: for small β it is negative, and that is what this exercise is about.",
            lambda post, prior, beta: (post + (beta - 1) * prior).clamp(min=0),
        ),
        Misconception(
            "the excess",
            "That is objective minus log p(x): the gap is log p(x) minus the objective.",
            lambda post, prior, beta: -(post + (beta - 1) * prior),
        ),
        Misconception(
            "both weighted",
            "β - 1 multiplies both: the KL to p(z|x) is counted once.",
            lambda post, prior, beta: (beta - 1) * (post + prior),
        ),
        Misconception(
            "the mean",
            "You average over the batch: keep one gap for each image, (batch,).",
            lambda post, prior, beta: (post + (beta - 1) * prior).mean(),
        ),
    ),
    alternatives=(
        lambda kl_to_posterior, kl_to_prior, beta: kl_to_posterior + beta * kl_to_prior - kl_to_prior,
        lambda kl_to_posterior, kl_to_prior, beta: kl_to_posterior - (1 - beta) * kl_to_prior,
    ),
)
