"""What every right coupling does to points, in the order in which it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from course_lib.answers import Answer, Instance
from course_lib.checker import flows
from course_lib.checker.exercise import Trait
from course_lib.checker.probes import Draw

HIDDEN_DIM = 9


def _args(draw: Draw, swap: bool = False, more: int = 2) -> tuple[int, int, bool]:
    return draw.sizes.dim + more, HIDDEN_DIM, swap


def _either(look: Callable[[flows.Make], flows.Lacking]) -> flows.Lacking:
    """Look at a layer with swap=False and at one with swap=True."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        for swap in (False, True):
            found = look(lambda draw: _args(draw, swap))(answer, draw)  # noqa: B023 - called at once
            if found is not None:
                return found
        return None

    return lacking


class Layer:
    """A coupling whose parameters have been moved, and which entries it keeps."""

    def __init__(self, answer: Answer, draw: Draw, swap: bool = False, more: int = 2) -> None:
        args = _args(draw, swap, more)
        self.dim = args[0]
        self.instance: Instance = flows.moved(answer, draw, args, scale=0.4)
        self.z = draw.normal(flows.POINTS, self.dim)
        self.x = self.forward(self.z)
        self.kept = (self.x == self.z).all(0)

    def forward(self, z: Tensor) -> Tensor:
        return flows.apply(self.instance, "forward", z)[0].detach()

    def shift(self, z: Tensor) -> Tensor:
        return (self.forward(z) - z)[:, ~self.kept]


def _log_det(answer: Answer, draw: Draw) -> str | None:
    for swap in (False, True):
        layer = Layer(answer, draw, swap)
        for method in ("forward", "inverse"):
            _, log_det = flows.apply(layer.instance, method, layer.z)
            if bool((log_det.abs() > 1e-9).any()):
                return f"That of {method} is {log_det[0].item():.4f}."
    return None


def _out_of_place(answer: Answer, draw: Draw) -> str | None:
    layer = Layer(answer, draw)
    if bool(layer.kept.any()):
        return None
    for i in range(layer.dim):
        for j in range(layer.dim):
            if i != j and torch.equal(layer.x[:, i], layer.z[:, j]):
                return f"Entry {j} of z comes out as entry {i} of x."
    return None


def _nothing_kept(answer: Answer, draw: Draw) -> str | None:
    layer = Layer(answer, draw)
    if bool(layer.kept.any()):
        return None
    off = (layer.x - layer.z).abs().max(0).values.min().item()
    return f"The one that moves least moves by up to {off:.3g}."


def _nothing_shifted(answer: Answer, draw: Draw) -> str | None:
    return "" if all(bool(Layer(answer, draw, swap).kept.all()) for swap in (False, True)) else None


def _effects(answer: Answer, draw: Draw) -> Iterator[tuple[Layer, Tensor, Tensor]]:
    """Move each shifted entry by itself before a layer; yield by how much, and what changes behind it."""
    for swap in (False, True):
        layer = Layer(answer, draw, swap)
        for i in (~layer.kept).nonzero().flatten().tolist():
            step = torch.zeros(layer.dim, dtype=torch.float64)
            step[i] = draw.positive(1).item()
            yield layer, step, layer.forward(layer.z + step) - layer.x


def _looks_at_shifted(answer: Answer, draw: Draw) -> str | None:
    for _, step, change in _effects(answer, draw):
        others = change[:, step == 0].abs().max(0).values
        if bool((others > 1e-6).any()):
            i = int(step.argmax())
            return f"Entry {i} is shifted; where it alone moves before the layer, others move behind it."
    return None


def _scales(answer: Answer, draw: Draw) -> str | None:
    for _, step, change in _effects(answer, draw):
        i = int(step.argmax())
        if not torch.allclose(change[:, i], step[i].expand(len(change)), rtol=1e-6, atol=1e-6):
            return (
                f"Entry {i} went up by {step[i].item():.3f} before the layer, by {change[0, i].item():.3f} behind it."
            )
    return None


def _constant(answer: Answer, draw: Draw) -> str | None:
    for swap in (False, True):
        for _ in range(flows.SETTINGS):
            layer = Layer(answer, draw, swap)
            shift = layer.shift(layer.z)
            if bool((shift - shift[:1]).abs().max(0).values.min() > 1e-6):
                break
        else:
            return f"With swap={swap} an entry is shifted by the same amount for every point."
    return None


def _linear(answer: Answer, draw: Draw) -> str | None:
    for swap in (False, True):
        layer = Layer(answer, draw, swap)
        one, other = draw.normal(flows.POINTS, layer.dim, scale=2), draw.normal(flows.POINTS, layer.dim, scale=2)
        middle = (layer.shift(one) + layer.shift(other)) / 2 - layer.shift((one + other) / 2)
        if bool((middle.abs() < 1e-6).all()):
            return ""
    return None


