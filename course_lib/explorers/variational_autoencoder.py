"""The explorer of notebook 06: the latent plane."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from course_lib.digit_model import load_digit_model
from course_lib.explorers.amortized_inference import digit_codes
from course_lib.explorers.explorer import Explorer, Slider
from course_lib.plots import BLACK, CYCLE, draw_images, label, new_figure


def draw_plane(z1: float, z2: float) -> tuple[Figure, str]:
    """Show codes of test digits in the latent plane, a point among them, and the digit decoded there."""
    mu, labels = digit_codes()
    z = torch.tensor([[z1, z2]])
    image = load_digit_model().mean(z)[0].view(28, 28)
    figure, (plane, digit) = new_figure(2, width=4.6, height=4.4, width_ratios=[1.25, 1])
    for number in range(10):
        # Every code is written as its digit: colour is not all that tells them apart.
        across, up = mu[labels == number].T
        plane.plot(across, up, ls="", marker=f"${number}$", ms=5, mew=0, color=CYCLE[number % 5])
    plane.plot([z1], [z2], "X", color=BLACK, ms=13, mec="white")
    plane.set_xlim(-4, 4)
    plane.set_ylim(-4, 4)
    label(plane, "Codes of 2,000 test digits", "z, dimension 1", "z, dimension 2")
    draw_images(digit, (255 * image).byte().unsqueeze(0), columns=1)
    digit.set_anchor("N")
    label(digit, f"Decoded at z = ({z1:.1f}, {z2:.1f})", "probability of ink", "28 pixels")
    near = int(labels[(mu - z).square().sum(-1).argmin()])
    alt = (
        f"Codes of test digits in a latent plane with a cross at ({z1:.1f}, {z2:.1f}), and the image decoded there; the nearest "
        f"code is that of a {near}."
    )
    return figure, alt


plane = Explorer(
    draw_plane,
    {
        "z1": Slider("z, dimension 1", start=0.5, low=-4.0, high=4.0, step=0.1),
        "z2": Slider("z, dimension 2", start=-0.5, low=-4.0, high=4.0, step=0.1),
    },
)
