"""The figures of notebook 02: entropies, the two directions of the KL, and log p(x) = ELBO + KL."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.distributions import Normal

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, SKY, Picture, draw_images, label, new_figure


def trick_diagram() -> Picture:
    """Draw the model with the q_i that stands in for the posterior."""
    diagram = Diagram(columns=5, rows=1.6)
    diagram.node("parameters", (0.4, 0.22), "text", "$\\mu_i,\\ \\sigma_i$")
    diagram.node("z", (2, 0.22), "latent", "z")
    diagram.node("x", (3.8, 0.22), "observed", "$x_i$")
    diagram.arrow("parameters", "z", text="$q_i(z)$:\nours to choose")
    diagram.arrow("z", "x", text="$p(x|z)$: the model", bend=0.35)
    diagram.arrow("x", "z", text="$p(z|x_i)$: what we would need, unknown", bend=0.35)
    diagram.note((0.4, -0.12), "one pair for each $x_i$")
    return diagram.picture(
        "$q_i$ says where to look for the z behind $x_i$, since the posterior cannot be had",
        "An arrow from the latent z to the observed x_i, the model p(x|z); an arrow back, the unknown posterior p(z|x_i); and "
        "from mu_i and sigma_i an arrow to z: q_i(z), which is ours to choose, one for each x_i.",
    )


def entropies(sigma: Tensor, of_gaussian: Tensor, heads: Tensor, of_coin: Tensor) -> Picture:
    """Draw the entropy of a Gaussian against its ``sigma``, and of a coin against its probability of heads, all ``(n,)``."""
    figure, (left, right) = new_figure(2, width=4.3, height=3.1)
    left.plot(sigma, of_gaussian, color=BLUE, lw=2)
    left.axhline(0, color=BLACK, lw=0.8)
    label(left, "A wider Gaussian is more random", "σ", "entropy (nats)")
    right.plot(heads, of_coin, color=RED, lw=2)
    right.axhline(math.log(2), color=BLACK, lw=0.8, ls="--")
    right.text(0.0, math.log(2) + 0.015, "log 2", fontsize=9, va="bottom")
    right.set_ylim(-0.03, 0.78)
    label(right, "A fair coin is the most random", "probability of heads", "entropy (nats)")
    return Picture(
        figure,
        "Left: the entropy of a Gaussian grows with the logarithm of sigma and is negative for small sigma. Right: the "
        "entropy of a coin, zero at the ends, log 2 in the middle.",
    )


def closest_gaussians() -> Picture:
    """Draw a density with two peaks, and the Gaussian closest to it in each direction of the KL, found on a grid."""
    x = torch.linspace(-7, 7, 1401)
    p = 0.5 * Normal(-1.8, 0.6).log_prob(x).exp() + 0.5 * Normal(1.8, 0.6).log_prob(x).exp()
    mus, sigmas = torch.meshgrid(torch.linspace(-3, 3, 61), torch.linspace(0.3, 3, 55), indexing="ij")
    log_q = Normal(mus.reshape(-1, 1), sigmas.reshape(-1, 1)).log_prob(x)
    settles = log_q[torch.trapezoid(log_q.exp() * (log_q - p.log()), x).argmin()].exp()
    covers = log_q[torch.trapezoid(p * (p.log() - log_q), x).argmin()].exp()

    figure, (axis,) = new_figure(width=7.4, height=3.4)
    axis.fill_between(x, p, color=SKY, alpha=0.5, lw=0)
    axis.plot(x, settles, color=RED, lw=2)
    axis.plot(x, covers, color=GREEN, lw=2, ls="--")
    axis.set_ylim(0, 0.78)
    peak = float(x[settles.argmax()])
    axis.text(peak, 0.69, "best q for D_KL(q‖p)\nsettles on one peak", color=RED, ha="center", va="bottom", fontsize=9)
    axis.text(3.6, 0.17, "best q for D_KL(p‖q)\ncovers both", color=GREEN, ha="left", va="bottom", fontsize=9)
    axis.text(-peak, 0.36, "p", ha="center", va="bottom", fontsize=10)
    label(axis, "Which way round the KL stands decides what q does", "x", "density")
    return Picture(
        figure,
        "A density with two peaks. The Gaussian with the smallest KL from q to p sits on one peak; the one with the smallest "
        "KL from p to q covers both.",
    )


def signed_terms(terms: Tensor, exact: float) -> Picture:
    """Draw how often log q(z) - log p(z) has which value, and their mean; ``terms (n,)`` are at samples of q."""
    figure, (axis,) = new_figure(width=7.4, height=3.2)
    bins = torch.linspace(-4.0, 1.2, 105).tolist()
    negative = (terms < 0).float().mean().item()
    axis.hist(terms[terms < 0], bins=bins, color=ORANGE, hatch="///", edgecolor="white", lw=0)
    axis.hist(terms[terms >= 0], bins=bins, color=BLUE)
    top = axis.get_ylim()[1]
    axis.axvline(exact, color=BLACK, lw=2)
    axis.text(exact - 0.05, 0.93 * top, f"their mean, the KL: {exact:.2f}", ha="right", va="center", fontsize=9)
    axis.text(-1.2, 0.16 * top, f"{negative:.0%} are negative", ha="right", va="bottom", fontsize=9)
    label(axis, "A KL is an average of terms of both signs", "log q(z) - log p(z), nats", "number of samples")
    return Picture(
        figure,
        f"A histogram of log q minus log p over samples of q: {negative:.0%} of the terms are negative, the mean of all is "
        f"{exact:.2f}.",
    )


def stacked_bounds(rows: Sequence[tuple[str, float, float]], log_evidence: float) -> Picture:
    """Draw ELBO and KL on top of each other for several q, each ``(name, elbo, kl)``, up to log p(x)."""
    figure, (axis,) = new_figure(width=7.4, height=3.5)
    floor = min(elbo for _, elbo, _ in rows) - 2
    for i, (_, elbo, kl) in enumerate(rows):
        axis.bar(i, elbo - floor, bottom=floor, color=BLUE, width=0.6)
        axis.bar(i, kl, bottom=elbo, color=ORANGE, hatch="//", edgecolor="white", width=0.6)
    last = len(rows) - 1
    axis.axhline(log_evidence, color=BLACK, lw=1.5)
    axis.text(last + 0.4, log_evidence + 0.1, "log p(x)", va="bottom", fontsize=9)
    axis.text(last + 0.35, rows[-1][1] + rows[-1][2] / 2, "KL", va="center", fontsize=9)
    axis.text(last + 0.35, (floor + rows[-1][1]) / 2, "ELBO,\nfrom below", va="center", fontsize=9)
    axis.set_xlim(-0.5, last + 0.95)
    axis.set_ylim(floor, log_evidence + 1)
    axis.set_xticks(range(len(rows)), [name for name, _, _ in rows])
    label(axis, "Whatever q is, ELBO + KL reaches log p(x)", "choice of q", "nats")
    return Picture(
        figure,
        "Four bars, one for each q: ELBO and KL stacked end at the same height, log p(x); for the exact posterior the KL is "
        "zero.",
    )


def three_kinds(scores: Mapping[str, Tensor], images: Mapping[str, Tensor]) -> Picture:
    """Draw how log p(x), ``(n,)`` by kind of image, is spread, and three images ``(n, 28, 28)`` of each kind."""
    figure, (left, right) = new_figure(2, width=4.6, height=3.4, width_ratios=[1.5, 1])
    styles = zip(scores.items(), (BLUE, RED, GREEN), ("-", "--", ":"), ("right", "left", "left"), strict=True)
    edges = torch.linspace(-1400, 900, 70, dtype=torch.float64)
    for (name, score), colour, style, side in styles:
        left.hist(score, bins=edges.tolist(), histtype="step", lw=2, ls=style, color=colour)
        counts = torch.histogram(score.double(), edges).hist
        top = counts.argmax()
        _beside(left, edges[top].item(), counts[top].item(), name, colour, side)
    left.margins(y=0.15)
    label(left, "The model knows which way is up, mostly", "exact log p(x), nats", "number of images")
    draw_images(right, torch.cat([kind[[3, 18, 30]] for kind in images.values()]).mul(255).byte(), columns=3)
    right.set_yticks([30 * i + 14 for i in range(len(images))], list(images))
    right.set_title("Three of each", loc="left", fontsize=10.5)
    right.set_xlabel("test images")
    return Picture(
        figure,
        "Left: histograms of log p(x): digits highest, upside-down digits lower and overlapping, shuffled pixels far lower. "
        "Right: three images of each kind.",
    )


def _beside(axis: Axes, x: float, y: float, text: str, colour: str, side: str) -> None:
    axis.annotate(
        text,
        (x, y),
        xytext=(6 if side == "right" else -6, 2),
        textcoords="offset points",
        color=colour,
        fontsize=9,
        ha="left" if side == "right" else "right",
        va="bottom",
    )


def ring(
    log_joint: Callable[[Tensor], Tensor], weights: Tensor, mu: Tensor, sigma: Tensor, kl: float | None = None
) -> Picture:
    """Draw the posterior of a latent plane, and the Gaussians of a mixture q over it.

    Args:
        log_joint: log p(x, z) of ``z (n, 2)``, ``(n,)``.
        weights, mu, sigma: of q, ``(components,)``, ``(components, 2)``, ``(components, 2)``.
        kl: from q to the posterior, in nats.
    """
    side = torch.linspace(-3, 3, 181)
    z = torch.cartesian_prod(side, side)
    density = log_joint(z).softmax(0).reshape(181, 181).T
    figure, (left, right) = new_figure(2, width=4.3, height=4.1)
    for axis in (left, right):
        axis.imshow(density, origin="lower", extent=(-3, 3, -3, 3), cmap="Blues", vmax=1.4 * float(density.max()))
        axis.set_xticks([-2, 0, 2])
        axis.set_yticks([-2, 0, 2])
    turn = torch.linspace(0, 2 * math.pi, 120)
    for share, middle, width in zip(weights.detach(), mu.detach(), sigma.detach(), strict=True):
        right.plot(
            middle[0] + width[0] * turn.cos(),
            middle[1] + width[1] * turn.sin(),
            color=RED,
            lw=1.0 + 4 * math.sqrt(float(share)) / 2,
        )
        right.plot(middle[0], middle[1], "+", color=RED, ms=8)
    label(left, "All z at one distance explain x", "$z_1$", "$z_2$")
    missed = "" if kl is None else f": KL {kl:.2f} nats"
    label(right, f"q, one circle for each Gaussian{missed}", "$z_1$", "$z_2$")
    return Picture(
        figure,
        "Left: the posterior over the latent plane, a ring around the origin. Right: the same ring with the Gaussians of q as "
        f"ellipses of one standard deviation, {len(weights)} of them{missed}.",
    )
