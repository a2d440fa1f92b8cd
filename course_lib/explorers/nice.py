"""The explorer of notebook 10: the plane through couplings, one after the other."""

from __future__ import annotations

from functools import partial

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from course_lib.explorers.explorer import Explorer, Slider
from course_lib.nice import additive_coupling_forward
from course_lib.plots import BLACK, BLUE, RED, SKY, label, new_figure

SIDE, REACH = 13, 5.0
GRID = torch.cartesian_prod(*[torch.linspace(-1.5, 1.5, SIDE)] * 2)


def _square() -> Tensor:
    """The border of the unit square, 400 points, against the clock."""
    along = torch.arange(100) / 100
    low, high = torch.zeros(100), torch.ones(100)
    sides = ((along, low), (high, along), (1 - along, high), (low, 1 - along))
    return torch.cat([torch.stack(side, -1) for side in sides])


SQUARE = _square()


def through(z: Tensor, layers: int, strength: float) -> Tensor:
    """Push points ``(n, 2)`` through couplings that take turns in which entry they keep."""
    for i in range(layers):
        turned = z.flip(-1) if i % 2 else z
        moved = additive_coupling_forward(turned, 1, partial(_wave, strength, i))
        z = moved.flip(-1) if i % 2 else moved
    return z


def _wave(strength: float, layer: int, kept: Tensor) -> Tensor:
    """What a layer adds: waves, shorter and further along with every layer."""
    return strength * torch.sin((1.3 + 0.4 * layer) * kept + layer)


def area(border: Tensor) -> float:
    """Return the area that a closed line of points ``(n, 2)`` encloses, by the shoelace formula."""
    x, y = border.double().T
    return 0.5 * float((x * y.roll(-1) - y * x.roll(-1)).sum())


def draw_lattice(axis: Axes, points: Tensor, side: int, width: float) -> None:
    """Draw a grid of points ``(side · side, 2)``, wherever they have gone: its columns solid, its rows dashed."""
    lattice = points.view(side, side, 2)
    for lines, colour, style in ((lattice, BLUE, "-"), (lattice.transpose(0, 1), RED, "--")):
        one = pad(lines, (0, 0, 0, 1), value=float("nan")).flatten(0, 1)  # a gap after each: drawn as one line
        axis.plot(one[:, 0], one[:, 1], color=colour, ls=style, lw=width)


def draw_before_and_after(moved: Tensor, border: Tensor) -> tuple[Figure, Axes]:
    """Show :data:`GRID` with the unit square, and where both have gone; return the figure and the picture of x."""
    figure, (left, right) = new_figure(2, width=4.4, height=4.4)
    for axis, points, line, name in ((left, GRID, SQUARE, "z"), (right, moved, border, "x")):
        draw_lattice(axis, points, SIDE, width=0.8)
        axis.fill(line[:, 0], line[:, 1], fc=SKY, ec=BLACK, lw=1.4, zorder=3, alpha=0.85)
        axis.set_xlim(-REACH, REACH)
        axis.set_ylim(-REACH, REACH)
        label(axis, "", f"${name}_1$", f"${name}_2$")
    left.set_title("z: the filled square has area 1", loc="left", fontsize=10.5)
    return figure, right


def draw_couplings(layers: int, strength: float) -> tuple[Figure, str]:
    """Show a grid of z with the unit square, and both after a number of couplings."""
    border = through(SQUARE, layers, strength)
    figure, right = draw_before_and_after(through(GRID, layers, strength), border)
    covered = area(border)
    count = {0: "no coupling", 1: "one coupling"}.get(layers, f"{layers} couplings")
    right.set_title(f"x after {count}: area {covered:.2f}", loc="left", fontsize=10.5)
    last = "nothing has moved" if not layers else f"the last one moved x{2 - (layers - 1) % 2} alone"
    return figure, (
        f"Left: a grid of z with a filled unit square. Right: both after {count} of strength {strength:.1f}; {last}; the "
        f"square is bent, and its area is {covered:.2f}."
    )


couplings = Explorer(
    draw_couplings,
    {
        "layers": Slider("number of couplings", start=2, low=0, high=4, step=1),
        "strength": Slider("size of g", start=0.8, low=0.0, high=1.2, step=0.1),
    },
)
