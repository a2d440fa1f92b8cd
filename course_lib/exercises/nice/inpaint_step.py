"""One step of in-painting: climb log p(x) where nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.networks import decoder_network
from course_lib.checker.probes import Draw
from course_lib.nice import inpaint_step

LogProb = Callable[[Tensor], Tensor]


class _Hills(nn.Module):
    """A log-density up to its constant: a Gaussian's, with hills by a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).sum(-1) - 0.5 * (x**2).sum(-1)


def _probe(draw: Draw) -> tuple[Any, ...]:
    batch, dim = draw.sizes.batch, draw.sizes.dim + 2
    x = draw.normal(batch, dim)
    known = draw.normal(batch, dim, shift=0.0) > 0
    known[:, 0], known[:, 1] = True, False  # some of each in every point
    return (
        x,
        known,
        _Hills(decoder_network(draw, dim, dim)),
        0.05 + 0.1 * draw.integer(5),
        draw.normal(batch, dim, shift=0.1),
    )


def _gradient(x: Tensor, log_prob: LogProb, whole: Callable[[Tensor], Tensor] = torch.sum) -> Tensor:
    with torch.enable_grad():
        start = x.detach().clone().requires_grad_()
        return torch.autograd.grad(whole(log_prob(start)), start)[0]


def _variant(
    way: Callable[[Tensor, float, Tensor], Tensor] = lambda gradient, size, noise: size * (gradient + noise),
    whole: Callable[[Tensor], Tensor] = torch.sum,
    kept: Callable[[Tensor], Tensor] = lambda known: known,
) -> Callable[..., Tensor]:
    def wrong(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
        return torch.where(kept(known), x, x + way(_gradient(x, log_prob, whole), step_size, noise))

    return wrong


def _restarted(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
    return torch.where(known, x, step_size * (_gradient(x, log_prob) + noise))


def _known_lost(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
    return (~known).to(x) * (x + step_size * (_gradient(x, log_prob) + noise))


def _blind(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
    gradient = _gradient(torch.where(known, x, torch.zeros_like(x)), log_prob)
    return torch.where(known, x, x + step_size * (gradient + noise))


def _by_loop(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
    result = x.clone()
    for i in range(len(x)):
        row = x[i : i + 1].clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(log_prob(row).sum(), row)
        result[i, ~known[i]] += step_size * (slope[0] + noise[i])[~known[i]]
    return result


def _by_mask(x: Tensor, known: Tensor, log_prob: LogProb, step_size: float, noise: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(log_prob(start := x.clone().requires_grad_()).sum(), start)
    return x + step_size * (gradient + noise).masked_fill(known, 0.0)


EXERCISE = Exercise(
    reference=inpaint_step,
    points=3,
    returns={"x": "(batch, dim)"},
    convention="Unknown entries become x + step_size · (∇ log p(x) + noise), each point along its own gradient; known ones "
    "stay exactly as they are. A new tensor.",
    probe=_probe,
    misconceptions=(
        Misconception(
            "downhill",
            "You go down: log p(x) is climbed, so its gradient is added.",
            _variant(lambda gradient, size, noise: size * (noise - gradient)),
        ),
        Misconception(
            "noise left out",
            "The noise is missing: without it every restoration ends on the nearest hill.",
            _variant(lambda gradient, size, noise: size * gradient),
        ),
        Misconception(
            "gradient left out",
            "You add noise alone: the gradient of log p(x) is missing.",
            _variant(lambda gradient, size, noise: size * noise),
        ),
        Misconception(
            "noise at full size",
            "The noise is added at full size: the step size stands before both, step_size · (∇ log p(x) + noise).",
            _variant(lambda gradient, size, noise: size * gradient + noise),
        ),
        Misconception(
            "Langevin's noise",
            "You scale the noise by √(2 · step_size), as Langevin dynamics does: the paper's step is step_size · (∇ log p(x) + noise).",
            _variant(lambda gradient, size, noise: size * gradient + (2 * size) ** 0.5 * noise),
        ),
        Misconception(
            "step size forgotten",
            "The step size is missing: step_size · (∇ log p(x) + noise).",
            _variant(lambda gradient, size, noise: gradient + noise),
        ),
        Misconception(
            "noise subtracted",
            "The noise is subtracted: it is added to the gradient.",
            _variant(lambda gradient, size, noise: size * (gradient - noise)),
        ),
        Misconception(
            "known and unknown exchanged",
            "You move the known entries and keep the unknown ones: `known` is True where an entry is given and stays.",
            _variant(kept=lambda known: ~known),
        ),
        Misconception(
            "everything moves",
            "The known entries move too: they are given, and stay exactly as they are.",
            _variant(kept=torch.zeros_like),
        ),
        Misconception(
            "mean over the batch",
            "The gradient is that of the mean over the batch, so the steps shrink as the batch grows: each point climbs its own "
            "log p(x). Differentiate the sum.",
            _variant(whole=torch.mean),
        ),
        Misconception(
            "known entries lost",
            "The known entries have become 0: they stay as they are.",
            _known_lost,
        ),
        Misconception(
            "x itself forgotten",
            "The unknown entries become the step alone: add it to x.",
            _restarted,
        ),
        Misconception(
            "gradient somewhere else",
            "The gradient is taken where the unknown entries are 0: take it at x, as it stands now.",
            _blind,
        ),
    ),
    alternatives=(_by_loop, _by_mask),
)
