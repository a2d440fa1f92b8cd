r"""Real-NVP for images: masks, squeezing, and latents that leave at several scales.

.. math:: x = b \odot z + (1 - b) \odot \big(z \odot e^{h(b \odot z)} + g(b \odot z)\big)

with a mask b of zeros and ones. Lecture part "Real-NVP"; Dinh, Sohl-Dickstein and Bengio, *Density estimation using Real NVP*,
2017, sections 3.4 to 3.6; notebook 11. Directions as in :mod:`course_lib.flows`; images are ``(batch, channels, height, width)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from course_lib.flows import Flow, flow_log_prob, standard_normal_log_prob
from course_lib.nice import Network
from course_lib.real_nvp import LOG_SCALE_BOUND

Shape = tuple[int, int, int]
OF_AN_IMAGE = (-3, -2, -1)  # channels, rows and columns


def checkerboard_mask(height: int, width: int) -> Tensor:
    """Return a mask that is 1 where row + column is odd, ``(height, width)``, float32; section 3.4 of the paper.

    >>> checkerboard_mask(2, 3)
    tensor([[0., 1., 0.],
            [1., 0., 1.]])

    Raises:
        ValueError: a size is not positive.
    """
    _check_positive(height=height, width=width)
    return ((torch.arange(height).unsqueeze(1) + torch.arange(width)) % 2).float()


def channel_mask(channels: int) -> Tensor:
    """Return a mask that is 1 for the first half of the channels, ``(channels,)``, float32.

    >>> channel_mask(4)
    tensor([1., 1., 0., 0.])

    Raises:
        ValueError: there are no two halves of equal size.
    """
    if channels < 2 or channels % 2:
        raise ValueError(f"channels is even and at least 2, not {channels}: two halves of equal size")
    return (torch.arange(channels) < channels // 2).float()


def masked_coupling_forward(z: Tensor, mask: Tensor, g: Network, h: Network) -> tuple[Tensor, Tensor]:
    r"""Return x: z as it is where the mask is 1, :math:`z e^{h} + g` where it is 0, g and h of the kept entries; and the log-det.

    Args:
        z: images ``(..., channels, height, width)``.
        mask: zeros and ones of any dtype, broadcasts against z.
        g, h: shift and log-scale, each maps the kept entries (zeros elsewhere) to z's shape. h is taken as it comes.

    Returns:
        x of z's shape and log|det dx/dz|, ``(...,)``, nats.
    """
    kept = mask.bool()
    seen = torch.where(kept, z, 0.0)
    log_scale = torch.where(kept, 0.0, h(seen))
    return z * log_scale.exp() + torch.where(kept, 0.0, g(seen)), log_scale.sum(OF_AN_IMAGE)


def masked_coupling_inverse(x: Tensor, mask: Tensor, g: Network, h: Network) -> tuple[Tensor, Tensor]:
    """Return z, from which :func:`masked_coupling_forward` makes x, and log|det dz/dx|, ``(...,)``, nats."""
    kept = mask.bool()
    seen = torch.where(kept, x, 0.0)
    log_scale = torch.where(kept, 0.0, h(seen))
    return (x - torch.where(kept, 0.0, g(seen))) * (-log_scale).exp(), -log_scale.sum(OF_AN_IMAGE)


def squeeze(x: Tensor) -> Tensor:
    """Turn blocks of 2 × 2 pixels into channels: channel ``4c + 2i + j`` holds ``x[..., c, i::2, j::2]``.

    >>> squeeze(torch.zeros(5, 3, 4, 6)).shape
    torch.Size([5, 12, 2, 3])

    Args:
        x: ``(..., channels, height, width)``, sides even.

    Raises:
        ValueError: a side is odd.
    """
    if x.shape[-2] % 2 or x.shape[-1] % 2:
        raise ValueError(f"height and width are even, not {x.shape[-2]} and {x.shape[-1]}")
    return pixel_unshuffle(x, 2)


def unsqueeze(x: Tensor) -> Tensor:
    """Undo :func:`squeeze`: ``(..., 4·channels, height, width)`` to ``(..., channels, 2·height, 2·width)``.

    Raises:
        ValueError: the channels do not make blocks of four.
    """
    if x.shape[-3] % 4:
        raise ValueError(f"channels is a multiple of 4, not {x.shape[-3]}")
    return pixel_shuffle(x, 2)


def latent_shapes(channels: int, height: int, width: int, num_scales: int) -> list[Shape]:
    """Return the shapes of the latents, in the order in which they leave; together they have as many entries as x.

    Every scale squeezes, and all but the last then send half of their channels out; section 3.6 of the paper.

    >>> latent_shapes(1, 28, 28, 2)
    [(2, 14, 14), (8, 7, 7)]

    Raises:
        ValueError: a size is not positive, or a side is not divisible by 2 ** num_scales.
    """
    _check_positive(channels=channels, height=height, width=width, num_scales=num_scales)
    if height % 2**num_scales or width % 2**num_scales:
        raise ValueError(
            f"height and width are divisible by 2 ** num_scales = {2**num_scales}, not {height} and {width}"
        )
    shapes = []
    for scale in range(num_scales):
        channels, height, width = 4 * channels, height // 2, width // 2
        if scale < num_scales - 1:
            channels //= 2
        shapes.append((channels, height, width))
    return shapes


def split_latents(z: Tensor, shapes: Sequence[Shape]) -> list[Tensor]:
    """Cut ``z (..., dim)`` into the latents of each scale, shaped as images.

    Raises:
        ValueError: z has not as many entries as the shapes ask for.
    """
    sizes = [channels * height * width for channels, height, width in shapes]
    if z.shape[-1] != sum(sizes):
        raise ValueError(f"z has {z.shape[-1]} entries; the shapes {list(shapes)} hold {sum(sizes)}")
    return [part.unflatten(-1, shape) for part, shape in zip(z.split(sizes, -1), shapes, strict=True)]


def join_latents(parts: Iterable[Tensor]) -> Tensor:
    """Undo :func:`split_latents`: images of several sizes to one ``(..., dim)``."""
    return torch.cat([part.flatten(-3) for part in parts], -1)


class Residual(nn.Module):
    """What two convolutions make of feature maps, added to them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.change(maps)


