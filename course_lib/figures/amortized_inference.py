"""Figures of notebook 04: the encoder's way, what it gives at once, and what it loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, Picture, draw_images, label, new_figure

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":"), (RED, "-."), (PURPLE, (0, (5, 1, 1, 1, 1, 1))))


def encoder_decoder() -> Picture:
    """Draw the way from x to the bound and the gradients that come back."""
    row = 0.55
    diagram = Diagram(columns=6.4, rows=2.3, stretch=1.05)
    diagram.node("x", (0, row), "observed", "$x$")
    diagram.node("encoder", (1, row), "step", "encoder\nφ")
    diagram.node("parameters", (2.05, row), "step", "μ, log σ")
    diagram.node("z", (3.3, row), "latent", "$z$")
    diagram.node("eps", (3.3, row + 0.85), "latent", "ε")
    diagram.node("decoder", (4.35, row), "step", "decoder\nθ")
    diagram.node("bound", (5.5, row), "step", "bound")
    diagram.arrow("x", "encoder")
    diagram.arrow("encoder", "parameters")
    diagram.arrow("parameters", "z", text="μ + σε")
    diagram.arrow("eps", "z")
    diagram.arrow("z", "decoder")
    diagram.arrow("decoder", "bound", text="p(x|z)")
    diagram.arrow("bound", "decoder", "gradient", "trains θ", bend=0.5)
    diagram.arrow("decoder", "parameters", "gradient", "goes on through z", bend=0.3)
    diagram.arrow("parameters", "encoder", "gradient", "trains φ", bend=0.5)
    return diagram.picture(
        "One bound, one backward pass: θ and φ learn together",
        "The image x goes into the encoder, which gives mu and log sigma; with noise epsilon they make z, the decoder makes "
        "p(x|z) of it, and the bound is computed. The gradient runs back from the bound to the decoder, through z to mu and "
        "log sigma, and on to the encoder.",
    )


def training(bounds: Sequence[float], x: Tensor, means: Tensor) -> Picture:
    """Draw the bound over the passes, and new images above what the decoder makes of their codes.

    Args:
        bounds: the mean bound of each pass, nats.
        x, means: ten images and the decoder's means, ``(10, 784)``, values in [0, 1].
    """
    figure, (left, right) = new_figure(2, width=4.7, height=2.3, width_ratios=[1, 2.5])
    left.plot(range(1, len(bounds) + 1), bounds, color=BLUE, lw=2)
    label(left, "Both learn together", "pass over the data", "mean bound (nats)")
    _rows(right, {"new x": x, "decoder(μ)": means})
    right.set_title("New images, one pass through the encoder", loc="left", fontsize=10.5)
    right.set_xlabel("ten test images")
    return Picture(
        figure,
        f"Left: the mean bound rises from {bounds[0]:.0f} to {bounds[-1]:.0f} nats over {len(bounds)} passes. Right: ten test "
        "digits, and below each what the decoder makes of the code that the encoder gave in one pass.",
    )


def _rows(axis: Axes, rows: Mapping[str, Tensor]) -> None:
    """Draw rows of ten images ``(10, 784)``, each with its name at the left."""
    images = torch.cat(list(rows.values())).clamp(0, 1).view(-1, 28, 28)
    draw_images(axis, (255 * images).byte(), columns=len(next(iter(rows.values()))))
    axis.set_yticks([30 * i + 14 for i in range(len(rows))], list(rows))


def clothes(x: Tensor, by_encoder: Tensor, refined: Tensor, gaps: Tensor, names: Sequence[str]) -> Picture:
    """Draw images of another world, what the decoder makes of the encoder's code and of the refined one, and the gaps.

    Args:
        x, by_encoder, refined: ``(10, 784)``, values in [0, 1].
        gaps: amortization gap of each, ``(10,)``, nats.
        names: what each image shows.
    """
    figure, (axis,) = new_figure(width=9.6, height=3.6)
    _rows(axis, {"x": x, "decoder(encoder's μ)": by_encoder, "decoder(refined μ)": refined})
    told = [f"{name}\n{gap:,.0f}" for name, gap in zip(names, gaps.tolist(), strict=True)]
    axis.set_xticks([30 * i + 14 for i in range(len(names))], told, fontsize=8.5)
    axis.set_xlabel("image, and its amortization gap (nats)")
    axis.set_title(
        "What a decoder of digits makes of clothes: the encoder guesses worse than q alone finds",
        loc="left",
        fontsize=10.5,
    )
    listed = ", ".join(text.replace("\n", " ") for text in told)
    return Picture(
        figure,
        "Ten images of clothes; below each the decoder's picture of the encoder's code, and of the code refined for this image "
        f"alone: both look like digits. Amortization gaps in nats: {listed}.",
    )


def unlike(gaps: Mapping[str, Tensor], usual: str = "digits") -> Picture:
    """Draw the amortization gaps of each kind of image, one dot an image, on a logarithmic axis.

    Args:
        gaps: by kind, ``(images,)``, nats.
        usual: the kind that the encoder was trained on.
    """
    figure, (axis,) = new_figure(width=8.6, height=3.0)
    generator = torch.Generator().manual_seed(0)
    medians: dict[str, float] = {}
    rows = list(gaps.items())[::-1]
    for row, (name, values) in enumerate(rows):
        colour = BLUE if name == usual else ORANGE
        height = row + 0.28 * (2 * torch.rand(len(values), generator=generator) - 1)
        axis.plot(values.clamp(min=0.1), height, "o", color=colour, ms=3.5, alpha=0.55, mew=0)
        medians[name] = float(values.median())
        axis.plot(medians[name], row, "|", color=BLACK, ms=26, mew=2.2)
    axis.set_yticks(range(len(gaps)), [name for name, _ in rows])
    axis.set_xscale("log")
    axis.set_ylim(-0.6, len(gaps) - 0.4)
    familiar = all(medians[usual] <= other for other in medians.values())
    title = "The gap is narrowest where the encoder was trained" if familiar else "Amortization gaps of each kind"
    label(axis, f"{title} (bar: median)", "amortization gap (nats, logarithmic; what is below 0.1 stands there)", "")
    told = ", ".join(f"{name} {median:.0f}" for name, median in reversed(medians.items()))
    return Picture(figure, f"Amortization gaps, one dot an image, on a logarithmic axis. Medians in nats: {told}.")


def split_against_width(
    widths: Sequence[int], approximation: Sequence[float], amortization: Sequence[float]
) -> Picture:
    """Draw both gaps against the encoder's width, on logarithmic axes, each line with its name beside it."""
    figure, (axis,) = new_figure(width=7.4, height=3.5)
    last = widths[-1] * 1.12
    for values, name, colour, style in (
        (amortization, "amortization gap:\nthe encoder's part", BLUE, "o-"),
        (approximation, "approximation gap:\nthe Gaussian's part", ORANGE, "s--"),
    ):
        axis.plot(widths, values, style, color=colour, lw=2)
        axis.text(last, values[-1], name, color=BLACK, fontsize=9, va="center")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlim(widths[0] / 1.15, widths[-1] * 2.6)
    axis.set_xticks(widths, [str(width) for width in widths])
    falls = amortization[-1] < 0.5 * amortization[0]
    flat = max(approximation) < 1.5 * min(approximation)
    title = "A wider encoder closes its own part of the gap only" if falls and flat else "The two parts of the gap"
    label(axis, title, "width of the encoder's hidden layer", "mean gap (nats, logarithmic)")
    told = "; ".join(
        f"width {width}: approximation {a:.1f}, amortization {b:.1f}"
        for width, a, b in zip(widths, approximation, amortization, strict=True)
    )
    return Picture(figure, f"Both gaps against the encoder's width, in nats. {told}.")