def _untouched(answer: Answer, draw: Draw, dim: int) -> list[int]:
    """Return the entries that neither a layer with swap=False nor one with swap=True moves, whatever the parameters."""
    untouched = torch.ones(dim, dtype=torch.bool)
    for _ in range(flows.SETTINGS):
        for swap in (False, True):
            untouched &= Layer(answer, draw, swap, dim - draw.sizes.dim).kept
    return untouched.nonzero().flatten().tolist()


def _left_in_the_middle(answer: Answer, draw: Draw) -> str | None:
    """An odd size leaves over an entry that an even size does not."""
    for dim in (3, 5, 7):
        left = _untouched(answer, draw, dim)
        if len(left) == 1 and not _untouched(answer, draw, dim + 1):
            return f"With dim = {dim} it is entry {left[0]}."
    return None


def _swap(answer: Answer, draw: Draw) -> str | None:
    for dim in (2, 5, 6):
        if left := _untouched(answer, draw, dim):
            names = ", ".join(str(i) for i in left)
            return f"With dim = {dim} neither of the two moves entry {names}."
    return None


def _small(answer: Answer, draw: Draw) -> str | None:
    for dim in (2, 3):
        for swap in (False, True):
            layer = Layer(answer, draw, swap, dim - draw.sizes.dim)
            if bool(layer.kept.all()) or not bool(layer.kept.any()):
                what = "all of them" if bool(layer.kept.all()) else "none"
                return f"With dim = {dim} and swap={swap} it keeps {what}."
    return None


COUPLING_TRAITS = (
    Trait("no parameters", flows.NO_PARAMETERS.says, _either(flows.has_parameters)),
    Trait(
        "hidden_dim ignored",
        "The number of parameters does not change with hidden_dim: make the network that wide, and keep its layers as "
        "attributes (a list of layers needs nn.ModuleList or nn.Sequential).",
        _either(lambda make: flows.grows(make, 1)),
    ),
    Trait(
        "shapes",
        "forward and inverse return two tensors, the points (batch, dim) and one log_det for each point, (batch,).",
        _either(flows.returns_both),
    ),
    Trait(
        "created in float32",
        "The dtype does not follow the input: a tensor created inside (zeros for log_det, a mask) takes dtype and device "
        "from its inputs.",
        _either(flows.follows_dtype),
    ),
    Trait(
        "random",
        "The same z gives another x each time: nothing in a flow is random, or it has no inverse.",
        _either(flows.repeats),
    ),
    Trait(
        "points mixed",
        "What becomes of one point changes with the others in the batch: g looks at a point's own kept entries. Is there a mean "
        "over dimension 0?",
        _either(flows.keeps_points_apart),
    ),
    Trait(
        "entries change places",
        "Entries come out in other places: with swap=True, too, every entry stays where it is.",
        _out_of_place,
    ),
    Trait(
        "nothing is kept",
        "No entry stays as it is: one part is kept exactly, x₁ = z₁, or there is nothing from which inverse could compute g.",
        _nothing_kept,
    ),
    Trait("nothing is shifted", "Every entry stays as it is: the other part is shifted by g(z₁).", _nothing_shifted),
    Trait(
        "small sizes",
        "In two or three dimensions nothing is left to keep, or to shift: each part has at least one entry, odd sizes too.",
        _small,
    ),
    Trait(
        "the shift looks at what it shifts",
        "What is added depends on entries that are themselves shifted: g may look at the kept ones alone, else nobody can "
        "compute it on the way back, and the determinant is not 1.",
        _looks_at_shifted,
    ),
    Trait(
        "more than a shift",
        "A shifted entry does more than move: x₂ = z₂ + g(z₁), where z₂ itself goes in as it is, and g does not look at it.",
        _scales,
    ),
    Trait(
        "a constant shift",
        "The shift is the same for every point: it is g of the kept entries.",
        _constant,
    ),
    Trait(
        "no nonlinearity",
        "The shift is a linear function of the kept entries: put a nonlinearity (tanh, relu) between the network's layers, else "
        "a Gaussian stays a Gaussian however many couplings there are.",
        _linear,
    ),
    Trait(
        "an entry left in the middle",
        "Where dim is odd an entry is left over that neither swap=False nor swap=True moves: give it to one of the parts.",
        _left_in_the_middle,
    ),
    Trait(
        "swap does not complement",
        "A layer with swap=True keeps what a layer with swap=False keeps: it should keep the part that the other shifts, so that "
        "together they move everything.",
        _swap,
    ),
    Trait(
        "inverse does not undo forward",
        "inverse does not undo forward: it subtracts the same g of the kept entries.",
        _either(flows.undoes),
    ),
    Trait(
        "log_det not 0",
        "The log_det of an additive coupling is 0 for every point, forward and back: its Jacobian has ones on the diagonal.",
        _log_det,
    ),
    Trait(
        "a parameter never learns",
        "A gradient is missing on the way from x to z, along which training goes: leave out .detach(), .data, torch.no_grad().",
        _either(flows.every_parameter_learns),
    ),
)