class MaskedCoupling(nn.Module):
    r"""A masked coupling with a convolutional network for g and h, :math:`h = a \tanh(\cdot)` with one trained a a channel.

    It starts as the identity. The network sees the kept entries, zeros elsewhere; each number it gives depends on the pixels within a few of it.

    Args:
        mask: zeros and ones, broadcasts against ``(channels, height, width)``; 1 where an entry is kept.
        channels: of the images that pass.
        hidden_channels: feature maps of the network.
        blocks: residual blocks of two convolutions each.

    Raises:
        ValueError: a size is not positive.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, channels: int, hidden_channels: int, blocks: int = 1) -> None:
        super().__init__()
        _check_positive(channels=channels, hidden_channels=hidden_channels, blocks=blocks)
        self.register_buffer("mask", mask.bool(), persistent=False)
        last = nn.Conv2d(hidden_channels, 2 * channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        self.network = nn.Sequential(
            nn.Conv2d(channels, hidden_channels, 3, padding=1),
            *(Residual(hidden_channels) for _ in range(blocks)),
            nn.ReLU(),
            last,
        )
        # On a CPU convolutions are half as fast again in this order.
        self.network.to(memory_format=torch.channels_last)
        self.bound = nn.Parameter(torch.full((channels, 1, 1), LOG_SCALE_BOUND))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(z)
        return z * log_scale.exp() + shift, log_scale.sum(OF_AN_IMAGE)

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(x)
        return (x - shift) * (-log_scale).exp(), -log_scale.sum(OF_AN_IMAGE)

    def _shift_and_log_scale(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both from the kept entries, and zeros for these."""
        shift, raw = self.network(torch.where(self.mask, images, 0.0)).chunk(2, -3)
        return torch.where(self.mask, 0.0, shift), torch.where(self.mask, 0.0, self.bound * raw.tanh())


class Scale(nn.Module):
    """One scale: couplings of a checkerboard, then, unless it is the last, couplings of channels on the squeezed image.

    Forward takes the way from z to x, so that the channel-wise couplings come first in it.
    """

    def __init__(
        self, shape: Shape, hidden_channels: int, checkerboards: int, channel_wise: int, blocks: int = 1
    ) -> None:
        super().__init__()
        channels, height, width = shape
        board = checkerboard_mask(height, width).bool()
        self.checkerboards = nn.ModuleList(
            MaskedCoupling(board ^ bool(i % 2), channels, hidden_channels, blocks) for i in range(checkerboards)
        )
        halves = channel_mask(4 * channels).bool().reshape(-1, 1, 1)
        self.channel_wise = nn.ModuleList(
            MaskedCoupling(halves ^ bool(i % 2), 4 * channels, hidden_channels, blocks) for i in range(channel_wise)
        )

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        z, first = _apply(self.channel_wise, z)
        x, then = _apply(self.checkerboards, unsqueeze(z))
        return x, first + then

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, first = _undo(self.checkerboards, x)
        z, then = _undo(self.channel_wise, squeeze(x))
        return z, first + then


