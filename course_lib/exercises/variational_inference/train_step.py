"""The lecture's alternation: theta steps, then this batch's q_i; seen through what the networks become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import one_of, sgd, weights_of, with_old_gradients
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.variational_inference.probes import (
    CLOSED_FORM_KL,
    ascend_probe,
    ascend_variant,
    closed_form_kl_elbo,
    elbo_variant,
)
from course_lib.per_point import ascend_q, train_step


def _train_probe(draw: Draw) -> tuple[Any, ...]:
    x, mu, log_sigma, eps, decoder, sigma_x, step_size = ascend_probe(draw)
    return x, mu, log_sigma, eps, decoder, sgd(draw), sigma_x, step_size


def observe_train_step(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe what comes back, and theta after the step. The bound may be that before or after the steps."""
    x, mu, log_sigma, eps, decoder, make_optimizer, sigma_x, step_size = args
    own = with_old_gradients(decoder)
    result = answer.call(x, mu, log_sigma, eps, own, make_optimizer(own.parameters()), sigma_x, step_size)
    parts = tensors_from(result)
    if len(parts) != 3:
        raise AnswerFailed("type", f"Three tensors are expected, mu, log_sigma and elbo; {len(parts)} came.")
    new_mu, new_log_sigma, elbo = (part.detach() for part in parts)
    with torch.no_grad():
        before = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
        also = [per_point_elbo(x, mu, log_sigma, eps, own, sigma_x)]
        if new_mu.shape == mu.shape and new_log_sigma.shape == log_sigma.shape:
            also.append(per_point_elbo(x, new_mu, new_log_sigma, eps, own, sigma_x))
    return new_mu, new_log_sigma, one_of(elbo, before, also), weights_of(own)


def alternation(
    loss: Callable[[Tensor], Tensor] = lambda elbo: -elbo.mean(),
    theta: Callable[[Any, Tensor], None] | None = None,
    elbo: Callable[..., Tensor] = per_point_elbo,
    ascend: Callable[..., tuple[Tensor, Tensor]] = ascend_q,
    order: str = "theta first",
    result: Callable[[Tensor], Tensor] = lambda elbo: elbo,
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The alternation with one of its parts replaced."""

    def step_theta(optimizer: Any, value: Tensor) -> None:
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    def step(
        x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        if order != "theta first":
            new = ascend(x, mu, log_sigma, eps, decoder, sigma_x, size)
            at = new if order == "q first" else (mu, log_sigma)
        else:
            at = (mu, log_sigma)
        value = elbo(x, *at, eps, decoder, sigma_x)
        (theta or step_theta)(optimizer, loss(value))
        if order == "theta first":
            new = ascend(x, mu, log_sigma, eps, decoder, sigma_x, size)
        return *new, result(
            per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x).detach()
            if elbo is not per_point_elbo
            else value.detach()
        )

    return step


def _no_zero_grad(optimizer: Any, loss: Tensor) -> None:
    loss.backward()
    optimizer.step()


def _no_step(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()


def _twice(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()


def _q_steps_theta(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The optimiser's second step follows q's loss: theta moves again."""
    _, _, elbo = train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, size)
    new = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, size)
    train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, size)
    return *new, elbo


def _train_with_one_graph(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Steps theta by hand-held gradients, then q by a backward of its own."""
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    optimizer.zero_grad(set_to_none=False)
    torch.neg(elbo).mean().backward()
    optimizer.step()
    q_mu, q_log_sigma = mu.clone().requires_grad_(), log_sigma.clone().requires_grad_()
    per_point_elbo(x, q_mu, q_log_sigma, eps, decoder, sigma_x).sum().backward()
    assert q_mu.grad is not None
    assert q_log_sigma.grad is not None
    return q_mu.detach() + size * q_mu.grad, q_log_sigma.detach() + size * q_log_sigma.grad, elbo


def _likelihood_alone(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, ...]:
    """The slide's gradient for theta: that of log p(x|z) is all there is."""
    z = (mu + log_sigma.exp() * eps).detach()
    for parameter in decoder.parameters():
        parameter.grad = None
    (-Normal(decoder(z), sigma_x).log_prob(x).sum(-1).mean()).backward()
    optimizer.step()
    new = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, size)
    return *new, per_point_elbo(x, *new, eps, decoder, sigma_x)


