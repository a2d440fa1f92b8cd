"""One step of theta and phi together; seen through what the networks become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.amortized import train_step
from course_lib.answers import Answer, tensors_from
from course_lib.bounds import amortized_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import one_of, only_tensor, sgd, weights_of, with_old_gradients
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.amortized_inference.probes import (
    amortized,
    elbo_probe,
    encoder_cut_off,
    sampled_entropy,
)
from course_lib.exercises.variational_inference.probes import CLOSED_FORM_KL, closed_form_kl_elbo, elbo_variant


def _train_probe(draw: Draw) -> tuple[Any, ...]:
    x, eps, encoder, decoder, sigma_x = elbo_probe(draw)
    return x, eps, encoder, decoder, sgd(draw), sigma_x


def observe_train_step(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the bound that comes back, and theta and phi after the step."""
    x, eps, encoder, decoder, make_optimizer, sigma_x = args
    phi, theta = with_old_gradients(encoder), with_old_gradients(decoder)
    optimizer = make_optimizer([*phi.parameters(), *theta.parameters()])
    elbo = only_tensor(tensors_from(answer.call(x, eps, phi, theta, optimizer, sigma_x))).detach()
    with torch.no_grad():
        before = amortized_elbo(x, eps, encoder, decoder, sigma_x)
        after = amortized_elbo(x, eps, phi, theta, sigma_x)
        # -log q at z = mu + sigma · eps for the entropy: the same step, another value, right on average.
        sampled = [amortized(sampled_entropy)(x, eps, q, p, sigma_x) for q, p in ((encoder, decoder), (phi, theta))]
    return one_of(elbo, before, [after, *sampled]), weights_of(theta), weights_of(phi)


def _step(
    loss: Callable[[Tensor], Tensor] = lambda elbo: -elbo.mean(),
    elbo: Callable[..., Tensor] = amortized_elbo,
    result: Callable[[Tensor], Tensor] = lambda elbo: elbo,
    calls: tuple[str, ...] = ("zero_grad", "backward", "step"),
) -> Callable[..., Tensor]:
    """The step with one of its parts replaced."""

    def step(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
        right = amortized_elbo(x, eps, encoder, decoder, sigma_x).detach()
        value = loss(elbo(x, eps, encoder, decoder, sigma_x))
        for call in calls:
            if call == "backward":
                value.backward()
            else:
                getattr(optimizer, call)()
        return result(right)

    return step


def _whole(elbo: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The step on another bound, which is returned too."""

    def step(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
        value = elbo(x, *encoder(x), eps, decoder, sigma_x)
        optimizer.zero_grad()
        (-value.mean()).backward()
        optimizer.step()
        return value.detach()

    return step


def _only_theta(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    return _step(elbo=encoder_cut_off)(x, eps, encoder, decoder, optimizer, sigma_x)


def _only_phi(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    elbo = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    optimizer.zero_grad()
    parameters = list(encoder.parameters())
    for parameter, grad in zip(parameters, torch.autograd.grad(-elbo.mean(), parameters), strict=True):
        parameter.grad = grad
    optimizer.step()
    return elbo.detach()


def _attached(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    elbo = amortized_elbo(x, eps, encoder, decoder, sigma_x)
    loss = elbo.neg().sum() / len(x)
    encoder.zero_grad()
    decoder.zero_grad()
    loss.backward()
    optimizer.step()
    return elbo


def _new_bound(x: Tensor, eps: Tensor, encoder: Any, decoder: Any, optimizer: Any, sigma_x: Any) -> Tensor:
    train_step(x, eps, encoder, decoder, optimizer, sigma_x)
    return amortized_elbo(x, eps, encoder, decoder, sigma_x)


EXERCISE = Exercise(
    reference=train_step,
    points=2,
    returns={"elbo": "(batch,)", "theta after the step": "(|θ|,)", "phi after the step": "(|φ|,)"},
    convention="The optimizer holds theta and phi and steps both on the loss -elbo.mean(). The bound of each data point, "
    "before the step, is returned.",
    probe=_train_probe,
    observe=observe_train_step,
    misconceptions=(
        Misconception("KL in closed form", CLOSED_FORM_KL, _whole(closed_form_kl_elbo)),
        Misconception(
            "the bound falls",
            "The step makes the bound smaller: an optimizer minimises, so the loss is -elbo.mean().",
            _step(loss=lambda elbo: elbo.mean()),
        ),
        Misconception(
            "sum over the batch as loss",
            "The step is too long by the batch size: the loss is the mean over the batch, -elbo.mean().",
            _step(loss=lambda elbo: -elbo.sum()),
        ),
        Misconception(
            "gradients not cleared",
            "The step still contains the gradients of the step before: call optimizer.zero_grad() before backward().",
            _step(calls=("backward", "step")),
        ),
        Misconception(
            "not stepped",
            "Nothing has moved: call optimizer.step() after backward(), and zero_grad() before it.",
            _step(calls=("zero_grad", "backward")),
        ),
        Misconception(
            "stepped twice",
            "Everything moves twice for one batch: call optimizer.step() once.",
            _step(calls=("zero_grad", "backward", "step", "step")),
        ),
        Misconception(
            "phi not trained",
            "theta moves as it should, the encoder does not learn: its outputs must not be detached; one backward() "
            "serves theta and phi.",
            _only_theta,
        ),
        Misconception(
            "theta not trained",
            "phi moves as it should, the decoder does not learn: one backward() serves theta and phi.",
            _only_phi,
        ),
        Misconception(
            "z detached",
            "z is cut off from the encoder (.detach(), .sample(), torch.no_grad()): its outputs feel the entropy only, "
            "not the likelihood.",
            _step(elbo=amortized(elbo_variant(z=lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach()))),
        ),
        Misconception(
            "mu decoded instead of z",
            "You train on decoded mu: sample z = mu + sigma · eps first.",
            _step(elbo=amortized(elbo_variant(z=lambda mu, log_sigma, eps: mu.expand(eps.shape)))),
        ),
        Misconception(
            "entropy missing",
            "The encoder's step misses the entropy H(q): its width collapses.",
            _step(elbo=amortized(elbo_variant(entropy=lambda log_sigma: 0.0))),
        ),
        Misconception(
            "mean over pixels",
            "The step is that of a bound whose log p(x|z) is averaged over the dimensions of x: it sums over them.",
            _step(elbo=amortized(elbo_variant(likelihood=lambda x, m, s: gaussian_log_prob(x, m, s) / x.shape[-1]))),
        ),
        Misconception(
            "loss returned",
            "You return the loss: return the bound itself, with its own sign.",
            _step(result=lambda elbo: -elbo),
        ),
        Misconception(
            "mean returned",
            "You return one number: return the bound of each data point, (batch,).",
            _step(result=lambda elbo: elbo.mean()),
        ),
    ),
    alternatives=(_whole(sampled_entropy), _attached, _new_bound, _step()),
)