def _apply(layers: nn.ModuleList, z: Tensor) -> tuple[Tensor, Tensor]:
    log_det = z.new_zeros(z.shape[:-3])
    for layer in layers:
        z, of_layer = layer(z)
        log_det = log_det + of_layer
    return z, log_det


def _undo(layers: nn.ModuleList, x: Tensor) -> tuple[Tensor, Tensor]:
    log_det = x.new_zeros(x.shape[:-3])
    for layer in reversed(layers):
        x, of_layer = cast(Flow, layer).inverse(x)
        log_det = log_det + of_layer
    return x, log_det


class ImageRealNVP(nn.Module):
    """Real-NVP of images: at every scale couplings, a squeeze, and half of the channels leave as latents ~ N(0, I).

    x and its density are those of all real numbers: dequantization and logit are applied outside, their log-dets added there. As in
    the paper the last scale has checkerboard couplings alone; its squeeze only reorders. The flow's z is flat, ``(..., dim)``: the
    latents of each scale in the order of :func:`latent_shapes`, to be cut by :func:`split_latents`.

    >>> flow = ImageRealNVP(1, 28, 28, hidden_channels=8, num_scales=2)
    >>> x = flow.sample(3, torch.Generator().manual_seed(0))
    >>> x.shape, flow.log_prob(x).shape, flow.shapes
    (torch.Size([3, 1, 28, 28]), torch.Size([3]), [(2, 14, 14), (8, 7, 7)])

    Args:
        channels, height, width: of the images; sides divisible by ``2 ** num_scales``.
        hidden_channels: feature maps in each coupling's network.
        num_scales: at least 1.
        checkerboards, channel_wise: couplings of a scale that is not the last, at least 2 each.
        last_checkerboards: couplings of the last scale, at least 2.
        blocks: residual blocks in each coupling's network.

    Raises:
        ValueError: a size is too small, or a side not divisible.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        hidden_channels: int,
        num_scales: int,
        *,
        checkerboards: int = 3,
        channel_wise: int = 3,
        last_checkerboards: int = 4,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.shapes = latent_shapes(channels, height, width, num_scales)
        self.image_shape = (channels, height, width)
        self.dim = channels * height * width
        if min(checkerboards, channel_wise, last_checkerboards) < 2:
            raise ValueError("a scale has at least 2 couplings of a kind, so that every pixel is changed")
        scales, shape = [], self.image_shape
        for left in self.shapes[:-1]:
            scales.append(Scale(shape, hidden_channels, checkerboards, channel_wise, blocks))
            shape = left  # as many channels go on as leave
        scales.append(Scale(shape, hidden_channels, last_checkerboards, 0, blocks))
        self.scales = nn.ModuleList(scales)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``x (..., channels, height, width)`` and log|det dx/dz|, ``(...,)``, nats, for ``z (..., dim)``."""
        parts = split_latents(z, self.shapes)
        x, log_det = self.scales[-1](parts[-1])
        for scale, left in zip(reversed(self.scales[:-1]), reversed(parts[:-1]), strict=True):
            x, of_scale = scale(torch.cat([x, left], -3))
            log_det = log_det + of_scale
        return x, log_det

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``z (..., dim)`` and log|det dz/dx|, ``(...,)``, nats, for ``x (..., channels, height, width)``."""
        parts: list[Tensor] = []
        log_det = x.new_zeros(x.shape[:-3])
        for scale in self.scales:
            x, of_scale = cast(Flow, scale).inverse(x)
            log_det = log_det + of_scale
            if scale is not self.scales[-1]:
                x, left = x.chunk(2, -3)
                parts.append(left)
        return join_latents([*parts, x]), log_det

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), ``(batch,)``, nats, of ``x (batch, channels, height, width)``.

        Raises:
            ValueError: x has another shape, or holds integers.
        """
        if x.dim() != 4 or x.shape[1:] != self.image_shape:
            raise ValueError(f"x is {tuple(x.shape)}; (batch, {', '.join(map(str, self.image_shape))}) is expected")
        if not x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: a density is one of real numbers, so dequantize pixels first")
        return flow_log_prob(self, x, standard_normal_log_prob)

    def sample(self, n: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Return n draws of x, ``(n, channels, height, width)``.

        Args:
            temperature: standard deviation of z; below 1 nearer to the density's peak, and no longer draws of p(x).
        """
        like = next(self.parameters())
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=like.dtype)
        return self(temperature * z.to(like.device))[0]


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is at least 1, not {size}")
