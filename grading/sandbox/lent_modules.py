"""Modules that were lent over the pipe, as the other side sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.func import functional_call
from torch.nn import Module, Parameter


class LentModule(Module):
    """A module whose parameters are here, and whose forward is computed on the other side, or here if it is plain.

    Args:
        forward: computes it on the other side, from the parameters' values and the inputs.
        plain: the module without weights, where it is made of plain layers.
    """

    def __init__(
        self, forward: Callable[..., Any], parameters: dict[str, Parameter], plain: Module | None = None
    ) -> None:
        super().__init__()
        self._forward = forward
        self._plain = (plain,)  # in a tuple, so that its weights are not taken for this module's
        for name, parameter in parameters.items():
            owner: Module = self
            *path, last = name.split(".")
            for part in path:
                if part not in dict(owner.named_children()):
                    owner.add_module(part, Module())
                owner = owner.get_submodule(part)
            owner.register_parameter(last, parameter)

    def forward(self, *args: Any) -> Any:
        if self._plain[0] is not None:
            return functional_call(self._plain[0], dict(self.named_parameters()), args)
        return self._forward(*self.parameters(), *args)


class LentFlow(LentModule):
    """A module that is plain and has an inverse, which is computed here too."""

    def inverse(self, *args: Any) -> Any:
        return self._by("inverse", args)

    def _by(self, method: str, args: tuple[Any, ...]) -> Any:
        own: dict[str, Any] = {f"flow.{name}": parameter for name, parameter in self.named_parameters()}
        return functional_call(_Method(self._plain[0], method), own, args)


class LentDensity(LentFlow):
    """A flow that has a log-density, which is computed here too."""

    def log_prob(self, *args: Any) -> Any:
        return self._by("log_prob", args)


class _Method(Module):
    """A method of a flow as the forward of a module."""

    def __init__(self, flow: Any, method: str) -> None:
        super().__init__()
        self.flow, self.method = flow, method

    def forward(self, *args: Any) -> Any:
        return getattr(self.flow, self.method)(*args)


def kind_of(plain: Module | None) -> type[LentModule]:
    if hasattr(plain, "log_prob"):
        return LentDensity
    return LentFlow if hasattr(plain, "inverse") else LentModule
