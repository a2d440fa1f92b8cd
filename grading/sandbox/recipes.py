"""Plain networks cross the pipe as a recipe, and are computed where they are called: in one call, or under vmap."""

from __future__ import annotations

from typing import Any

from torch import nn

from course_lib.warps import Warp, WarpedNormal

WARPS = {kind.__name__: kind for kind in (Warp, WarpedNormal)}
LAYERS = ("Tanh", "ReLU", "Sigmoid", "Softplus", "Identity")
DEEPEST, LONGEST, WIDEST = 4, 64, 1024


def recipe_of(module: nn.Module) -> Any:
    """Return how to build a module anew, less its weights; None for one that is more than plain layers in a row."""
    if module._forward_hooks or module._forward_pre_hooks:
        return None
    if type(module) is nn.Linear:
        return ["Linear", module.in_features, module.out_features, module.bias is not None]
    if type(module) is nn.Sequential:
        parts = [recipe_of(part) for part in module]
        return None if None in parts else ["Sequential", parts]
    if isinstance(module, Warp) and type(module) in WARPS.values():
        return [type(module).__name__, module.b.numel()]
    name = type(module).__name__
    plain = name in LAYERS and type(module) is getattr(nn, name) and repr(module) == repr(getattr(nn, name)())
    return [name] if plain else None


def build(recipe: Any, depth: int = 0) -> nn.Module | None:
    """Return the module of a recipe, without memory for weights; None where there is no such recipe."""
    match recipe:
        case ["Linear", int(inward), int(outward), bool(bias)] if inward >= 0 and outward >= 0:
            return nn.Linear(inward, outward, bias, device="meta")
        case ["Sequential", list(parts)] if depth < DEEPEST and len(parts) <= LONGEST:
            built = [build(part, depth + 1) for part in parts]
            return None if None in built else nn.Sequential(*(part for part in built if part is not None))
        case [str(name), int(dim)] if name in WARPS and 1 <= dim <= WIDEST:
            return WARPS[name](dim, device="meta")
        case [str(name)] if name in LAYERS:
            module: nn.Module = getattr(nn, name)()
            return module
    return None
