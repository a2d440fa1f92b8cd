"""The convolutional decoder: a class, judged by what every right one has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.answers import Answer
from course_lib.checker.exercise import ClassExercise, Trait
from course_lib.checker.probes import Draw
from course_lib.convolutional import SIDE, ConvDecoder
from course_lib.exercises.conditional_and_convolutional_vaes.conv_encoder import PLACES
from course_lib.exercises.conditional_and_convolutional_vaes.probes import (
    FLOAT32,
    IMAGES,
    NEVER_LEARNS,
    NO_CONVOLUTION,
    NO_PARAMETERS,
    NOT_LINEAR,
    WIDTH_IGNORED,
    built,
    everything_learns,
    has_convolution,
    has_parameters,
    misconceptions_of,
    one,
    sizes,
    width_counts,
)


def _z(draw: Draw, n: int = IMAGES) -> Tensor:
    return draw.normal(n, sizes(draw)[2], scale=1.5).float()


def _logits(answer: Answer, draw: Draw, gain: float, z: Tensor | None = None) -> Tensor:
    return one(built(answer, draw, gain), "__call__", _z(draw) if z is None else z)


def _shape(answer: Answer, draw: Draw) -> str | None:
    wanted = (IMAGES, sizes(draw)[0], SIDE, SIDE)
    got = tuple(_logits(answer, draw, 0.0).shape)
    return None if got == wanted else f"Expected {wanted}, yours: {got}."


def _random(answer: Answer, draw: Draw) -> str | None:
    decoder, z = built(answer, draw), _z(draw)
    return None if torch.equal(one(decoder, "__call__", z), one(decoder, "__call__", z)) else ""


def _ends(answer: Answer, draw: Draw) -> tuple[float, float]:
    """The least and the largest logit over several networks with large weights."""
    logits = torch.cat([_logits(answer, draw, 4.0).detach() for _ in range(4)])
    return logits.min().item(), logits.max().item()


def _probabilities(answer: Answer, draw: Draw) -> str | None:
    low, high = _ends(answer, draw)
    return f"Yours lie between {low:.2f} and {high:.2f}." if low >= 0 and high <= 1 else None


def _bounded(answer: Answer, draw: Draw) -> str | None:
    low, high = _ends(answer, draw)
    return None if low < -1.1 and high > 1.1 else f"Over many weights yours stay between {low:.2f} and {high:.2f}."


def _z_ignored(answer: Answer, draw: Draw) -> str | None:
    seen = dict.fromkeys(PLACES, False)
    for _ in range(2):  # a relu may be silent for one choice of weights
        logits = _logits(answer, draw, 2.0)
        for place, (rows, columns) in PLACES.items():
            part = logits[..., rows, columns]
            seen[place] = seen[place] or not bool((part - part[:1]).abs().max() < 1e-6)
    still = [place for place, moves in seen.items() if not moves]
    return f"The {still[0]} quarter is the same for every z." if still else None


def _one_value(answer: Answer, draw: Draw) -> str | None:
    """Pixels of an image that are all alike: no place has anything of its own."""
    for _ in range(2):
        logits = _logits(answer, draw, 2.0)[..., 4:24, 4:24]
        if not torch.allclose(logits, logits[..., :1, :1].expand_as(logits), rtol=1e-4, atol=1e-5):
            return None
    return ""


def _linear(answer: Answer, draw: Draw) -> str | None:
    for gain in (2.0, 6.0, 20.0):  # with small weights biases may keep every relu on one side
        decoder = built(answer, draw, gain)
        a, b = _z(draw), _z(draw)
        left, right, middle = (one(decoder, "__call__", z) for z in (a, b, (a + b) / 2))
        scale = middle.abs().max().item()
        if not torch.allclose((left + right) / 2, middle, rtol=1e-3, atol=1e-3 * scale):
            return None
    return ""


def _mixed(answer: Answer, draw: Draw) -> str | None:
    decoder, z = built(answer, draw, 2.0), _z(draw)
    other = torch.cat([z[:2], _z(draw)[2:] + 1.0])
    before, after = (one(decoder, "__call__", values)[:2] for values in (z, other))
    return None if torch.allclose(before, after, rtol=1e-3, atol=1e-3) else ""


def _float32(answer: Answer, draw: Draw) -> str | None:
    decoder = built(answer, draw)
    decoder.call("double")
    dtype = one(decoder, "__call__", _z(draw).double()).dtype
    return None if dtype == torch.float64 else f"Yours: {dtype}."


TRAITS = (
    Trait("no parameters", NO_PARAMETERS, has_parameters),
    Trait("shape", "forward(z) gives logits of the shape (batch, channels, 28, 28).", _shape),
    Trait("no convolution", NO_CONVOLUTION, has_convolution),
    Trait(
        "random output",
        "Called twice with the same z it gives different results: the decoder returns logits and draws no pixels.",
        _random,
    ),
    Trait(
        "probabilities returned",
        "Your outputs never leave [0, 1]: the decoder ends in logits. The sigmoid comes where probabilities are asked for.",
        _probabilities,
    ),
    Trait(
        "logits squashed",
        "Your logits cannot go everywhere: no tanh or relu behind the last layer, a sure pixel has a large logit of either sign.",
        _bounded,
    ),
    Trait(
        "z reaches only a part",
        "A part of the image is the same for every z: all of it is drawn from z.",
        _z_ignored,
    ),
    Trait(
        "one value for the whole image",
        "All pixels of an image are alike: give every place numbers of its own (a linear layer to small feature maps) before "
        "they are made larger.",
        _one_value,
    ),
    Trait("no nonlinearity", NOT_LINEAR, _linear),
    Trait(
        "images mixed",
        "The result for one z changes with the others in the batch: is there a mean, a softmax or a reshape over dimension 0?",
        _mixed,
    ),
    Trait("width ignored", WIDTH_IGNORED, width_counts),
    Trait(
        "a parameter never learns",
        NEVER_LEARNS,
        everything_learns(lambda decoder, draw: (one(decoder, "__call__", _z(draw)),)),
    ),
    Trait("created in float32", FLOAT32, _float32),
)


class Plain(nn.Module):
    """A decoder of our own, to be made wrong in one place."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.channels, self.width = channels, width
        self.small = nn.Linear(latent_dim, 98 * width)
        self.one = nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1)
        self.two = nn.ConvTranspose2d(width, channels, 3, stride=2, padding=1, output_padding=1)

    def maps(self, z: Tensor) -> Tensor:
        return self.small(z).relu().view(-1, 2 * self.width, 7, 7)

    def forward(self, z: Tensor) -> Tensor:
        return self.two(self.one(self.maps(z)).relu())


