"""The encoder's q, improved for one image alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.amortized import refine_q
from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import amortized_elbo, per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import weights_of, with_old_gradients
from course_lib.checker.probes import Draw
from course_lib.exercises.amortized_inference.probes import (
    elbo_probe,
    sampled_entropy,
)
from course_lib.exercises.variational_inference.probes import CLOSED_FORM_KL, closed_form_kl_elbo, through_wrong_bounds


def _refine_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    x, _, encoder, decoder, sigma_x = elbo_probe(draw)
    eps = draw.normal(4, sizes.samples, sizes.batch, sizes.latent, shift=0.1)
    return x, eps, encoder, decoder, sigma_x, 0.05 + 0.02 * draw.integer(4)


def observe_refine(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the refined q, and theta and phi, which must not have moved."""
    x, eps, encoder, decoder, sigma_x, rate = args
    phi, theta = with_old_gradients(encoder), with_old_gradients(decoder)
    parts = tensors_from(answer.call(x, eps, phi, theta, sigma_x, rate))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mu and log_sigma; {len(parts)} came.")
    return parts[0].detach(), parts[1].detach(), weights_of(theta), weights_of(phi)


def _refinement(
    learns: Callable[..., list[Tensor]] = lambda mu, log_sigma, encoder, decoder: [mu, log_sigma],
    start: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda mu, log_sigma: (mu, log_sigma),
    elbo: Callable[..., Tensor] = per_point_elbo,
    noise: Callable[[Tensor], Tensor] = lambda eps: eps,
    sign: float = 1.0,
    clear: bool = True,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The refinement with one of its parts replaced."""

    def refine(
        x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            mu, log_sigma = start(*encoder(x))
        mu, log_sigma = mu.clone().requires_grad_(), log_sigma.clone().requires_grad_()
        steps = optimizer(learns(mu, log_sigma, encoder, decoder), lr=learning_rate)
        for part in noise(eps):
            if clear:
                steps.zero_grad()
            (-sign * elbo(x, mu, log_sigma, part, decoder, sigma_x).sum()).backward()
            steps.step()
        return mu.detach(), log_sigma.detach()

    return refine


def _phi_trained(
    x: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any, learning_rate: float
) -> tuple[Tensor, Tensor]:
    steps = torch.optim.Adam(encoder.parameters(), lr=learning_rate)
    for noise in eps:
        steps.zero_grad()
        (-amortized_elbo(x, noise, encoder, decoder, sigma_x).sum()).backward()
        steps.step()
    return encoder(x)


EXERCISE = Exercise(
    reference=refine_q,
    points=2,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "theta, which stays": "(|θ|,)",
        "phi, which stays": "(|φ|,)",
    },
    convention="Start at encoder(x); for each noise in eps, (steps, samples, batch, latent_dim), one step of "
    "torch.optim.Adam([mu, log_sigma], lr=learning_rate) that makes the bound larger; both networks stay.",
    probe=_refine_probe,
    observe=observe_refine,
    # Adam divides by the gradient's size plus 1e-8: the scale of the loss shows where a gradient is tiny.
    atol=1e-4,
    rtol=1e-4,
    misconceptions=(
        Misconception("KL in closed form", CLOSED_FORM_KL, _refinement(elbo=closed_form_kl_elbo)),
        Misconception(
            "start at the prior",
            "You start at mu = 0 and log_sigma = 0: start where the encoder points, encoder(x).",
            _refinement(start=lambda mu, log_sigma: (0 * mu, 0 * log_sigma)),
        ),
        Misconception(
            "encoder's answer returned",
            "mu and log_sigma are still the encoder's: refine them, one Adam step for each noise in eps.",
            _refinement(noise=lambda eps: eps[:0]),
        ),
        Misconception(
            "phi trained",
            "The encoder has moved: refine the numbers mu and log_sigma of these points, not the network. Hand detached "
            "copies to the optimizer.",
            _phi_trained,
        ),
        Misconception(
            "theta trained",
            "The decoder has moved: the optimizer holds mu and log_sigma only.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [mu, log_sigma, *decoder.parameters()]),
        ),
        Misconception(
            "only mu refined",
            "log_sigma is still the encoder's: hand both to the optimizer.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [mu]),
        ),
        Misconception(
            "only log_sigma refined",
            "mu is still the encoder's: hand both to the optimizer.",
            _refinement(learns=lambda mu, log_sigma, encoder, decoder: [log_sigma]),
        ),
        Misconception(
            "descent",
            "q gets worse with every step: an optimizer minimises, so the loss is minus the bound.",
            _refinement(sign=-1.0),
        ),
        Misconception(
            "gradients not cleared",
            "The gradients of all steps pile up: call optimizer.zero_grad() in every step.",
            _refinement(clear=False),
        ),
        Misconception(
            "the same noise in every step",
            "Every step uses the first noise: step t uses eps[t].",
            _refinement(noise=lambda eps: eps[:1].expand_as(eps)),
        ),
        Misconception(
            "only the first sample of each step",
            "Each step uses its first sample only: average over all samples of eps[t].",
            _refinement(noise=lambda eps: eps[:, :1]),
        ),
        Misconception(
            "one step only",
            "q takes one step: take one for each noise, len(eps) in all.",
            _refinement(noise=lambda eps: eps[:1]),
        ),
        Misconception(
            "plain gradient descent",
            "You step with plain gradient steps: torch.optim.Adam is asked for.",
            _refinement(optimizer=torch.optim.SGD),
        ),
        *through_wrong_bounds(
            ("entropy missing", "prior missing", "log variance throughout", "z detached"),
            lambda elbo: _refinement(elbo=elbo),
        ),
    ),
    # -log q at z = mu + sigma · eps has the entropy's gradient, exactly.
    alternatives=(
        _refinement(elbo=sampled_entropy),
        _refinement(),
        _refinement(learns=lambda mu, log_sigma, encoder, decoder: [log_sigma, mu]),
    ),
)
