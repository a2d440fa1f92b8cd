"""The figures of notebook 03: q_i that climb, a decoder that learns from them, and what each image costs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, Picture, draw_images, label, new_figure


def alternation_diagram() -> Picture:
    """Draw the two updates of the lecture's loop: which parameters each gradient reaches."""
    diagram = Diagram(columns=6, rows=3.75)
    for row, (name, reached) in enumerate(
        (("2.  $q_i$ steps, θ is held", "q"), ("1.  θ steps, the $q_i$ are held", "theta"))
    ):
        y = 0.2 + 1.85 * row
        q, eps, z, decoder, bound, x = (f"{part}{row}" for part in ("q", "eps", "z", "decoder", "bound", "x"))
        diagram.note((-0.3, y + 0.75), name, ha="left", fontsize=10.5)
        diagram.node(q, (0.15, y), "step", "μᵢ\nlog σᵢ")
        diagram.node(eps, (1.5, y + 0.75), "text", "ε")
        diagram.node(z, (1.5, y), "latent", "z")
        diagram.node(decoder, (2.8, y), "step", "decoder\nθ")
        diagram.node(bound, (4.1, y), "step", "ℒᵢ")
        diagram.node(x, (5.2, y), "observed", "$x_i$")
        for start, end in ((q, z), (eps, z), (z, decoder), (decoder, bound), (x, bound)):
            diagram.arrow(start, end)
        diagram.arrow(bound, decoder, "gradient", bend=0.55, text=r"$\nabla_\theta$" if reached == "theta" else "")
        if reached == "theta":
            diagram.arrow(decoder, z, "cut", bend=0.55)
        else:
            diagram.arrow(decoder, z, "gradient", bend=0.55)
            diagram.arrow(z, q, "gradient", bend=0.55, text=r"$\nabla_{\mu_i},\ \nabla_{\log\sigma_i}$")
    return diagram.picture(
        "Two updates in turn: each gradient moves its own parameters, the others stand still",
        "Two rows. In each, mu_i and log sigma_i with the noise epsilon make z, the decoder with its theta turns it into a mean, "
        "and with x_i that gives the bound L_i. In the first row the gradient goes back from L_i to theta and is cut before z. In "
        "the second it goes back through the decoder, whose theta is held, and through z to mu_i and log sigma_i.",
    )


def arrival(mu: Tensor, sigma: Tensor, bounds: Tensor, mean: Tensor, width: float, evidence: Tensor) -> Picture:
    """Draw two q that climb to their posteriors.

    Args:
        mu, sigma, bounds: before each step, ``(steps, 2)``.
        mean, width: of the posteriors, ``(2,)`` and the same for both.
        evidence: log p(x) of both points, ``(2,)``, nats.
    """
    figure, (left, right) = new_figure(2, width=4.7, height=3.5)
    steps = torch.arange(len(mu))
    last = len(mu) - 1
    for axis in (left, right):
        axis.set_xlim(-1, last)
    for i, colour in enumerate((BLUE, RED)):
        left.plot(steps, mu[:, i], color=colour, lw=2)
        left.plot(steps, sigma[:, i], color=colour, ls="--", lw=1.6)
        left.axhline(mean[i].item(), color=colour, lw=0.8, alpha=0.6)
        _at_end(left, last, mu[-1, i].item(), f"μ of $q_{i + 1}$", colour)
        right.plot(steps, bounds[:, i], color=colour, lw=2)
        right.axhline(evidence[i].item(), color=colour, ls=":", lw=2)
        _at_end(right, last, evidence[i].item(), f"log p($x_{i + 1}$)", colour)
    left.axhline(width, color=BLACK, lw=0.8, alpha=0.6)
    _at_end(left, last, width, "both σ", BLACK)
    label(left, "Both parameters find the posterior's", "step", "value")
    label(right, "The bounds end at log p(x), less noise", "step", "bound (nats)")
    return Picture(
        figure,
        "Left: mean and standard deviation of two q converge to thin lines, those of the exact posteriors. Right: both bounds "
        "rise to dotted lines, the exact log p(x).",
    )