class _Upsampled(nn.Module):
    """Enlarged by repetition, then ordinary convolutions with batch norm."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 49 * width),
            nn.Unflatten(1, (width, 7, 7)),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class _FromOnePixel(nn.Module):
    """From a single pixel by one large transposed convolution, then shuffled pixels."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(latent_dim, width, 14)
        self.last = nn.Conv2d(width, 4 * channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        hidden = functional.leaky_relu(self.first(z[..., None, None]), 0.2)
        return functional.pixel_shuffle(self.last(hidden), 2)


def _changed(**methods: Any) -> type:
    return type("ConvDecoder", (Plain,), methods)


class _NoModule:
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        self.inner = Plain(channels, width, latent_dim)

    def __call__(self, z: Tensor) -> Tensor:
        return self.inner(z)


class _Connected(nn.Module):
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, channels * SIDE * SIDE))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, self.channels, SIDE, SIDE)


class _OwnWidth(Plain):
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__(channels, 6, latent_dim)


class _Unused(Plain):
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__(channels, width, latent_dim)
        self.extra = nn.Conv2d(width, width, 3)


def _right(self: Any, z: Tensor) -> Tensor:
    return Plain.forward(self, z)


def _half(self: Any, z: Tensor) -> Tensor:
    logits = _right(self, z)
    return torch.cat([logits[:, :, :14], torch.zeros_like(logits[:, :, 14:])], 2)


def _softmax(self: Any, z: Tensor) -> Tensor:
    logits = _right(self, z)
    return logits - logits.mean(0)


WRONG: dict[str, type] = {
    "no parameters": _NoModule,
    "shape": _changed(forward=lambda self, z: _right(self, z).flatten(1)),
    "no convolution": _Connected,
    "random output": _changed(forward=lambda self, z: torch.bernoulli(_right(self, z).sigmoid())),
    "probabilities returned": _changed(forward=lambda self, z: _right(self, z).sigmoid()),
    "logits squashed": _changed(forward=lambda self, z: _right(self, z).tanh()),
    "z reaches only a part": _changed(forward=_half),
    "one value for the whole image": _changed(
        forward=lambda self, z: _right(self, z).mean((-2, -1), keepdim=True).expand(-1, -1, SIDE, SIDE)
    ),
    "no nonlinearity": _changed(
        forward=lambda self, z: self.two(self.one(self.small(z).view(-1, 2 * self.width, 7, 7)))
    ),
    "images mixed": _changed(forward=_softmax),
    "width ignored": _OwnWidth,
    "a parameter never learns": _Unused,
    "created in float32": _changed(forward=lambda self, z: _right(self, z).float()),
}

EXERCISE = ClassExercise(
    reference=ConvDecoder,
    points=2,
    convention="ConvDecoder(channels, width, latent_dim): forward(z) for z (batch, latent_dim) returns logits "
    "(batch, channels, 28, 28).",
    traits=TRAITS,
    misconceptions=misconceptions_of(TRAITS, WRONG),
    alternatives=(Plain, _Upsampled, _FromOnePixel),
)
