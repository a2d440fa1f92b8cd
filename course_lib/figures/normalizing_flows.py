"""The figures of notebook 09."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    TITLE_SIZE,
    Picture,
    draw_images,
    label,
    new_figure,
)

INTERVAL = (0.4, 0.9)


def the_flow() -> Picture:
    """Draw the layers from z to x, and the way back below them."""
    diagram = Diagram(columns=5.6, rows=3.15, stretch=1.15)
    diagram.node("z", (0, 1.6), "latent")
    diagram.node("x", (4.8, 1.6), "observed")
    places = {"f1": 1.2, "f2": 2.4, "f3": 3.6}
    for name, column in places.items():
        diagram.node(name, (column, 2.2), "step", f"$f_{name[1]}$")
        diagram.node(f"back {name}", (column, 0.7), "step", f"$f_{name[1]}^{{-1}}$")
        diagram.node(f"det {name}", (column, -0.05), "text", f"+ log|det $J_{name[1]}^{{-1}}$|")
    way = ("z", "f1", "f2", "f3", "x")
    for start, end in pairwise(way):
        diagram.arrow(start, end)
    back = ("x", "back f3", "back f2", "back f1", "z")
    for start, end in pairwise(back):
        diagram.arrow(start, end)
    return diagram.picture(
        "Above: a sample. Below: log p(x), layer by layer, backwards",
        "A sample starts at z and goes through f1, f2 and f3 to x. For log p(x) a data point goes the other way, through the "
        "inverse of f3, of f2 and of f1 to z, and every inverse adds its log-determinant.",
    )


def stretched_interval(z: Tensor, log_prob_z: Tensor, x: Tensor, log_prob_x: Tensor) -> Picture:
    """Draw a density before and after a map, with one interval of probability in both.

    Args:
        z, log_prob_z: a fine grid in order, ``(n,)``, and its log-density.
        x, log_prob_x: where the map takes it, and the log-density there.
    """
    figure, axes = new_figure(2, width=4.5, height=3.3)
    inside = (z >= INTERVAL[0]) & (z <= INTERVAL[1])
    shares = []
    for axis, place, density, name in (
        (axes[0], z, log_prob_z.exp(), "z"),
        (axes[1], x, log_prob_x.exp(), "x"),
    ):
        axis.plot(place, density, color=BLUE, lw=2)
        axis.fill_between(place[inside], density[inside], color=SKY, lw=0)
        share = torch.trapezoid(density[inside], place[inside]).item()
        shares.append(share)
        width = (place[inside][-1] - place[inside][0]).item()
        height = float(density[inside].max())
        axis.text(float(place[inside][-1]) + 0.15, 1.02 * height, f"width {width:.2f}\narea {share:.3f}", fontsize=9)
        axis.set_ylim(0, 1.3 * float(density.max()))
        reach = 3.5 if name == "z" else 7.0
        axis.set_xlim(-reach, reach)
        axis.set_xlabel(name)
        axis.set_ylabel(f"p({name})")
    axes[0].set_title("An interval of z", loc="left", fontsize=TITLE_SIZE)
    axes[1].set_title("Stretched: the same area, so less height", loc="left", fontsize=TITLE_SIZE)
    return Picture(
        figure,
        f"Left: a bell curve over z, with the area above an interval filled: {shares[0]:.3f}. Right: the density of x, where the same "
        f"interval is wider and the curve above it lower: its area is {shares[1]:.3f}.",
    )


def half_of_it_lost(z: Tensor, relu: Tensor, leaky: Tensor) -> Picture:
    """Draw what ReLU and LeakyReLU make of draws, ``(n,)`` each."""
    figure, axes = new_figure(3, width=3.1, height=2.9)
    bins = torch.linspace(-3, 3, 49).tolist()
    lost = (relu == 0).float().mean().item()
    rows = (
        ("z ~ N(0, 1)", z, "z", BLUE),
        (f"ReLU: {100 * lost:.0f} % on one point", relu, "x", RED),
        ("LeakyReLU: pressed, not lost", leaky, "x", GREEN),
    )
    for axis, (title, values, name, colour) in zip(axes, rows, strict=True):
        axis.hist(values, bins=bins, color=colour, density=True)
        axis.set_ylim(0, 2.1)
        label(axis, title, name, "share of draws / width")
    if lost:
        axes[1].text(0.35, 1.85, "the bar at 0 goes on\nabove the picture", fontsize=8.5, va="top")
    return Picture(
        figure,
        f"Three histograms. Draws of z: a bell. After ReLU {100 * lost:.0f} percent of them sit at exactly 0, in one bar that leaves the "
        "picture. After LeakyReLU the negative half is pressed towards 0, higher and narrower, and every draw keeps its own place.",
    )


def words_and_truth(told: Sequence[Tensor], true: Sequence[Tensor]) -> Picture:
    """Draw what each layer says of its log-det against the microscope's, point by point.

    Args:
        told, true: ``(batch,)`` for each layer.
    """
    figure, axes = new_figure(len(told), width=1.86, height=2.5, sharey=True)
    offs = []
    for i, (axis, said, right) in enumerate(zip(axes, told, true, strict=True)):
        ends = [float(min(right.min(), said.min())) - 0.3, float(max(right.max(), said.max())) + 0.3]
        offs.append(float((said - right).abs().max()))
        axis.plot(ends, ends, color=BLACK, lw=1, ls="--")
        lies = offs[-1] > 1e-3
        axis.plot(right, said, "D" if lies else "o", color=RED if lies else BLUE, ms=4)
        label(axis, f"layer {i}", "numerical log-det", "reported log-det" if i == 0 else "")
        axis.set_ylabel("reported log-det" if i == 0 else " ")
    worst = max(range(len(offs)), key=offs.__getitem__)
    return Picture(
        figure,
        f"Reported against numerical log-determinants for {len(told)} layers. The points of all layers but one lie on the diagonal; "
        f"those of layer {worst} do not, and are up to {offs[worst]:.2f} off.",
    )


def _scatter(axis: Axes, points: Tensor, colour: str, reach: Tensor) -> None:
    axis.plot(points[:, 0], points[:, 1], ".", color=colour, ms=1.6, alpha=0.7)
    low, high = reach
    axis.set_xlim(float(low[0]), float(high[0]))
    axis.set_ylim(float(low[1]), float(high[1]))


def _reach(points: Tensor) -> Tensor:
    low, high = points.quantile(0.002, 0), points.quantile(0.998, 0)
    margin = 0.25 * (high - low)
    return torch.stack([low - margin, high + margin])


def layer_by_layer(places: Sequence[Tensor]) -> Picture:
    """Draw draws of z after some of a flow's layers, the same draw in the same colour.

    Args:
        places: ``(n, 2)`` each, before the first layer, then after each.
    """
    shown = [round(i * (len(places) - 1) / 4) for i in range(5)]
    figure, axes = new_figure(5, width=1.9, height=2.35)
    angle = torch.atan2(places[0][:, 1], places[0][:, 0])
    for axis, i in zip(axes, shown, strict=True):
        points = places[i]
        axis.scatter(points[:, 0], points[:, 1], c=angle, cmap="twilight_shifted", s=2.2, linewidths=0)
        low, high = _reach(points)
        axis.set_xlim(float(low[0]), float(high[0]))
        axis.set_ylim(float(low[1]), float(high[1]))
        axis.set_xticks([])
        axis.set_yticks([])
        label(axis, "z" if i == 0 else f"after {i}", "entry 1", "entry 2")
    return Picture(
        figure,
        f"The same draws before the first layer and after {', '.join(map(str, shown[1:]))} layers: a round cloud that is bent, step by "
        "step, into two half moons; neighbours stay neighbours, and a thin bridge remains between the moons.",
    )


def fits(data: Tensor, samples: Mapping[str, Tensor], losses: Mapping[str, float], entropy: float) -> Picture:
    """Draw data, samples of flows, and how far above the data's entropy each flow is.

    Args:
        data: ``(n, 2)``.
        samples: ``(n, 2)`` each, by the flow's name.
        losses: nats a point on data not seen, by the same names.
    """
    figure, axes = new_figure(1 + len(samples), width=3.1, height=3.0)
    reach = _reach(data)
    _scatter(axes[0], data, BLACK, reach)
    label(axes[0], f"data: entropy {entropy:.2f} nats", "x, entry 1", "x, entry 2")
    told = []
    for axis, (name, points), colour in zip(axes[1:], samples.items(), (ORANGE, BLUE, GREEN), strict=False):
        _scatter(axis, points, colour, reach)
        label(axis, f"{name}: {losses[name] - entropy:.2f} above", "x, entry 1", "x, entry 2")
        told.append(
            f"samples of the flow called {name}, whose loss is {losses[name] - entropy:.2f} nats above the entropy"
        )
    return Picture(figure, f"Points of two moons, with an entropy of {entropy:.2f} nats; {'; '.join(told)}.")


def approach(curves: Mapping[str, Sequence[float]], entropy: float) -> Picture:
    """Draw the loss of flows while they learn, down towards the entropy that none can pass.

    Args:
        curves: the loss of each pass over the data, by the flow's name.
    """
    figure, (axis,) = new_figure(width=6.6, height=3.0)
    longest = max(len(curve) for curve in curves.values())
    for (name, curve), colour, mark in zip(curves.items(), (ORANGE, BLUE, GREEN), "os^", strict=False):
        axis.plot(range(1, len(curve) + 1), curve, color=colour, marker=mark, ms=4, lw=1.6)
        axis.text(len(curve) + 0.3, curve[-1], name, color=colour, va="center", fontsize=9.5)
    axis.axhline(entropy, color=BLACK, lw=1.4, ls="--")
    axis.text(1, entropy - 0.05, "entropy of the data: no density is better", va="top", fontsize=9.5)
    axis.set_xlim(0.5, longest * 1.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    highest = max(max(curve) for curve in curves.values())
    axis.set_ylim(entropy - 0.4, min(highest, entropy + 3.2) + 0.1)
    label(
        axis, "What is left above the dashed line is how far from perfect", "pass over the data", "loss (nats a point)"
    )
    ends = ", ".join(f"{name} to {curve[-1]:.2f}" for name, curve in curves.items())
    return Picture(
        figure,
        f"The loss over the passes: {ends} nats; a dashed line at {entropy:.2f}, the entropy, which none passes.",
    )


def better_prior(places: Sequence[Tensor], images: Sequence[Tensor], of_gaussian: float, of_flow: float) -> Picture:
    """Draw codes of digits, what two priors draw in their place, and what the decoder makes of each.

    Args:
        places: codes of data, draws of N(0, I), draws of the flow, ``(n, 2)`` each.
        images: some of each, decoded, ``(m, 784)``.
        of_gaussian, of_flow: mean log-density of the codes under both priors, nats.
    """
    figure, (whole,) = new_figure(width=9.3, height=5.0)
    whole.remove()
    names = ("codes", "prior", "flow")
    below = [f"{name} decoded" for name in names]
    grid: dict[str, Axes] = figure.subplot_mosaic([list(names), below], height_ratios=[1.35, 1])
    titles = (
        "codes of test digits",
        f"z ~ N(0, I): {of_gaussian:.2f} nats a code",
        f"z ~ flow: {of_flow:.2f} nats a code",
    )
    reach = torch.tensor([[-3.6, -3.6], [3.6, 3.6]])
    for name, title, points, decoded, colour in zip(names, titles, places, images, (BLACK, PURPLE, BLUE), strict=True):
        axis = grid[name]
        axis.spines[["top", "right"]].set_visible(False)
        _scatter(axis, points[:1500], colour, reach)
        label(axis, title, "code, entry 1", "code, entry 2")
        under = grid[f"{name} decoded"]
        draw_images(under, (255 * decoded).round().byte().view(-1, 28, 28), columns=10)
        under.set_xlabel(f"{len(decoded)} of them, decoded")
    return Picture(
        figure,
        "Above: codes of test digits in the plane, with gaps and rays; draws of the Gaussian prior, a round cloud without gaps, under which "
        f"the codes have {of_gaussian:.2f} nats; draws of the flow, which follow the codes' rays, {of_flow:.2f} nats. Below: some of each, "
        "decoded to digits.",
    )
