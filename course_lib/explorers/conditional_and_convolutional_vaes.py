"""The explorer of notebook 07: part of a digit is given, and a point of p(z|x) says how it goes on."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import shipped
from course_lib.amortized import Encoder
from course_lib.conditional import DecoderOfPair, predict
from course_lib.data import ASSETS, load_images
from course_lib.explorers.explorer import Explorer, Slider
from course_lib.plots import BLACK, BLUE, ORANGE, draw_images, label, new_figure

COMPLETION_FILE = ASSETS / "completion_model.npz"  # made by scripts/make_conditional_models.py
SIDE, HIDDEN_DIM = 28, 128
PIXELS = SIDE * SIDE
GIVEN = PIXELS + SIDE  # the rows that are seen, and which they are


def given_rows(images: Tensor, rows: Tensor) -> Tensor:
    """Return what the model is told of images ``(n, 784)``: their upper ``rows (n,)`` rows, the others empty, and which."""
    seen = (torch.arange(SIDE, device=images.device) < rows.unsqueeze(-1)).to(images)
    return torch.cat([images * seen.repeat_interleave(SIDE, -1), seen], -1)


@lru_cache(maxsize=1)
def load_completion_model() -> tuple[Encoder, DecoderOfPair]:
    """Return prior and decoder of a model that completes digits of which some upper rows are given; two latent dimensions.

    Raises:
        DataError: its file is missing or corrupt.
    """
    weights = {name: value.float() for name, value in shipped.load(COMPLETION_FILE)["completion"].arrays.items()}
    prior, decoder = Encoder(GIVEN, HIDDEN_DIM, 2), DecoderOfPair(GIVEN, 2, HIDDEN_DIM, PIXELS)
    for name, network in (("prior", prior), ("decoder", decoder)):
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        network.load_state_dict(own)
        network.eval().requires_grad_(False)
    return prior, decoder


@lru_cache(maxsize=1)
def _digits() -> tuple[Tensor, Tensor]:
    """One test digit of each kind."""
    test = load_images("test")
    first = torch.stack([(test.labels == digit).nonzero()[1, 0] for digit in range(10)])
    return test.flat()[first], test.labels[first]


def draw_completion(digit: int, rows: int, first: float, second: float) -> tuple[Figure, str]:
    """Show p(z|x) in the latent plane with a point of it, and the digit that the point completes."""
    images, _ = _digits()
    prior, decoder = load_completion_model()
    x = given_rows(images[digit : digit + 1], torch.tensor([rows]))
    mu, log_sigma = prior(x)
    eps = torch.tensor([[first, second]])
    completed = predict(x, prior, decoder, eps)[0].view(SIDE, SIDE)
    shown = images[digit].view(SIDE, SIDE).clone()
    upper = shown.clone()
    upper[rows:] = 0
    completed[:rows] = shown[:rows]

    figure, (plane, pictures) = new_figure(2, width=4.6, height=3.6, width_ratios=[1, 1.5])
    angle = torch.linspace(0, 2 * math.pi, 60)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    centre, width = mu[0], log_sigma[0].exp()
    for radius, style in ((1, "-"), (2, "--")):
        ring = centre + radius * width * circle
        plane.plot(*ring.T, color=BLUE, ls=style, lw=2)
        plane.plot(*(radius * circle).T, color=ORANGE, ls=style, lw=1)
    z = centre + width * eps[0]
    plane.plot([z[0]], [z[1]], "X", color=BLACK, ms=11, mec="white")
    plane.set(xlim=(-5, 5), ylim=(-5, 5))
    plane.text(-4.7, 4.7, "p(z|x)", color=BLUE, fontsize=9, va="top")
    plane.text(-4.7, 3.9, "N(0, I)", color=ORANGE, fontsize=9, va="top")
    label(plane, "1 σ and 2 σ of the prior", "z, dimension 1", "z, dimension 2")
    draw_images(pictures, (255 * torch.stack([upper, completed, shown])).byte(), 3, ("x", "completed", "the digit"))
    pictures.axhline(rows - 0.5, color=BLUE, lw=1, ls=":")
    label(pictures, f"{rows} rows of 28 are given", "above the dotted line given, below it p(ink)", "28 pixels")
    alt = (
        f"The upper {rows} rows of a {digit} are given. In the latent plane p(z|x) is centred at ({centre[0]:.1f}, {centre[1]:.1f}) with "
        f"widths {width[0]:.2f} and {width[1]:.2f}; a cross stands {first:.1f} and {second:.1f} widths from its middle. Beside it the "
        "given rows, the digit completed from there, and the digit itself."
    )
    return figure, alt


completion = Explorer(
    draw_completion,
    {
        "digit": Slider("which digit", start=3, low=0, high=9, step=1),
        "rows": Slider("rows that are given", start=10, low=2, high=26, step=1),
        "first": Slider("point in p(z|x), dimension 1 (σ)", start=0.5, low=-3.0, high=3.0, step=0.1),
        "second": Slider("point in p(z|x), dimension 2 (σ)", start=-0.5, low=-3.0, high=3.0, step=0.1),
    },
)
