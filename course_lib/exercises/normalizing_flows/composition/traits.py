"""What every right composition has, looked at from outside: the same layers, one after the other, are the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, Instance
from course_lib.checker import flows
from course_lib.checker.exercise import Trait
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import a_warp
from course_lib.warps import Warp

THREE = 3


def _layers(draw: Draw, count: int = THREE) -> list[Warp]:
    """Layers whose order matters, and whose log-dets depend on where they find a point."""
    layers = [a_warp(draw, draw.sizes.dim + 1) for _ in range(count)]
    for layer in layers:
        layer.a.data = 0.5 * layer.a.data  # so that three, and three more, do not run away
        layer.b.data = 0.3 * layer.b.data
    return layers


def _points(draw: Draw) -> Tensor:
    return 0.4 * draw.normal(flows.POINTS, draw.sizes.dim + 1)


def _chain(layers: Sequence[Any], z: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return where points are before, between and after layers, and what each adds."""
    places, log_dets = [z], []
    with torch.no_grad():
        for layer in layers:
            x, log_det = layer.forward(places[-1])
            places.append(x)
            log_dets.append(log_det)
    return places, log_dets


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-6, atol=1e-6)


def _made(answer: Answer, draw: Draw) -> tuple[Instance, list[Warp], Tensor]:
    layers = _layers(draw)
    return answer.construct(list(layers)), layers, _points(draw)


def _parameters(answer: Answer, draw: Draw) -> str | None:
    instance, layers, _ = _made(answer, draw)
    own = sum(p.numel() for p in instance.parameters().values())
    theirs = sum(p.numel() for layer in layers for p in layer.parameters())
    return None if own == theirs else f"{THREE} layers have {theirs} numbers; yours has {own}."


def _shapes(answer: Answer, draw: Draw) -> str | None:
    instance, _, z = _made(answer, draw)
    try:
        for method in ("forward", "inverse"):
            flows.apply(instance, method, z)
            flows.apply(instance, method, z[:1])
    except AnswerFailed as failed:
        if failed.kind != "type":
            raise
        return failed.says
    return None


def _where(method: str, wrong: Callable[[list[Warp], Tensor], Tensor] | None) -> flows.Lacking:
    """Return a trait's look at where points go: one way of being wrong, or any."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance, layers, z = _made(answer, draw)
        given = z if method == "forward" else _chain(layers, z)[0][-1]
        right = _chain(layers, z)[0][-1] if method == "forward" else z
        got, _ = flows.apply(instance, method, given)
        if _same(got, right):
            return None
        if wrong is not None:
            with torch.no_grad():
                if not _same(got, wrong(layers, given)):
                    return None
            return ""
        return f"An entry is off by {(got - right).abs().max().item():.3g}."

    return lacking


def _log_det(wrong: Callable[[list[Warp], Tensor], Tensor] | None) -> flows.Lacking:
    """Return a trait's look at the log_det of forward: one way of being wrong, or any."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance, layers, z = _made(answer, draw)
        _, each = _chain(layers, z)
        right = torch.stack(each).sum(0)
        _, got = flows.apply(instance, "forward", z)
        if _same(got, right):
            return None
        with torch.no_grad():
            if wrong is not None and not _same(got, wrong(layers, z)):
                return None
        parts = " + ".join(f"{part[0].item():.2f}" for part in each).replace("+ -", "- ")
        return f"At the first point the layers add {parts} = {right[0].item():.2f}; yours says {got[0].item():.2f}."

    return lacking


def _at_z(layers: list[Warp], z: Tensor) -> Tensor:
    return torch.stack([layer.forward(z)[1] for layer in layers]).sum(0)


def _at_results(layers: list[Warp], z: Tensor) -> Tensor:
    """Each log-det looked up where the layer ends, instead of where it begins."""
    places, _ = _chain(layers, z)
    return torch.stack([layer.forward(place)[1] for layer, place in zip(layers, places[1:], strict=True)]).sum(0)


def _inverse_log_det(wrong: bool) -> flows.Lacking:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance, layers, z = _made(answer, draw)
        places, each = _chain(layers, z)
        right = -torch.stack(each).sum(0)
        _, got = flows.apply(instance, "inverse", places[-1])
        if _same(got, right) or (wrong and not _same(got, -right)):
            return None
        return f"Forward says {-right[0].item():.4f}, inverse {got[0].item():.4f} on the way back."

    return lacking


def _again(answer: Answer, draw: Draw) -> str | None:
    """Calls may come in any order, and repeatedly."""
    instance, layers, z = _made(answer, draw)
    places, each = _chain(layers, z)
    total = torch.stack(each).sum(0)
    for method, given, there, log_det in (
        ("forward", z, places[-1], total),
        ("inverse", places[-1], z, -total),
        ("inverse", places[-1], z, -total),
        ("forward", z, places[-1], total),
    ):
        got, told = flows.apply(instance, method, given)
        if not (_same(got, there) and _same(told, log_det)):
            return f"A later call of {method} gives something else than the first one."
    return None


