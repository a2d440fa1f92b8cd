"""One step of encoder and decoder up their common bound; seen through what the parameters become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import elbo_with_analytic_kl
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import (
    decoder_network,
    encoder_network,
    one_of,
    only_tensor,
    sgd,
    weights_of,
    with_old_gradients,
)
from course_lib.checker.probes import Draw
from course_lib.distributions import bernoulli_log_likelihood
from course_lib.vae import train_step


class Bound(nn.Module):
    """The bound of a small VAE, as a function that has parameters."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encoder(x)
        sigma = log_sigma.exp()
        return elbo_with_analytic_kl(bernoulli_log_likelihood(x, self.decoder(mu + sigma * eps)), mu, sigma)


def _probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    x = draw.normal(sizes.batch, sizes.dim, shift=0.0).sigmoid()
    eps = draw.normal(sizes.batch, sizes.latent)
    encoder, decoder = encoder_network(draw, sizes.dim, sizes.latent), decoder_network(draw, sizes.latent, sizes.dim)
    return x, eps, Bound(encoder, decoder), sgd(draw)


def observe_train_step(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the bounds that come back, and the parameters after the step."""
    x, eps, elbo, make_optimizer = args
    own = with_old_gradients(elbo)
    bounds = only_tensor(tensors_from(answer.call(x, eps, own, make_optimizer(own.parameters())))).detach()
    with torch.no_grad():
        before, after = elbo(x, eps), own(x, eps)
    return one_of(bounds, before, [after]), weights_of(own)


def _step(
    loss: Callable[[Tensor], Tensor] = lambda bounds: -bounds.mean(),
    result: Callable[[Tensor], Tensor] = lambda bounds: bounds,
    calls: tuple[str, ...] = ("zero_grad", "backward", "step"),
    noise: Callable[[Tensor], Tensor] = lambda eps: eps,
) -> Callable[..., Tensor]:
    """The step with one of its parts replaced."""

    def step(x: Tensor, eps: Tensor, elbo: Any, optimizer: Any) -> Tensor:
        bounds = elbo(x, eps).detach()
        value = loss(elbo(x, noise(eps)))
        for call in calls:
            if call == "backward":
                value.backward()
            else:
                getattr(optimizer, call)()
        return result(bounds)

    return step


def _after(x: Tensor, eps: Tensor, elbo: Any, optimizer: Any) -> Tensor:
    _step()(x, eps, elbo, optimizer)
    return elbo(x, eps).detach()


def _attached(x: Tensor, eps: Tensor, elbo: Any, optimizer: Any) -> Tensor:
    bounds = elbo(x, eps)
    optimizer.zero_grad()
    (bounds.sum() / -len(x)).backward()
    optimizer.step()
    return bounds


EXERCISE = Exercise(
    reference=train_step,
    points=2,
    returns={"bounds": "(batch,)", "parameters after the step": "(|θ| + |φ|,)"},
    convention="The optimizer holds theta and phi, and minimises: the loss is -elbo(x, eps).mean(). The bound of each data point "
    "is returned, without the gradient's history or with it.",
    probe=_probe,
    observe=observe_train_step,
    misconceptions=(
        Misconception(
            "the bound falls",
            "The step makes the bound smaller: an optimizer minimises, so the loss is minus the mean bound.",
            _step(loss=lambda bounds: bounds.mean()),
        ),
        Misconception(
            "sum over the batch as loss",
            "The step is too long by the batch size: the loss is minus the mean over the batch, not the sum.",
            _step(loss=lambda bounds: -bounds.sum()),
        ),
        Misconception(
            "gradients not cleared",
            "The step still contains the gradients of the step before: call optimizer.zero_grad() before backward().",
            _step(calls=("backward", "step")),
        ),
        Misconception(
            "not stepped",
            "Nothing has moved: zero_grad() first, then backward(), then optimizer.step().",
            _step(calls=("zero_grad", "backward")),
        ),
        Misconception(
            "stepped twice",
            "Everything moves twice for one batch: call optimizer.step() once.",
            _step(calls=("zero_grad", "backward", "step", "step")),
        ),
        Misconception(
            "without noise",
            "You train without noise: the bound is that of z = mu + sigma · eps with the eps that is given.",
            _step(noise=lambda eps: 0 * eps),
        ),
        Misconception(
            "loss returned",
            "You return the loss: return the bounds, with their own sign.",
            _step(result=lambda bounds: -bounds),
        ),
        Misconception(
            "mean returned",
            "You return one number: return the bound of each data point, (batch,).",
            _step(result=lambda bounds: bounds.mean()),
        ),
    ),
    alternatives=(_after, _attached, _step()),
)
