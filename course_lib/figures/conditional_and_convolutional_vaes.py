"""The figures of notebook 07."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, Picture, draw_images, label, new_figure

SIDE, GREY = 28, "#777777"


def the_machine() -> Picture:
    """Draw what training goes through and what a prediction goes through."""
    diagram = Diagram(columns=6.6, rows=3.3, stretch=0.98)
    diagram.node("x", (0, 1.2), "observed")
    diagram.node("y", (0, 2.4), "observed")
    diagram.node("encoder", (1.4, 2.4), "step", "encoder\nq(z|x, y)")
    diagram.node("prior", (1.4, 0.2), "step", "prior\np(z|x)")
    diagram.node("z", (3.0, 1.3), "latent")
    diagram.node("decoder", (4.2, 1.3), "step", "decoder\np(y|x, z)")
    diagram.node("x again", (4.2, 0.2), "observed", "x")
    diagram.node("answer", (5.45, 1.3), "step", "p(ink in y)")
    for start, end in (("x", "encoder"), ("y", "encoder"), ("x", "prior"), ("x again", "decoder"), ("z", "decoder")):
        diagram.arrow(start, end)
    diagram.arrow("encoder", "z")
    diagram.arrow("prior", "z")
    diagram.arrow("decoder", "answer")
    diagram.note((2.55, 2.1), "in training")
    diagram.note((2.6, 0.5), "at test time")
    diagram.note((1.75, 1.3), "the KL holds\nthem together", color=PURPLE)
    return diagram.picture(
        "x goes everywhere; y is there in training only",
        "x and y go into the encoder, which gives q(z|x, y); x alone goes into the prior p(z|x). In training z comes from the "
        "encoder, at test time from the prior; a KL divergence holds the two together. The decoder makes of x and z the probability "
        "of ink in each pixel of y.",
    )


def two_answers(y: Tensor, average: Tensor) -> Picture:
    """Draw the two answers to every question, and the best single one.

    Args:
        y: ``(2 * questions, columns)``, answers on the right, then on the left.
        average: ``(questions, columns)``.
    """
    right, left = y.chunk(2)
    figure, axes = new_figure(3, width=3.1, height=2.6)
    titles = ("The answer on the right, 0.7", "The answer on the left, 0.3", "Their mean: grey, and never right")
    for axis, title, rows in zip(axes, titles, (right, left, average), strict=True):
        axis.imshow((1 - rows).numpy(), cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        label(axis, title, "pixel of y", "question x")
    return Picture(
        figure,
        "Three pictures, a row of pixels for each of ten questions. The first answer has a stroke that moves to the right from question "
        "to question, the second one that moves to the left. Their mean has both, in grey, as no answer ever has.",
    )


def drawn_answers(answers: Tensor) -> Picture:
    """Draw answers of the model side by side, a column of panels each.

    Args:
        answers: ``(samples, questions, columns)``.
    """
    n = len(answers)
    figure, axes = new_figure(n, width=9.4 / n, height=2.5, sharey=True)
    for index, (axis, rows) in enumerate(zip(axes, answers, strict=True)):
        axis.imshow((1 - rows).numpy(), cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.set_xlabel(f"draw {index + 1}")
        axis.set_xticks([])
    axes[0].set_ylabel("question x")
    axes[0].set_title("Every draw chooses a side for each question", loc="left", fontsize=10.5)
    return Picture(
        figure,
        f"{n} draws of an answer to each of ten questions. In each row the stroke lies on one side, more often on the right; between draws "
        "the side changes.",
    )


def bound_and_truth(bound: Tensor, estimate: Tensor, true: Tensor, average: Tensor) -> Picture:
    """Draw the mean log p(y|x) of every question beside its bound, and beside what the best single answer reaches.

    Args:
        bound, estimate, true, average: ``(questions,)``, nats.
    """
    figure, (axis,) = new_figure(width=8.6, height=3.3)
    lines = {
        "true log p(y|x)": (true, BLACK, "-", ""),
        "the model's, over draws of the prior": (estimate, GREEN, "--", "o"),
        "the bound": (bound, BLUE, ":", "s"),
        "pixels averaged": (average, RED, "-.", "^"),
    }
    for name, (values, colour, style, marker) in lines.items():
        axis.plot(range(len(values)), values, color=colour, ls=style, marker=marker, ms=5, lw=1.8, label=name)
    label(axis, "The bound is close, the averaged answer far off", "question x", "mean over its answers (nats)")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return Picture(
        figure,
        "Over ten questions: the true mean of log p(y|x), a little below it the model's own, below that the bound; and far below all of "
        "them the likelihood of the averaged answer, which falls as the two answers part and share fewer pixels.",
    )


def left_out(reached: Mapping[str, tuple[float, float]], true: float) -> Picture:
    """Draw what a model reaches that lacks x in one place.

    Args:
        reached: bound and mean log p(y|x), nats, by where x was left out.
        true: the mean of the true log p(y|x).
    """
    figure, (axis,) = new_figure(width=7.4, height=0.42 * len(reached) + 1.2)
    names = list(reached)
    axis.axvline(true, color=BLACK, lw=1.2)
    for row, (bound, value) in enumerate(reached.values()):
        axis.plot([bound, value], [row, row], color=GREY, lw=1)
        axis.plot(bound, row, "s", color=BLUE, ms=7)
        axis.plot(value, row, "o", color=GREEN, ms=7)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    label(axis, "One way from x to y is enough", "mean over questions and answers (nats)", "x is left out of")
    axis.plot([], [], "s", color=BLUE, label="bound")
    axis.plot([], [], "o", color=GREEN, label="log p(y|x), over the prior")
    axis.plot([], [], color=BLACK, label="the true log p(y|x)")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    said = "; ".join(f"{name}: bound {bound:.1f}, log p(y|x) {value:.1f}" for name, (bound, value) in reached.items())
    return Picture(figure, f"What each model reaches, in nats, by where x was left out. {said}. True: {true:.1f}.")


def _bytes(values: Tensor) -> Tensor:
    return (255 * values.detach().clamp(0, 1)).round().byte()


def _whole(x: Tensor, y: Tensor) -> Tensor:
    return _bytes(torch.cat([x.expand(*y.shape[:-1], x.shape[-1]), y], -1)).reshape(-1, SIDE, SIDE)


def completions(x: Tensor, y: Tensor, mean: Tensor, answers: Tensor, what: str = "digit") -> Picture:
    """Draw images of which the upper half is given: the one blurry mean, and several answers.

    Args:
        x, y, mean: ``(images, 392)``.
        answers: ``(samples, images, 392)``.
        what: what an image shows.
    """
    rows, columns = len(x), len(answers) + 2
    images = torch.stack([_whole(x, y), _whole(x, mean), *(_whole(x, answer) for answer in answers)], 1)
    figure, (axis,) = new_figure(width=9.4, height=9.4 * rows / columns + 0.75)
    names = (what, "mean", *(str(i + 1) for i in range(len(answers))))
    draw_images(axis, images.flatten(0, 1), columns, names)
    axis.set_title("The mean is one blur; each answer chooses", loc="left", fontsize=10.5)
    axis.set_xlabel(
        f"a test {what}, its lower half as a regression has it, and answers of the model; of all, the upper half is given"
    )
    axis.set_ylabel(f"test {what}s")
    return Picture(
        figure,
        f"{rows} test {what}s. Of each the upper half is given; the second column shows the lower half as the regression's blurry mean, the "
        f"others {len(answers)} answers of the conditional VAE, which differ where the upper half leaves it open.",
    )


def best_of(errors: Mapping[int, float], mean_error: float) -> Picture:
    """Draw the error of the best of S answers over S, beside that of the one mean.

    Args:
        errors: mean squared error by number of answers.
        mean_error: that of the regression.
    """
    figure, (axis,) = new_figure(width=6.4, height=3.2)
    axis.plot(list(errors), list(errors.values()), "o-", color=GREEN)
    axis.axhline(mean_error, color=RED, ls="--")
    axis.set_xscale("log")
    axis.annotate(
        "the regression's one answer",
        (max(errors), mean_error),
        (0, 4),
        textcoords="offset points",
        color=RED,
        ha="right",
        fontsize=9,
    )
    first = min(errors)
    axis.annotate(
        "the best of S answers", (first, errors[first]), (12, -3), textcoords="offset points", color=GREEN, fontsize=9
    )
    label(axis, "One answer errs more than the mean, the best of many less", "answers S", "mean squared error of y")
    said = ", ".join(f"{value:.4f} for {number}" for number, value in errors.items())
    return Picture(
        figure, f"The error of the best of S answers falls with S: {said}; the regression's is {mean_error:.4f}."
    )


def estimates(values: Mapping[int, float], bound: float) -> Picture:
    """Draw the estimate of log p(y|x) over the number of samples of the prior, and the bound.

    Args:
        values: mean estimate, nats, by number of samples.
        bound: mean bound, nats.
    """
    figure, (axis,) = new_figure(width=6.4, height=3.2)
    axis.plot(list(values), list(values.values()), "o-", color=GREEN)
    axis.axhline(bound, color=BLUE, ls="--")
    axis.annotate(
        "the bound, z from q", (min(values), bound), (0, -12), textcoords="offset points", color=BLUE, fontsize=9
    )
    axis.set_xscale("log")
    label(
        axis,
        "Draws of the prior seldom hit: the estimate rises with S",
        "samples S of p(z|x)",
        "log p(y|x), estimated (nats)",
    )
    said = ", ".join(f"{value:.1f} for {number}" for number, value in values.items())
    return Picture(
        figure, f"The estimate of log p(y|x) by samples of the prior: {said} nats. The bound is {bound:.1f} nats."
    )


def learned_priors(mu: Tensor, sigma: Tensor, width: Tensor, spread: Tensor, x: Tensor) -> Picture:
    """Draw where the learned priors lie, how wide they are, and the halves with the narrowest and the widest.

    Args:
        mu, sigma: of p(z|x), ``(n, latent_dim)``.
        width: mean log sigma of each, ``(n,)``.
        spread: how far answers to each differ, ``(n,)``.
        x: upper halves, ``(n, 392)``.
    """
    first, second = mu.var(0).argsort(descending=True)[:2].tolist()
    figure, (left, middle, right) = new_figure(3, width=3.15, height=3.2, width_ratios=[1, 1, 0.9])
    angle = torch.linspace(0, 2 * math.pi, 60)
    left.plot(angle.cos(), angle.sin(), color=ORANGE, ls="--", lw=2)
    for index in range(8):
        across = mu[index, first] + sigma[index, first] * angle.cos()
        left.plot(across, mu[index, second] + sigma[index, second] * angle.sin(), color=BLUE, lw=1.3)
    left.text(0.02, 0.98, "dashed: N(0, I)", color=ORANGE, va="top", fontsize=9, transform=left.transAxes)
    left.set_aspect("equal", adjustable="datalim")
    label(left, "1 σ of p(z|x), eight x", f"z, dimension {first + 1}", f"z, dimension {second + 1}")
    middle.plot(width, spread, ".", color=BLUE, ms=3, alpha=0.5)
    label(middle, "Width of p(z|x), and answers", "mean log σ of p(z|x)", "variance of p(ink) over answers")
    order = width.argsort()
    chosen = torch.cat([order[:12], order[-12:]])
    halves = _bytes(x[chosen]).view(-1, SIDE // 2, SIDE)
    draw_images(right, halves, 4)
    right.set_yticks([40, 88], ["narrow", "wide"], rotation=90, va="center")
    right.axhline(46.5, color=BLACK, lw=0.8)
    right.set_title("Narrowest and widest", loc="left", fontsize=10.5)
    right.set_xlabel("upper halves of test digits")
    return Picture(
        figure,
        "Left: ellipses of the learned prior of eight upper halves, away from the unit circle of N(0, I). Middle: the variance of the answers "
        "over the mean log width of the prior. Right: the twelve upper halves with the narrowest priors, and the twelve with the widest.",
    )


def convolutions() -> Picture:
    """Draw the shapes on the way through the fully convolutional VAE."""
    diagram = Diagram(columns=7.2, rows=2.1, stretch=0.93)
    names = ("x", "a", "b", "z", "c", "d", "p")
    texts = ("x\n28 × 28", "14 × 14", "7 × 7", "code z\n7 × 7", "7 × 7", "14 × 14", "logits\n28 × 28")
    for index, (name, text) in enumerate(zip(names, texts, strict=True)):
        diagram.node(name, (index + 0.1, 0.7), "step", text)
    for start, end in pairwise(names):
        diagram.arrow(start, end)
    for at, text in (
        (0.6, "stride 2"),
        (1.6, "stride 2"),
        (4.6, "transposed,\nstride 2"),
        (5.6, "transposed,\nstride 2"),
    ):
        diagram.note((at, 1.3), text)
    diagram.note((3.1, 0.0), "under p(z) every position is drawn on its own")
    return diagram.picture(
        "The code is a map: a wider image has a wider code",
        "An image of 28 × 28 goes through two convolutions of stride 2 to a map of 7 × 7, the code, and through two transposed ones back. "
        "Nothing on the way depends on the image's size.",
    )


def equal_seconds(parameters: Mapping[str, int], bounds: Mapping[str, float], seconds: float) -> Picture:
    """Draw parameters and bounds of models trained for the same time.

    Args:
        parameters, bounds: by name of the model; bounds on test digits, nats.
        seconds: of training.
    """
    figure, (left, right) = new_figure(2, width=4.5, height=2.0)
    names = list(parameters)
    colours = (BLUE, GREEN)
    left.barh(range(len(names)), [parameters[n] / 1000 for n in names], color=colours, height=0.6)
    right.barh(range(len(names)), [-bounds[n] for n in names], color=colours, height=0.6)
    for axis in (left, right):
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
    for row, name in enumerate(names):
        right.text(2, row, f"{bounds[name]:.1f}", color="white", va="center", fontsize=9)
    label(left, "Parameters", "thousands", "")
    label(right, f"Minus the bound after {seconds:.0f} s each", "nats a test digit: less is better", "")
    left.set_ylabel("model")
    said = ", ".join(f"{n}: {parameters[n]:,} parameters, bound {bounds[n]:.1f} nats" for n in names)
    return Picture(figure, f"Models trained for the same time. {said}.")


def other_sizes(digits: Tensor, small: Tensor, wide: Tensor) -> Picture:
    """Draw digits and their reconstructions, samples of their size, and samples of another.

    Args:
        digits: what comes back of test digits, ``(n, 28, 28)``.
        small: samples, ``(n, 28, 28)``.
        wide: samples, ``(m, 28, 112)``.
    """
    figure, axes = new_figure(3, width=3.1, height=3.2)
    parts = (
        ("What comes back", digits, 4, "test digits, z from q"),
        ("Sampled at 28 × 28", small, 4, "z ~ N(0, I) at 7 × 7 positions"),
        ("Sampled at 28 × 112", wide, 1, "z ~ N(0, I) at 7 × 28 positions"),
    )
    for axis, (title, images, columns, below) in zip(axes, parts, strict=True):
        draw_images(axis, _bytes(images), columns)
        axis.set_title(title, loc="left", fontsize=10.5)
        axis.set_xlabel(below)
    return Picture(
        figure,
        "Left: reconstructed test digits, sharp. Middle: samples of the same size, pieces of strokes that make no digit. Right: samples "
        "four times as wide, the same kind of pieces all along.",
    )


def dependence(average: Sequence[float], codes: Tensor, drawn: Tensor) -> Picture:
    """Draw the correlation of codes over the distance of their columns: on average, and row by row beside draws of the prior.

    Args:
        average: over all rows and channels, one value for each distance, from 1.
        codes, drawn: of every row of the first channel, ``(rows, distances)``.
    """
    figure, (left, middle, right) = new_figure(3, width=3.15, height=3.0, width_ratios=[1.1, 1, 1.2])
    distances = range(1, len(average) + 1)
    most = 1.05 * max(codes.abs().max().item(), drawn.abs().max().item())
    left.plot(distances, average, color=BLUE, marker="o")
    left.axhline(0, color=BLACK, lw=0.8)
    left.set_ylim(-most, most)
    label(left, "All rows averaged", "columns apart", "mean correlation")
    for axis, title, table in ((middle, "Codes of digits", codes), (right, "Draws of p(z)", drawn)):
        shown = axis.imshow(table.numpy(), cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
        axis.set_xticks(range(table.shape[1]), [str(d) for d in distances])
        axis.set_yticks(range(0, len(table), 2), [str(row + 1) for row in range(0, len(table), 2)])
        label(axis, title, "columns apart", "row of the code")
    figure.colorbar(shown, ax=right, label="correlation")
    said = ", ".join(f"{value:.2f}" for value in average)
    return Picture(
        figure,
        f"Left: correlation of codes by distance, averaged over all rows: {said}. Middle: row by row, correlations of both signs, up to "
        f"{codes.abs().max():.2f} in size. Right: the same for draws of N(0, I), at most {drawn.abs().max():.2f}.",
    )


def independent_and_together(independent: Tensor, together: Tensor) -> Picture:
    """Draw samples with independent codes beside samples whose codes hang together as those of data do.

    Args:
        independent, together: ``(n, 28, 28)`` each.
    """
    figure, axes = new_figure(2, width=4.4, height=3.0)
    titles = ("z ~ N(0, I)", "z ~ N(m, C) of the digits' codes")
    for axis, title, images in zip(axes, titles, (independent, together), strict=True):
        draw_images(axis, _bytes(images), 8)
        axis.set_title(title, loc="left", fontsize=10.5)
        axis.set_xlabel(f"{len(images)} draws, none left out")
    return Picture(
        figure,
        "Left: samples with independent codes, pieces of strokes. Right: the same decoder, its codes drawn with the mean and covariance of "
        "the digits' codes: the strokes join into longer ones.",
    )
