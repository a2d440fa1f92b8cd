"""Which latents leave at which scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.image_flows import latent_shapes

Shapes = list[tuple[int, int, int]]


def _probe(draw: Draw) -> tuple[int, int, int, int]:
    num_scales = 2 + (draw.sizes.dim - 1) % 3  # two, three and four: what looks alike at one of them does not at all
    side = 2**num_scales
    return 1 + draw.integer(3), side * (1 + draw.integer(2)), side * (3 + draw.integer(2)), num_scales


def _read(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Read the list as numbers, one row for each scale."""
    shapes = answer.call(*args)
    if isinstance(shapes, Tensor):
        return (shapes.double(),)
    try:
        rows = [[float(number) for number in shape] for shape in shapes]
    except (TypeError, ValueError):
        raise AnswerFailed("type", "A list of (channels, height, width) is expected, one for each scale.") from None
    if any(len(row) != 3 for row in rows) or not rows:
        raise AnswerFailed("type", "Each shape has three numbers, (channels, height, width).")
    return (torch.tensor(rows, dtype=torch.float64),)


def _made(
    halved: Callable[[int, int], bool] = lambda scale, last: scale < last,
    squeezed: Callable[[int, int], bool] = lambda scale, last: True,
    growth: int = 4,
    shrink: tuple[int, int] = (2, 2),
) -> Callable[..., Shapes]:
    """The list with something else at each scale."""

    def wrong(channels: int, height: int, width: int, num_scales: int) -> Shapes:
        shapes = []
        for scale in range(num_scales):
            if squeezed(scale, num_scales - 1):
                channels, height, width = growth * channels, height // shrink[0], width // shrink[1]
            if halved(scale, num_scales - 1):
                channels = max(1, channels // 2)
            shapes.append((channels, height, width))
        return shapes

    return wrong


def _all_that_arrives(channels: int, height: int, width: int, num_scales: int) -> Shapes:
    shapes = latent_shapes(channels, height, width, num_scales)
    return [(2 * c, h, w) for c, h, w in shapes[:-1]] + shapes[-1:]


def _recursive(channels: int, height: int, width: int, num_scales: int) -> Shapes:
    if num_scales == 1:
        return [(4 * channels, height // 2, width // 2)]
    half = 2 * channels, height // 2, width // 2
    return [half, *_recursive(*half, num_scales - 1)]


def _by_powers(channels: int, height: int, width: int, num_scales: int) -> list[list[int]]:
    shapes = [[channels * 2**k, height // 2**k, width // 2**k] for k in range(1, num_scales + 1)]
    shapes[-1][0] *= 2
    return shapes


def _do_not_add_up(answer: Answer, draw: Draw) -> str | None:
    args = _probe(draw)
    (shapes,) = _read(answer, args)
    together, pixels = int(shapes.prod(-1).sum()), args[0] * args[1] * args[2]
    if together == pixels:
        return None
    return f"An image of {args[0]} × {args[1]} × {args[2]} has {pixels} entries; your latents have {together} together."


EXERCISE = Exercise(
    reference=latent_shapes,
    points=1,
    returns={"shapes": "a list of (channels, height, width)"},
    convention="Every scale squeezes; all but the last then send half of their channels out; the last sends all it has. In the order in which they leave.",
    probe=_probe,
    observe=_read,
    properties=(Property("entries do not add up", _do_not_add_up),),
    misconceptions=(
        Misconception(
            "the last halved too",
            "The last scale sends half of its channels out, and the other half is lost: it sends all it has.",
            _made(halved=lambda scale, last: True),
        ),
        Misconception(
            "never halved",
            "No scale keeps anything back: all but the last send half of their channels out, and the other half goes on.",
            _made(halved=lambda scale, last: False),
        ),
        Misconception(
            "last not squeezed",
            "The last scale does not squeeze: every scale does.",
            _made(squeezed=lambda scale, last: scale < last),
        ),
        Misconception(
            "squeezed once",
            "Only the first scale squeezes: every scale does.",
            _made(squeezed=lambda scale, last: scale == 0),
        ),
        Misconception(
            "what arrives",
            "You list what each scale has before it is divided: half of it leaves.",
            _all_that_arrives,
        ),
        Misconception(
            "last first",
            "The order is turned round: what leaves first stands first, and that is the finest scale.",
            lambda *args: latent_shapes(*args)[::-1],
        ),
        Misconception(
            "last missing",
            "The latents of the last scale are missing: there is one shape for each scale.",
            lambda *args: latent_shapes(*args)[:-1],
        ),
        Misconception(
            "channels doubled by a squeeze",
            "A squeeze makes four channels of one, not two: four pixels of each block.",
            _made(growth=2),
        ),
        Misconception(
            "sides kept",
            "The sides stay as they are: a squeeze halves both.",
            _made(shrink=(1, 1)),
        ),
        Misconception(
            "height alone",
            "Only the height is halved: a squeeze halves both sides.",
            _made(shrink=(2, 1)),
        ),
        Misconception(
            "sides exchanged",
            "Height and width are exchanged: a shape is (channels, height, width).",
            lambda *args: [(c, w, h) for c, h, w in latent_shapes(*args)],
        ),
    ),
    alternatives=(_recursive, _by_powers),
)
