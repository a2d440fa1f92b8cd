"""The figures of notebook 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, Picture, draw_images, label, new_figure

LOOKS = {"VAE": (BLUE, "o"), "NICE": (ORANGE, "s"), "Real-NVP": (GREEN, "^")}
OTHER = (PURPLE, "D")
SHOWN_BITS = (0.2, 50.0)  # what lies beyond is drawn at the end


def one_scale_for_all() -> Picture:
    """Draw the way from grey values to bits/dim, which forks at the models alone."""
    diagram = Diagram(columns=6.7, rows=2)
    diagram.node("pixels", (0, 0.5), "observed", "pixels")
    diagram.node("x", (1.05, 0.5), "observed", "x")
    diagram.node("y", (2.1, 0.5), "observed", "y")
    diagram.node("flow", (3.2, 1), "step", "flow")
    diagram.node("vae", (3.2, 0), "step", "VAE")
    diagram.node("exact", (4.4, 1), "step", "log p(y)")
    diagram.node("bound", (4.4, 0), "step", "ELBO, IWAE")
    diagram.node("bits", (5.7, 0.5), "step", "bits/dim")
    diagram.arrow("pixels", "x", text="+ noise")
    diagram.arrow("x", "y", text="logit")
    diagram.arrow("y", "flow")
    diagram.arrow("y", "vae")
    diagram.arrow("flow", "exact")
    diagram.arrow("vae", "bound")
    diagram.arrow("exact", "bits", text="+ log-det")
    diagram.arrow("bound", "bits", text="+ log-det")
    return diagram.picture(
        "The same noise, the same logit, the same unit: only the model is another",
        "Pixels and noise give x in [0, 1), the logit of x is y. A flow gives log p(y) exactly, a VAE the ELBO and the importance-weighted "
        "bound. To each of these the same log-determinant of the logit is added, and the same change of units gives bits/dim.",
    )


def bound_over_samples(samples: Sequence[int], bits: Sequence[float], elbo: float) -> Picture:
    """Draw the importance-weighted bound against the number of samples, in bits/dim, and the ELBO as a line."""
    figure, (axis,) = new_figure(width=6.8, height=3.4)
    axis.axhline(elbo, color=RED, lw=1.4, ls="--")
    axis.plot(samples, bits, "o-", color=BLUE)
    axis.set_xscale("log")
    room = max(elbo - min(bits), 1e-3)
    axis.set_ylim(min(bits) - 0.25 * room, elbo + 0.25 * room)
    axis.text(samples[-1], elbo + 0.03 * room, "ELBO", color=RED, ha="right", va="bottom", fontsize=9)
    axis.text(samples[-1], bits[-1] - 0.05 * room, "importance-weighted", color=BLUE, ha="right", va="top", fontsize=9)
    label(
        axis,
        "More samples, fewer bits: and no end that one could see",
        "samples of z for each digit, K",
        "bits/dim, less is better",
    )
    words = ", ".join(f"{k}: {value:.3f}" for k, value in zip(samples, bits, strict=True))
    return Picture(
        figure,
        f"Bits/dim of the VAE by the importance-weighted bound against K ({words}), falling ever more slowly below the ELBO's {elbo:.3f}.",
    )


def on_one_scale(bits: Mapping[str, Tensor], elbo: Tensor) -> Picture:
    """Draw every model's bits/dim on one line: exact numbers as points, a bound as an interval.

    Args:
        bits: of each image by the model's name, ``(images,)``; the VAE's are those of its tightest bound.
        elbo: the VAE's by its ELBO, ``(images,)``.
    """
    figure, (axis,) = new_figure(width=8.2, height=2.9)
    means = {name: values.mean().item() for name, values in bits.items()}
    high = elbo.mean().item()
    low, top = min(means.values()), max(*means.values(), high)
    room = top - low
    for row, (name, mean) in enumerate(means.items()):
        colour, marker = LOOKS.get(name, OTHER)
        if name == "VAE":
            axis.plot([mean, high], [row, row], color=colour, lw=7, solid_capstyle="butt", alpha=0.9)
            axis.annotate("", (mean - 0.12 * room, row), (mean, row), arrowprops={"arrowstyle": "->", "color": colour})
            text = f"at most {mean:.2f} (ELBO: {high:.2f})"
        else:
            axis.plot(mean, row, marker, color=colour, ms=9)
            text = f"{mean:.2f}"
        where = high if name == "VAE" else mean
        axis.text(where + 0.025 * room, row, text, color=colour, va="center", fontsize=9.5)
    axis.set_yticks(range(len(means)), list(means))
    axis.set_ylim(len(means) - 0.4, -0.6)
    axis.set_xlim(low - 0.15 * room, top + 0.3 * room)
    label(axis, "Flows give a point, a VAE an end from above", "bits/dim of the same test digits, less is better", "")
    axis.set_ylabel("model")
    words = ", ".join(f"{name} {mean:.2f}" for name, mean in means.items() if name != "VAE")
    vae = f"The VAE lies at most at {means['VAE']:.2f}, drawn as an interval up to its ELBO, {high:.2f}, with an arrow to the left. "
    return Picture(figure, f"Mean bits/dim of the same test digits on one axis. {vae}Exact, as points: {words}.")


def image_by_image(first: Tensor, second: Tensor, names: Sequence[str], mean: float, error: float) -> Picture:
    """Draw two models' bits/dim of each image, and the differences.

    Args:
        first, second: bits/dim, ``(images,)``.
        names: of the two models.
        mean, error: of the differences.
    """
    figure, (left, right) = new_figure(2, width=4.4, height=3.5)
    left.plot(second, first, ".", ms=3, color=BLUE)
    ends = [min(first.min(), second.min()).item() - 0.1, max(first.max(), second.max()).item() + 0.1]
    left.plot(ends, ends, color=BLACK, lw=1)
    left.text(ends[1], ends[1], "equal ", ha="right", va="top", fontsize=9)
    label(left, "What is hard for one is hard for both", f"{names[1]} (bits/dim)", f"{names[0]} (bits/dim)")
    difference = first - second
    right.hist(difference.numpy(), bins=30, fc=SKY, ec=BLUE, lw=0.6)
    right.axvline(mean, color=RED, lw=1.6, ls="--")
    right.axvline(0, color=BLACK, lw=1)
    label(right, f"{mean:.2f} apart, give or take {error:.2f}", f"{names[0]} - {names[1]} (bits/dim)", "test digits")
    return Picture(
        figure,
        f"Left: bits/dim of every test digit under {names[0]} against those under {names[1]}, a slanted cloud. Right: a histogram of the "
        f"differences, with a mean of {mean:.3f} and a standard error of {error:.4f} bits/dim.",
    )


def growth(
    values: Tensor, costs: Mapping[str, Tensor], lines: Mapping[str, tuple[float, float]], ends: Mapping[str, float]
) -> Picture:
    """Draw measured costs against the image's values, and the power laws that lead on from them.

    Args:
        values: numbers in one image, ``(n,)``.
        costs: measured, ``(n,)``, by a name that says the unit.
        lines: exponent, and the cost at the first of ``ends``, for each of them.
        ends: sizes that were not measured, by name.
    """
    figure, axes = new_figure(len(costs), width=9.0 / len(costs), height=3.6)
    at = next(iter(ends.values()))
    for axis, (name, cost), (colour, marker) in zip(axes, costs.items(), LOOKS.values(), strict=False):
        exponent, there = lines[name]
        axis.plot(values, cost, marker, color=colour, ms=7)
        line = torch.tensor([values.min().item(), *ends.values()], dtype=torch.float64)
        axis.plot(line, there * (line / at) ** exponent, "--", color=colour, lw=1.3)
        for end, size in ends.items():
            axis.plot(size, there * (size / at) ** exponent, marker, mfc="white", mec=colour, ms=8)
            axis.text(size, there * (size / at) ** exponent * 1.5, f"{end} ", ha="right", va="bottom", fontsize=9)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(top=6 * there * (max(ends.values()) / at) ** exponent)
        label(axis, f"grows with the power {exponent:.2f}", "values in one image", name)
    words = "; ".join(
        f"{name}: power {exponent:.2f}, so "
        + ", ".join(f"{there * (size / at) ** exponent:.3g} at {end}" for end, size in ends.items())
        for name, (exponent, there) in lines.items()
    )
    return Picture(
        figure,
        f"Costs of one training step for each image against the image's size, both axes logarithmic, with lines carried on. {words}.",
    )


def unlike_images(bits: Mapping[str, Mapping[str, Tensor]], examples: Tensor) -> Picture:
    """Draw bits/dim of digits and of images unlike them, one panel for each model.

    Args:
        bits: ``(n,)`` by the kind of image, by the model's name.
        examples: one image of each kind, bytes ``(kinds, 28, 28)``.
    """
    figure, axes = new_figure(len(bits) + 1, width=9.6 / (len(bits) + 1), height=4.2, width_ratios=[0.3, 1, 1, 1])
    kinds = list(next(iter(bits.values())))
    draw_images(axes[0], examples, 1)
    axes[0].set_yticks([30 * i + 14 for i in range(len(kinds))], kinds)
    axes[0].set_ylim(30 * len(kinds) - 2, 0)
    axes[0].set_aspect("auto")
    label(axes[0], "", "", "kind of image")
    for axis, (name, of_kind) in zip(axes[1:], bits.items(), strict=True):
        colour, marker = LOOKS.get(name, OTHER)
        low, high = of_kind[kinds[0]].quantile(torch.tensor([0.01, 0.99])).tolist()
        axis.axvspan(low, high, color="#E3E3E3", lw=0)
        for row, values in enumerate(of_kind.values()):
            shown = values[:: max(1, len(values) // 60)].clamp(*SHOWN_BITS)
            place = row + torch.linspace(-0.22, 0.22, len(shown)) if len(shown) > 1 else torch.tensor([float(row)])
            axis.plot(shown, place, marker, color=colour, ms=3 if len(shown) > 12 else 5, clip_on=False, ls="")
        axis.set_xscale("log")
        axis.set_xlim(*SHOWN_BITS)
        axis.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
        axis.set_xticks([], minor=True)
        axis.set_yticks(range(len(kinds)), [""] * len(kinds))
        axis.set_ylim(len(kinds) - 0.5, -0.5)
        usual, blank = (of_kind[kind].median().item() for kind in (kinds[0], "blank"))
        label(axis, f"{name}: blank {blank:.2f}, a digit {usual:.2f}", "bits/dim, cut at 50", "")
    fewest = {name: min(of_kind, key=lambda kind: of_kind[kind].median().item()) for name, of_kind in bits.items()}
    words = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {values.median():.2f}" for kind, values in of_kind.items())
        for name, of_kind in bits.items()
    )
    cheapest = ", ".join(f"{kind} under {name}" for name, kind in fewest.items())
    return Picture(
        figure,
        f"Bits/dim of kinds of images, a panel for each model, the range of 98 % of test digits shaded, the axis logarithmic and cut at 50. Medians: {words}. "
        f"Fewest bits: {cheapest}.",
    )


def slide(lines: Sequence[tuple[str, str, bool]]) -> Picture:
    """Draw the lecture's concluding slide with what was measured for each line.

    Args:
        lines: the slide's words, the numbers, and whether the student's reading of the line is right so far.
    """
    figure, (axis,) = new_figure(width=9.8, height=0.62 * len(lines) + 0.9)
    axis.set(xlim=(0, 1), ylim=(len(lines) - 0.4, -0.8))
    axis.axis("off")
    for row, (words, numbers, right) in enumerate(lines):
        colour, mark = (GREEN, "✓") if right else (ORANGE, "…")
        axis.text(0.0, row, mark, color=colour, fontsize=12, va="center")
        axis.text(0.035, row, words, fontsize=10, va="center")
        axis.text(0.44, row, numbers, fontsize=9.5, va="center", color=BLUE)
        axis.axhline(row + 0.5, color="#CCCCCC", lw=0.7)
    done = sum(right for _, _, right in lines)
    axis.set_title(f"Concluding remarks, measured: {done} of {len(lines)} lines read", loc="left", fontsize=10.5)
    rows = "; ".join(f"{words}: {numbers}" for words, numbers, _ in lines).replace("\n", " ")
    return Picture(figure, f"The lecture's last slide, a number beside each line. {rows}. {done} of them read rightly.")


def consequences(jobs: Mapping[str, Mapping[str, float]], chosen: Mapping[str, str | None]) -> Picture:
    """Draw what each choice leads to, one panel for each job, the student's own filled.

    Args:
        jobs: a number for each choice, by the job's name, which says the unit; less is better.
        chosen: the choice made for each job, None so far.
    """
    figure, axes = new_figure(len(jobs), width=9.8 / len(jobs), height=3.0)
    for axis, (job, numbers) in zip(axes, jobs.items(), strict=True):
        own = _meant(chosen.get(job), numbers)
        for row, (name, number) in enumerate(numbers.items()):
            axis.barh(row, number, fc=BLUE if name == own else "white", ec=BLUE, height=0.6, lw=1.3)
            axis.text(number, row, f" {number:,.3g}" if number < 1000 else f" {number:,.0f}", va="center", fontsize=9)
        axis.set_yticks(range(len(numbers)), list(numbers))
        axis.set_ylim(len(numbers) - 0.4, -0.6)
        axis.set_xlim(0, 1.35 * max(max(numbers.values()), 1e-6))
        label(axis, f"you: {own}" if own else "you: none of these", job, "choice")
    words = "; ".join(
        f"{job}: "
        + ", ".join(f"{name} {number:,.3g}" for name, number in numbers.items())
        + f" (chosen: {_meant(chosen.get(job), numbers)})"
        for job, numbers in jobs.items()
    )
    return Picture(figure, f"What each choice leads to, less is better. {words}.")


def _meant(choice: str | None, numbers: Mapping[str, float]) -> str | None:
    """Return the bar that a sentence chose, the longest name first: "more or fewer" before "more"."""
    said = choice or ""
    return next(
        (name for name in sorted(numbers, key=len, reverse=True) if f" {name}" in said or said.startswith(name)), None
    )
