"""The explorers of notebook 11: one affine coupling on the plane, and a trained Real-NVP on two moons, layer by layer."""

from __future__ import annotations

from functools import cache, lru_cache

import torch
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import shipped
from course_lib.data import ASSETS
from course_lib.explorers.explorer import Explorer, Slider, Switch
from course_lib.explorers.nice import GRID, SQUARE, area, draw_before_and_after, draw_lattice
from course_lib.flows import standard_normal_log_prob
from course_lib.plots import BLACK, label, new_figure
from course_lib.real_nvp import RealNVP, affine_coupling_forward

INSIDE = torch.cartesian_prod(*[(torch.arange(60) + 0.5) / 60] * 2)  # of the unit square, evenly


def coupled(z: Tensor, shift: float, scale: float, second: bool) -> tuple[Tensor, Tensor]:
    """Push points ``(n, 2)`` through one coupling that keeps the first entry, or the second; with the log-det, ``(n,)``."""
    turned = z.flip(-1) if second else z
    x, log_det = affine_coupling_forward(
        turned, 1, lambda kept: shift * torch.sin(1.5 * kept), lambda kept: scale * torch.sin(1.2 * kept + 0.4)
    )
    return (x.flip(-1) if second else x), log_det


def draw_affine(shift: float, scale: float, second: bool) -> tuple[Figure, str]:
    """Show a grid of z with the unit square, and both after the coupling."""
    border, _ = coupled(SQUARE, shift, scale, second)
    covered, told = area(border), coupled(INSIDE, shift, scale, second)[1].exp().mean().item()
    figure, right = draw_before_and_after(coupled(GRID, shift, scale, second)[0], border)
    right.set_title(f"x: area {covered:.2f}; mean of exp(log det) {told:.2f}", loc="left", fontsize=10.5)
    kept = 2 if second else 1
    return figure, (
        f"Left: a grid of z with a filled unit square. Right: both after an affine coupling that keeps entry {kept}, with a shift of size {shift:.1f} and a "
        f"log-scale of size {scale:.1f}: the square has area {covered:.2f}, and the mean of exp(log det) over it is {told:.2f}."
    )


affine = Explorer(
    draw_affine,
    {
        "shift": Slider("size of the shift g", start=0.5, low=-1.2, high=1.2, step=0.1),
        "scale": Slider("size of the log-scale h", start=0.8, low=-1.5, high=1.0, step=0.1),
        "second": Switch("keep the second entry instead of the first"),
    },
)

MOONS_FILE = ASSETS / "real_nvp_moons.npz"
MOONS, HIDDEN_DIM, COUPLINGS = "Real-NVP of two moons", 32, 8
MOONS_REACH, CELLS, LINES = 3.0, 96, 17
Z_GRID = torch.cartesian_prod(*[torch.linspace(-2.4, 2.4, LINES)] * 2)
DRAWS = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
EDGES = torch.linspace(-MOONS_REACH, MOONS_REACH, CELLS)
PLANE = torch.cartesian_prod(EDGES, EDGES)


@lru_cache(maxsize=1)
def moons_flow() -> RealNVP:
    """Return the trained flow, in evaluation mode, on the CPU.

    Raises:
        DataError: its file is missing or corrupt.
    """
    flow = RealNVP(2, HIDDEN_DIM, COUPLINGS)
    weights = shipped.load(MOONS_FILE)[MOONS].arrays
    flow.load_state_dict({name: values.float() for name, values in weights.items()})
    return flow.eval().requires_grad_(False)


@cache
def after(layers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the grid, the draws and the density on the plane after the first layers."""
    flow = moons_flow()
    grid, points, x = Z_GRID, DRAWS, PLANE
    for layer in flow.layers[:layers]:
        grid, points = layer(grid)[0], layer(points)[0]
    total = x.new_zeros(len(x))
    for layer in reversed(flow.layers[:layers]):
        x, log_det = layer.inverse(x)  # type: ignore[operator]
        total = total + log_det
    return grid, points, (standard_normal_log_prob(x) + total).exp().view(CELLS, CELLS)


def draw_moons(layers: int) -> tuple[Figure, str]:
    """Show the grid of z and draws after some layers, and the exact density there."""
    figure, (left, right) = new_figure(2, width=4.4, height=4.4)
    grid, points, density = after(layers)
    draw_lattice(left, grid, LINES, width=0.7)
    left.plot(points[:, 0], points[:, 1], ".", color=BLACK, ms=3)
    side = MOONS_REACH
    right.imshow(
        density.T,
        origin="lower",
        extent=(-side, side, -side, side),
        cmap="Blues",
        aspect="auto",
        norm=PowerNorm(0.5, 0),
    )
    for axis in (left, right):
        axis.set_xlim(-side, side)
        axis.set_ylim(-side, side)
    last = COUPLINGS + 1
    kind = "z, no layer yet" if not layers else f"after {layers} of {last} layers"
    moved = "" if not layers else ": both moved" if layers == last else f": entry {2 - (layers - 1) % 2} moved"
    label(left, f"The grid {kind}{moved}" if layers else "The grid of z, and draws", "entry 1", "entry 2")
    peak = float(density.max())
    label(right, f"The density there, at most {peak:.2f}", "entry 1", "entry 2")
    return figure, (
        f"Left: a grid of z with draws, {kind}{moved}. Right: the exact density there, dark where the grid's lines are close together, at most {peak:.2f}; "
        "after the last layer it has the shape of two moons, with a bridge between them."
    )


moons_by_layers = Explorer(
    draw_moons, {"layers": Slider("number of layers", start=COUPLINGS, low=0, high=COUPLINGS + 1, step=1)}
)
