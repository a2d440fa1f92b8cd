"""The explorer of notebook 12: two models, and one measure after another."""

from __future__ import annotations

from functools import lru_cache

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.compared_models import measured, shipped_models
from course_lib.digit_flow import shipped_digit_flow
from course_lib.explorers.explorer import Choice, Explorer
from course_lib.plots import BLACK, BLUE, GREEN, RED, draw_images, label, new_figure

NAMES = ("VAE", "NICE", "Real-NVP")
LATENTS = {"VAE": 24, "NICE": 784, "Real-NVP": 784}
BITS, UNLIKE, MIRRORED = "bits/dim of test digits", "clothes beside digits", "mirrored beside digits"
PARAMETERS, DIMENSIONS, SECONDS = "parameters", "numbers in z", "seconds of training, beforehand"
BARS, HISTOGRAMS = (PARAMETERS, DIMENSIONS, SECONDS), {BITS: None, UNLIKE: "clothes", MIRRORED: "mirrored"}
LOW, HIGH, BINS = 0.0, 7.5, 45
FEW = 12  # kinds with fewer images are drawn one by one


@lru_cache(maxsize=1)
def _numbers() -> dict[str, dict[str, float]]:
    records = {**shipped_models(), "Real-NVP": shipped_digit_flow()}
    return {
        PARAMETERS: {name: records[name].figures["parameters"] for name in NAMES},
        DIMENSIONS: {name: float(LATENTS[name]) for name in NAMES},
        SECONDS: {name: records[name].seconds for name in NAMES},
    }


@lru_cache(maxsize=1)
def _samples() -> dict[str, Tensor]:
    return {name: measured()[f"{name}/samples"][:8].view(-1, 28, 28) for name in NAMES}


def _bars(axis: Axes, measure: str, first: str, second: str) -> str:
    numbers = _numbers()[measure]
    for row, (name, colour) in enumerate(((first, BLUE), (second, RED))):
        axis.barh(row, numbers[name], color=colour, height=0.5)
        axis.text(numbers[name], row, f" {numbers[name]:,.0f}", va="center", fontsize=9)
    axis.set_xlim(0, 1.3 * max(numbers.values()))
    axis.set_xticks([0])  # the bars carry their numbers
    axis.set_ylim(1.6, -0.6)
    axis.set_yticks([0, 1], ["first", "second"])
    label(axis, f"{first} {numbers[first]:,.0f}, {second} {numbers[second]:,.0f}", measure, "model")
    return f"{measure}: {first} {numbers[first]:,.0f}, {second} {numbers[second]:,.0f}."


def _histograms(axis: Axes, measure: str, first: str, second: str) -> str:
    kind, told = HISTOGRAMS[measure], []
    drawn = ((first, BLUE, "-", "solid"), (second, RED, "--", "dashed"))
    for row, (name, colour, line, called) in enumerate(drawn):
        digits = measured()[f"{name}/digits"]
        axis.hist(
            digits.clamp(LOW, HIGH).numpy(), bins=BINS, range=(LOW, HIGH), histtype="step", ec=colour, ls=line, lw=1.6
        )
        words = f"{name} ({called}) {digits.median():.2f}"
        if kind is not None:
            other = measured()[f"{name}/{kind}"]
            words += f", {kind} {other.median():.3g}"
            other = other.clamp(LOW, HIGH)
            if len(other) <= FEW:
                axis.plot(other, [-12 - 14 * row] * len(other), "x", color=colour, ms=6)
            else:
                axis.hist(other.numpy(), bins=BINS, range=(LOW, HIGH), histtype="stepfilled", alpha=0.3, color=colour)
        told.append(words)
    axis.axhline(0, color=BLACK, lw=0.8)
    axis.set_xlim(LOW, HIGH)
    axis.set_ylim(0 if kind is None else -40, 170)
    axis.set_yticks([0, 50, 100, 150])
    label(axis, "; ".join(told), f"bits/dim, less is better; over {HIGH:g} drawn there", "images")
    return f"{measure}, medians: {'; '.join(told)}."


def draw_trade_off(first: str, second: str, measure: str) -> tuple[Figure, str]:
    """Show samples of two models, and one measure of both."""
    figure, (images, axis) = new_figure(2, width=4.6, height=3.6, width_ratios=[0.8, 1])
    pictures = torch.cat([_samples()[first], _samples()[second]])
    draw_images(images, pictures, 4)
    images.axhline(58.5, color=GREEN, lw=1)
    images.set_yticks([29, 89], ["first", "second"])
    label(images, f"{first}, below it {second}", "samples, as they came", "model")
    told = _bars(axis, measure, first, second) if measure in BARS else _histograms(axis, measure, first, second)
    bound = " The VAE's bits are an upper limit, K = 5,000." if "VAE" in (first, second) else ""
    return figure, f"Eight samples of {first} above eight of {second}; beside them {told}{bound}"


_models = {name: name for name in NAMES}
trade_off = Explorer(
    draw_trade_off,
    {
        "first": Choice("first model", "VAE", _models),
        "second": Choice("second model", "Real-NVP", dict(reversed(_models.items()))),
        "measure": Choice("measure", BITS, {name: name for name in (*HISTOGRAMS, *BARS)}),
    },
)
