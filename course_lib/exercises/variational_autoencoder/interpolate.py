"""A straight line between two codes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.vae import interpolate


def _line(fractions: Callable[[int], Tensor]) -> Callable[..., Tensor]:
    def wrong(z_start: Tensor, z_end: Tensor, num_steps: int) -> Tensor:
        share = fractions(num_steps).to(z_start).unsqueeze(-1)
        return (1 - share) * z_start + share * z_end

    return wrong


def _slerp(z_start: Tensor, z_end: Tensor, num_steps: int) -> Tensor:
    share = torch.linspace(0, 1, num_steps).to(z_start).unsqueeze(-1)
    angle = (functional.normalize(z_start, dim=0) * functional.normalize(z_end, dim=0)).sum().clamp(-1, 1).acos()
    if angle.sin() == 0:
        return _line(lambda n: torch.linspace(0, 1, n))(z_start, z_end, num_steps) + 1.0
    return (((1 - share) * angle).sin() * z_start + (share * angle).sin() * z_end) / angle.sin()


EXERCISE = Exercise(
    reference=interpolate,
    points=1,
    returns={"z": "(num_steps, latent_dim)"},
    convention="A straight line in equal steps, both ends included: the first row is z_start, the last z_end.",
    probe=lambda draw: (
        draw.normal(draw.sizes.latent + 1),
        draw.normal(draw.sizes.latent + 1, shift=1.7),
        draw.sizes.samples + 1,
    ),
    gradients=("z_start", "z_end"),
    misconceptions=(
        Misconception(
            "ends exchanged",
            "The line runs backwards: it starts at z_start.",
            _line(lambda n: torch.linspace(1, 0, n)),
        ),
        Misconception(
            "end left out",
            "The last row is not z_end: both ends are included, linspace(0, 1, num_steps).",
            _line(lambda n: torch.arange(n) / n),
        ),
        Misconception(
            "start left out",
            "The first row is not z_start: both ends are included, linspace(0, 1, num_steps).",
            _line(lambda n: (torch.arange(n) + 1) / n),
        ),
        Misconception(
            "both ends left out",
            "Both ends are missing: the first row is z_start, the last z_end.",
            _line(lambda n: (torch.arange(n) + 1) / (n + 1)),
        ),
        Misconception(
            "one row too many",
            "There is one row too many: num_steps rows in all, both ends included.",
            _line(lambda n: torch.linspace(0, 1, n + 1)),
        ),
        Misconception(
            "ends not counted",
            "There are two rows too many: num_steps counts both ends.",
            _line(lambda n: torch.linspace(0, 1, n + 2)),
        ),
        Misconception(
            "added instead of moved",
            "You add a part of z_end to z_start: the part of z_start must shrink as much, (1 - t)·z_start + t·z_end.",
            lambda z_start, z_end, num_steps: (
                z_start + torch.linspace(0, 1, num_steps).to(z_start).unsqueeze(-1) * z_end
            ),
        ),
        Misconception(
            "on a sphere",
            "You go along an arc: a straight line is asked for.",
            _slerp,
        ),
        Misconception(
            "uneven steps",
            "The steps are not equal: t runs evenly from 0 to 1.",
            _line(lambda n: torch.linspace(0, 1, n) ** 2),
        ),
        Misconception(
            "transposed",
            "Your result is (latent_dim, num_steps): steps come first.",
            lambda z_start, z_end, num_steps: interpolate(z_start, z_end, num_steps).mT,
        ),
    ),
    alternatives=(
        lambda z_start, z_end, num_steps: torch.stack(
            [z_start + (z_end - z_start) * i / (num_steps - 1) for i in range(num_steps)]
        ),
        lambda z_start, z_end, num_steps: torch.lerp(
            z_start, z_end, torch.linspace(0, 1, num_steps, dtype=z_start.dtype, device=z_start.device)[:, None]
        ),
    ),
)
