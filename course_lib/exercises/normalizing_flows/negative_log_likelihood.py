"""The loss by which a flow learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import only_tensor
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import a_warp
from course_lib.flows import negative_log_likelihood, standard_normal_log_prob

FAR = 150.0


def _probe(draw: Draw) -> tuple[Any, ...]:
    dim = draw.sizes.dim
    return a_warp(draw, dim), draw.normal(draw.sizes.batch, dim, scale=2.0)


def _far(draw: Draw) -> tuple[Any, ...]:
    flow, x = _probe(draw)
    flow.a.data = 0.05 * flow.a.data  # hardly bent: z lies as far out as x
    return flow, x + FAR


def _through(answer: Answer, draw: Draw) -> str | None:
    flow, x = _probe(draw)
    loss = only_tensor(tensors_from(answer.call(flow, x)))
    learned = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    if loss.requires_grad and None not in torch.autograd.grad(loss.sum(), learned, allow_unused=True):
        return None
    return NO_GRADIENT


NO_GRADIENT = (
    "The value is right, but no gradient reaches the flow's parameters: leave out .detach() and torch.no_grad()."
)


def _apart(whole: Callable[[Any, Tensor, Tensor, Tensor], Any]) -> Callable[..., Any]:
    """A loss put together otherwise from x, z and the inverse's log-det."""

    def wrong(flow: Any, x: Tensor) -> Any:
        z, log_det = flow.inverse(x)
        return whole(flow, x, z, log_det)

    return wrong


normal = standard_normal_log_prob


def _by_forward(flow: Any, x: Tensor) -> Tensor:
    z, _ = flow.inverse(x)
    return (flow.forward(z)[1] - normal(z)).mean()


def _by_distributions(flow: Any, x: Tensor) -> Tensor:
    z, log_det = flow.inverse(x)
    base = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
    return -(base.log_prob(z).sum(-1) + log_det).mean()


def _multivariate(flow: Any, x: Tensor) -> Tensor:
    z, log_det = flow.inverse(x)
    eye = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    return -(torch.distributions.MultivariateNormal(z.new_zeros(z.shape[-1]), eye).log_prob(z) + log_det).sum() / len(x)


def _through_density(flow: Any, x: Tensor) -> Tensor:
    z, log_det = flow.inverse(x)
    return -(normal(z).exp() * log_det.exp()).log().mean()


EXERCISE = Exercise(
    reference=negative_log_likelihood,
    points=2,
    returns={"loss": "()"},
    convention="A loss is minus the mean over the batch of log p(x), summed over dimensions, in nats; z ~ N(0, I).",
    probe=_probe,
    gradients=("x",),
    edge_cases=(
        EdgeCase(
            "points far out",
            "Right nearby, but not for points 150 away: a density there is 0 in floating point, its logarithm is not. Stay with "
            "logarithms.",
            _far,
        ),
    ),
    properties=(Property("gradient cut", _through),),
    misconceptions=(
        Misconception(
            "the sign",
            "That is the log-likelihood itself: a loss is to become small, so it is minus that.",
            _apart(lambda flow, x, z, log_det: (normal(z) + log_det).mean()),
        ),
        Misconception(
            "the sign of the log-det",
            "The log-det enters with the wrong sign: inverse reports log|det dz/dx|, which is added to log p(z). So trained, a flow would run away.",
            _apart(lambda flow, x, z, log_det: -(normal(z) - log_det).mean()),
        ),
        Misconception(
            "without log-det",
            "The log-det is missing: such a loss is smallest where every x is sent to z = 0.",
            _apart(lambda flow, x, z, log_det: -normal(z).mean()),
        ),
        Misconception(
            "added over the batch",
            "You add over the batch: the loss is the mean.",
            _apart(lambda flow, x, z, log_det: -(normal(z) + log_det).sum()),
        ),
        Misconception(
            "a mean over dimensions, too",
            "You average the base's density over the dimensions: it is summed over them, for log p(z) is the sum of the entries' own.",
            _apart(lambda flow, x, z, log_det: -(normal(z) / z.shape[-1] + log_det).mean()),
        ),
        Misconception(
            "without the constant",
            "The Gaussian's constant is missing, ½ log 2π for each dimension: without it the number is no log-likelihood.",
            _apart(lambda flow, x, z, log_det: (0.5 * (z**2).sum(-1) - log_det).mean()),
        ),
        Misconception(
            "the constant once",
            "The Gaussian's constant counts once for each dimension: you have it once.",
            _apart(lambda flow, x, z, log_det: (0.5 * (z**2).sum(-1) + 0.5 * math.log(2 * math.pi) - log_det).mean()),
        ),
        Misconception(
            "one number for each point",
            "You return one number for each point: the loss is their mean.",
            _apart(lambda flow, x, z, log_det: -(normal(z) + log_det)),
        ),
        Misconception(
            "forward instead of inverse",
            "You send x through forward: data are x, and the way to z is inverse.",
            lambda flow, x: -(normal(flow(x)[0]) - flow(x)[1]).mean(),
        ),
        Misconception(
            "the base at x",
            "You ask the base for its density at x: it is that of z = f⁻¹(x).",
            _apart(lambda flow, x, z, log_det: -(normal(x) + log_det).mean()),
        ),
        Misconception(
            "the log-det returned too",
            "You return the log-det as well: the loss alone is asked for.",
            _apart(lambda flow, x, z, log_det: (-(normal(z) + log_det).mean(), log_det)),
        ),
        Misconception(
            "without the half",
            "There is a factor ½ before z² in the logarithm of a Gaussian.",
            _apart(lambda flow, x, z, log_det: (((z**2) + 0.5 * math.log(2 * math.pi)).sum(-1) - log_det).mean()),
        ),
        Misconception(
            "through the density",
            "Right nearby; 150 away the density underflows to 0 and its logarithm is minus infinity. Stay with logarithms.",
            _through_density,
        ),
    ),
    alternatives=(_by_forward, _by_distributions, _multivariate),
)
