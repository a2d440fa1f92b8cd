"""The figures of notebook 00."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.figures.diagrams import Diagram
from course_lib.plots import Picture, draw_images, new_figure
from course_lib.shipped import load_gallery

NOTEBOOKS = {"Gaussian mixture": "01", "VAE": "06", "NICE": "10", "Real-NVP": "11"}
ACROSS = 14


def gallery() -> Picture:
    """Draw the first samples of each model that is built in the course."""
    models = load_gallery()
    samples = torch.cat([models[name].arrays["samples"][:ACROSS] for name in NOTEBOOKS])
    figure, (axis,) = new_figure(width=9.4, height=2.9)
    draw_images(axis, samples, columns=ACROSS)
    axis.set_yticks(
        [30 * i + 14 for i in range(len(NOTEBOOKS))],
        [f"{name}\nnotebook {number}" for name, number in NOTEBOOKS.items()],
    )
    axis.set_title("Four models, four ways to dream up digits, not all of them legible", loc="left", fontsize=10.5)
    axis.set_xlabel(f"the first {ACROSS} samples of each model, as they came")
    return Picture(
        figure,
        f"Four rows of {ACROSS} generated images. Gaussian mixture: digits made of loose dots. VAE: smooth, soft strokes, "
        "most of them digits. NICE: blobs of ink in the middle, hardly a digit among them. Real-NVP: sharp strokes, many "
        "of them digits, some broken.",
    )


def training_digits(images: Tensor) -> Picture:
    """Draw the first of the training images, ``(n, 1, 28, 28)``."""
    figure, (axis,) = new_figure(width=9.4, height=1.75)
    draw_images(axis, images[: 2 * ACROSS, 0], columns=ACROSS)
    axis.set_title("Real digits, written by real people", loc="left", fontsize=10.5)
    axis.set_xlabel(f"the first {2 * ACROSS} training images")
    return Picture(figure, f"Two rows of {ACROSS} handwritten digits from MNIST.")


def way_of_an_answer() -> Picture:
    """Show what happens to an answer: the check tries it, and what is wrong leads back to it."""
    diagram = Diagram(columns=6.2, rows=1.5)
    diagram.node("write", (0, 0), "step", "you write\na function")
    diagram.node("inputs", (1.7, 0.75), "text", "many inputs")
    diagram.node("check", (1.7, 0), "step", "check")
    diagram.node("points", (3.2, 0), "step", "points")
    diagram.node("hand in", (5.1, 0), "step", "hand in\nthe notebook")
    diagram.arrow("write", "check")
    diagram.arrow("inputs", "check")
    diagram.arrow("check", "points", text="right")
    diagram.arrow("points", "hand in", text="all of them, or\nas far as you got")
    diagram.arrow("check", "write", text="wrong: what is, and one input", bend=-0.32)
    return diagram.picture(
        "A check is there to be run often: it costs nothing to be wrong",
        "You write a function; the check tries it on many inputs. If it is wrong, the check says what, with one small "
        "input, and you write again. If it is right you have the points. In the end you hand in the notebook, with all "
        "points or as far as you got.",
    )
