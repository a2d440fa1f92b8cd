"""Colour pictures, of CIFAR-10's kind, for notebooks 10 and 11."""

from __future__ import annotations

from torch import Tensor

from course_lib.plots import BLUE, Picture, label, new_figure
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


def real_nvp_of_photographs(model: Shipped) -> Picture:
    """Draw the samples and the curve of the Real-NVP of CIFAR-10 that ships."""
    samples, steps, bits = (model.arrays[name] for name in ("samples", "curve/steps", "curve/bits per dim"))
    figure, (left, right) = new_figure(2, width=4.8, height=3.0, width_ratios=(1.5, 1.0))
    left.imshow(side_by_side(samples.permute(0, 2, 3, 1), columns=8).numpy(), interpolation="nearest")
    left.set_xticks([])
    left.set_yticks([])
    left.spines[:].set_visible(False)
    label(left, "Colours and edges, no things yet", f"{len(samples)} samples, as they came", "CIFAR-10")
    right.plot(steps, bits, "o-", color=BLUE, ms=4)
    label(right, f"Bits fall in {steps[-1]} steps", "training step", "bits/dim")
    return Picture(
        figure,
        f"Left: {len(samples)} samples of a small Real-NVP of CIFAR-10: patches of colour with soft edges, in which nothing can be named. Right: "
        f"its bits/dim over {steps[-1]} training steps, from {bits[0]:.1f} to {bits[-1]:.1f}, flat at the end, where the learning rate is close to 0.",
    )