def _at_end(axis: Axes, x: float, y: float, text: str, colour: str) -> None:
    axis.annotate(
        text, (x, y), xytext=(8, 0), textcoords="offset points", color=colour, fontsize=9, ha="left", va="center"
    )


def _pairs(axis: Axes, first: Tensor, second: Tensor, names: tuple[str, str]) -> None:
    """Draw ten images ``(10, 784)`` and their counterparts, five pairs in a row."""
    rows = torch.cat([first[:5], second[:5], first[5:10], second[5:10]]).view(-1, 28, 28)
    draw_images(axis, (255 * rows).byte(), columns=5)
    axis.set_yticks([30 * i + 14 for i in range(4)], [*names, *names])


def training(bounds: Sequence[float], images: Tensor, decoded: Tensor) -> Picture:
    """Draw the mean bound after each pass, and ten training images ``(10, 784)`` above what the decoder makes of them."""
    figure, (left, right) = new_figure(2, width=4.6, height=3.7, width_ratios=[1, 1.05])
    left.plot(range(1, len(bounds) + 1), bounds, color=BLUE, lw=2)
    label(left, "Two updates in turn, one bound", "pass over the data", "mean bound (nats)")
    _pairs(right, images, decoded, ("$x_i$", "decoder($\\mu_i$)"))
    right.set_title("Ten digits, and what their codes keep", loc="left", fontsize=10.5)
    right.set_xlabel("ten training images")
    return Picture(
        figure,
        f"Left: the mean bound over {len(bounds)} passes, from {bounds[0]:.0f} to {bounds[-1]:.0f} nats. Right: ten digits, and "
        "below each what the decoder makes of its mean code: legible, a little blurred.",
    )


def dimensions(
    latent_dims: Sequence[int],
    errors: Sequence[float],
    linear: Sequence[float],
    bounds: Sequence[float],
    images: Tensor,
    decoded: Sequence[Tensor],
) -> Picture:
    """Draw what more numbers for each digit buy.

    Args:
        errors, linear: root mean squared error of a pixel, with the decoder and with the best linear map.
        bounds: mean bounds, nats.
        images: at least five, ``(n, 784)``.
        decoded: the same with each number of latent dimensions.
    """
    figure, (left, middle, right) = new_figure(3, width=3.25, height=3.4, width_ratios=[1, 1, 1.25])
    left.plot(latent_dims, errors, "o-", color=RED)
    left.plot(latent_dims, linear, "s--", color=BLACK, lw=1.2)
    left.text(latent_dims[1], linear[1] + 0.004, "linear map", ha="left", va="bottom", fontsize=9)
    left.text(0.93 * latent_dims[1], errors[1], "decoder", color=RED, ha="right", va="top", fontsize=9)
    middle.plot(latent_dims, bounds, "D-", color=BLUE)
    for axis in (left, middle):
        axis.set_xscale("log", base=2)
        axis.set_xticks(latent_dims, [str(dim) for dim in latent_dims])
    best = max(range(len(bounds)), key=lambda i: bounds[i])
    label(left, "More numbers, sharper digits", "numbers for a digit", "error of a pixel (rms)")
    turns = f"The bound is highest at {latent_dims[best]}"
    label(middle, turns, "numbers for a digit", "mean bound (nats)")
    rows = torch.cat([images[:5], *(made[:5] for made in decoded)]).view(-1, 28, 28)
    draw_images(right, (255 * rows).byte(), columns=5)
    names = ["$x_i$", *(f"from {dim}" for dim in latent_dims)]
    right.set_yticks([30 * i + 14 for i in range(len(names))], names)
    right.set_title("The same digits from few and many", loc="left", fontsize=10.5)
    right.set_xlabel("five training images")
    pairs = "; ".join(
        f"{dim}: error {error:.2f}, bound {bound:.0f}"
        for dim, error, bound in zip(latent_dims, errors, bounds, strict=True)
    )
    return Picture(
        figure,
        f"For each number of latent dimensions the error of a pixel and the mean bound in nats: {pairs}. The linear map is worse "
        "throughout. Right: five digits, decoded from few, some and many numbers: blurred, legible, sharp.",
    )


