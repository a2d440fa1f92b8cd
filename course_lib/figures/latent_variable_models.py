"""The figures of notebook 01."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.mixtures import mixture_log_joint
from course_lib.plots import BLACK, BLUE, CYCLE, GREEN, MARKERS, RED, Picture, draw_images, label, new_figure

Mixture = tuple[Tensor, Tensor, Tensor]
UNSURE = 8


def hidden_cause() -> Picture:
    """The graphical model: z and x in a plate, the parameters outside."""
    diagram = Diagram(columns=4.2, rows=1.45)
    diagram.node("theta", (0, 0), "text", r"$\theta$")
    diagram.node("z", (1.5, 0), "latent")
    diagram.node("x", (3.0, 0), "observed")
    diagram.arrow("z", "x", text="$p(x|z)$")
    diagram.arrow("theta", "z", text="$p(z)$")
    diagram.arrow("theta", "x", bend=0.3)
    diagram.plate(["z", "x"], "N")
    return diagram.picture(
        "Each image x has a z of its own, which nobody sees",
        "A graphical model. The parameters theta stand outside; inside a plate marked N an arrow leads from the "
        "open circle z, latent, to the grey circle x, observed. Arrows lead from theta to both.",
    )


def way_of_a_sample() -> Picture:
    """What a sample of the decoder model goes through."""
    diagram = Diagram(columns=6.3, rows=1.5)
    diagram.node("prior", (0, 0), "text", "$p(z)$")
    diagram.node("z", (1.3, 0), "latent")
    diagram.node("decoder", (2.6, 0), "step", "decoder")
    diagram.node("plus", (4.2, 0), "step", "add noise")
    diagram.node("x", (5.5, 0), "observed")
    diagram.node("noise", (4.2, 0.75), "text", r"$\sigma\,\epsilon,\quad\epsilon \sim \mathcal{N}(0, I)$")
    diagram.arrow("prior", "z", text="draw")
    diagram.arrow("z", "decoder")
    diagram.arrow("decoder", "plus", text=r"$\mu_{nn}(z)$")
    diagram.arrow("noise", "plus")
    diagram.arrow("plus", "x")
    return diagram.picture(
        "Drawing goes from left to right; inference has to find the way back",
        "z is drawn from a standard normal and goes through the decoder, which gives the mean of x; noise epsilon, times "
        "sigma, is added, and the result is x.",
    )


def bell_curves(log_prob: Callable[..., Tensor]) -> Picture:
    """Draw exp of a Gaussian's log-density for three standard deviations, with the area below each."""
    figure, (axis,) = new_figure(width=6.8, height=3.1)
    grid = torch.linspace(-12, 13, 2501).unsqueeze(-1)
    places = ((1.0, 0.62), (1.75, 0.25), (3.4, 0.1))
    for sigma, style, colour, place in zip((0.5, 1.0, 2.0), ("-", "--", ":"), (BLUE, RED, GREEN), places, strict=True):
        density = log_prob(grid, torch.full_like(grid, 0.5), torch.full_like(grid, sigma)).exp()
        area = torch.trapezoid(density, grid.squeeze())
        axis.plot(grid, density, style, color=colour, lw=2)
        axis.text(*place, f"σ = {sigma:g}, area {area:.3f}", color=colour)
    axis.set_xlim(-6, 7)
    label(axis, "Wider means lower: the area stays 1", "x", "density p(x)")
    return Picture(
        figure,
        "Three Gaussian densities with standard deviations 0.5, 1 and 2; the wider, the lower, each of area one.",
    )


def two_views(z: Tensor, x: Tensor) -> Picture:
    """Draw points ``(n, 2)`` once as they are seen and once by the component ``(n,)`` that they came from."""
    figure, (left, right) = new_figure(2, width=4.5, height=3.5, sharex=True, sharey=True)
    left.plot(*x.T, ".", color=BLACK, ms=4, alpha=0.6)
    label(left, "What we see: x alone", "x₁", "x₂")
    _by_component(right, x, z, [f"z = {k}" for k in range(int(z.max()) + 1)])
    label(right, "How it came about: z, then x", "x₁", "x₂")
    return Picture(
        figure, f"The same {len(x)} points twice: left all alike, right marked by the component that they came from."
    )


def hills_and_valleys(
    log_prob: Callable[..., Tensor], posterior: Callable[..., Tensor], weights: Tensor, mu: Tensor, sigma: Tensor
) -> Picture:
    """Draw a mixture in the plane from above: its log-density, and how sure its posterior is."""
    ticks = torch.linspace(-4, 4, 161)
    plane = torch.cartesian_prod(ticks, ticks)
    height = log_prob(plane, weights, mu, sigma).reshape(161, 161).T
    surest = posterior(plane, weights, mu, sigma).amax(-1).reshape(161, 161).T
    figure, (left, right) = new_figure(2, width=4.6, height=3.5)
    shown = left.contourf(ticks, ticks, height.clamp(min=-12), levels=14, cmap="cividis")
    figure.colorbar(shown, ax=left, label="log p(x), nats")
    label(left, "Three hills make one likelihood", "x₁", "x₂")
    shown = right.contourf(ticks, ticks, surest, levels=14, cmap="cividis")
    figure.colorbar(shown, ax=right, label="largest p(z|x)")
    right.plot(*mu.T, "X", color="white", mec=BLACK, ms=9)
    label(right, "In the valleys z is anybody's guess", "x₁", "x₂")
    return Picture(
        figure,
        "Left: contours of log p(x) with three hills. Right: the largest posterior probability, near one around each "
        "component, marked with a cross, and lower in the valleys between.",
    )


