"""Samples of a flow, seen through the noise they were made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import a_warp
from course_lib.flows import sample_flow

DRAWN = 6000


def _probe(draw: Draw) -> tuple[Any, ...]:
    dim = draw.sizes.dim
    # The generator is made inside the observation, from this seed: it has a state that must not be shared.
    return a_warp(draw, dim), DRAWN, dim, draw.integer(10_000)


def _samples(answer: Answer, flow: Any, n: int, dim: int, generator: torch.Generator) -> Tensor:
    result = tensors_from(answer.call(flow, n, dim, generator))
    if len(result) != 1:
        raise AnswerFailed(
            "type", f"x alone is asked for, {len(result)} tensors came: forward returns x and a log_det, take x."
        )
    if result[0].shape != (n, dim):
        raise AnswerFailed("type", f"x should have shape (n, dim) = ({n}, {dim}); yours has {tuple(result[0].shape)}.")
    if result[0].dtype != flow.b.dtype:
        raise AnswerFailed(
            "type", f"x should have the dtype of the flow's parameters, {flow.b.dtype}; yours is {result[0].dtype}."
        )
    return result[0].detach()


def _statistics(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe by statistics of z = f⁻¹(x) in units of their standard error: about N(0, 1) if z ~ N(0, I)."""
    flow, n, dim, seed = args
    x = _samples(answer, flow, n, dim, torch.Generator(flow.b.device).manual_seed(seed))
    with torch.no_grad():
        z = flow.inverse(x)[0].double().cpu()
    mean = z.mean(0) * math.sqrt(n)
    spread = (z**2 - 1).mean(0) * math.sqrt(n / 2)
    fourth = (z**4 - 3).mean(0) * math.sqrt(n / 96)
    across_dims = (z[:, :1] * z[:, 1:]).mean(0) * math.sqrt(n)
    across_draws = (z[1:] * z[:-1]).mean(0) * math.sqrt(n)
    return tuple(part.clamp(-1e6, 1e6) for part in (mean, spread, fourth, across_dims, across_draws))


def _repeatable(answer: Answer, draw: Draw) -> str | None:
    flow, _, dim, _ = _probe(draw)
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 3, 4)]
    drawn = []
    for global_seed, generator in enumerate((*generators, generators[0])):
        torch.manual_seed(global_seed)
        drawn.append(_samples(answer, flow, 50, dim, generator))
    _samples(answer, flow, 1, dim, generators[0])  # one sample keeps its dimension
    first, again, other, later = drawn
    if not torch.equal(first, again):
        return GLOBAL
    return SEEDED if torch.equal(first, later) or torch.equal(first, other) else None


GLOBAL = (
    "The generator is not used: hand it to torch.randn, generator=generator, or nobody can draw the same samples again."
)
SEEDED = "Every call gives the same samples, for something is seeded inside: use the generator as it comes."


def _from(
    noise: Callable[[int, int, torch.Generator], Tensor],
    apply: Callable[[Any, Tensor], Any] = lambda flow, z: flow(z)[0],
) -> Callable[..., Any]:
    """A sampler with other noise, or that does something else with it."""

    def wrong(flow: Any, n: int, dim: int, generator: torch.Generator) -> Any:
        like = next(flow.parameters())
        return apply(flow, noise(n, dim, generator).to(like))

    return wrong


def _normal(n: int, dim: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def _one_by_one(flow: Any, n: int, dim: int, generator: torch.Generator) -> Tensor:
    like = next(flow.parameters())
    z = torch.stack([torch.randn(dim, generator=generator, dtype=like.dtype) for _ in range(n)])
    with torch.no_grad():
        return flow.forward(z)[0]


EXERCISE = Exercise(
    reference=sample_flow,
    points=2,
    returns={"x": "(n, dim)"},
    convention="z ~ N(0, I) is drawn with the generator and pushed forward; x alone, in dtype and device of the flow's parameters.",
    probe=_probe,
    observe=_statistics,
    # Statistics of the answer and of the reference are each about N(0, 1): 8 is 5.6 standard errors of their difference.
    atol=8.0,
    rtol=0.2,
    properties=(Property("the generator as it comes", _repeatable),),
    misconceptions=(
        Misconception(
            "never pushed forward",
            "You return z itself: samples of the base. Push them through forward.",
            _from(_normal, lambda flow, z: z),
        ),
        Misconception(
            "through the inverse",
            "You push z through inverse: sampling goes from z to x, forward.",
            _from(_normal, lambda flow, z: flow.inverse(z)[0]),
        ),
        Misconception(
            "uniform noise",
            "Your z is uniform (torch.rand): the base is N(0, I), torch.randn.",
            _from(lambda n, dim, generator: torch.rand(n, dim, generator=generator, dtype=torch.float64)),
        ),
        Misconception(
            "one noise for all dimensions",
            "All entries of a point get the same noise: draw it of shape (n, dim).",
            _from(lambda n, dim, generator: _normal(n, 1, generator).expand(n, dim)),
        ),
        Misconception(
            "one noise for all points",
            "All points get the same noise, and so all samples are one: draw it of shape (n, dim).",
            _from(lambda n, dim, generator: _normal(1, dim, generator).expand(n, dim)),
        ),
        Misconception(
            "no noise",
            "Your samples are all f(0): draw z with torch.randn.",
            _from(lambda n, dim, generator: torch.zeros(n, dim, dtype=torch.float64)),
        ),
        Misconception(
            "twice through the flow",
            "Your z goes through the flow twice: once is enough.",
            _from(_normal, lambda flow, z: flow(flow(z)[0])[0]),
        ),
        Misconception(
            "the log-det added",
            "The log_det is added to x: forward returns two things, x and log_det. The second is no part of a sample.",
            _from(_normal, lambda flow, z: flow(z)[0] + flow(z)[1].unsqueeze(-1)),
        ),
        Misconception(
            "noise of the wrong spread",
            "Your z has a standard deviation of 2: the base is N(0, I).",
            _from(lambda n, dim, generator: 2 * _normal(n, dim, generator)),
        ),
    ),
    alternatives=(_from(_normal), _one_by_one),
)
