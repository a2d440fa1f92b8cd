"""One step of expectation-maximisation on a mixture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.latent_variable_models.probes import MIXTURE_SHAPES, component_log_prob
from course_lib.mixtures import em_step, maximising_means, mixture_log_prob, mixture_posterior

Parameters = tuple[Tensor, Tensor, Tensor]


def _probe(draw: Draw) -> tuple[Any, ...]:
    # Wide components, so that each has a share in several points: no standard deviation is near zero.
    sizes = draw.sizes
    x = draw.normal(sizes.batch + 4, sizes.dim, scale=1.5)
    mu = draw.normal(sizes.components, sizes.dim, scale=0.8)
    return x, draw.simplex(sizes.components), mu, 1.2 + draw.positive(sizes.components, sizes.dim)


def _climbs(answer: Answer, draw: Draw) -> str | None:
    """No step of expectation-maximisation lowers the likelihood."""
    _, weights, mu, sigma = _probe(draw)
    x = draw.normal(60, mu.shape[-1], scale=2.0)
    old: list[Tensor] = [weights, mu, sigma]
    for _ in range(10):  # far from a maximum, a wrong step may still climb
        old = list(em_step(x, *old))
    new = tensors_from(answer.call(x, *old))
    if [part.shape for part in new] != [part.shape for part in old]:
        return None
    before, after = (mixture_log_prob(x, *parameters).mean().item() for parameters in (old, new))
    if after >= before - 1e-9:
        return None
    return f"A step never lowers the mean log p(x): yours takes it from {before:.4f} to {after:.4f}."


def _maximise(x: Tensor, posterior: Tensor) -> Parameters:
    mu = maximising_means(x, posterior)
    return posterior.mean(0), mu, _spread(x, posterior, mu)


def _spread(x: Tensor, posterior: Tensor, mu: Tensor) -> Tensor:
    squares = posterior.unsqueeze(-1) * (x.unsqueeze(1) - mu) ** 2
    return (squares.sum(0) / posterior.sum(0).unsqueeze(-1)).sqrt()


def _most_likely(x: Tensor, w: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    guess = mixture_posterior(x, w, mu, sigma).argmax(-1)
    return torch.nn.functional.one_hot(guess, len(w)).to(x.dtype) + 1e-9


def _old_centre(x: Tensor, w: Tensor, mu: Tensor, sigma: Tensor) -> Parameters:
    posterior = mixture_posterior(x, w, mu, sigma)
    return posterior.mean(0), maximising_means(x, posterior), _spread(x, posterior, mu)


def _one_after_another(x: Tensor, w: Tensor, mu: Tensor, sigma: Tensor) -> Parameters:
    mu = maximising_means(x, mixture_posterior(x, w, mu, sigma))
    posterior = mixture_posterior(x, w, mu, sigma)
    return posterior.mean(0), mu, _spread(x, posterior, mu)


EXERCISE = Exercise(
    reference=em_step,
    points=2,
    returns={"weights": "(components,)", "mu": "(components, dim)", "sigma": "(components, dim)"},
    convention=MIXTURE_SHAPES + " One posterior, at the old parameters, gives all three new ones.",
    probe=_probe,
    # No gradients: each step is a closed form, with the posterior held fixed.
    misconceptions=(
        Misconception(
            "variance returned",
            "Your sigma is a variance: the course's sigma is a standard deviation, take the square root.",
            lambda x, w, mu, s: (*em_step(x, w, mu, s)[:2], em_step(x, w, mu, s)[2] ** 2),
        ),
        Misconception(
            "spread around the old means",
            "You measure the spread around the old means: the maximum has it around the new ones.",
            _old_centre,
        ),
        Misconception(
            "posterior taken twice",
            "You compute the posterior again when half of the parameters are new: one posterior, at the old parameters, "
            "gives all three.",
            _one_after_another,
        ),
        Misconception(
            "most likely z only",
            'You count each point for its most likely z alone: the lecture\'s "guess and pretend". Let it count for all '
            "of them, with the weight p(z|x).",
            lambda x, w, mu, s: _maximise(x, _most_likely(x, w, mu, s)),
        ),
        Misconception(
            "weights not normalised",
            "Your weights are sums of the posterior, and so add up to N: p(z=k) is its mean over the points.",
            lambda x, w, mu, s: (mixture_posterior(x, w, mu, s).sum(0), *em_step(x, w, mu, s)[1:]),
        ),
        Misconception(
            "weights left as they were",
            "You leave the weights as they were: p(z=k) becomes the mean of the posterior over the points.",
            lambda x, w, mu, s: (w, *em_step(x, w, mu, s)[1:]),
        ),
        Misconception(
            "all weights equal",
            "You make all weights equal: p(z=k) becomes the mean of the posterior over the points.",
            lambda x, w, mu, s: (torch.full_like(w, 1 / len(w)), *em_step(x, w, mu, s)[1:]),
        ),
        Misconception(
            "sigma left as it was",
            "You leave sigma as it was: it becomes the spread of the points around the new mean, weighted by p(z|x).",
            lambda x, w, mu, s: (*em_step(x, w, mu, s)[:2], s),
        ),
        Misconception(
            "sums divided by the number of points",
            "For the means you divide by N: divide by the sum of the posterior of that component.",
            lambda x, w, mu, s: (
                em_step(x, w, mu, s)[0],
                mixture_posterior(x, w, mu, s).T @ x / len(x),
                em_step(x, w, mu, s)[2],
            ),
        ),
        Misconception(
            "posterior without the prior",
            "Your posterior leaves out the weights: p(z|x) is proportional to p(z) p(x|z).",
            lambda x, w, mu, s: _maximise(x, torch.softmax(component_log_prob(x, mu, s), -1)),
        ),
    ),
    alternatives=(
        lambda x, w, mu, s: _maximise(x, mixture_posterior(x, w, mu, s)),
        lambda x, w, mu, s: (
            em_step(x, w, mu, s)[0],
            em_step(x, w, mu, s)[1],
            torch.stack(
                [
                    torch.sqrt((p[:, None] * (x - m) ** 2).sum(0) / p.sum())
                    for p, m in zip(mixture_posterior(x, w, mu, s).T, em_step(x, w, mu, s)[1], strict=True)
                ]
            ),
        ),
    ),
    properties=(Property("the likelihood climbs", _climbs),),
)
