"""The gap, measured and split into its two parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.amortized import amortization_gap, log_evidence_estimate, measure_gaps, refine_q
from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import amortized_elbo, per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import weights_of, with_old_gradients
from course_lib.checker.probes import Draw
from course_lib.exercises.amortized_inference.probes import elbo_probe

Levels = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _gaps_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    x, eps, encoder, decoder, sigma_x = elbo_probe(draw)
    noise = draw.normal(3, sizes.samples + 1, sizes.batch, sizes.latent, shift=0.1)
    return x, noise, eps, encoder, decoder, sigma_x, 0.05 + 0.02 * draw.integer(4)


def observe_gaps(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe both gaps, and theta and phi, which must not have moved."""
    x, noise, eps, encoder, decoder, sigma_x, rate = args
    phi, theta = with_old_gradients(encoder), with_old_gradients(decoder)
    parts = tensors_from(answer.call(x, noise, eps, phi, theta, sigma_x, rate))
    if len(parts) != 2:
        raise AnswerFailed(
            "type", f"Two tensors are expected, approximation gap and amortization gap; {len(parts)} came."
        )
    return parts[0].detach(), parts[1].detach(), weights_of(theta), weights_of(phi)


def _measured(
    gaps: Levels = lambda evidence, best, encoders: (evidence - best, best - encoders),
    steps: Callable[[Tensor], Tensor] = lambda noise: noise,
    evidence_from_encoder: bool = False,
    judged: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] = lambda noise, eps: (eps, eps, eps),
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The measurement with one of its parts replaced; ``judged`` gives the noise of evidence, best and encoder's bound."""

    def measure(
        x: Tensor, noise: Tensor, eps: Tensor, encoder: Any, decoder: Any, sigma_x: Any, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        mu, log_sigma = refine_q(x, steps(noise), encoder, decoder, sigma_x, learning_rate)
        first, second, third = judged(noise, eps)
        with torch.no_grad():
            own_mu, own_log_sigma = encoder(x)
            at, width = (own_mu, own_log_sigma) if evidence_from_encoder else (mu, log_sigma)
            evidence = log_evidence_estimate(x, at, width, first, decoder, sigma_x)
            best = per_point_elbo(x, mu, log_sigma, second, decoder, sigma_x)
            encoders = per_point_elbo(x, own_mu, own_log_sigma, third, decoder, sigma_x)
        return gaps(evidence, best, encoders)

    return measure


def _with_a_graph(*args: Any) -> tuple[Tensor, Tensor]:
    x, noise, eps, encoder, decoder, sigma_x, rate = args
    mu, log_sigma = refine_q(x, noise, encoder, decoder, sigma_x, rate)
    evidence = log_evidence_estimate(x, mu, log_sigma, eps, decoder, sigma_x)
    best = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    return evidence - best, amortization_gap(best, amortized_elbo(x, eps, encoder, decoder, sigma_x))


EXERCISE = Exercise(
    reference=measure_gaps,
    points=2,
    returns={
        "approximation": "(batch,)",
        "amortization": "(batch,)",
        "theta, which stays": "(|θ|,)",
        "phi, which stays": "(|φ|,)",
    },
    convention="approximation gap log p(x) - L(q*), amortization gap L(q*) - L(q_φ); q* by refine_q on noise, log p(x) by "
    "log_evidence_estimate from q*, all three judged on the same eps; each (batch,), in nats.",
    probe=_gaps_probe,
    observe=observe_gaps,
    atol=2e-4,  # the refinement divides by the gradient's size, as in refine_q
    rtol=2e-4,
    misconceptions=(
        Misconception(
            "results exchanged",
            "The two results are exchanged: the approximation gap comes first.",
            _measured(lambda evidence, best, encoders: (best - encoders, evidence - best)),
        ),
        Misconception(
            "signs",
            "Both signs are flipped: log p(x) lies above the best bound, and that above the encoder's.",
            _measured(lambda evidence, best, encoders: (best - evidence, encoders - best)),
        ),
        Misconception(
            "whole gap as approximation gap",
            "Your approximation gap is the whole distance from log p(x) to the encoder's bound: it ends at the best q.",
            _measured(lambda evidence, best, encoders: (evidence - encoders, best - encoders)),
        ),
        Misconception(
            "whole gap as amortization gap",
            "Your amortization gap is the whole distance from log p(x) to the encoder's bound: it begins at the best q.",
            _measured(lambda evidence, best, encoders: (evidence - best, evidence - encoders)),
        ),
        Misconception(
            "not refined",
            "Your best q is the encoder's: refine it first, refine_q(x, noise, ...).",
            _measured(steps=lambda noise: noise[:0]),
        ),
        Misconception(
            "evidence from the encoder's q",
            "You estimate log p(x) with samples of the encoder's q: that is allowed, but its weights are worse, and the "
            "estimate lies lower. Take the refined q.",
            _measured(evidence_from_encoder=True),
        ),
        Misconception(
            "judged on the noise of the refinement",
            "You judge the best q on the noise that it was refined on: there it looks better than it is. eps is for judging.",
            _measured(judged=lambda noise, eps: (eps, noise[-1], eps)),
        ),
        Misconception(
            "everything judged on the noise of the refinement",
            "You judge on the last noise of the refinement, where the best q looks better than it is: judge on eps.",
            _measured(judged=lambda noise, eps: (noise[-1], noise[-1], noise[-1])),
        ),
        Misconception(
            "averaged",
            "You average over the data points: keep both gaps of each, (batch,).",
            _measured(lambda evidence, best, encoders: ((evidence - best).mean(), (best - encoders).mean())),
        ),
        Misconception(
            "negative gaps cut off",
            "You set negative gaps to zero, or take absolute values: keep the sign, so that the noise averages out.",
            _measured(lambda evidence, best, encoders: ((evidence - best).abs(), (best - encoders).abs())),
        ),
        Misconception(
            "levels returned",
            "You return the bounds themselves: the gaps are the differences of neighbouring levels.",
            _measured(lambda evidence, best, encoders: (best, encoders)),
        ),
    ),
    alternatives=(_measured(), _with_a_graph),
)
