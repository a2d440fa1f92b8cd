"""The figures of notebook 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.digit_flow import CURVE, shipped_digit_flow
from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, Picture, draw_images, label, new_figure

PUBLISHED = {"NICE, Dinh et al. 2015": 4.36, "Real-NVP, as Grathwohl et al. 2019 give it": 1.06}  # bits/dim on MNIST
NICE_IN_10 = 5.0  # bits/dim of notebook 10's model after a minute
DEEP = 9.0  # nats below the highest density at which the pictures of the plane end


def affine_layer() -> Picture:
    """Draw an affine coupling from z to x."""
    diagram = Diagram(columns=5.6, rows=2.9)
    diagram.node("z1", (0, 2.0), "latent", "$z_1$")
    diagram.node("z2", (0, 0), "latent", "$z_2$")
    diagram.node("h", (1.8, 0.85), "step", "h")
    diagram.node("g", (3.3, 0.85), "step", "g")
    diagram.node("times", (1.8, 0), "step", "× exp(h)")
    diagram.node("plus", (3.3, 0), "step", "+ g")
    diagram.node("x1", (4.6, 2.0), "observed", "$x_1$")
    diagram.node("x2", (4.6, 0), "observed", "$x_2$")
    diagram.arrow("z1", "x1", text="as it is")
    diagram.arrow("z1", "h")
    diagram.arrow("z1", "g")
    diagram.arrow("h", "times")
    diagram.arrow("g", "plus")
    diagram.arrow("z2", "times")
    diagram.arrow("times", "plus")
    diagram.arrow("plus", "x2")
    return diagram.picture(
        "Two networks look at the part that is kept: one gives a scale, one a shift",
        "On the way from z to x the first part goes through unchanged. Two networks h and g of it give a log-scale and a shift; the second part "
        "is multiplied by exp(h), then g is added. The way back subtracts g and divides by exp(h).",
    )


def blow_up(curves: Mapping[str, Sequence[Sequence[float]]], steps: int) -> Picture:
    """Draw the loss of each step for several seeds, without a bound of h and with one; a training that is lost ends in a cross.

    Args:
        curves: ``"unbounded"`` and ``"bounded"``, for each seed -mean log p(x) of the steps before it became inf or nan.
        steps: how many there were to be.
    """
    figure, (axis,) = new_figure(width=7.4, height=3.5)
    for name, colour, line in (("unbounded", RED, "--"), ("bounded", BLUE, "-")):
        for losses in curves[name]:
            shown = [min(value, 1e6) for value in losses]
            axis.plot(range(1, len(shown) + 1), shown, color=colour, ls=line, lw=1.2)
            if len(losses) < steps:
                axis.plot(len(shown), shown[-1], "x", color=colour, ms=10, mew=2.2, clip_on=False)
    axis.set_yscale("symlog", linthresh=10)
    axis.set_xscale("log")
    axis.set_xlim(0.9, steps)
    lost = sum(len(losses) < steps for losses in curves["unbounded"])
    kept = sum(len(losses) == steps for losses in curves["bounded"])
    label(
        axis,
        "Without a bound, steps of any size: crosses mark the last finite loss",
        "training step",
        "-mean log p(x) (nats)",
    )
    axis.text(1.01, 0.85, "dashed: h as it comes", color=RED, transform=axis.transAxes, fontsize=9)
    axis.text(1.01, 0.25, "solid: h = 1.5 tanh(·)", color=BLUE, transform=axis.transAxes, fontsize=9)
    return Picture(
        figure,
        f"Loss against training steps, both axes logarithmic, {len(curves['unbounded'])} seeds each. Without a bound {lost} of them end in a cross, the "
        f"last step with a finite loss; with a bound {kept} of {len(curves['bounded'])} go on to step {steps}.",
    )


def side_by_side(
    data: Mapping[str, Tensor],
    densities: Mapping[str, Mapping[str, Tensor]],
    gaps: Mapping[str, Mapping[str, float]],
    reach: float,
) -> Picture:
    """Draw data sets, and beside each the log-density of several models.

    Args:
        data: points ``(n, 2)`` by the data set's name.
        densities: log p on a square grid ``(side, side)``, x₁ along the first dimension, by data set and model.
        gaps: nats above the data's entropy, likewise.
        reach: half of the grid's side.
    """
    models = list(next(iter(densities.values())))
    figure, (whole,) = new_figure(width=8.8, height=2.75 * len(data))
    whole.remove()
    grid = figure.subplots(len(data), 1 + len(models), squeeze=False, sharex=True, sharey=True)
    for row, (name, points) in zip(grid, data.items(), strict=True):
        row[0].plot(points[:, 0], points[:, 1], ".", ms=1.5, color=BLUE)
        _plane(row[0], name, reach)
        for axis, model in zip(row[1:], models, strict=True):
            density = densities[name][model]
            top = density.max().item()
            axis.imshow(
                density.clamp(min=top - DEEP).T,
                origin="lower",
                extent=(-reach, reach, -reach, reach),
                cmap="Blues",
                vmin=top - DEEP,
                vmax=top,
            )
            _plane(axis, f"{model}: {gaps[name][model]:.2f} nats above", reach)
    told = "; ".join(f"{name}: {', '.join(f'{m} {g:.2f}' for m, g in of.items())}" for name, of in gaps.items())
    return Picture(
        figure,
        "Rows of data sets in the plane, and beside each the log-density that two flows have learned, darker where higher, white "
        f"from {DEEP:.0f} nats below the peak. Nats above the entropy of the data, which nothing goes below: {told}.",
    )


def _plane(axis: Axes, title: str, reach: float) -> None:
    axis.set_xlim(-reach, reach)
    axis.set_ylim(-reach, reach)
    axis.set_aspect("equal")
    label(axis, title, "$x_1$", "$x_2$")
    axis.label_outer()


def masks(board: Tensor, channels: Tensor) -> Picture:
    """Draw a checkerboard, a squeeze of numbered pixels, and the mask of half the channels."""
    figure, (left, middle, right) = new_figure(3, width=3.1, height=3.0)
    left.imshow(board.float(), cmap="Blues", vmin=0, vmax=1.6)
    for (i, j), value in zip(
        torch.cartesian_prod(*map(torch.arange, board.shape)).tolist(), board.flatten(), strict=True
    ):
        left.text(j, i, str(int(value)), ha="center", va="center", fontsize=9)
    label(left, "Checkerboard: 1 is kept", "column", "row")
    numbers = torch.arange(16).reshape(4, 4)
    middle.imshow((numbers // 4 % 2) * 2 + numbers % 2, cmap="Blues", vmin=-0.5, vmax=6)
    for i in range(4):
        for j in range(4):
            middle.text(
                j, i, "abcd"[2 * (i % 2) + j % 2] + str(1 + 2 * (i // 2) + j // 2), ha="center", va="center", fontsize=9
            )
    for where in (middle.axhline, middle.axvline):
        where(1.5, color=BLACK, lw=1.5)
    middle.set_xticks(range(4))
    middle.set_yticks(range(4))
    label(middle, "Blocks of four pixels …", "column", "row")
    kept = channels.float().repeat_interleave(len(channels) // 4 or 1)[:4] if len(channels) != 4 else channels.float()
    right.imshow(kept.unsqueeze(1).expand(4, 4), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for i, letter in enumerate("abcd"):
        for j in range(4):
            right.text(j, i, f"{letter}{j + 1}", ha="center", va="center", fontsize=9)
    right.set_yticks(range(4), [f"{i}: {'kept' if value else 'changed'}" for i, value in enumerate(kept)])
    right.set_xticks([])
    label(right, "… become four channels", "their four pixels", "channel")
    return Picture(
        figure,
        "Left: a checkerboard of zeros and ones, the first cell 0. Middle: an image of 4 by 4 pixels, each block of four named a, b, c, d row by row. "
        "Right: after a squeeze all a's are channel 0, all b's channel 1, and so on; the mask keeps channels 0 and 1 and changes 2 and 3.",
    )


def multi_scale(shapes: Sequence[Sequence[int]]) -> Picture:
    """Draw which latents leave at which of two scales, ``(channels, height, width)`` each, for digits."""
    (first, last), side = shapes, 28
    diagram = Diagram(columns=6.5, rows=2.4, stretch=1.02)
    size = " × ".join(map(str, first))
    diagram.node("x", (0, 0.2), "observed", "$x$")
    diagram.node("boards", (1.05, 0.2), "step", "3 × board")
    diagram.node("squeeze", (2.1, 0.2), "step", "squeeze")
    diagram.node("channels", (3.2, 0.2), "step", "3 × channels")
    diagram.node("z1", (3.9, 1.35), "latent", "$z_1$")
    diagram.node("last", (4.6, 0.2), "step", "4 × board")
    diagram.node("z2", (5.75, 0.2), "latent", "$z_2$")
    diagram.arrow("x", "boards")
    diagram.arrow("boards", "squeeze")
    diagram.arrow("squeeze", "channels")
    diagram.arrow("channels", "z1", text="half leaves")
    diagram.arrow("channels", "last")
    diagram.arrow("last", "z2")
    diagram.note((0, -0.3), f"1 × {side} × {side}")
    diagram.note((2.1, -0.3), f"{2 * first[0]} × {first[1]} × {first[2]}")
    diagram.note((4.6, 1.35), size)
    diagram.note((4.2, -0.3), f"{size} go on", color=BLACK)
    diagram.note((5.75, -0.3), " × ".join(map(str, last)))
    return diagram.picture(
        "Half of the latents leave early; only the other half goes through the coarser scale",
        f"From an image x of 28 by 28 pixels to z: three couplings by checkerboards, a squeeze to {2 * first[0]} channels of {first[1]} by {first[2]}, three "
        f"couplings by channels. Then half of the channels, {size}, leave as z1; the other half goes through four more couplings and "
        f"leaves as z2, {' × '.join(map(str, last))} after a last squeeze.",
    )


def training(bits: Sequence[float], reached: float) -> Picture:
    """Draw bits/dim over a training in class beside the shipped model's curve."""
    shipped = shipped_digit_flow()
    steps, curve = (shipped.arrays[name] for name in CURVE)
    test = shipped.figures["test digits (bits/dim)"]
    figure, (axis,) = new_figure(width=7.2, height=3.4)
    axis.plot(steps, curve, color=BLUE, lw=1.6, marker="o", ms=4)
    few = torch.tensor(bits[: len(bits) // 10 * 10]).reshape(-1, 10).mean(-1)
    axis.plot(torch.arange(1, len(few) + 1) * 10, few, color=RED, lw=1.6, ls="--")
    axis.axhline(NICE_IN_10, color=BLACK, lw=1, ls=":")
    end = steps[-1].item()
    axis.text(end, NICE_IN_10 + 0.1, "NICE, notebook 10", ha="right", va="bottom", fontsize=9)
    axis.text(
        end,
        curve[-1].item() + 0.25,
        f"the shipped model, {test:.2f} on test digits",
        ha="right",
        color=BLUE,
        fontsize=9,
    )
    axis.text(len(bits) * 1.15, 3.4, f"yours, {reached:.2f}\non test digits", color=RED, fontsize=9, va="center")
    axis.set_ylim(1, 7)
    label(axis, "A minute takes it far below NICE; the rest is slow", "training step", "bits/dim (fewer is better)")
    return Picture(
        figure,
        f"Bits/dim against training steps. Yours falls from above 7 to {few[-1]:.2f}, {reached:.2f} on test digits; the shipped model goes on to step "
        f"{end} and {test:.2f} on test digits. A dotted line marks NICE of notebook 10 at {NICE_IN_10:.1f}.",
    )


def beside_others(yours: float) -> Picture:
    """Draw bits/dim on MNIST beside the course's other flows and published ones."""
    shipped = shipped_digit_flow().figures["test digits (bits/dim)"]
    rows = {
        "NICE, notebook 10, a minute": NICE_IN_10,
        "Real-NVP, yours": yours,
        "Real-NVP, shipped": shipped,
        **PUBLISHED,
    }
    colours = (ORANGE, RED, BLUE, GREEN, PURPLE)
    figure, (axis,) = new_figure(width=7.8, height=2.7)
    axis.barh(range(len(rows)), list(rows.values()), color=colours, height=0.65)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.invert_yaxis()
    axis.axvline(8, color=BLACK, lw=1, ls="--")
    axis.text(7.95, len(rows) - 0.6, "uniform: 8", ha="right", fontsize=9)
    axis.set_xlim(0, 8.2)
    for row, value in enumerate(rows.values()):
        axis.text(value + 0.06, row, f"{value:.2f}", va="center", fontsize=9)
    label(axis, "A scale and convolutions: from five bits to below two", "bits/dim on MNIST (fewer is better)", "model")
    return Picture(
        figure, "Bars of bits/dim on MNIST: " + ", ".join(f"{n} {v:.2f}" for n, v in rows.items()) + "; uniform 8."
    )


def image_rows(rows: Mapping[str, Tensor], title: str, below: str) -> Picture:
    """Draw rows of images in [0, 1], ``(n, 28, 28)`` each, n the same, by name."""
    columns = len(next(iter(rows.values())))
    figure, (axis,) = new_figure(width=min(9.6, 0.62 * columns + 2.2), height=0.64 * len(rows) + 0.85)
    draw_images(axis, (255 * torch.cat(list(rows.values())).clamp(0, 1)).round().byte(), columns=columns)
    axis.set_yticks([30 * i + 14 for i in range(len(rows))], list(rows))
    axis.set_title(title, loc="left", fontsize=10.5)
    axis.set_xlabel(below)
    return Picture(figure, f"{title}. Rows of {columns} images: {'; '.join(rows)}. {below}.".replace("\n", " "))
