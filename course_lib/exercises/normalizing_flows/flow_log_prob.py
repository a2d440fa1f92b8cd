"""The exact log-density of data under a flow, with any base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import only_tensor
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import a_warp, base_log_prob
from course_lib.flows import flow_log_prob, standard_normal_log_prob

Base = Callable[[Tensor], Tensor]


def _probe(draw: Draw) -> tuple[Any, ...]:
    dim = draw.sizes.dim
    return a_warp(draw, dim), draw.normal(draw.sizes.batch, dim, scale=2.0), base_log_prob


def _far(draw: Draw) -> tuple[Any, ...]:
    flow, x, base = _probe(draw)
    return flow, 100 * x, base


def _to_the_flow(answer: Answer, draw: Draw) -> str | None:
    """What training needs: gradients reach the flow's parameters."""
    flow, x, base = _probe(draw)
    value = only_tensor(tensors_from(answer.call(flow, x, base)))
    learned = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    if value.requires_grad and None not in torch.autograd.grad(value.sum(), learned, allow_unused=True):
        return None
    return NOT_TO_THE_FLOW


NOT_TO_THE_FLOW = (
    "The values are right, but no gradient reaches the flow's parameters, so that it could not be trained: leave out .detach() "
    "and torch.no_grad()."
)


def _apart(whole: Callable[[Any, Tensor, Base, Tensor, Tensor], Any]) -> Callable[..., Any]:
    """An answer put together otherwise from z and the inverse's log-det."""

    def wrong(flow: Any, x: Tensor, base_log_prob: Base) -> Any:
        z, log_det = flow.inverse(x)
        return whole(flow, x, base_log_prob, z, log_det)

    return wrong


def _by_forward(flow: Any, x: Tensor, base_log_prob: Base) -> Tensor:
    z, _ = flow.inverse(x)
    return base_log_prob(z) - flow(z)[1]


EXERCISE = Exercise(
    reference=flow_log_prob,
    points=2,
    returns={"log_prob": "(batch,)"},
    convention="The base is whatever base_log_prob says. flow.inverse(x) returns z and log|det dz/dx|, the log-det of the inverse.",
    probe=_probe,
    gradients=("x",),
    edge_cases=(EdgeCase("points far out", "Right nearby, but not for points hundreds away from 0.", _far),),
    properties=(Property("gradient cut before the flow", _to_the_flow),),
    misconceptions=(
        Misconception(
            "the sign of the log-det",
            "You subtract the log-det of the inverse: inverse reports log|det dz/dx|, which is minus that of forward already. It is added.",
            _apart(lambda flow, x, base, z, log_det: base(z) - log_det),
        ),
        Misconception(
            "without log-det",
            "You return log p(z) of the base: the correction for how much the flow stretches there is missing.",
            _apart(lambda flow, x, base, z, log_det: base(z)),
        ),
        Misconception(
            "the base at x",
            "You ask the base for its density at x: it knows z = f⁻¹(x) only.",
            _apart(lambda flow, x, base, z, log_det: base(x) + log_det),
        ),
        Misconception(
            "forward instead of inverse",
            "You send x through forward: x is where the flow ends. The way back is inverse.",
            lambda flow, x, base_log_prob: base_log_prob(flow(x)[0]) - flow(x)[1],
        ),
        Misconception(
            "forward's log-det at x",
            "You take forward's log-det at x: it has to be taken at z = f⁻¹(x). (Inverse gives it, with the other sign.)",
            _apart(lambda flow, x, base, z, log_det: base(z) - flow(x)[1]),
        ),
        Misconception(
            "a standard normal base",
            "You take N(0, I) for the base: it is given, as base_log_prob.",
            _apart(lambda flow, x, base, z, log_det: standard_normal_log_prob(z) + log_det),
        ),
        Misconception(
            "averaged over the batch",
            "You average over the batch: each point has its own log p(x), (batch,).",
            _apart(lambda flow, x, base, z, log_det: (base(z) + log_det).mean()),
        ),
        Misconception(
            "negated",
            "The sign of the whole is turned: this is log p(x), and no loss.",
            _apart(lambda flow, x, base, z, log_det: -(base(z) + log_det)),
        ),
        Misconception(
            "the density",
            "You return p(x): its logarithm is asked for.",
            _apart(lambda flow, x, base, z, log_det: (base(z) + log_det).exp()),
        ),
        Misconception(
            "z returned too",
            "You return z as well: log p(x) alone is asked for.",
            _apart(lambda flow, x, base, z, log_det: (base(z) + log_det, z)),
        ),
        Misconception(
            "log-det counted twice",
            "The log-det is counted twice: once by inverse, once by forward. They are the same thing, seen from both sides.",
            _apart(lambda flow, x, base, z, log_det: base(z) + log_det - flow(z)[1]),
        ),
    ),
    alternatives=(_by_forward,),
)
