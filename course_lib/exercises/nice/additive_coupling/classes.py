"""Couplings: right ones written differently, and for each trait one that lacks it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """A coupling of halves, to be made wrong in one place."""

    def __init__(self, dim: int, hidden_dim: int, swap: bool) -> None:
        super().__init__()
        self.d, self.swap = dim // 2, swap
        kept, changed = (dim - self.d, self.d) if swap else (self.d, dim - self.d)
        self.build(kept, changed, hidden_dim)

    def build(self, kept: int, changed: int, hidden_dim: int) -> None:
        self.net = nn.Sequential(nn.Linear(kept, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, changed))

    def g(self, kept: Tensor) -> Tensor:
        return self.net(kept)

    def apart(self, z: Tensor) -> tuple[Tensor, Tensor]:
        first, last = z[:, : self.d], z[:, self.d :]
        return (last, first) if self.swap else (first, last)

    def together(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat([changed, kept] if self.swap else [kept, changed], -1)

    def log_det(self, z: Tensor) -> Tensor:
        return z.new_zeros(len(z))

    def change(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed + self.g(kept)

    def undo(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed - self.g(kept)

    def forward(self, z: Tensor) -> Any:
        kept, changed = self.apart(z)
        return self.together(kept, self.change(kept, changed)), self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        kept, changed = self.apart(x)
        return self.together(kept, self.undo(kept, changed)), -self.log_det(x)


class Masked(nn.Module):
    """By a mask, with a network that sees the kept entries and zeros; last layer started at zero."""

    mask: Tensor

    def __init__(self, dim: int, hidden_dim: int, swap: bool) -> None:
        super().__init__()
        self.register_buffer("mask", (torch.arange(dim) % 2 == int(swap)).float())
        last = nn.Linear(hidden_dim, dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(nn.Linear(dim, hidden_dim), nn.Tanh(), nn.BatchNorm1d(hidden_dim), last)

    def _shift(self, z: Tensor) -> Tensor:
        return (1 - self.mask) * self.net(self.mask * z)

    def forward(self, z: Tensor) -> Any:
        return z + self._shift(z), torch.zeros(z.shape[0], dtype=z.dtype, device=z.device)

    def inverse(self, x: Tensor) -> Any:
        return x - self._shift(x), (0 * x).sum(-1)


class FromXToZ(Plain):
    """The network acts on the way from x to z."""

    def change(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed - self.g(kept)

    def undo(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed + self.g(kept)


def _changed(base: type = Plain, **methods: Any) -> type:
    return type("AdditiveCoupling", (base,), methods)


class _List(Plain):
    def build(self, kept: int, changed: int, hidden_dim: int) -> None:
        super().build(kept, changed, hidden_dim)
        self.layers = [self.net]
        del self.net

    def g(self, kept: Tensor) -> Tensor:
        return self.layers[0](kept)


class _OwnWidth(Plain):
    def build(self, kept: int, changed: int, hidden_dim: int) -> None:
        super().build(kept, changed, 16)


class _Linear(Plain):
    def build(self, kept: int, changed: int, hidden_dim: int) -> None:
        self.net = nn.Sequential(nn.Linear(kept, hidden_dim), nn.Linear(hidden_dim, changed))


class _Everything(Plain):
    """g looks at everything, the shifted entries included."""

    def __init__(self, dim: int, hidden_dim: int, swap: bool) -> None:
        super().__init__(dim, hidden_dim, swap)
        self.build(dim, self.d if swap else dim - self.d, hidden_dim)

    def forward(self, z: Tensor) -> Any:
        kept, changed = self.apart(z)
        return self.together(kept, changed + self.net(z)), self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        kept, changed = self.apart(x)
        return self.together(kept, changed - self.net(x)), -self.log_det(x)


class _NeverSwaps(Plain):
    def __init__(self, dim: int, hidden_dim: int, swap: bool) -> None:
        super().__init__(dim, hidden_dim, False)


class _Thirds(Plain):
    def __init__(self, dim: int, hidden_dim: int, swap: bool) -> None:
        super().__init__(dim, hidden_dim, swap)
        self.d = dim // 3
        kept, changed = (dim - self.d, self.d) if swap else (self.d, dim - self.d)
        self.build(kept, changed, hidden_dim)


class _MiddleKept(Plain):
    """Odd sizes: the middle entry belongs to no part that is shifted."""

    def change(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed + self._but_middle(self.g(kept), len(kept[0]))

    def undo(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed - self._but_middle(self.g(kept), len(kept[0]))

    def _but_middle(self, shift: Tensor, kept: int) -> Tensor:
        if (kept + shift.shape[-1]) % 2 and not self.swap:
            return torch.cat([torch.zeros_like(shift[:, :1]), shift[:, 1:]], -1)
        return shift


class _Mixing(Plain):
    def g(self, kept: Tensor) -> Tensor:
        return self.net(kept - kept.mean(0))


class _Noisy(Plain):
    def g(self, kept: Tensor) -> Tensor:
        return self.net(kept + 0.1 * torch.randn_like(kept))


class _Detached(Plain):
    def undo(self, kept: Tensor, changed: Tensor) -> Tensor:
        return changed - self.g(kept).detach()


class _Bias(Plain):
    """The shift depends on no entry at all."""

    def g(self, kept: Tensor) -> Tensor:
        return self.net(torch.zeros_like(kept))


def _summed(self: Any, z: Tensor) -> Tensor:
    return self.g(self.apart(z)[0]).sum(-1)


def _all_moved(self: Any, z: Tensor) -> Any:
    kept, changed = self.apart(z)
    return self.together(kept + 0.1, self.change(kept, changed)), self.log_det(z)


WRONG: dict[str, type] = {
    "no parameters": _List,
    "hidden_dim ignored": _OwnWidth,
    "shapes": _changed(log_det=lambda self, z: z.new_zeros(())),
    "created in float32": _changed(log_det=lambda self, z: torch.zeros(len(z))),
    "random": _Noisy,
    "points mixed": _Mixing,
    "small sizes": _Thirds,
    "entries change places": _changed(together=lambda self, kept, changed: torch.cat([changed, kept], -1)),
    "nothing is kept": _changed(forward=_all_moved),
    "nothing is shifted": _changed(
        change=lambda self, kept, changed: changed, undo=lambda self, kept, changed: changed
    ),
    "the shift looks at what it shifts": _Everything,
    "more than a shift": _changed(change=lambda self, kept, changed: changed * self.g(kept).exp()),
    "a constant shift": _Bias,
    "no nonlinearity": _Linear,
    "swap does not complement": _NeverSwaps,
    "an entry left in the middle": _MiddleKept,
    "log_det not 0": _changed(log_det=_summed),
    "inverse does not undo forward": _changed(undo=lambda self, kept, changed: changed + self.g(kept)),
    "a parameter never learns": _Detached,
}
