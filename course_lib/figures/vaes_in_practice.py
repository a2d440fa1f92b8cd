"""The figures of notebook 08."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib.beta_models import Trained
from course_lib.figures.diagrams import Diagram
from course_lib.plots import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    MARKERS,
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

LABELLED = (0.01, 0.1, 0.3, 1.0, 2.0, 4.0, 10.0)  # weights that are written beside their points
BIN = 20  # steps in one point of a curve


def the_weight() -> Picture:
    """Draw which way the two terms' gradients go, and where β stands on it."""
    diagram = Diagram(columns=6.7, rows=2.75, stretch=0.97)
    diagram.node("x", (0, 0.6), "observed")
    diagram.node("encoder", (1.1, 0.6), "step", "encoder\nφ")
    diagram.node("q", (2.35, 0.6), "step", "q(z|x)")
    diagram.node("z", (3.35, 0.6), "latent")
    diagram.node("decoder", (4.35, 0.6), "step", "decoder\nθ")
    diagram.node("likelihood", (5.5, 0.6), "step", "log p(x|z)")
    diagram.node("kl", (2.35, 1.9), "step", "β · KL(q‖p(z))")
    for start, end in (("x", "encoder"), ("encoder", "q"), ("q", "z"), ("z", "decoder"), ("decoder", "likelihood")):
        diagram.arrow(start, end)
    diagram.arrow("q", "kl")
    diagram.arrow("kl", "encoder", "gradient", bend=0.25)
    diagram.arrow("likelihood", "decoder", "gradient", bend=0.5)
    diagram.arrow("decoder", "encoder", "gradient", bend=0.25)
    diagram.note((1.1, 1.6), "β times\nits gradient", color=RED)
    diagram.note((3.0, -0.36), "the likelihood's gradient", color=RED)
    return diagram.picture(
        "β sets how loud the KL is for the encoder; the decoder hears the pixels alone",
        "x goes into the encoder, which gives q(z|x); from it come z, the decoder and the log-likelihood, and the KL to the prior "
        "times beta. Gradients, dashed: from the likelihood through the decoder to the encoder, and from the KL, beta times, to the "
        "encoder alone.",
    )


def _pictures(images: Tensor) -> Tensor:
    shown = images if images.dtype == torch.uint8 else (255 * images.detach()).round().byte()
    return shown.view(-1, 28, 28)


def two_problems(x: Tensor, digits: Tensor, rows: Mapping[str, tuple[Tensor, Tensor]]) -> Picture:
    """Draw what models give back, and what they draw.

    Args:
        x: originals, ``(8, 784)``.
        digits: training images, to compare samples with, ``(8, 784)``.
        rows: reconstructions and samples by the model's name, ``(8, 784)`` each.
    """
    figure, (left, right) = new_figure(2, width=4.7, height=0.52 * (len(rows) + 1) + 0.75)
    back = torch.cat([_pictures(x), *(_pictures(reconstructed) for reconstructed, _ in rows.values())])
    draw_images(left, back, columns=8)
    left.set_yticks([30 * i + 14 for i in range(len(rows) + 1)], ["x", *rows])
    label(left, "Reconstructing: z ~ q(z|x)", "eight test digits", "model")
    drawn = torch.cat([_pictures(digits), *(_pictures(samples) for _, samples in rows.values())])
    draw_images(right, drawn, columns=8)
    right.set_yticks([30 * i + 14 for i in range(len(rows) + 1)], ["data", *rows])
    label(right, "Sampling: z ~ p(z)", "eight training digits, and draws, none left out", "")
    return Picture(
        figure,
        f"Rows of images for the models {', '.join(rows)}. Left, what comes back of eight test digits; right, eight samples of the "
        "prior. A model with a small weight gives digits back almost perfectly and samples tangles of strokes; the healthy one does "
        "both well; with a large weight both are the same grey average.",
    )


