"""Compositions: right ones written differently, and for each trait one that lacks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """A composition of our own, to be made wrong in one place."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def through(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        each = []
        for layer in self.layers:
            z, log_det = layer(z)
            each.append(log_det)
        return z, each

    def total(self, each: list[Tensor]) -> Tensor:
        return torch.stack(each).sum(0)

    def forward(self, z: Tensor) -> Any:
        x, each = self.through(z)
        return x, self.total(each)

    def backwards(self) -> list[Any]:
        return list(self.layers)[::-1]

    def inverse(self, x: Tensor) -> Any:
        each = []
        for layer in self.backwards():
            x, log_det = layer.inverse(x)
            each.append(log_det)
        return x, self.total(each)


class Recursive(nn.Module):
    """The first layer, and a composition of the rest; forward's methods by name."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.first = layers[0]
        self.rest = Recursive(layers[1:]) if len(layers) > 1 else None

    def forward(self, z: Tensor) -> Any:
        x, log_det = self.first.forward(z)
        if self.rest is None:
            return x, log_det
        x, more = self.rest.forward(x)
        return x, log_det + more

    def inverse(self, x: Tensor) -> Any:
        more = torch.zeros_like(x[:, 0])
        if self.rest is not None:
            x, more = self.rest.inverse(x)
        z, log_det = self.first.inverse(x)  # type: ignore[operator]
        return z, log_det + more


class Counted(nn.Sequential):
    """A Sequential that is given the layers, and counts down by index."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__(*layers)

    def forward(self, z: Tensor) -> Any:
        total: Any = 0
        for layer in self:
            z, log_det = layer(z)
            total = total + log_det
        return z, total

    def inverse(self, x: Tensor) -> Any:
        total: Any = 0
        for i in range(len(self) - 1, -1, -1):
            x, log_det = self[i].inverse(x)  # type: ignore[operator]
            total = total + log_det
        return x, total


def _changed(**methods: Any) -> type:
    return type("Composition", (Plain,), methods)


class _List(Plain):
    def __init__(self, layers: Sequence[nn.Module]) -> None:
        nn.Module.__init__(self)
        self.layers = list(layers)  # type: ignore[assignment]


class _TurnsItsList(Plain):
    """Turns its list round for good."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__(layers)
        self.order = list(range(len(layers)))

    def backwards(self) -> list[Any]:
        self.order.reverse()
        return [self.layers[i] for i in self.order]


def _last_first(self: Any, z: Tensor) -> Any:
    each = []
    for layer in reversed(self.layers):
        z, log_det = layer(z)
        each.append(log_det)
    return z, self.total(each)


def _parallel(self: Any, z: Tensor) -> Any:
    results = [layer(z) for layer in self.layers]
    return results[-1][0], self.total([log_det for _, log_det in results])


def _all_at_z(self: Any, z: Tensor) -> Any:
    return self.through(z)[0], self.total([layer(z)[1] for layer in self.layers])


def _all_at_results(self: Any, z: Tensor) -> Any:
    each = []
    for layer in self.layers:
        z, _ = layer(z)
        each.append(layer(z)[1])
    return z, self.total(each)


def _forwards_again(self: Any, x: Tensor) -> Any:
    each = []
    for layer in self.backwards():
        x, log_det = layer(x)
        each.append(log_det)
    return x, self.total(each)


def _of_forward(self: Any, x: Tensor) -> Any:
    z, log_det = Plain.inverse(self, x)
    return z, -log_det


def _product(self: Any, z: Tensor) -> Any:
    x, each = self.through(z)
    return x, torch.stack(each).prod(0)


def _mean(self: Any, z: Tensor) -> Any:
    x, each = self.through(z)
    return x, torch.stack(each).mean(0)


def _last_alone(self: Any, z: Tensor) -> Any:
    x, each = self.through(z)
    return x, each[-1]


def _twice(self: Any, z: Tensor) -> Any:
    x, each = self.through(z)
    return x, 2 * self.total(each)


def _inverse_mean(self: Any, x: Tensor) -> Any:
    z, log_det = Plain.inverse(self, x)
    return z, log_det / len(self.layers)


def _cut(self: Any, z: Tensor) -> Any:
    x, each = self.through(z)
    return x, self.total([log_det.detach() for log_det in each]) + 0 * z[:, 0]


class _Three(Plain):
    """Leaves out the last layer when it is the only one."""

    def forward(self, z: Tensor) -> Any:
        if len(self.layers) == 1:
            return z, z.new_zeros(len(z))
        return super().forward(z)


class _Shifted(Plain):
    """Adds something of its own between the layers."""

    def through(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, each = super().through(z + 0.1)
        return x, each


WRONG: dict[str, type] = {
    "the layers' parameters": _List,
    "shapes": _changed(total=lambda self, each: torch.stack(each).sum()),
    "the last layer first": _changed(forward=_last_first),
    "every layer gets z": _changed(forward=_parallel),
    "forward": _Shifted,
    "log-dets at z": _changed(forward=_all_at_z),
    "log-dets one place too far": _changed(forward=_all_at_results),
    "the last log-det alone": _changed(forward=_last_alone),
    "log-dets multiplied": _changed(forward=_product),
    "log-dets averaged": _changed(forward=_mean),
    "another log_det": _changed(forward=_twice),
    "the inverse runs forwards": _changed(backwards=lambda self: list(self.layers)),
    "forward on the way back": _changed(inverse=_forwards_again),
    "inverse": _changed(backwards=lambda self: list(self.layers)[:0:-1]),
    "log_det of the inverse": _changed(inverse=_of_forward),
    "another log_det of the inverse": _changed(inverse=_inverse_mean),
    "changed by being called": _TurnsItsList,
    "one layer": _Three,
    "gradient cut": _changed(forward=_cut),
}
