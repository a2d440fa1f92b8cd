"""Real-NVP of images: a class, judged by its density and its samples, which must belong to each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer
from course_lib.checker import densities, flows
from course_lib.checker import image_densities as images
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.flows import standard_normal_log_prob
from course_lib.image_flows import (
    ImageRealNVP,
    MaskedCoupling,
    channel_mask,
    checkerboard_mask,
    split_latents,
    squeeze,
    unsqueeze,
)

HIDDEN, FAR, DRAWN, SETTINGS = 4, 20, 600, 4


def _args(draw: Draw) -> tuple[Any, ...]:
    """Small images of two scales, with sides that differ: dim, shape, and the rest of the constructor's arguments."""
    shape = ((1, 4, 8), (2, 4, 4), (1, 8, 4))[draw.sizes.batch % 3]
    return shape[0] * shape[1] * shape[2], shape, HIDDEN, 2


def _small(draw: Draw) -> tuple[Any, ...]:
    """Sixteen entries, so that the whole space can be looked at."""
    return 16, (1, 4, 4), HIDDEN, 2


class _Changed(ImageRealNVP):
    """The reference with latents and noise as methods, to be made wrong in one place."""

    def back(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.inverse(x)

    def prior(self, z: Tensor) -> Tensor:
        return standard_normal_log_prob(z)

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_det = self.back(x)
        return self.prior(z) + log_det

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator, dtype=next(self.parameters()).dtype)

    def sample(self, n: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return self(self.noise(n, generator))[0]


def _wrong(**methods: Any) -> type:
    return type("ImageRealNVP", (_Changed,), methods)


class _Own(nn.Module):
    """Written from the ground up: chunks of channels alone, every scale squeezes first, the second half leaves."""

    def __init__(self, channels: int, height: int, width: int, hidden_channels: int, num_scales: int) -> None:
        super().__init__()
        self.sizes, self.num_scales = (channels, height, width), num_scales
        self.nets = nn.ModuleList()
        for _ in range(num_scales):
            channels *= 4
            for _ in range(4):
                net = nn.Sequential(
                    nn.Conv2d(channels // 2, hidden_channels, 3, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(hidden_channels, channels, 3, padding=1),
                )
                self.nets.append(net)
            channels //= 2

    def log_prob(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0, 0, 0])
        for scale in range(self.num_scales):
            x = nn.functional.pixel_unshuffle(x, 2)
            for i in range(4):
                a, b = x.chunk(2, 1) if i % 2 else x.chunk(2, 1)[::-1]
                g, h = self.nets[4 * scale + i](a).chunk(2, 1)
                b, total = (b - g) / h.tanh().exp(), total - h.tanh().flatten(1).sum(1)
                x = torch.cat([a, b] if i % 2 else [b, a], 1)
            if scale < self.num_scales - 1:
                x, z = x.chunk(2, 1)
                total = total + torch.distributions.Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)
        return total + torch.distributions.Normal(0.0, 1.0).log_prob(x).flatten(1).sum(1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        channels, height, width = self.sizes
        kind = next(self.parameters())
        shapes, c, h, w = [], channels, height, width
        for scale in range(self.num_scales):
            c, h, w = 4 * c, h // 2, w // 2
            if scale < self.num_scales - 1:
                c //= 2
            shapes.append((c, h, w))
        x = torch.randn(n, *shapes[-1], generator=generator).to(kind)
        for scale in reversed(range(self.num_scales)):
            if scale < self.num_scales - 1:
                x = torch.cat([x, torch.randn(n, *shapes[scale], generator=generator).to(kind)], 1)
            for i in reversed(range(4)):
                a, b = x.chunk(2, 1) if i % 2 else x.chunk(2, 1)[::-1]
                g, s = self.nets[4 * scale + i](a).chunk(2, 1)
                b = b * s.tanh().exp() + g
                x = torch.cat([a, b] if i % 2 else [b, a], 1)
            x = nn.functional.pixel_shuffle(x, 2)
        return x


class _LastSqueezes(nn.Module):
    """Masks, and a last scale that squeezes and couples channels as the others do; the first half leaves."""

    def __init__(self, channels: int, height: int, width: int, hidden_channels: int, num_scales: int) -> None:
        super().__init__()
        self.shape, self.num_scales = (channels, height, width), num_scales
        self.scales = nn.ModuleList()
        for _ in range(num_scales):
            board = checkerboard_mask(height, width)
            pixels = [MaskedCoupling(m, channels, hidden_channels) for m in (board, 1 - board)]
            channels, height, width = 4 * channels, height // 2, width // 2
            half = channel_mask(channels)[:, None, None]
            deep = [MaskedCoupling(m, channels, hidden_channels) for m in (half, 1 - half)]
            self.scales.append(nn.ModuleList([nn.ModuleList(pixels), nn.ModuleList(deep)]))
            channels //= 2

    def log_prob(self, x: Tensor) -> Tensor:
        total: Any = 0.0
        for k, (pixels, deep) in enumerate(self.scales):  # type: ignore[misc]
            for layer in pixels:
                x, log_det = layer.inverse(x)
                total = total + log_det
            x = squeeze(x)
            for layer in deep:
                x, log_det = layer.inverse(x)
                total = total + log_det
            if k < self.num_scales - 1:
                z, x = x.chunk(2, 1)
                total = total + standard_normal_log_prob(z.flatten(1))
        return total + standard_normal_log_prob(x.flatten(1))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        channels, height, width = self.shape
        like = next(self.parameters())
        z = torch.randn(n, channels, height, width, generator=generator, dtype=like.dtype)
        # Any division of independent normal numbers over the scales is as good as another.
        parts = []
        for _ in range(self.num_scales - 1):
            part, z = squeeze(z).chunk(2, 1)
            parts.append(part)
        x = squeeze(z)
        for k in reversed(range(self.num_scales)):
            if k < self.num_scales - 1:
                x = torch.cat([parts[k], x], 1)
            pixels, deep = self.scales[k]  # type: ignore[misc]
            for layer in reversed(deep):
                x = layer(x)[0]
            x = unsqueeze(x)
            for layer in reversed(pixels):
                x = layer(x)[0]
        return x


class _Hidden(_Changed):
    """Its scales in a list, where nothing finds their parameters."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        scales = list(self.scales)
        del self.scales
        self.scales = scales  # type: ignore[assignment]

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator)


class _OneScale(_Changed):
    def __init__(self, channels: int, height: int, width: int, hidden_channels: int, num_scales: int) -> None:
        super().__init__(channels, height, width, hidden_channels, 1)


class _OwnWidth(_Changed):
    def __init__(self, channels: int, height: int, width: int, hidden_channels: int, num_scales: int) -> None:
        super().__init__(channels, height, width, 6, num_scales)


class _NeverAlternates(_Changed):
    """Every coupling of a scale keeps what the first one keeps."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        for scale in self.scales:
            for layers in (scale.checkerboards, scale.channel_wise):
                for layer in layers:  # type: ignore[union-attr]
                    layer.mask = layers[0].mask  # type: ignore[index]


class _NoScale(_Changed):
    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        for layer in self.modules():
            if isinstance(layer, MaskedCoupling):
                layer._shift_and_log_scale = self._without(layer)  # type: ignore[method-assign]

    @staticmethod
    def _without(layer: MaskedCoupling) -> Any:
        def shift_alone(images: Tensor) -> tuple[Tensor, Tensor]:
            shift, raw = layer.network(torch.where(layer.mask, images, 0.0)).chunk(2, -3)
            return shift + 0.1 * layer.bound * raw.tanh(), torch.zeros_like(raw)

        return shift_alone


def _one_scale_forgotten(self: Any, z: Tensor) -> Tensor:
    """The density of the latents that leave last, alone."""
    return standard_normal_log_prob(split_latents(z, self.shapes)[-1].flatten(1))


def _log_det_of_the_last(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The log-dets of the finer scales are lost."""
    z, _ = self.inverse(x)
    return z, -self.scales[-1](split_latents(z, self.shapes)[-1])[1]


def _halves_exchanged(self: Any, n: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
    """On the way to x what left and what went on change places."""
    parts = split_latents(self.noise(n, generator), self.shapes)
    x = self.scales[-1](parts[-1])[0]
    for scale, left in zip(reversed(self.scales[:-1]), reversed(parts[:-1]), strict=True):
        x = scale(torch.cat([left, x], -3))[0]
    return x


def _mixing(self: Any, x: Tensor) -> Tensor:
    return _Changed.log_prob(self, x - 0.1 * (x.mean(0) if len(x) > 1 else 0))


def _inside(self: Any, x: Tensor) -> Tensor:
    """The logit is taken inside."""
    return _Changed.log_prob(self, torch.logit(0.05 + 0.95 * x))


def _detached(self: Any, x: Tensor) -> Tensor:
    z, log_det = self.back(x)
    return self.prior(z) + log_det.detach()


def _global_noise(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, self.dim, dtype=next(self.parameters()).dtype)


WRONG: dict[str, type] = {
    "no parameters": _Hidden,
    "hidden_channels ignored": _OwnWidth,
    "num_scales ignored": _OneScale,
    "dtype": _wrong(noise=lambda self, n, generator: _Changed.noise(self, n, generator).float()),
    "shape of log_prob": _wrong(log_prob=lambda self, x: _Changed.log_prob(self, x).mean()),
    "shape of samples": _wrong(sample=lambda self, n, generator: _Changed.sample(self, n, generator).flatten(1)),
    "random log_prob": _wrong(log_prob=lambda self, x: _Changed.log_prob(self, x + torch.rand_like(x) / 256)),
    "not for all numbers": _wrong(log_prob=_inside),
    "images mixed": _wrong(log_prob=_mixing),
    "loss returned": _wrong(log_prob=lambda self, x: -_Changed.log_prob(self, x)),
    "does not integrate to 1": _wrong(prior=lambda self, z: -0.5 * (z**2).sum(-1)),
    "gradient cut": _wrong(log_prob=_detached),
    "generator ignored": _wrong(noise=_global_noise),
    "samples all alike": _wrong(noise=lambda self, n, generator: 0 * _Changed.noise(self, n, generator)),
    "samples and density apart": _wrong(sample=_halves_exchanged),
    "a pixel untouched": _NeverAlternates,
    "nothing is scaled": _NoScale,
}
# Further ways to be wrong in a density; tests look whether they are told by one of its traits.
LOST: tuple[type, ...] = (_wrong(back=_log_det_of_the_last), _wrong(prior=_one_scale_forgotten))


def _positive(answer: Answer, draw: Draw) -> str | None:
    density = images.density(answer, draw, _args(draw))
    near, far = (density.log_prob(scale * density.x).mean().item() for scale in (1, FAR))
    return f"Around 0 yours is {near:.1f} on average, {FAR} times as far out {far:.1f}." if far > near else None


def _not_finite(answer: Answer, draw: Draw) -> str | None:
    density = images.density(answer, draw, _args(draw))
    values = density.log_prob(draw.normal(7, density.dim, shift=0.0))
    return (
        None
        if bool(values.isfinite().all())
        else f"For numbers of both signs yours is {values[~values.isfinite()][0]}."
    )


def _scales_ignored(answer: Answer, draw: Draw) -> str | None:
    one, two = (
        sum(p.numel() for p in answer.construct(1, 8, 8, HIDDEN, scales).parameters().values()) for scales in (1, 2)
    )
    return f"One scale and two give {one} numbers." if one == two else None


def _still(answer: Answer, draw: Draw) -> str | None:
    """Every pixel of a sample is shifted: its mean lies away from 0 for some setting of the parameters."""
    still = torch.ones(16, dtype=torch.bool)
    for setting in range(SETTINGS):
        drawn = images.density(answer, draw, _small(draw), scale=0.6).sample(DRAWN, setting)
        still &= drawn.mean(0).abs() < 4 * drawn.std(0) / DRAWN**0.5
        if int(still.sum()) < 2:
            return None
    return f"For images of 4 × 4 the mean of {int(still.sum())} of 16 pixels stays at 0, whatever the parameters."


TRAITS = (
    Trait("no parameters", flows.NO_PARAMETERS.says, images.has_parameters(_args)),
    Trait(
        "hidden_channels ignored",
        "The number of parameters does not change with hidden_channels: hand it to the networks.",
        images.flat(flows.grows(_args, 2)),
    ),
    Trait(
        "num_scales ignored",
        "The number of parameters does not change with num_scales: every scale has couplings of its own.",
        _scales_ignored,
    ),
    Trait(
        "dtype",
        "The dtype is not that of the parameters: what is drawn or created inside, a mask too, takes it from them.",
        images.follows_dtype(_args),
    ),
    Trait(
        "shape of log_prob",
        "log_prob(x) gives one value for each image, (batch,).",
        images.flat(densities.log_prob_shape(_args)),
    ),
    Trait(
        "shape of samples",
        "sample(n, generator) gives n images, (n, channels, height, width).",
        images.flat(densities.sample_shape(_args)),
    ),
    Trait(
        "not for all numbers",
        "log_prob is not a number where x is negative: it takes x as it comes, any real numbers. Dequantization and logit stand outside.",
        _not_finite,
    ),
    Trait(
        "random log_prob",
        "log_prob of the same x is another number each time: nothing is drawn in it. Dequantize outside, before the model sees x.",
        images.flat(densities.is_random(_args)),
    ),
    Trait(
        "images mixed",
        "log p of one image changes with the others in the batch: each has its own density. Is there a batch norm, or a log_det summed over the batch?",
        images.flat(densities.mixes_points(_args)),
    ),
    Trait(
        "loss returned",
        "log_prob grows far from the data: is it the loss? Leave the minus to the training loop.",
        _positive,
    ),
    Trait(
        "gradient cut",
        "The gradient of log_prob is not that of its values: something is cut off on the way (.detach(), .data, torch.no_grad()).",
        images.flat(densities.gradient_cut(_args)),
    ),
    Trait(
        "generator ignored",
        "The same generator state gives other samples: draw with the generator that is given, generator=generator.",
        images.flat(densities.generator_ignored(_args)),
    ),
    Trait(
        "samples all alike",
        "All samples are alike: draw the latents anew for each of them.",
        images.flat(densities.samples_alike(_args)),
    ),
    Trait(
        "does not integrate to 1",
        "Your density does not integrate to 1. log p(x) is the log-density of the latents of *every* scale, those that leave early as well, with its "
        "constant, plus the log_dets that inverse returns of every coupling of every scale. A squeeze has none.",
        images.once(images.does_not_integrate(_small)),
    ),
    Trait(
        "samples and density apart",
        "Your samples and your density do not belong to each other. Either log_prob forgets something: the latents of one scale, the log_det of some "
        "couplings. Or sample does not retrace its steps: forward for inverse, in the opposite order, unsqueeze for squeeze, and each half put back in "
        "the place from which it was taken.",
        images.once(images.samples_from_elsewhere(_args)),
    ),
    Trait(
        "a pixel untouched",
        "Some pixels are never shifted: within a scale the masks take turns, mask, 1 - mask, ..., and each scale has at least two couplings.",
        images.once(_still),
    ),
    Trait(
        "nothing is scaled",
        "The determinant is the same at every image, as in NICE: a coupling scales by exp(h) of the kept pixels, and its log_det is the sum of h.",
        images.once(images.flat(densities.same_volume_everywhere(_small, 2500, scale=0.9))),
    ),
)

EXERCISE = ClassExercise(
    reference=ImageRealNVP,
    points=4,
    convention="log_prob(x) -> (batch,), nats, of images (batch, channels, height, width) of any real numbers; sample(n, generator) -> "
    "(n, channels, height, width). Latents ~ N(0, I) at every scale.",
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(_Own, _LastSqueezes),
)