def kl_bars(dimensions: Mapping[str, Tensor]) -> Picture:
    """Draw the KL of each latent dimension, the largest first, for several models on one scale.

    Args:
        dimensions: ``(latent_dim,)``, nats, by the model's name.
    """
    figure, axes = new_figure(len(dimensions), width=9.4 / len(dimensions), height=2.9, sharey=True)
    for axis, (name, values), colour in zip(axes, dimensions.items(), (ORANGE, GREEN, BLUE), strict=False):
        ordered = values.sort(descending=True).values
        axis.bar(range(1, len(ordered) + 1), ordered.tolist(), color=colour)
        if ordered[0] < 0.01:
            axis.text(len(ordered) / 2, 0.3, "each below 0.01 nats", color=colour, ha="center", fontsize=9)
        label(
            axis, f"{name}: {values.sum().item():.1f} nats in all", "latent dimension, largest first", "mean KL (nats)"
        )
    for axis in axes[1:]:
        axis.set_ylabel("")
    told = "; ".join(
        f"{name}: {values.sum().item():.1f} nats, largest {values.max().item():.2f}"
        for name, values in dimensions.items()
    )
    return Picture(figure, f"Bars of the KL in each latent dimension, sorted. {told}.")


def from_low_to_high(sweep: Sequence[Trained]) -> Picture:
    """Draw the slide's picture of the KL, from too low to too high, as it was measured.

    Args:
        sweep: models trained with one weight each, the smallest first.
    """
    figure, (left, right) = new_figure(2, width=4.75, height=3.5)
    betas = [model.beta for model in sweep]
    left.plot(betas, [model.rate for model in sweep], "o-", color=BLACK, ms=3.5)
    left.set_xscale("log")
    label(left, "β sets the KL", "β, logarithmic", "mean KL on test digits (nats)")
    rates = [model.rate for model in sweep]
    right.plot(rates, [model.reconstruction_gap for model in sweep], "o-", color=BLUE, ms=3.5)
    right.plot(rates, [model.sample_gap for model in sweep], "s--", color=RED, ms=3.5)
    right.axhline(0.5, color=BLACK, lw=0.8, ls=":")
    right.set_ylim(-0.12, 1.75)
    right.text(rates[0], 0.36, "reconstructing", color=BLUE, ha="right", va="bottom", fontsize=9)
    right.text(rates[len(rates) // 5] + 2, 1.02, "sampling", color=RED, ha="left", va="center", fontsize=9)
    both = [m.rate for m in sweep if max(m.reconstruction_gap, m.sample_gap) < 0.5]
    right.axvspan(min(both), max(both), color=SKY, alpha=0.25, lw=0)
    for at, text in ((min(both) / 2, "too\nlow"), ((min(both) + max(both)) / 2, "both\nbelow ½"), (50, "too high")):
        right.text(at, 1.7, text, fontsize=9, va="top", ha="center")
    label(
        right,
        "Too low, or too high: one of the two goes wrong",
        "mean KL on test digits (nats)",
        "gap: 0 good, 1 as bad as can be",
    )
    return Picture(
        figure,
        "Left: the mean KL falls from over 70 nats to 0 as beta grows from 0.01 to 100. Right: over the KL, the reconstruction gap "
        "falls from 1 at a KL of 0, and the sample gap, near 0 up to 20 nats, rises to 1.5. Both are below one half between about 6 "
        "and 24 nats.",
    )


def no_bound(betas: Tensor, objectives: Tensor, log_evidence: float) -> Picture:
    """Draw the objective at its best q over β, in a model whose log p(x) is known.

    Args:
        betas, objectives: ``(n,)``.
        log_evidence: mean log p(x), nats.
    """
    figure, (axis,) = new_figure(width=6.6, height=3.3)
    axis.plot(betas, objectives, color=BLUE, lw=2)
    axis.axhline(log_evidence, color=BLACK, lw=1.4, ls="--")
    axis.plot([1], [log_evidence], "o", color=BLACK, ms=7)
    axis.set_xscale("log")
    axis.text(betas[-1].item(), log_evidence, "log p(x), exact", ha="right", va="bottom", fontsize=9)
    axis.text(betas[-1].item(), objectives[-1].item(), "objective  ", color=BLUE, va="center", ha="right", fontsize=9)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.06 * (high - low))
    label(axis, "Below β = 1 the objective exceeds log p(x): it bounds nothing", "β, logarithmic", "nats a data point")
    return Picture(
        figure,
        "The objective with the posterior as q falls as beta grows. It crosses the exact log p(x) at beta = 1: above the line for "
        "smaller beta, below it for larger.",
    )


def rate_distortion_curve(sweep: Sequence[Trained], own: Mapping[str, tuple[float, float]]) -> Picture:
    """Draw distortion over rate, one point a model, and the line of equal ELBO that touches the curve.

    Args:
        sweep: models trained with one weight each.
        own: rate and distortion of further models, by name; may be empty.
    """
    figure, (axis,) = new_figure(width=8.2, height=4.3)
    axis.plot([m.rate for m in sweep], [m.distortion for m in sweep], "o-", color=BLACK, ms=4, lw=1)
    best = min(m.rate + m.distortion for m in sweep)
    axis.plot([0, 45], [best, best - 45], color=GREEN, lw=1.6, ls="--")
    axis.text(46, best - 45, f"slope -1: ELBO {-best:.0f} nats everywhere on it", color=GREEN, fontsize=9, va="center")
    for model in sweep:
        if any(abs(model.beta - shown) < 1e-9 for shown in LABELLED):
            axis.annotate(
                f"β = {model.beta:g}",
                (model.rate, model.distortion),
                xytext=(5, 6),
                textcoords="offset points",
                fontsize=9,
            )
    for (name, (rate, distortion)), colour, marker in zip(
        own.items(), (ORANGE, BLUE, PURPLE, RED), "Xs^D", strict=False
    ):
        axis.plot([rate], [distortion], marker, color=colour, ms=9, mec="white", label=name, ls="")
    if own:
        axis.legend(frameon=False, loc="upper right", fontsize=9)
    axis.set_xlim(-2, 76)
    label(axis, "A nat of code buys less and less", "rate: mean KL (nats)", "distortion: -E[log p(x|z)] (nats)")
    points = "; ".join(f"{name} at rate {r:.1f}, distortion {d:.1f}" for name, (r, d) in own.items())
    return Picture(
        figure,
        "Distortion over rate for models with beta from 0.01 to 100: steep at rate 0, flat beyond 40 nats. A line of slope -1 "
        f"touches the curve at its best ELBO, {-best:.0f} nats, near beta = 1. {points}",
    )


def strong_decoders(numbers: Mapping[str, Tensor], images: Mapping[str, Tensor]) -> Picture:
    """Draw KL and bound of decoders that see more and more, and one digit completed for six codes.

    Args:
        numbers: rate, distortion and active units of several seeds, ``(seeds, 3)``, by what the decoder sees.
        images: uint8 ``(8, 28, 28)``, likewise.
    """
    figure, (left, middle, right) = new_figure(3, width=3.25, height=3.0, width_ratios=[1, 1, 2.5])
    last = [name.rpartition(", ")[2].replace(" ", "\n").replace("neighb", "neigh-\nb") for name in numbers]
    names = last[:1] + [f"+ {name}" for name in last[1:]]  # each sees one thing more
    for axis, values, colour, marker in (
        (left, [n[:, 0] for n in numbers.values()], BLUE, "o"),
        (middle, [-(n[:, 0] + n[:, 1]) for n in numbers.values()], GREEN, "s"),
    ):
        for place, each in enumerate(values):
            axis.plot([place] * len(each), each, marker, color=colour, ms=7, alpha=0.8)
        axis.set_xticks(range(len(names)), names, fontsize=8)
        axis.set_xlim(-0.5, len(names) - 0.5)
    left.set_ylim(bottom=-0.5)
    label(left, "The KL falls …", "the decoder sees", "mean KL (nats)")
    label(middle, "… and the bound rises", "the decoder sees", "ELBO (nats)")
    draw_images(right, torch.cat([rows[:6] for rows in images.values()]), columns=6)
    right.set_yticks([30 * i + 14 for i in range(len(images))], names, fontsize=8)
    label(right, "Six codes, one upper half", "z differs, the chance in the pixels does not", "")
    told = "; ".join(
        f"{n}: KL {v[:, 0].mean():.1f}, ELBO {-(v[:, 0] + v[:, 1]).mean():.1f}" for n, v in numbers.items()
    )
    return Picture(
        figure,
        f"What the decoder sees, with the mean over seeds of KL and ELBO in nats: {told}. Right, rows of one digit completed with "
        "six codes: the lower halves differ where the decoder sees z, less where it sees the upper half too, and not at all "
        "where it also sees neighbours.",
    )


def over_steps(runs: Mapping[str, Sequence[float]], target: float | None = None) -> Picture:
    """Draw the KL over the steps of several trainings.

    Args:
        runs: the KL of every step, nats, by the training's name.
        target: drawn as a line.
    """
    figure, (axis,) = new_figure(width=7.4, height=3.4)
    lines = {name: torch.tensor(kls)[: len(kls) // BIN * BIN].view(-1, BIN).mean(1) for name, kls in runs.items()}
    for (name, means), colour, marker in zip(lines.items(), CYCLE, MARKERS, strict=False):
        steps = [BIN * (i + 1) for i in range(len(means))]
        axis.plot(steps, means, color=colour, lw=1.6, marker=marker, markevery=5, ms=5, label=name)
    if target is not None:
        axis.axhline(target, color=BLACK, lw=1, ls="--")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    axis.set_ylim(bottom=0)
    title = (
        "The controller holds the KL at its target" if target is not None else "What β does to the KL while training"
    )
    label(axis, title, "training step", "mean KL of the batch (nats)")
    told = "; ".join(f"{name} ends at {means[-1].item():.1f}" for name, means in lines.items())
    return Picture(figure, f"The KL over training steps: {told} nats.")


def cures(numbers: Mapping[str, Tensor], curves: Mapping[str, Tensor]) -> Picture:
    """Draw what becomes of the strong decoder's KL under several weights: over steps, and KL and bound at the end.

    Args:
        numbers: rate, distortion and active units, ``(seeds, 3)``, by the weight's name.
        curves: KL of the first seed over steps, twenty in a point, likewise.
    """
    figure, (left, right) = new_figure(2, width=4.7, height=3.4)
    for (name, kls), colour, marker in zip(curves.items(), CYCLE, MARKERS, strict=False):
        left.plot(
            [BIN * (i + 1) for i in range(len(kls))],
            kls.clamp(min=0.02),
            color=colour,
            marker=marker,
            markevery=6,
            ms=5,
        )
        rows = numbers[name]
        right.plot(rows[:, 0], -(rows[:, 0] + rows[:, 1]), marker, color=colour, ms=7, ls="", label=name)
    left.set_yscale("log")
    right.set_xscale("symlog", linthresh=0.2)
    right.legend(frameon=False, loc="lower left", fontsize=9)
    label(left, "A schedule puts it off, no more", "training step", "mean KL of the batch (nats)")
    label(right, "A code in use costs some of the bound", "mean KL on test digits (nats)", "ELBO on test digits (nats)")
    told = "; ".join(
        f"{n}: KL {v[:, 0].mean():.2f}, ELBO {-(v[:, 0] + v[:, 1]).mean():.1f}" for n, v in numbers.items()
    )
    return Picture(figure, f"The strong decoder under several weights, means over seeds, nats. {told}.")


def schedules(numbers: Mapping[str, Tensor], title: str) -> Picture:
    """Draw the objective that each seed ends with, for fixed weights and schedules of equal cost.

    Args:
        numbers: rate, distortion and active units, ``(seeds, 3)``, by ``"beta_max share"``.
        title: the takeaway.
    """
    weights = sorted({float(name.split()[0]) for name in numbers})
    figure, axes = new_figure(len(weights), width=4.6, height=3.2)
    words = {"0": "fixed", "0.1": "rises for\na tenth", "0.5": "rises for\nhalf"}
    told = []
    for axis, weight in zip(axes, weights, strict=True):
        arms = {name.split()[1]: rows for name, rows in numbers.items() if float(name.split()[0]) == weight}
        for place, ((share, rows), colour) in enumerate(zip(arms.items(), (BLUE, GREEN, ORANGE), strict=False)):
            values = -(rows[:, 1] + weight * rows[:, 0])
            axis.plot([place] * len(values), values, MARKERS[place], color=colour, ms=7, alpha=0.75)
            axis.plot([place - 0.25, place + 0.25], [values.mean()] * 2, color=colour, lw=2)
            told.append(f"β = {weight:g}, {words[share]}: {values.mean():.1f} ± {values.std():.1f}".replace("\n", " "))
        axis.set_xticks(range(len(arms)), [words[share] for share in arms])
        axis.set_xlim(-0.6, len(arms) - 0.4)
        label(axis, f"β ends at {weight:g}", "the weight", "objective on test digits (nats)")
    figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE_SIZE)
    return Picture(figure, f"The objective of every seed on test digits, mean and spread in nats. {'; '.join(told)}.")
