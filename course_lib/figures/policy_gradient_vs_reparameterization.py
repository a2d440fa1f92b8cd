"""Figures of notebook 05: two ways for a gradient, their variances, and what each of them learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, Picture, draw_images, label, new_figure

STYLES = {
    "policy gradient": (ORANGE, "o-"),
    "with baseline": (GREEN, "s--"),
    "reparameterized": (BLUE, "^-."),
    "reparameterized, M = 1": (PURPLE, "D:"),
}


def two_estimators() -> Picture:
    """Draw where the gradient flows in each of the two estimators, and where it is cut."""
    diagram = Diagram(columns=6.3, rows=4.7, stretch=1.06)
    for row, name in ((3.1, "policy gradient"), (0.75, "reparameterization")):
        diagram.note((0, row + 0.75), name, fontsize=10, ha="left", weight="bold")
        diagram.node(f"phi {row}", (0.2, row), "step", "encoder\nφ")
        diagram.node(f"q {row}", (1.5, row), "step", "μ, σ")
        diagram.node(f"z {row}", (2.9, row), "latent", "$z$")
        diagram.node(f"r {row}", (4.1, row), "step", "r(x, z)")
        diagram.arrow(f"phi {row}", f"q {row}")
        diagram.arrow(f"z {row}", f"r {row}")
    policy, path = 3.1, 0.75
    diagram.node("log q", (2.9, policy - 0.95), "step", "log q(z|x)")
    diagram.node("surrogate", (5.25, policy - 0.95), "step", "log q · r")
    diagram.arrow(f"q {policy}", f"z {policy}", text="drawn")
    diagram.arrow(f"z {policy}", "log q")
    diagram.arrow("log q", "surrogate")
    diagram.arrow(f"r {policy}", "surrogate")
    diagram.note((4.85, policy - 0.42), "a number", ha="left")
    diagram.arrow("surrogate", "log q", "gradient", bend=0.3)
    diagram.arrow("log q", f"q {policy}", "gradient", "score", bend=0.2)
    diagram.arrow(f"q {policy}", f"phi {policy}", "gradient", bend=0.55)
    diagram.arrow(f"r {policy}", f"z {policy}", "cut", bend=0.45)
    diagram.node("eps", (2.9, path - 0.95), "latent", "ε")
    diagram.arrow(f"q {path}", f"z {path}", text="μ + σε")
    diagram.arrow("eps", f"z {path}")
    diagram.arrow(f"r {path}", f"z {path}", "gradient", bend=0.45)
    diagram.arrow(f"z {path}", f"q {path}", "gradient", bend=0.4)
    diagram.arrow(f"q {path}", f"phi {path}", "gradient", bend=0.55)
    return diagram.picture(
        "Where the gradient flows, and where it is cut",
        "Above, the policy gradient: mu and sigma decide how z is drawn; the way from the reward back to z is cut, and the "
        "gradient flows from log q times r through log q to mu and sigma, and on to the encoder. Below, reparameterization: z is "
        "mu plus sigma times epsilon, and the gradient flows from the reward through z to mu and sigma and the encoder.",
    )


def variances(
    numbers: Sequence[int],
    against_samples: Sequence[Mapping[str, float]],
    dims: Sequence[int],
    against_dim: Sequence[Mapping[str, float]],
    coupled: Sequence[Mapping[str, float]],
) -> Picture:
    """Draw the variance of one estimate against samples, and against dimensions for two rewards.

    Args:
        against_samples, against_dim, coupled: for each place on the axis the variance by the estimator's name; ``coupled`` is
            measured on a reward in which the dimensions act together.
    """
    figure, axes = new_figure(3, width=3.3, height=3.5, width_ratios=[1, 1, 1.42], sharey=True)
    rise = all(coupled[-1][name] > 2 * coupled[0][name] for name in coupled[0])
    panels = (
        (axes[0], numbers, against_samples, "More samples help all alike", "samples M"),
        (axes[1], dims, against_dim, "r a sum: reparameterized stays flat", "latent dimension"),
        (axes[2], dims, coupled, "r coupled: all three rise" if rise else "The second reward", "latent dimension"),
    )
    for axis, xs, results, title, across in panels:
        for name in results[0]:
            colour, style = STYLES[name]
            axis.plot(xs, [result[name] for result in results], style, color=colour, lw=1.8, ms=5)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(xs, [str(x) for x in xs])
        label(axis, title, across, "")
    axes[0].set_ylabel("variance of one estimate")
    beside(axes[2], dims, {name: coupled[-1][name] for name in coupled[0]}, 9.0)
    told = "; ".join(
        f"{name}: M = {numbers[0]} {against_samples[0][name]:.2g}, M = {numbers[-1]} {against_samples[-1][name]:.2g}, sum reward "
        f"in {dims[0]} dimension {against_dim[0][name]:.2g}, in {dims[-1]} {against_dim[-1][name]:.2g}, coupled in {dims[-1]} "
        f"{coupled[-1][name]:.2g}"
        for name in against_samples[0]
    )
    return Picture(figure, f"Variance of one estimate on logarithmic axes. {told}.")


def beside(axis: Axes, xs: Sequence[float], ends: Mapping[str, float], room: float) -> None:
    """Write each line's name at its right end, making room on a logarithmic axis."""
    axis.set_xlim(xs[0] / 1.3, xs[-1] * room)
    for name, end in ends.items():
        axis.text(xs[-1] * 1.25, end, name, fontsize=8.5, va="center", color=BLACK)


