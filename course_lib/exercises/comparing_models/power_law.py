r"""What a cost grows to: a straight line through logarithms, and where it leads.

.. math:: \log \text{cost} = \log c + k \log \text{size}
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.comparing import power_law


def _measured(draw: Draw, exponent: float, spread: float) -> tuple[Tensor, Tensor]:
    steps = 0.3 + draw.positive(draw.sizes.samples).cumsum(0)
    noise = spread * draw.normal(draw.sizes.samples, shift=0.0)
    return steps.exp(), (0.4 + exponent * steps + noise).exp()


def _probe(draw: Draw) -> tuple[Any, ...]:
    exponent = (0.7, 1.4, 0.5)[draw.integer(3)]
    sizes, costs = _measured(draw, exponent, 0.25)
    return sizes, costs, float(round(3 * sizes[-1].item(), 1))


def _exact(answer: Answer, draw: Draw) -> str | None:
    """Costs that follow 3 · size² exactly."""
    sizes, _ = _measured(draw, 1.0, 0.0)
    size = 2 * sizes[-1].item()
    result = tensors_from(answer.call(sizes, 3 * sizes**2, size))
    if len(result) != 2 or any(value.numel() != 1 for value in result):
        return None
    exponent, cost = (value.item() for value in result)
    if math.isclose(exponent, 2, rel_tol=1e-3) and math.isclose(cost, 3 * size**2, rel_tol=1e-3):
        return None
    return (
        f"Costs that are exactly 3 · size² have the exponent 2, and cost {3 * size**2:.4g} at size {size:.4g}; "
        f"yours says {exponent:.3f} and {cost:.4g}."
    )


def _line(
    of: Callable[[Tensor, Tensor], Tensor],
    whole: Callable[..., Any] = lambda k, x, y, at: (k, (y.mean() + k * (at - x.mean())).exp()),
) -> Callable[..., Any]:
    """A line through the logarithms with another slope, or read otherwise."""
    return lambda sizes, costs, size: whole(of(sizes.log(), costs.log()), sizes.log(), costs.log(), math.log(size))


def _slope(x: Tensor, y: Tensor) -> Tensor:
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


def _unlogged(sizes: Tensor, costs: Tensor, size: float) -> Any:
    slope = _slope(sizes, costs)
    return slope, costs.mean() + slope * (size - sizes.mean())


def _only_costs(sizes: Tensor, costs: Tensor, size: float) -> Any:
    slope = _slope(sizes, costs.log())
    return slope, (costs.log().mean() + slope * (size - sizes.mean())).exp()


def _by_lstsq(sizes: Tensor, costs: Tensor, size: float) -> Any:
    design = torch.stack([sizes.log(), torch.ones_like(sizes)], -1)
    exponent, start = torch.linalg.lstsq(design, costs.log().unsqueeze(-1)).solution.flatten()
    return exponent, start.exp() * size**exponent


def _base_ten(sizes: Tensor, costs: Tensor, size: float) -> Any:
    exponent = _slope(sizes.log10(), costs.log10())
    return [exponent, 10 ** (costs.log10().mean() + exponent * (math.log10(size) - sizes.log10().mean()))]


EXERCISE = Exercise(
    reference=power_law,
    points=2,
    returns={"exponent": "()", "cost": "()"},
    convention="log cost = log c + k · log size, by least squares over all measured points; returned are k and the cost (no logarithm) at "
    "the size asked for, two tensors of shape ().",
    probe=_probe,
    rtol=1e-3,
    properties=(Property("an exact power", _exact),),
    misconceptions=(
        Misconception(
            "without logarithms",
            "Your line goes through the numbers themselves: a power is a straight line through logarithms, of sizes and of costs.",
            _unlogged,
        ),
        Misconception(
            "the costs' logarithm alone",
            "You take the logarithm of the costs only: that is an exponential, not a power. Take the sizes' too.",
            _only_costs,
        ),
        Misconception(
            "the cost's logarithm",
            "Your second number is a logarithm still: exp() brings it back to a cost.",
            _line(_slope, lambda k, x, y, at: (k, y.mean() + k * (at - x.mean()))),
        ),
        Misconception(
            "exchanged",
            "The two are exchanged: the exponent comes first.",
            lambda *args: power_law(*args)[::-1],
        ),
        Misconception(
            "the first and the last point",
            "Your line goes through the first and the last point alone: least squares uses all of them.",
            _line(lambda x, y: (y[-1] - y[0]) / (x[-1] - x[0])),
        ),
        Misconception(
            "sizes from costs",
            "You fit log size by log cost: the exponent is how the cost answers to the size.",
            _line(lambda x, y: _slope(y, x)),
        ),
        Misconception(
            "through the origin",
            "Your line goes through the origin, as if size 1 cost 1: the factor c is fitted too.",
            _line(lambda x, y: (x * y).sum() / (x**2).sum(), lambda k, x, y, at: (k, (k * at).exp())),
        ),
        Misconception(
            "from the last point on",
            "Your exponent is right, but the line starts in the last measured point: least squares goes through the middle of all of them.",
            _line(_slope, lambda k, x, y, at: (k, (y[-1] + k * (at - x[-1])).exp())),
        ),
        Misconception(
            "in proportion",
            "You scale the costs in proportion to the size, exponent 1: the exponent is to be measured.",
            _line(lambda x, y: torch.ones_like(x[0])),
        ),
        Misconception(
            "the covariance alone",
            "Your slope is the sum of products without the division by the sizes' own sum of squares.",
            _line(lambda x, y: ((x - x.mean()) * (y - y.mean())).sum()),
        ),
        Misconception(
            "the correlation",
            "Your slope is the correlation of the logarithms, which says how straight the line is, not how steep.",
            _line(lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1]),
        ),
        Misconception(
            "at the largest size",
            "Your second number is the cost at the largest size measured: it is asked for at `size`.",
            lambda sizes, costs, size: power_law(sizes, costs, sizes[-1].item()),
        ),
        Misconception(
            "the factor c",
            "Your second number is c, the cost at size 1: multiply by size to the exponent.",
            lambda sizes, costs, size: power_law(sizes, costs, 1.0),
        ),
    ),
    alternatives=(_by_lstsq, _base_ten),
)