def _of_one(answer: Answer, draw: Draw) -> str | None:
    layers, z = _layers(draw, 1), _points(draw)
    (_, x), (log_det,) = _chain(layers, z)
    got, told = flows.apply(answer.construct(list(layers)), "forward", z)
    return None if _same(got, x) and _same(told, log_det) else ""


def _learns(answer: Answer, draw: Draw) -> str | None:
    """Both outputs of either way reach every layer that is learned."""
    for method in ("forward", "inverse"):
        instance, layers, z = _made(answer, draw)
        given = z if method == "forward" else _chain(layers, z)[0][-1]
        there, _ = flows.apply(instance, method, given)
        if missing := flows.unreached(instance, (there**2 * draw.normal(*there.shape)).sum()):
            return f"From the points of {method}: {missing}"
        _, log_det = flows.apply(instance, method, given)
        learned = {name: p for name, p in instance.parameters().items() if p.requires_grad}
        if not log_det.requires_grad:
            return f"None flows from the log_det of {method}."
        grads = torch.autograd.grad(log_det.sum(), list(learned.values()), allow_unused=True)
        if sum(grad is not None and bool(grad.any()) for grad in grads) < 2 * THREE:
            return f"From the log_det of {method}, some layers get none."
    return None


def _through(layers: Sequence[Any], x: Tensor, method: str) -> Tensor:
    for layer in layers:
        x, _ = getattr(layer, method)(x)
    return x


TRAITS = (
    Trait(
        "the layers' parameters",
        "The layers' parameters are to be those of the composition, so that one optimizer finds them all: keep the layers in an nn.ModuleList, "
        "not in a plain list, and learn nothing beside them.",
        _parameters,
    ),
    Trait(
        "shapes",
        "forward and inverse return two tensors, the points (batch, dim) and one log_det for each point, (batch,).",
        _shapes,
    ),
    Trait(
        "the last layer first",
        "forward applies the last layer first: layers[0] is the first that z goes through.",
        _where("forward", lambda layers, z: _through(layers[::-1], z, "forward")),
    ),
    Trait(
        "every layer gets z",
        "Every layer is given z itself, and the last one's result is returned: each layer is given what the one before it returned.",
        _where("forward", lambda layers, z: layers[-1].forward(z)[0]),
    ),
    Trait("forward", "forward is not the layers one after the other, the first one first.", _where("forward", None)),
    Trait(
        "log-dets at z",
        "Each log-det is taken at z: it belongs to the point that the layer is given, which the layers before it have moved.",
        _log_det(_at_z),
    ),
    Trait(
        "log-dets one place too far",
        "Each log-det is taken where its layer ends: it belongs to the point that the layer is given. Take both results of one call.",
        _log_det(_at_results),
    ),
    Trait(
        "the last log-det alone",
        "You return the log-det of the last layer alone: those of all layers are added.",
        _log_det(lambda layers, z: _chain(layers, z)[1][-1]),
    ),
    Trait(
        "log-dets multiplied",
        "You multiply the log-dets: determinants are multiplied, and so their logarithms are added.",
        _log_det(lambda layers, z: torch.stack(_chain(layers, z)[1]).prod(0)),
    ),
    Trait(
        "log-dets averaged",
        "You average the log-dets over the layers: they are added.",
        _log_det(lambda layers, z: torch.stack(_chain(layers, z)[1]).mean(0)),
    ),
    Trait("another log_det", "The log_det of forward is not the sum of what the layers report.", _log_det(None)),
    Trait(
        "the inverse runs forwards",
        "inverse goes through the layers in the order of forward: what came last is undone first, so it runs backwards.",
        _where("inverse", lambda layers, x: _through(layers, x, "inverse")),
    ),
    Trait(
        "forward on the way back",
        "inverse goes backwards, but calls the layers' forward: each layer's own inverse undoes it.",
        _where("inverse", lambda layers, x: _through(layers[::-1], x, "forward")),
    ),
    Trait("inverse", "inverse does not undo forward.", _where("inverse", None)),
    Trait(
        "log_det of the inverse",
        "The log_det of inverse is that of its own map, from x to z: the sum of what the layers' inverses report, without another sign.",
        _inverse_log_det(wrong=True),
    ),
    Trait(
        "another log_det of the inverse",
        "The log_det of inverse is not the sum of what the layers' inverses report.",
        _inverse_log_det(wrong=False),
    ),
    Trait(
        "changed by being called",
        "What it gives depends on what was called before: is the list of layers turned round in place? reversed(...) leaves it as it is.",
        _again,
    ),
    Trait("one layer", "With one layer it is not that layer.", _of_one),
    Trait(
        "gradient cut",
        "A gradient is missing: compute with torch all the way, without .detach(), .data, torch.no_grad().",
        _learns,
    ),
)