def what_the_formula_saves(sigma: Tensor, sampled: Tensor, formula: Tensor) -> Picture:
    """Draw the variance with log p(z) sampled over that with the formula, against q's width, and what a Gaussian would give.

    Args:
        sigma, sampled, formula: one entry for each digit and latent dimension, flat.
    """
    figure, (axis,) = new_figure(width=7.2, height=3.5)
    ratio = sampled / formula
    axis.plot(sigma, ratio, "o", color=BLUE, ms=4, alpha=0.6, mew=0)
    high = min(0.9, 1.03 * sigma.max().item())
    curve = torch.linspace(0.02, high, 100)
    axis.plot(curve, 1 / (1 - curve**2) ** 2, color=BLACK, ls="--", lw=1.6)
    axis.text(high, 1 / (1 - high**2) ** 2, " 1/(1 - σ²)²,\n if all were Gaussian", fontsize=9, va="center")
    axis.axhline(1, color="0.6", lw=1, zorder=0)
    axis.set_xlim(0, 1.4 * high)
    median = 100 * (ratio.median().item() - 1)
    label(
        axis,
        f"The narrower q, the less the formula saves (median here: {median:.0f} %)",
        "σ of q, in one latent dimension of one digit",
        "variance with log p(z) sampled,\nover that with the formula",
    )
    return Picture(
        figure,
        f"For {len(sigma)} pairs of a digit and a latent dimension, the variance of the gradient with log p(z) sampled over that with "
        f"the KL as a formula: between {ratio.min():.2f} and {ratio.max():.2f}, rising with the width of q, near the curve "
        "1/(1 - σ²)².",
    )


def training(curves: Mapping[str, Sequence[Sequence[float]]], rates: Mapping[str, float]) -> Picture:
    """Draw training curves, a band from the lowest to the highest seed and a line for their mean.

    Args:
        curves: by estimator, the bound after every step, for each seed.
        rates: the learning rate that each was trained with.
    """
    figure, (axis,) = new_figure(width=8.6, height=3.9)
    ends = {}
    for name, runs in curves.items():
        colour, style = STYLES[name]
        smooth = torch.tensor(runs).unfold(1, 10, 1).mean(-1)
        steps = torch.arange(10, 10 + smooth.shape[1])
        axis.fill_between(steps, smooth.min(0).values, smooth.max(0).values, color=colour, alpha=0.2, lw=0)
        axis.plot(steps, smooth.mean(0), style, color=colour, lw=2, markevery=(15, 30), ms=5)
        ends[name] = smooth.mean(0)[-1].item()
    last = len(next(iter(curves.values()))[0])
    for (name, end), height in zip(ends.items(), _apart(list(ends.values()), 5.0), strict=True):
        text = name if "M =" in name else f"{name}, M = 8"
        axis.plot([last, last * 1.02], [end, height], color="0.5", lw=0.8)
        axis.text(last * 1.03, height, f"{text} (rate {rates[name]:g})", fontsize=8.5, va="center")
    axis.set_ylim(-228, max(ends.values()) + 14)
    axis.set_xlim(0, 1.5 * last)
    axis.set_xticks(range(0, last + 1, 50))
    label(axis, "Less noise, faster climb", "step", "bound (nats, mean of 10 steps)")
    told = ", ".join(f"{name} {end:.0f}" for name, end in ends.items())
    number = len(next(iter(curves.values())))
    return Picture(figure, f"Training curves, mean and range of {number} seeds. Bounds at the end, in nats: {told}.")


def _apart(heights: list[float], least: float) -> list[float]:
    """Move labels upwards until each is ``least`` above the one below."""
    moved = list(heights)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + least)
    return moved


def prototypes(by_policy: Sequence[float], by_sum: Sequence[float], images: Tensor) -> Picture:
    """Draw the exact bound while training by policy gradient and by the exact gradient, and the prototypes found.

    Args:
        images: probabilities of ink, ``(20, 784)``.
    """
    figure, (left, right) = new_figure(2, width=4.8, height=3.3, width_ratios=[1.25, 1])
    ends = []
    for bounds, name, colour, style in (
        (by_sum, "exact gradient,\nall categories", BLACK, ":"),
        (by_policy, "policy gradient,\n4 samples", ORANGE, "-"),
    ):
        smooth = torch.tensor(bounds).unfold(0, 10, 1).mean(-1)
        left.plot(smooth, color=colour, ls=style, lw=2)
        ends.append((smooth[-1].item(), name, colour, style))
    low, high = min(by_policy[0], by_sum[0]) - 10, max(end[0] for end in ends) + 8
    room = high - low
    last = len(by_sum)
    for height, (end, name, colour, style) in zip(_apart([e[0] for e in ends], 0.15 * room), ends, strict=True):
        left.plot([last, 1.05 * last], [end, height], color=colour, ls=style, lw=1.5)
        left.text(1.07 * last, height, name, fontsize=8.5, va="center")
    left.set_xlim(0, 1.55 * len(by_sum))
    left.set_xticks(range(0, len(by_sum) + 1, 100))
    left.set_ylim(low, high)
    label(left, "It learns where no derivative goes", "step", "exact bound (nats)")
    draw_images(right, (255 * images).byte().view(-1, 28, 28), columns=5)
    right.set_title("Twenty prototypes, by policy gradient", loc="left", fontsize=10.5)
    right.set_xlabel("probability of ink for each category")
    return Picture(
        figure,
        f"Left: the exact bound while training, by policy gradient it ends at {by_policy[-1]:.0f} nats, by the exact gradient at "
        f"{by_sum[-1]:.0f}. Right: twenty prototypes; those in use are digits in different hands.",
    )