EXERCISE = Exercise(
    reference=train_step,
    points=4,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "elbo": "(batch,)",
        "theta after the step": "(|θ|,)",
    },
    convention="First theta: the optimizer steps on the loss -elbo.mean(). Then q: each q_i of the batch ascends by "
    "step_size, with the decoder as it is after its step, on the same eps. elbo is the bound before the steps.",
    probe=_train_probe,
    observe=observe_train_step,
    misconceptions=(
        Misconception(
            "theta descends",
            "The optimizer makes the bound smaller: an optimizer minimises, so the loss is -elbo.mean().",
            alternation(loss=lambda elbo: elbo.mean()),
        ),
        Misconception(
            "sum over the batch as loss",
            "theta's step is too long by the batch size: the loss is the mean over the batch, -elbo.mean().",
            alternation(loss=lambda elbo: -elbo.sum()),
        ),
        Misconception(
            "gradients not cleared",
            "theta's step still contains the gradients of the step before: call optimizer.zero_grad() before backward().",
            alternation(theta=_no_zero_grad),
        ),
        Misconception(
            "theta not stepped",
            "theta has not moved: call optimizer.step() after backward(), and zero_grad() before it.",
            alternation(theta=_no_step),
        ),
        Misconception(
            "theta stepped twice",
            "theta moves twice for one batch: call optimizer.step() once.",
            alternation(theta=_twice),
        ),
        Misconception(
            "q's step moves theta",
            "theta moves again when q is stepped: q's step changes mu and log_sigma only, the optimizer holds theta.",
            _q_steps_theta,
        ),
        Misconception(
            "q first",
            "You step q before theta: the lecture steps theta with z from the old q_i, then q_i with the new theta.",
            alternation(order="q first"),
        ),
        Misconception(
            "q with the old theta",
            "theta is right, but q_i is stepped with the gradient at the old theta: step theta first, then take q's "
            "gradient with the decoder as it is now.",
            alternation(order="together"),
        ),
        Misconception(
            "q not stepped",
            "q_i has not moved: after theta's step each q_i of the batch climbs, as in ascend_q.",
            alternation(ascend=lambda x, mu, log_sigma, *rest: (mu.clone(), log_sigma.clone())),
        ),
        Misconception(
            "q descends",
            "q_i steps downhill: L_i is maximised over q_i as well.",
            alternation(ascend=ascend_variant(step=lambda a, d_mu, d_ls, _: (-a * d_mu, -a * d_ls))),
        ),
        Misconception(
            "q's gradient averaged over the batch",
            "q_i's step is divided by the batch size: each q_i climbs its own L_i, so differentiate the sum over the batch.",
            alternation(ascend=ascend_variant(objective=torch.mean)),
        ),
        Misconception(
            "only mu moves",
            "log_sigma stays where it was: both parameters of q_i climb.",
            alternation(ascend=ascend_variant(step=lambda a, d_mu, d_ls, _: (a * d_mu, 0 * d_ls))),
        ),
        Misconception(
            "mu decoded instead of z",
            "theta is trained on decoded mu: sample z from q_i first, z = mu + sigma · eps.",
            alternation(elbo=elbo_variant(z=lambda mu, log_sigma, eps: mu.expand(eps.shape))),
        ),
        Misconception(
            "mean over pixels",
            "theta's step is too short: log p(x|z) sums over the dimensions of x, you average over them.",
            alternation(elbo=elbo_variant(likelihood=lambda x, m, s: gaussian_log_prob(x, m, s) / x.shape[-1])),
        ),
        Misconception(
            "KL in closed form",
            CLOSED_FORM_KL,
            alternation(elbo=closed_form_kl_elbo, ascend=ascend_variant(elbo=closed_form_kl_elbo)),
        ),
        Misconception(
            "loss returned",
            "Your third result is the loss: return the bound itself, with its own sign.",
            alternation(result=lambda elbo: -elbo),
        ),
        Misconception(
            "mean returned",
            "Your third result is one number: return the bound of each data point, (batch,).",
            alternation(result=lambda elbo: elbo.mean()),
        ),
    ),
    alternatives=(_train_with_one_graph, _likelihood_alone, alternation()),
)
