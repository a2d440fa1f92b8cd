"""Real-NVPs of images: right ones written differently, and for each trait one that lacks it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

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


class Own(nn.Module):
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


class LastSqueezes(nn.Module):
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
        for k, (pixels, deep) in enumerate(cast(Any, self.scales)):
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
            pixels, deep = cast(Any, self.scales)[k]
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
        for scale in cast(Any, self.scales):
            for layers in (scale.checkerboards, scale.channel_wise):
                for layer in layers:
                    layer.mask = layers[0].mask


class _NoScale(_Changed):
    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        for layer in self.modules():
            if isinstance(layer, MaskedCoupling):
                layer._shift_and_log_scale = self._without(layer._shift_and_log_scale)  # type: ignore[method-assign]

    @staticmethod
    def _without(both: Any) -> Any:
        def shift_alone(images: Tensor) -> tuple[Tensor, Tensor]:
            shift, log_scale = both(images)
            return shift + 0.1 * log_scale, torch.zeros_like(log_scale)

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
