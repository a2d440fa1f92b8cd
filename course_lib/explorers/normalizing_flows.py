"""The explorers of notebook 09: a density on a line that is stretched and bent, and a plane through layers, one by one."""

from __future__ import annotations

import math

import torch
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.explorers.explorer import Explorer, Slider
from course_lib.flows import LeakyReLU, standard_normal_log_prob
from course_lib.plots import BLACK, BLUE, GREEN, RED, SKY, label, new_figure

Z = torch.linspace(-4.5, 4.5, 901, dtype=torch.float64)
SHADED = (0.2, 1.0)


def stretch(z: Tensor, slope: float, bend: float) -> tuple[Tensor, Tensor]:
    """Return x = slope · (z + bend · tanh(2z)) and log dx/dz, for a bend above -1/2."""
    x = slope * (z + bend * torch.tanh(2 * z))
    return x, (slope * (1 + 2 * bend / torch.cosh(2 * z) ** 2)).log()


def integrals(slope: float, bend: float) -> tuple[float, float]:
    """Return the integral over x of p(x), and of what comes out without the determinant."""
    x, log_det = stretch(Z, slope, bend)
    log_prob_z = standard_normal_log_prob(Z.unsqueeze(-1))
    return float(torch.trapezoid((log_prob_z - log_det).exp(), x)), float(torch.trapezoid(log_prob_z.exp(), x))


def draw_stretching(slope: float, bend: float) -> tuple[Figure, str]:
    """Show p(z), the map, and p(x) with and without the determinant."""
    x, log_det = stretch(Z, slope, bend)
    log_prob_z = standard_normal_log_prob(Z.unsqueeze(-1))
    right, wrong = (log_prob_z - log_det).exp(), log_prob_z.exp()
    with_it, without = integrals(slope, bend)
    figure, (left, end) = new_figure(2, width=4.4, height=3.9)
    inside = (SHADED[0] <= Z) & (SHADED[1] >= Z)
    left.plot(Z, x, color=GREEN, lw=2)
    for edge in (0, -1):
        at_z, at_x = float(Z[inside][edge]), float(x[inside][edge])
        left.plot([at_z, at_z, -4.5], [-8, at_x, at_x], color=BLACK, lw=0.9, ls=":")
    left.set_xlim(-4.5, 4.5)
    left.set_ylim(-8, 8)
    left.text(-4.2, 7.6, "dotted: an interval of z,\nand where it goes", va="top", fontsize=9)
    label(left, "The map x = f(z)", "z", "x")
    end.fill_between(x[inside], right[inside], color=SKY, lw=0)
    end.plot(x, right, color=BLUE, lw=2)
    end.plot(x, wrong, color=RED, lw=1.6, ls="--")
    end.set_xlim(-8, 8)
    top = 1.4 * max(float(right.max()), float(wrong.max()))
    end.set_ylim(0, top)
    end.text(-7.6, 0.98 * top, f"with the determinant: area {with_it:.2f}", color=BLUE, va="top", fontsize=9.5)
    end.text(-7.6, 0.89 * top, f"without, dashed: area {without:.2f}", color=RED, va="top", fontsize=9.5)
    label(end, f"p(x) has area {with_it:.2f}", "x", "p(x)")
    return figure, (
        f"Left: the map from z to x with slope {slope:.2f} and bend {bend:.2f}. Right: the density of x, whose area is {with_it:.2f}, and, "
        f"dashed, what comes out without the determinant, whose area is {without:.2f}. The interval of z from 0.2 to 1 is filled."
    )


stretching = Explorer(
    draw_stretching,
    {
        "slope": Slider("slope of the map", start=1.6, low=0.4, high=2.5, step=0.1),
        "bend": Slider("bend around z = 0", start=0.3, low=-0.4, high=1.0, step=0.1),
    },
)

