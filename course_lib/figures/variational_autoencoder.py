"""The figures of notebook 06."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, Picture, draw_images, label, new_figure

PUBLISHED = {"VAE, Burda et al.": -86.76, "IWAE, k = 50, Burda et al.": -84.78}  # their table 1, one stochastic layer
DIGITS = range(10)


def the_machine() -> Picture:
    """Draw what a training image goes through, and where a sample of the prior enters."""
    diagram = Diagram(columns=6.5, rows=2.6, stretch=1.02)
    diagram.node("x", (0, 1.0), "observed")
    diagram.node("encoder", (1, 1.0), "step", "encoder\nφ")
    diagram.node("mu", (2.05, 1.5), "latent", "μ")
    diagram.node("sigma", (2.05, 0.5), "latent", "σ")
    diagram.node("eps", (3.1, 1.85), "text", "ε ~ N(0, I)")
    diagram.node("z", (3.1, 1.0), "latent")
    diagram.node("decoder", (4.2, 1.0), "step", "decoder\nθ")
    diagram.node("p", (5.4, 1.0), "step", "p(ink)")
    diagram.node("prior", (3.1, -0.1), "text", "or z ~ p(z) = N(0, I)")
    for start, end in (("x", "encoder"), ("encoder", "mu"), ("encoder", "sigma"), ("mu", "z"), ("sigma", "z")):
        diagram.arrow(start, end)
    diagram.arrow("eps", "z")
    diagram.arrow("prior", "z", text="sampling")
    diagram.arrow("z", "decoder")
    diagram.arrow("decoder", "p", text="sigmoid")
    return diagram.picture(
        "Training goes from x to the right; a sample begins at z",
        "x goes into the encoder, which gives mu and sigma; with noise epsilon they make z; the decoder makes of z the "
        "probability of ink in each pixel. A sample skips the encoder: its z is drawn from the prior.",
    )


def _pictures(probabilities: Tensor) -> Tensor:
    return (255 * probabilities.detach()).round().byte().view(-1, 28, 28)


def first_passes(bounds: Sequence[float]) -> Picture:
    """Draw the mean bound of every training step."""
    figure, (axis,) = new_figure(width=6.0, height=3.0)
    axis.plot(range(1, len(bounds) + 1), bounds, color=BLUE, lw=1.5)
    label(axis, "Your step raises the bound", "training step", "mean bound of the batch (nats)")
    return Picture(figure, "The mean bound of each batch over the steps: steep at first, then slower and noisy.")


def reconstructions_and_samples(bounds: Sequence[float], x: Tensor, reconstructed: Tensor, samples: Tensor) -> Picture:
    """Draw how the bound rose, digits above what comes back of them, and samples of the prior.

    Args:
        bounds: of every pass over the data.
        x, reconstructed: ``(n, 784)`` each.
        samples: ``(m, 784)``.
    """
    figure, (left, middle, right) = new_figure(3, width=3.25, height=3.3, width_ratios=[1, 1.15, 1.15])
    left.plot(range(1, len(bounds) + 1), bounds, color=BLUE, lw=2)
    label(left, "The bound rises", "pass over the data", "mean bound (nats)")
    rows = [row for pair in zip(x.split(6), reconstructed.split(6), strict=True) for row in pair]
    draw_images(middle, _pictures(torch.cat(rows)), columns=6)
    middle.set_yticks([30 * i + 14 for i in range(len(rows))], ["x", "back"] * (len(rows) // 2))
    middle.set_title("Digits, below each what comes back", loc="left", fontsize=10.5)
    middle.set_xlabel("test images")
    draw_images(right, _pictures(samples), columns=6)
    right.set_title("Samples: z ~ p(z), decoded", loc="left", fontsize=10.5)
    right.set_xlabel(f"{len(samples)} draws, none left out")
    return Picture(
        figure,
        "Left: the mean bound over the passes. Middle: rows of test digits, below each row their reconstructions, a little "
        "smoother. Right: samples of the prior; about half of them are digits, others lie between two.",
    )


def plane_of_codes(codes: Tensor, labels: Tensor, samples: Tensor) -> Picture:
    """Draw the codes of digits in the plane, each as its digit, and samples beside it.

    Args:
        codes: ``(n, 2)``; labels: ``(n,)``.
        samples: ``(m, 784)``, of the model with two latent dimensions.
    """
    figure, (left, right) = new_figure(2, width=4.8, height=4.3, width_ratios=[1.25, 1])
    draw_codes(left, codes[:500], labels[:500])
    label(left, "Nobody told it about digits", "μ, dimension 1", "μ, dimension 2")
    draw_images(right, _pictures(samples), columns=7)
    right.set_title("Samples from two dimensions", loc="left", fontsize=10.5)
    right.set_xlabel(f"{len(samples)} draws, none left out")
    return Picture(
        figure,
        "Left: codes of 500 test digits in the plane, each written as its digit: most digits have a region of their own, 4, 7 "
        "and 9 share one. Right: samples of the model with two latent dimensions, blurred, some of them between digits.",
    )


def draw_codes(axis: Axes, codes: Tensor, labels: Tensor) -> None:
    """Write each code as its digit: nothing rests on colour, which only helps to tell neighbours apart."""
    shades = (BLACK, BLUE, "#B04A00", "#00755A", "#8A4B73")
    low, high = codes.quantile(0.005, 0), codes.quantile(0.995, 0)
    for digit in DIGITS:
        places = codes[labels == digit]
        axis.scatter(
            places[:, 0], places[:, 1], marker=f"${digit}$", s=34, color=shades[digit % 5], linewidths=0, alpha=0.85
        )
    axis.set_xlim(low[0].item() - 0.3, high[0].item() + 0.3)
    axis.set_ylim(low[1].item() - 0.3, high[1].item() + 0.3)


def between_codes(rows: Mapping[str, Tensor]) -> Picture:
    """Draw rows of images, each from one digit to another.

    Args:
        rows: ``(steps, 784)`` each, under what is interpolated.
    """
    columns = len(next(iter(rows.values())))
    figure, (axis,) = new_figure(width=8.6, height=0.72 * len(rows) + 0.75)
    draw_images(axis, _pictures(torch.cat(list(rows.values()))), columns=columns)
    axis.set_yticks([30 * i + 14 for i in range(len(rows))], list(rows))
    axis.set_title("Between two codes lie digits, between two images lies a double exposure", loc="left", fontsize=10.5)
    axis.set_xlabel("from one test image to another")
    return Picture(
        figure,
        "Rows of images, each from one test digit to another. Along a line of codes the strokes move through shapes that could "
        "have been written; in the last row, a line of pixels, one image fades while the other appears through it.",
    )


def two_densities(grid: Tensor, prior: Tensor, aggregate: Tensor) -> Picture:
    """Draw two densities over the plane with one scale of levels, each twice the one below.

    Args:
        grid: ``(n,)``; prior, aggregate: ``(n, n)``.
    """
    figure, axes = new_figure(2, width=4.6, height=3.9)
    levels = [0.4 / 2**i for i in range(7, -1, -1)]
    for axis, title, density in zip(axes, ("The prior p(z)", "All codes, q(z)"), (prior, aggregate), strict=True):
        shown = density.T.clamp(levels[0] / 2, levels[-1] * 0.999)  # a logarithmic scale has no zero
        drawn = axis.contourf(
            grid, grid, shown, levels=levels, cmap="Blues", norm=LogNorm(levels[0] / 2, levels[-1]), extend="neither"
        )
        axis.contour(grid, grid, shown, levels=levels, colors=BLACK, linewidths=0.4, alpha=0.5)
        axis.set_aspect("equal")
        label(axis, title, "z, dimension 1", "z, dimension 2")
    bar = figure.colorbar(drawn, ax=axes, label="density; each level twice the last")
    bar.set_ticks(levels, labels=[f"{level:.3g}" for level in levels])
    return Picture(
        figure,
        "Two densities in the latent plane with the same levels. The prior is a round hill. That of all codes covers the same "
        "ground unevenly, with ridges where codes of a digit lie and valleys between them.",
    )


def tightening(bounds: Mapping[int, float]) -> Picture:
    """Draw the importance-weighted bound over the number of samples, and beside published bounds.

    Args:
        bounds: in nats, by number of samples K.
    """
    figure, (left, right) = new_figure(2, width=4.7, height=3.3, width_ratios=[1, 1.2])
    left.plot(list(bounds), list(bounds.values()), "o-", color=GREEN)
    left.set_xscale("log")
    label(left, "The bound tightens with K, the model stays", "samples K", "bound on test digits (nats)")
    most = max(bounds)
    rows = {"yours, K = 1": bounds[1], f"yours, K = {most}": bounds[most], **PUBLISHED}
    right.barh(range(len(rows)), [-value for value in rows.values()], color=(GREEN, GREEN, BLUE, ORANGE), height=0.7)
    right.set_xlim(0, 1.15 * max(-value for value in rows.values()))
    right.set_yticks(range(len(rows)), list(rows))
    right.invert_yaxis()
    for row, value in enumerate(rows.values()):
        right.text(1.5 - value, row, f"{-value:.1f}", ha="left", va="center", fontsize=9)
    label(right, "Published models train for longer, and are better", "minus the bound (nats): less is better", "")
    right.set_ylabel("model and bound")
    return Picture(
        figure,
        "Left: the importance-weighted bound on test digits rises with the number of samples K and levels off. Right: minus the "
        f"bound: {', '.join(f'{name} {-value:.1f}' for name, value in rows.items())} nats.",
    )
