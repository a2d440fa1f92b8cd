"""A q fitted to a new image, theta held fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import decoder_network, weights_of, with_old_gradients
from course_lib.checker.probes import Draw
from course_lib.exercises.variational_inference.probes import (
    CLOSED_FORM_KL,
    closed_form_kl_elbo,
    through_wrong_bounds,
)
from course_lib.per_point import infer_q


def _infer_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(4, sizes.samples, sizes.batch, sizes.latent, shift=0.1),
        decoder_network(draw, sizes.latent, sizes.dim),
        draw.positive(sizes.dim),
        0.05 + 0.02 * draw.integer(4),
    )


def observe_infer(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the fitted q, and theta, which must not have moved."""
    x, eps, decoder, sigma_x, rate = args
    own = with_old_gradients(decoder)
    parts = tensors_from(answer.call(x, eps, own, sigma_x, rate))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mu and log_sigma; {len(parts)} came.")
    return parts[0].detach(), parts[1].detach(), weights_of(own)


def inference(
    learns: Callable[[Tensor, Tensor, Any], list[Tensor]] = lambda mu, log_sigma, decoder: [mu, log_sigma],
    elbo: Callable[..., Tensor] = per_point_elbo,
    noise: Callable[[Tensor], Tensor] = lambda eps: eps,
    start: float = 0.0,
    sign: float = 1.0,
    clear: bool = True,
    rate: Callable[[float], float] = lambda rate: rate,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    reduce: Callable[[Tensor], Tensor] = torch.sum,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Fitting q with one of its parts replaced."""

    def infer(x: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, learning_rate: float) -> tuple[Tensor, Tensor]:
        mu, log_sigma = (torch.zeros_like(eps[0, 0]).requires_grad_() for _ in range(2))
        log_sigma.data += start
        steps = optimizer(learns(mu, log_sigma, decoder), lr=rate(learning_rate))
        for part in noise(eps):
            if clear:
                steps.zero_grad()
            (-sign * reduce(elbo(x, mu, log_sigma, part, decoder, sigma_x))).backward()
            steps.step()
        return mu.detach(), log_sigma.detach()

    return infer


EXERCISE = Exercise(
    reference=infer_q,
    points=4,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "theta, which stays": "(|θ|,)",
    },
    convention="Start at mu = 0 and log_sigma = 0; for each noise in eps, (steps, samples, batch, latent_dim), one step of "
    "torch.optim.Adam([mu, log_sigma], lr=learning_rate) that makes the bound larger; theta stays.",
    probe=_infer_probe,
    observe=observe_infer,
    # Adam divides by the gradient's size plus 1e-8: the scale of the loss shows where a gradient is tiny.
    atol=1e-4,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            "q's optimiser steps theta",
            "theta has moved: q's optimizer holds mu and log_sigma only. A new data point must not change the model.",
            inference(learns=lambda mu, log_sigma, decoder: [mu, log_sigma, *decoder.parameters()]),
        ),
        Misconception(
            "theta stepped instead",
            "theta has moved and q has not: hand mu and log_sigma to the optimizer, not the decoder's parameters.",
            inference(learns=lambda mu, log_sigma, decoder: list(decoder.parameters())),
        ),
        Misconception(
            "log_sigma not handed to the optimiser",
            "log_sigma has stayed at its start: it was not handed to the optimizer, Adam([mu, log_sigma], ...).",
            inference(learns=lambda mu, log_sigma, decoder: [mu]),
        ),
        Misconception(
            "mu not handed to the optimiser",
            "mu has stayed at its start: it was not handed to the optimizer, Adam([mu, log_sigma], ...).",
            inference(learns=lambda mu, log_sigma, decoder: [log_sigma]),
        ),
        Misconception(
            "nothing handed to the optimiser",
            "q has stayed where it began. Does the optimizer hold mu and log_sigma themselves, or copies of them?",
            lambda x, eps, *rest: (torch.zeros_like(eps[0, 0]), torch.zeros_like(eps[0, 0])),
        ),
        Misconception(
            "descent",
            "q climbs down: an optimizer minimises, so the loss is minus the bound.",
            inference(sign=-1.0),
        ),
        Misconception(
            "gradients not cleared",
            "The gradients of all steps pile up: call optimizer.zero_grad() in every step.",
            inference(clear=False),
        ),
        Misconception(
            "the same noise in every step",
            "Every step uses the first noise: step t uses eps[t]. With one fixed noise q fits that noise.",
            inference(noise=lambda eps: eps[:1].expand_as(eps)),
        ),
        Misconception(
            "only the first sample of each step",
            "Each step uses its first sample only: average over all samples of eps[t].",
            inference(noise=lambda eps: eps[:, :1]),
        ),
        Misconception(
            "one step only",
            "q takes one step: take one for each noise, len(eps) in all.",
            inference(noise=lambda eps: eps[:1]),
        ),
        Misconception(
            "last step missing",
            "The last step is missing: take one for each noise, len(eps) in all.",
            inference(noise=lambda eps: eps[:-1]),
        ),
        Misconception(
            "plain gradient descent",
            "You step with plain gradient steps: torch.optim.Adam is asked for.",
            inference(optimizer=torch.optim.SGD),
        ),
        Misconception(
            "learning rate ignored",
            "You leave out the learning rate: Adam([mu, log_sigma], lr=learning_rate).",
            inference(rate=lambda rate: 1e-3),
        ),
        Misconception(
            "sigma starts at zero",
            "log_sigma starts at 1, so sigma at e: start at the prior, mu = 0 and log_sigma = 0, where sigma = 1.",
            inference(start=1.0),
        ),
        *through_wrong_bounds(
            (
                "entropy missing",
                "prior missing",
                "log sigma taken for sigma",
                "log variance throughout",
                "noise shared across the batch",
                "z detached",
            ),
            lambda elbo: inference(elbo=elbo),
        ),
        Misconception("KL in closed form", CLOSED_FORM_KL, inference(elbo=closed_form_kl_elbo)),
        Misconception(
            "sigma returned",
            "Your second result is sigma: return log_sigma.",
            lambda *args: (infer_q(*args)[0], infer_q(*args)[1].exp()),
        ),
    ),
    alternatives=(
        inference(),
        inference(reduce=torch.mean),  # Adam's steps do not depend on the scale of the loss
        inference(learns=lambda mu, log_sigma, decoder: [log_sigma, mu]),
    ),
)