SIDE, REACH, CELLS = 15, 4.2, 100
GRID = torch.cartesian_prod(*[torch.linspace(-2.1, 2.1, SIDE)] * 2)
DRAWS = torch.randn(250, 2, generator=torch.Generator().manual_seed(0))
EDGES = torch.linspace(-REACH, REACH, CELLS)
PLANE = torch.cartesian_prod(EDGES, EDGES)
TURNS = (0.7, 1.3, 2.4)


def layers_of(bend: float) -> list[tuple[Tensor | None, LeakyReLU | None]]:
    """Return six layers: a turn that stretches (its matrix), then a bend, three times."""
    bent = LeakyReLU(min(1 - bend, 0.999999))  # no bend at all is no LeakyReLU, and looks the same
    wider = 1.1 / (1 - bend) ** 0.4  # so that bends, which press together, leave something to see
    parts: list[tuple[Tensor | None, LeakyReLU | None]] = []
    for angle in TURNS:
        cosine, sine = math.cos(angle), math.sin(angle)
        parts += [(torch.tensor([[cosine, -sine], [sine, cosine]]) * wider, None), (None, bent)]
    return parts


def push(z: Tensor, bend: float, count: int) -> Tensor:
    """Push points ``(n, 2)`` through the first layers."""
    for matrix, bent in layers_of(bend)[:count]:
        z = z @ matrix.mT if matrix is not None else bent(z)[0] if bent else z
    return z


def log_prob(x: Tensor, bend: float, count: int) -> Tensor:
    """Return log p(x) after the first layers, ``(n,)``, nats."""
    total = x.new_zeros(len(x))
    for matrix, bent in reversed(layers_of(bend)[:count]):
        if matrix is not None:
            x = torch.linalg.solve(matrix, x.mT).mT
            total = total - torch.linalg.slogdet(matrix).logabsdet
        elif bent is not None:
            x, log_det = bent.inverse(x)
            total = total + log_det
    return standard_normal_log_prob(x) + total


def draw_layers(layers: int, bend: float) -> tuple[Figure, str]:
    """Show a grid of z and draws after some layers, and the exact density there."""
    figure, (left, right) = new_figure(2, width=4.4, height=4.4)
    lattice, points = push(GRID, bend, layers).view(SIDE, SIDE, 2), push(DRAWS, bend, layers)
    for lines, colour, style in ((lattice, BLUE, "-"), (lattice.transpose(0, 1), RED, "--")):
        left.plot(lines[..., 0].T, lines[..., 1].T, color=colour, ls=style, lw=0.8)
    left.plot(points[:, 0], points[:, 1], ".", color=BLACK, ms=3)
    density = log_prob(PLANE, bend, layers).exp().view(CELLS, CELLS)
    right.imshow(
        density.T,
        origin="lower",
        extent=(-REACH, REACH, -REACH, REACH),
        cmap="Blues",
        aspect="auto",
        norm=PowerNorm(0.5, 0),
    )
    for axis in (left, right):
        axis.set_xlim(-REACH, REACH)
        axis.set_ylim(-REACH, REACH)
    kind = ("the prior, no layer yet", "the last one a turn", "the last one a bend")[
        0 if not layers else 2 - layers % 2
    ]
    count = {0: "z", 1: "after 1 layer"}.get(layers, f"after {layers} layers")
    label(left, f"The grid {count}: {kind}" if layers else "The grid of z, and draws", "entry 1", "entry 2")
    peak = float(density.max())
    label(right, f"The density there, at most {peak:.2f}", "entry 1", "entry 2")
    return figure, (
        f"Left: a grid of z with draws {'as it is' if not layers else count} ({kind}), bends of {bend:.2f}. Right: the exact density, dark where the "
        f"grid's lines are close together, at most {peak:.2f}."
    )


through_layers = Explorer(
    draw_layers,
    {
        "layers": Slider("number of layers", start=4, low=0, high=6, step=1),
        "bend": Slider("how much a LeakyReLU bends: 1 - slope", start=0.5, low=0.0, high=0.8, step=0.1),
    },
)
