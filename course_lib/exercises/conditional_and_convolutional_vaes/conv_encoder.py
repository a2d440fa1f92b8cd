"""The convolutional encoder: a class, judged by what every right one has."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, Instance
from course_lib.checker.exercise import ClassExercise, Trait
from course_lib.checker.probes import Draw
from course_lib.convolutional import SIDE, ConvEncoder
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
    sizes,
    two,
    width_counts,
)


def _x(draw: Draw, n: int = IMAGES) -> Tensor:
    return draw.normal(n, sizes(draw)[0], SIDE, SIDE).float()


def _heads(encoder: Instance, x: Tensor) -> tuple[Tensor, Tensor]:
    return two(encoder, "__call__", x)


def _shapes(answer: Answer, draw: Draw) -> str | None:
    wanted = (IMAGES, sizes(draw)[2])
    got = [tuple(part.shape) for part in _heads(built(answer, draw), _x(draw))]
    return None if got == [wanted, wanted] else f"Expected {wanted} twice, yours: {got[0]} and {got[1]}."


def _random(answer: Answer, draw: Draw) -> str | None:
    encoder, x = built(answer, draw), _x(draw)
    pairs = zip(_heads(encoder, x), _heads(encoder, x), strict=True)
    return None if all(torch.equal(a, b) for a, b in pairs) else ""


def _one_head(answer: Answer, draw: Draw) -> str | None:
    return "" if torch.allclose(*_heads(built(answer, draw), _x(draw))) else None


def _blind(answer: Answer, draw: Draw) -> str | None:
    """Change the inner pixels of one quarter: a stride may drop the outermost rows and columns."""
    seen = {(name, place): False for name in ("mu", "log_sigma") for place in PLACES}
    for _ in range(2):  # a relu may be silent for one choice of weights
        encoder, x = built(answer, draw, 1.5), _x(draw)
        before = _heads(encoder, x)
        for place, (rows, columns) in PLACES.items():
            other = x.clone()
            other[..., rows, columns] += 3.0
            for name, a, b in zip(("mu", "log_sigma"), before, _heads(encoder, other), strict=True):
                seen[name, place] = seen[name, place] or not torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    unseen = [
        f"{name} does not depend on the {place} quarter" for (name, place), changes in seen.items() if not changes
    ]
    return f"{unseen[0]}." if unseen else None


LOW, HIGH = slice(3, 14), slice(14, 25)
PLACES = {
    "upper left": (LOW, LOW),
    "upper right": (LOW, HIGH),
    "lower left": (HIGH, LOW),
    "lower right": (HIGH, HIGH),
}


def _spread(answer: Answer, draw: Draw) -> tuple[Tensor, Tensor]:
    """Both outputs over several networks with large weights."""
    results = [_heads(built(answer, draw, 3.0), _x(draw)) for _ in range(4)]
    mu, log_sigma = (torch.cat(parts).detach() for parts in zip(*results, strict=True))
    return mu, log_sigma


def _sigma(answer: Answer, draw: Draw) -> str | None:
    _, log_sigma = _spread(answer, draw)
    return None if bool((log_sigma < 0).any()) else f"Yours is never below {log_sigma.min().item():.3f}."


def _squashed(answer: Answer, draw: Draw) -> str | None:
    mu, _ = _spread(answer, draw)
    low, high = mu.min().item(), mu.max().item()
    return None if low < -1.1 and high > 1.1 else f"Over many weights yours stays between {low:.2f} and {high:.2f}."


def _linear(answer: Answer, draw: Draw) -> str | None:
    for gain in (1.5, 6.0, 20.0):  # with small weights biases may keep every relu on one side
        encoder = built(answer, draw, gain)
        a, b = _x(draw), _x(draw)
        middle = _heads(encoder, (a + b) / 2)
        for left, right, between in zip(_heads(encoder, a), _heads(encoder, b), middle, strict=True):
            scale = between.abs().max().item()
            if not torch.allclose((left + right) / 2, between, rtol=1e-3, atol=1e-3 * scale):
                return None
    return ""


def _mixed(answer: Answer, draw: Draw) -> str | None:
    encoder, x = built(answer, draw, 1.5), _x(draw)
    other = torch.cat([x[:2], _x(draw)[2:] + 1.0])
    for a, b in zip(_heads(encoder, x), _heads(encoder, other), strict=True):
        if not torch.allclose(a[:2], b[:2], rtol=1e-3, atol=1e-3):
            return ""
    return None


def _float32(answer: Answer, draw: Draw) -> str | None:
    encoder = built(answer, draw)
    encoder.call("double")
    dtypes = {str(part.dtype) for part in _heads(encoder, _x(draw).double())}
    return None if dtypes == {"torch.float64"} else f"Yours: {', '.join(sorted(dtypes))}."


TRAITS = (
    Trait("no parameters", NO_PARAMETERS, has_parameters),
    Trait("shapes", "mu and log_sigma both have the shape (batch, latent_dim).", _shapes),
    Trait("no convolution", NO_CONVOLUTION, has_convolution),
    Trait(
        "random output",
        "Called twice with the same x it gives different results: forward returns the parameters of q and draws nothing.",
        _random,
    ),
    Trait(
        "one head for both",
        "mu and log_sigma are the same numbers: each needs a head of its own.",
        _one_head,
    ),
    Trait(
        "a part of the image unseen",
        "A part of the image is never seen: both outputs depend on all of x.",
        _blind,
    ),
    Trait(
        "sigma instead of its logarithm",
        "Your second output is never negative: the network outputs log_sigma. Leave out exp, softplus, sigmoid, relu at its end.",
        _sigma,
    ),
    Trait(
        "mu squashed",
        "mu cannot go everywhere: no tanh, sigmoid or relu behind the last layer.",
        _squashed,
    ),
    Trait("no nonlinearity", NOT_LINEAR, _linear),
    Trait(
        "images mixed",
        "The result for one image changes with the others in the batch: is there a mean, a softmax or a reshape over dimension 0?",
        _mixed,
    ),
    Trait("width ignored", WIDTH_IGNORED, width_counts),
    Trait("a parameter never learns", NEVER_LEARNS, everything_learns(lambda encoder, draw: _heads(encoder, _x(draw)))),
    Trait("created in float32", FLOAT32, _float32),
)


class Plain(nn.Module):
    """An encoder of our own, to be made wrong in one place."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.two = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.mu, self.log_sigma = nn.Linear(98 * width, latent_dim), nn.Linear(98 * width, latent_dim)

    def hidden(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).relu()).relu().flatten(1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.hidden(x)
        return self.mu(hidden), self.log_sigma(hidden)


class _Pooled(nn.Module):
    """Strides by pooling, batch norm and dropout, one head for both, log_sigma clamped."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.ELU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(49 * width, 2 * latent_dim),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mu, log_sigma = self.layers(x).chunk(2, -1)
        return mu, log_sigma.clamp(-2, 1)


class _AveragedMaps(nn.Module):
    """Three strides, then the mean over what is left of the image."""

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inward, outward in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
            parts += [nn.Conv2d(inward, outward, 3, stride=2), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*parts)
        self.heads = nn.ModuleList([nn.Linear(4 * width, latent_dim) for _ in range(2)])

    def forward(self, x: Tensor) -> list[Tensor]:
        hidden = self.layers(x).mean((-2, -1))
        return [head(hidden) for head in self.heads]


def _changed(**methods: Any) -> type:
    return type("ConvEncoder", (Plain,), methods)


class _NoModule:
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        self.inner = Plain(channels, width, latent_dim)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.inner(x)


class _Connected(nn.Module):
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(channels * SIDE * SIDE, width)
        self.mu, self.log_sigma = nn.Linear(width, latent_dim), nn.Linear(width, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        hidden = self.inner(x.flatten(1)).relu()
        return self.mu(hidden), self.log_sigma(hidden)


class _OwnWidth(Plain):
    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__(channels, 6, latent_dim)


def _heads_of(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    hidden = self.hidden(x)
    return self.mu(hidden), self.log_sigma(hidden)


def _sampling(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    mu, log_sigma = _heads_of(self, x)
    return mu + log_sigma.exp() * torch.randn_like(mu), log_sigma


def _unflattened(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    mu, log_sigma = _heads_of(self, x)
    return mu.unsqueeze(-1), log_sigma.unsqueeze(-1)


def _cropped(self: Any, x: Tensor) -> Tensor:
    upper = torch.cat([x[:, :, :14], torch.zeros_like(x[:, :, 14:])], 2)
    return Plain.hidden(self, upper)


def _normalised(self: Any, x: Tensor) -> Tensor:
    hidden = Plain.hidden(self, x)
    return (hidden - hidden.mean(0)) / (hidden.std(0) + 1e-5)


WRONG: dict[str, type] = {
    "no parameters": _NoModule,
    "shapes": _changed(forward=_unflattened),
    "no convolution": _Connected,
    "random output": _changed(forward=_sampling),
    "one head for both": _changed(forward=lambda self, x: (_heads_of(self, x)[0],) * 2),
    "a part of the image unseen": _changed(hidden=_cropped),
    "sigma instead of its logarithm": _changed(
        forward=lambda self, x: (_heads_of(self, x)[0], _heads_of(self, x)[1].exp())
    ),
    "mu squashed": _changed(forward=lambda self, x: (_heads_of(self, x)[0].tanh(), _heads_of(self, x)[1])),
    "no nonlinearity": _changed(hidden=lambda self, x: self.two(self.one(x)).flatten(1)),
    "images mixed": _changed(hidden=_normalised),
    "width ignored": _OwnWidth,
    "a parameter never learns": _changed(
        forward=lambda self, x: (_heads_of(self, x)[0], _heads_of(self, x)[1].detach())
    ),
    "created in float32": _changed(forward=lambda self, x: tuple(part.float() for part in _heads_of(self, x))),
}

EXERCISE = ClassExercise(
    reference=ConvEncoder,
    points=2,
    convention="ConvEncoder(channels, width, latent_dim): forward(x) for x (batch, channels, 28, 28) returns (mu, log_sigma), each "
    "(batch, latent_dim); networks output log_sigma, never sigma, never a log-variance.",
    traits=TRAITS,
    misconceptions=misconceptions_of(TRAITS, WRONG),
    alternatives=(Plain, _Pooled, _AveragedMaps),
)