def staleness(stale: Sequence[float], fresh: Sequence[float], others: Sequence[float]) -> Picture:
    """Draw the mean bounds, nats after each pass, of images that stay away: with their old q_i, with a re-fitted one; and of
    the images that are visited."""
    figure, (axis,) = new_figure(width=7.4, height=3.5)
    passes = range(len(stale))
    last = len(stale) - 1
    axis.fill_between(passes, stale, fresh, color=ORANGE, alpha=0.25, lw=0)
    axis.plot(passes, fresh, "o-", color=GREEN)
    axis.plot(passes, others, "^-.", color=BLUE)
    axis.plot(passes, stale, "s--", color=RED)
    _at_end(axis, last, fresh[-1], "away, $q_i$ fitted anew", GREEN)
    _at_end(axis, last, others[-1], "visited in every pass", BLUE)
    _at_end(axis, last, stale[-1], "away, $q_i$ as it was", RED)
    gap = fresh[-1] - stale[-1]
    axis.text(last - 0.3, (fresh[-1] + stale[-1]) / 2, f"{gap:.0f} nats", ha="right", va="center", fontsize=10)
    label(axis, "θ moves on, and an old $q_i$ fits it less and less", "passes without a visit", "mean bound (nats)")
    return Picture(
        figure,
        f"Over {last} passes without a visit the bound with the old q_i goes from {stale[0]:.0f} to {stale[-1]:.0f} nats, with "
        f"q_i fitted anew from {fresh[0]:.0f} to {fresh[-1]:.0f}; the visited images' goes from {others[0]:.0f} to "
        f"{others[-1]:.0f}.",
    )


def waiting(numbers: Sequence[int], reached: Sequence[float], images: Tensor, decoded: Tensor) -> Picture:
    """Draw the mean bound of new images against the steps taken, and ten of them ``(10, 784)`` above their reconstructions."""
    figure, (left, right) = new_figure(2, width=4.6, height=3.7, width_ratios=[1, 1.05])
    left.plot(numbers, reached, "o-", color=GREEN)
    left.set_xscale("log")
    label(left, "A new image waits for its q", "steps of Adam", "mean bound of new images (nats)")
    _pairs(right, images, decoded, ("new x", "decoder(μ)"))
    right.set_title("Then codes are found for these, too", loc="left", fontsize=10.5)
    right.set_xlabel("ten test images")
    return Picture(
        figure,
        f"Left: the mean bound of new images rises from {reached[0]:.0f} nats after {numbers[0]} step to {reached[-1]:.0f} after "
        f"{numbers[-1]}, ever more slowly. Right: ten new digits and their reconstructions.",
    )


def growth(numbers: Sequence[int], counts: Sequence[int], theta: int) -> Picture:
    """Draw how many parameters there are for how many images, with theta alone beside them."""
    figure, (axis,) = new_figure(width=7.4, height=3.5)
    axis.plot(numbers, counts, "o-", color=RED)
    axis.axhline(theta, color=BLUE, ls="--")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(0.7 * numbers[0], numbers[-1])
    _at_end(axis, numbers[-1], counts[-1], "θ and all $q_i$", RED)
    _at_end(axis, numbers[-1], theta, "θ alone", BLUE)
    for name, number in (("MNIST", 60_000), ("ImageNet", 1_281_167)):
        axis.axvline(number, color=BLACK, lw=0.8, ls=":")
        axis.text(0.87 * number, 8 * theta, name, rotation=90, ha="right", va="center", fontsize=9)
    label(axis, "Beyond some thousand images the model is a list of codes", "number of images N", "parameters")
    return Picture(
        figure,
        "Parameters against the number of images on logarithmic axes: theta alone is a flat line, theta with all q_i grows in "
        "proportion to N, to 256 million at ImageNet's size.",
    )
