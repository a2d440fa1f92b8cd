"""The figures of notebook 10."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib.data import ASSETS
from course_lib.figures.colour import side_by_side
from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, Picture, draw_images, label, new_figure
from course_lib.shipped import Shipped, load_gallery

OTHER_DATA_FILE = ASSETS / "nice_other_data.npz"  # made by scripts/make_other_data.py
PUBLISHED = 1980.50  # nats, MNIST: Dinh, Krueger and Bengio 2015, section 5.1
STYLES = ((BLUE, "o", "-"), (RED, "s", "--"), (GREEN, "^", ":"), (PURPLE, "D", "-."))


def coupling_layer() -> Picture:
    """Draw a coupling from z to x, and the way back below it."""
    diagram = Diagram(columns=6.6, rows=2)
    diagram.node("z1", (0, 1), "latent", "$z_1$")
    diagram.node("z2", (0, 0), "latent", "$z_2$")
    diagram.node("g", (1, 0.5), "step", "g")
    diagram.node("plus", (1.9, 0), "step", "+")
    diagram.node("x1", (2.8, 1), "observed", "$x_1$")
    diagram.node("x2", (2.8, 0), "observed", "$x_2$")
    diagram.arrow("z1", "x1", text="as it is")
    diagram.arrow("z1", "g")
    diagram.arrow("g", "plus")
    diagram.arrow("z2", "plus")
    diagram.arrow("plus", "x2")
    diagram.node("g again", (3.8, 0.5), "step", "the same g")
    diagram.node("minus", (4.8, 0), "step", "\N{MINUS SIGN}")
    diagram.node("back1", (5.7, 1), "latent", "$z_1$")
    diagram.node("back2", (5.7, 0), "latent", "$z_2$")
    diagram.arrow("x1", "back1", text="as it is")
    diagram.arrow("x1", "g again")
    diagram.arrow("g again", "minus")
    diagram.arrow("x2", "minus")
    diagram.arrow("minus", "back2")
    return diagram.picture(
        "What was added can be taken away again, because what g looked at is still there",
        "On the way from z to x the first part goes through unchanged, and a network g of it is added to the second part. On the "
        "way back x1 is z1, the same g of it is computed, and subtracted from x2. g itself is never turned round.",
    )


def one_coupling(z: Tensor, x: Tensor) -> Picture:
    """Draw a grid of points and where a coupling moves them.

    Args:
        z, x: ``(side * side, 2)``, in the order of ``torch.cartesian_prod``.
    """
    side = math.isqrt(len(z))
    figure, axes = new_figure(2, width=4.2, height=3.7)
    places = (("z, a grid", z, "z"), ("x: columns slide, none is stretched", x, "x"))
    for axis, (title, points, name) in zip(axes, places, strict=True):
        lattice = points.view(side, side, 2)
        for line in (*lattice, *lattice.transpose(0, 1)):
            axis.plot(line[:, 0], line[:, 1], color=BLUE, lw=0.8, marker="o", ms=2.5)
        block = lattice[side // 2 : side // 2 + 4, side // 2 : side // 2 + 4]
        border = torch.cat([block[:, 0], block[-1, 1:], block[:-1, -1].flip(0), block[0, 1:-1].flip(0)])
        axis.fill(border[:, 0], border[:, 1], fc=SKY, ec=BLACK, lw=1.5, zorder=0)
        label(axis, title, f"${name}_1$", f"${name}_2$")
        axis.set_aspect("equal")
        axis.set_xlim(-2.7, 2.7)
        axis.set_ylim(-2.7, 2.7)
    return Picture(
        figure,
        "Left: a square grid of z with a block of nine cells filled. Right: the same points after one coupling: every vertical line of "
        "points has slid up or down as a whole, and each filled cell has become a parallelogram of the same base and height.",
    )


def block_matrix(jacobian: Tensor, d: int) -> Picture:
    """Draw the Jacobian of one point, ``(dim, dim)``, with its four blocks."""
    dim = len(jacobian)
    figure, (axis,) = new_figure(width=4.6, height=3.9)
    most = max(1.0, jacobian.abs().max().item())
    axis.imshow(jacobian, cmap="RdBu_r", vmin=-1.6 * most, vmax=1.6 * most)
    for i in range(dim):
        for j in range(dim):
            axis.text(j, i, f"{jacobian[i, j].item():.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=9)
    for where in (axis.axhline, axis.axvline):
        where(d - 0.5, color=BLACK, lw=1.5)
    names = [str(i + 1) for i in range(dim)]
    axis.set_xticks(range(dim), names)
    axis.set_yticks(range(dim), names)
    label(axis, "Ones on the diagonal, nothing above it", "by entry j of z", "change of entry i of x")
    return Picture(
        figure,
        f"The Jacobian of a coupling as a table of {dim} by {dim} numbers: ones on the diagonal, zeros above it, and numbers of the "
        f"network's own only in the lower left block, rows {d + 1} to {dim} and columns 1 to {d}.",
    )


def volumes(
    data: Mapping[str, Tensor], drawn: Mapping[str, Tensor], reached: Mapping[str, float], perfect: Mapping[str, float]
) -> Picture:
    """Draw data, and below them samples of the flows that were fitted to them.

    Args:
        data, drawn: points ``(n, 2)`` by the flow's name; what a comma introduces in a name is about the data.
        reached, perfect: mean log p(x) in nats, of the flow and of the density that its data come from.
    """
    figure, (whole,) = new_figure(width=9.6, height=6.0)
    whole.remove()
    for pair, name in zip(figure.subplots(2, len(data), sharex=True, sharey=True).T, data, strict=True):
        flow, _, size = name.partition(", ")
        titles = f"data, {size}" if size else "data", f"{flow}: {reached[name]:.2f} of {perfect[name]:.2f} nats"
        for axis, title, x, colour in zip(pair, titles, (data[name], drawn[name]), (BLUE, RED), strict=True):
            axis.plot(x[:, 0], x[:, 1], ".", ms=2, color=colour)
            axis.set_xlim(-4.5, 4.5)
            axis.set_ylim(-3.5, 5)
            axis.spines[["top", "right"]].set_visible(False)
            label(axis, title, "$x_1$", "$x_2$")
    gaps = ", ".join(f"{name}: {reached[name]:.2f} of {perfect[name]:.2f}" for name in reached)
    return Picture(
        figure,
        f"Bananas of points, and below each the samples of a flow fitted to it; mean log p(x) reached, of what is possible, in nats: {gaps}.",
    )


def spikes(widths: Sequence[float], raw: Sequence[float], spread: Sequence[float], limit: float) -> Picture:
    """Draw the mean log-density of pixels under ever narrower spikes.

    Args:
        widths: of the spikes, in grey values.
        raw, spread: nats a pixel, of pixels as they are and of dequantized ones.
        limit: what no density of dequantized pixels exceeds.
    """
    figure, (axis,) = new_figure(width=6.6, height=3.5)
    axis.plot(widths, raw, "o-", color=RED)
    axis.plot(widths, [max(value, -60.0) for value in spread], "s--", color=BLUE)
    axis.axhline(limit, color=BLACK, lw=1)
    axis.set_xscale("log")
    axis.invert_xaxis()
    axis.set_ylim(-5, max(raw) + 1)
    axis.text(widths[-1], raw[-2] - 2.5, "pixels as they are", color=RED, ha="right", va="center", fontsize=9)
    axis.text(widths[-1], limit + 0.3, "the most that dequantized pixels allow", ha="right", va="bottom", fontsize=9)
    axis.text(0.7 * widths[2], -2.5, "dequantized pixels", color=BLUE, ha="left", va="center", fontsize=9)
    label(
        axis,
        "Narrower spikes: ever better numbers, and nothing learned",
        "width of a spike, in grey values",
        "nats a pixel",
    )
    return Picture(
        figure,
        "Mean log-density a pixel against the width of spikes on the 256 grey values, from wide to narrow. For pixels as they are it "
        f"rises without end, to {raw[-1]:.1f} nats at the narrowest; for dequantized pixels it peaks below {limit:.2f} nats, which no "
        "density exceeds, and then falls steeply.",
    )


def two_beginnings(curves: Mapping[str, Sequence[float]]) -> Picture:
    """Draw the mean log p(x) of each training step, by the training's name."""
    figure, (axis,) = new_figure(width=6.6, height=3.3)
    longest = max(len(values) for values in curves.values())
    for (name, values), (colour, marker, line) in zip(curves.items(), STYLES, strict=False):
        shown = [max(value, -3000.0) for value in values]
        steps = range(1, len(values) + 1)
        axis.plot(steps, shown, color=colour, ls=line, marker=marker, markevery=max(1, longest // 15), ms=4, lw=1.5)
        axis.text(len(values) + longest * 0.015, shown[-1], name, color=colour, va="center", fontsize=9)
    axis.set_xlim(0, longest * 1.38)
    label(axis, "Where the scaling starts decides", "training step", "mean log p(x) of the batch (nats)")
    ends = ", ".join(f"{name}: {values[-1]:.0f} nats after {len(values)} steps" for name, values in curves.items())
    return Picture(figure, f"Mean log p(x) of each batch over the training steps. {ends}.")


def samples(drawn: Mapping[str, Tensor]) -> Picture:
    """Draw samples of several models, ``(n, 784)`` in [0, 1] each, below one another, and those of the gallery last."""
    gallery = load_gallery()["NICE"].arrays["samples"]
    rows = {**{name: _pictures(x)[:32] for name, x in drawn.items()}, "10 minutes,\n60,000 digits": gallery[:32]}
    figure, (axis,) = new_figure(width=9.4, height=1.25 * len(rows) + 0.6)
    draw_images(axis, torch.cat(list(rows.values())), columns=16)
    axis.set_yticks([60 * i + 29 for i in range(len(rows))], list(rows))
    axis.set_title("Samples: speckle, then blobs of ink with a digit here and there", loc="left", fontsize=10.5)
    axis.set_xlabel("32 samples of each, as they came; below 0 drawn white, above 1 black")
    return Picture(
        figure,
        f"Two rows of samples for each of {', '.join(rows)}. From zeros: grey speckle over the whole square. Trained from the data's "
        "spread: blobs of ink in the middle with pieces of strokes, few of them digits. The one trained longest: darker, with "
        "smoother strokes, and still hardly a digit.".replace("\n", " "),
    )


def beside_others(yours: float) -> Picture:
    """Draw a log-likelihood beside the course's longer training and the paper's."""
    shipped = load_gallery()["NICE"].figures["log p(x) of dequantized pixels (nats a test digit)"]
    rows = {"yours": yours, "the same, 10 minutes, 60,000 digits": shipped, "Dinh et al., 2015": PUBLISHED}
    figure, (axis,) = new_figure(width=7.0, height=2.3)
    axis.barh(range(len(rows)), list(rows.values()), color=(GREEN, BLUE, ORANGE), height=0.65)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.invert_yaxis()
    axis.set_xlim(0, 2350)
    for row, value in enumerate(rows.values()):
        axis.text(value + 15, row, f"{value:.0f}", va="center", fontsize=9)
    label(
        axis, "Longer training and more digits: higher", "mean log p(x) of test digits (nats), more is better", "model"
    )
    words = ", ".join(f"{name} {value:.0f}" for name, value in rows.items())
    return Picture(figure, f"Three bars of the mean log p(x) of test digits in nats: {words}.")


def other_data(models: Mapping[str, Shipped]) -> Picture:
    """Draw samples of the models of faces and of CIFAR-10, and how that of faces fared with people it had not seen."""
    figure, (whole,) = new_figure(width=9.6, height=4.6)
    whole.remove()
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1.0))
    for row, (name, title) in enumerate((("faces", "NICE of 600 faces"), ("CIFAR-10", "NICE of 50,000 photographs"))):
        axis = figure.add_subplot(grid[row, 0])
        samples = models[name].arrays["samples"][:16]
        pictures = samples.unsqueeze(-1).expand(-1, -1, -1, 3) if samples.dim() == 3 else samples.permute(0, 2, 3, 1)
        axis.imshow(side_by_side(pictures, columns=8).numpy(), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        label(axis, f"{title}: 16 samples, as they came", "below 0 drawn black, above 1 white", name)
    axis = figure.add_subplot(grid[:, 1])
    axis.spines[["top", "right"]].set_visible(False)
    arrays = models["faces"].arrays
    for name, (colour, marker, line) in zip(("training", "unseen"), STYLES, strict=False):
        curve = arrays[name]
        passes = range(1, len(curve) + 1)
        axis.plot(passes, curve, color=colour, marker=marker, ls=line, markevery=5, ms=4, lw=1.5)
    axis.text(
        len(arrays["training"]),
        arrays["training"][-1].item() + 60,
        "faces it trains on",
        color=BLUE,
        ha="right",
        fontsize=9,
    )
    axis.text(
        len(arrays["unseen"]),
        arrays["unseen"][-1].item() - 260,
        "people it never saw",
        color=RED,
        ha="right",
        fontsize=9,
    )
    label(axis, "Faces: learned by heart", "passes over the faces", "mean log p(x) (nats)")
    best = 1 + int(arrays["unseen"].argmax())
    return Picture(
        figure,
        "Left: 16 samples each of NICE trained on faces, grey and grainy, and on CIFAR-10, coloured clouds without things in them. Right: mean "
        f"log p(x) over the passes: that of the faces it trains on rises to {arrays['training'][-1]:.0f} nats, that of people it never saw is "
        f"highest after {best} passes, {arrays['unseen'].max():.0f} nats, and falls to {arrays['unseen'][-1]:.0f}.",
    )


def restored(rows: Mapping[str, Tensor]) -> Picture:
    """Draw rows of images, ``(n, 784)`` each by name; NaN where nothing is known is drawn grey."""
    pictures = torch.cat(list(rows.values()))
    figure, (axis,) = new_figure(width=7.6, height=0.82 * len(rows) + 0.7)
    draw_images(axis, _pictures(pictures.nan_to_num(0.35)), columns=len(next(iter(rows.values()))))
    axis.set_yticks([30 * i + 14 for i in range(len(rows))], list(rows))
    axis.set_title("Between known rows strokes come back; a whole half stays a blur", loc="left", fontsize=10.5)
    axis.set_xlabel("test digits; grey: not given")
    return Picture(
        figure,
        f"Rows of test digits: {', '.join(rows)}. Where every third row of pixels or a third of all pixels is given, much of the "
        "digit comes back, rough at the edges; where the upper half is given, the lower half fills with grey that only here and "
        "there continues a stroke.",
    )


def _pictures(x: Tensor) -> Tensor:
    return (255 * x.detach().clamp(0, 1)).round().byte().view(-1, 28, 28)