def three_digits(x: Tensor, z: Tensor, images: Tensor, posterior: Tensor, digits: Sequence[int]) -> Picture:
    """Draw digits in the plane, and the images whose posterior is the least sure.

    Args:
        x: ``(n, 2)``. z: ``(n,)``, an index into ``digits``. images: ``(n, 28, 28)``. posterior: ``(n, components)``.
    """
    surest = posterior.amax(-1)
    unsure = surest.argsort()[:UNSURE]
    figure, (left, right) = new_figure(2, width=4.6, height=3.7, width_ratios=(1.9, 1))
    _by_component(left, x, z, [f"digit {digit}" for digit in digits])
    left.plot(*x[unsure].T, "o", color="none", mec=BLACK, ms=9, label="least sure")
    _legend_beside(left)
    label(left, "Three digits in the plane", "first direction", "second direction")
    draw_images(right, images[unsure], columns=2)
    right.set_title("The least sure of them", loc="left", fontsize=10.5)
    right.set_xlabel(f"largest p(z|x)\nbetween {surest[unsure[0]]:.2f} and {surest[unsure[-1]]:.2f}")
    return Picture(
        figure,
        f"Left: test images of the digits {', '.join(map(str, digits))} in the plane of two principal directions, in three "
        f"clouds that touch. Right: the {UNSURE} images whose posterior is least certain.",
    )


def between_components(
    log_prob: Callable[..., Tensor], expected: Callable[..., Tensor], weights: Tensor, mu: Tensor, sigma: Tensor
) -> Picture:
    """Draw log p(x), its expectation under the posterior and the best guess of z, from component 0 to component 1."""
    steps = torch.linspace(-0.6, 1.6, 200)
    path = mu[0] + steps.unsqueeze(-1) * (mu[1] - mu[0])
    figure, (axis,) = new_figure(width=7.4, height=3.6)
    axis.plot(steps, log_prob(path, weights, mu, sigma), color=BLUE, lw=2.2, label="log p(x)")
    best = mixture_log_joint(path, weights, mu, sigma).amax(-1)
    axis.plot(steps, best, "--", color=RED, lw=2, label="log p(x, z) at the most likely z")
    mean = expected(path, weights, mu, sigma)
    axis.plot(steps, mean, ":", color=GREEN, lw=2.6, label="E[log p(x, z)] under p(z|x)")
    label(axis, "Where z is uncertain, the three differ", "from component 0 (at 0) to component 1 (at 1)", "nats")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return Picture(
        figure,
        "Three curves along a path between two components: log p(x) on top, the most likely z below, the expected "
        "log-joint lowest; they meet where the posterior is sure.",
    )


def found_without_labels(
    x: Tensor, told: Mixture, found: Mixture, history: Sequence[float], told_likelihood: float
) -> Picture:
    """Draw what EM has found beside what the labels say.

    Args:
        x: training points, ``(n, 2)``.
        told: the mixture placed by labels. found: the one that EM has reached.
        history: mean log p(x) before each step of EM. told_likelihood: that of ``told``.
    """
    figure, (left, right) = new_figure(2, width=4.7, height=3.7)
    left.plot(*x.T, ".", color="#9A9A9A", ms=3)
    for (_, mu, sigma), style, colour, name in (
        (told, "--", BLACK, "placed by labels"),
        (found, "-", BLUE, "found without"),
    ):
        for k in range(len(mu)):
            _ellipse(left, mu[k], sigma[k], ls=style, color=colour, lw=2, label=name if k == 0 else None)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    label(left, "Nobody named a digit, and yet each has its Gaussian", "first direction", "second direction")
    right.plot(range(len(history)), history, "-o", color=BLUE, ms=3.5, lw=1.8)
    right.axhline(told_likelihood, color=BLACK, ls="--", lw=1.5)
    right.text(len(history) - 1, told_likelihood - 0.03, "placed by labels", ha="right", va="top", fontsize=9)
    label(right, "Step by step the digits become likelier", "steps of EM", "mean log p(x), training digits (nats)")
    return Picture(
        figure,
        "Left: training points with two sets of three ellipses, two standard deviations wide: those placed by labels and "
        "those that EM found lie close together. Right: the mean log p(x) of the training digits rises with every step "
        f"of EM, from {history[0]:.2f} to {history[-1]:.2f} nats; the Gaussians placed by labels have "
        f"{told_likelihood:.2f}.",
    )


def what_components_stand_for(images: Tensor, weights: Tensor) -> Picture:
    """Draw the means of a mixture as images ``(components, 28, 28)``, the heaviest component first."""
    order = weights.argsort(descending=True)
    columns = min(10, len(order))
    rows = math.ceil(len(order) / columns)
    figure, (axis,) = new_figure(width=0.72 * columns, height=0.74 * rows + 0.6)
    draw_images(axis, images[order], columns=columns)
    axis.set_title("What the components stand for", loc="left", fontsize=10.5)
    axis.set_xlabel("the mean of each component as an image, the heaviest first")
    return Picture(figure, f"The means of {len(order)} components drawn as images, the heaviest first.")


def _by_component(axis: Axes, x: Tensor, z: Tensor, names: Sequence[str]) -> None:
    for k, name in enumerate(names):
        axis.plot(*x[z == k].T, MARKERS[k], color=CYCLE[k], ms=3.5, alpha=0.65, label=name)
    _legend_beside(axis)


def _legend_beside(axis: Axes) -> None:
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, handletextpad=0.2)


def _ellipse(axis: Axes, mu: Tensor, sigma: Tensor, **style: Any) -> None:
    angle = torch.linspace(0, 2 * math.pi, 100)
    axis.plot(mu[0] + 2 * sigma[0] * angle.cos(), mu[1] + 2 * sigma[1] * angle.sin(), **style)
