"""Colour pictures, of CIFAR-10's kind, for notebooks 10 and 11."""

from __future__ import annotations

from torch import Tensor

from course_lib.plots import BLACK, BLUE, RED, Picture, label, new_figure
from course_lib.shipped import Shipped


def side_by_side(pictures: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Return colour pictures, bytes ``(n, height, width, 3)``, as one of white gaps."""
    n, height, width, _ = pictures.shape
    rows = -(-n // columns)
    canvas = pictures.new_full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return canvas


PUBLISHED = 3.49  # bits/dim, Dinh, Sohl-Dickstein and Bengio (2017), table 1


def real_nvp_of_photographs(small: Shipped, large: Shipped) -> Picture:
    """Draw the samples and the curves of the two Real-NVPs of CIFAR-10 that ship."""
    figure, (whole,) = new_figure(width=9.6, height=5.0)
    whole.remove()
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1.0))
    titles = (
        f"{small.seconds:.0f} s of one core: colours and edges",
        f"{large.seconds / 60:.0f} minutes of a GPU: light and shade, no things yet",
    )
    for row, (title, model) in enumerate(zip(titles, (small, large), strict=True)):
        axis = figure.add_subplot(grid[row, 0])
        samples = model.arrays["samples"]
        axis.imshow(side_by_side(samples.permute(0, 2, 3, 1), columns=8).numpy(), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        label(axis, title, f"{len(samples)} samples, as they came", f"{int(model.figures['parameters']):,} parameters")
    axis = figure.add_subplot(grid[:, 1])
    axis.spines[["top", "right"]].set_visible(False)
    curves = [(model.arrays["curve/steps"], model.arrays["curve/bits per dim"]) for model in (small, large)]
    for (steps, bits), colour, marker, name in zip(curves, (BLUE, RED), "os", ("small", "the paper's"), strict=True):
        axis.plot(steps, bits, marker + "-", color=colour, ms=4, lw=1.5, markevery=max(1, len(steps) // 10))
        axis.text(1.15 * float(steps[0]), float(bits[0]), name, color=colour, fontsize=9)
    axis.axhline(PUBLISHED, color=BLACK, ls="--", lw=1.2)
    axis.text(float(curves[0][0][0]), PUBLISHED - 0.03, f"published: {PUBLISHED}", color=BLACK, va="top", fontsize=9)
    axis.set_xscale("log")
    label(axis, "More layers, more steps: fewer bits", "training step", "bits/dim of training images")
    (_, few), (steps, many) = curves
    return Picture(
        figure,
        f"Left, above: {len(small.arrays['samples'])} samples of a small Real-NVP of CIFAR-10, patches of colour with soft edges; below: as many of "
        "the paper's, like photographs out of focus, with light and dark places, grounds and skies, in which nothing can be named. Right: their "
        f"bits/dim over the training steps: the small one's fall from {few[0]:.1f} to {few[-1]:.1f}, the paper's to {many[-1]:.1f} at step "
        f"{int(steps[-1]):,}; a dashed line at the published {PUBLISHED}.",
    )
