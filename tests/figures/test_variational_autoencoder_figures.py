"""The figures of notebook 06 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.figures import variational_autoencoder as figures
from course_lib.plots import shown_size

WIDEST = 900
IMAGES = torch.rand(49, 784, generator=torch.Generator().manual_seed(0))
GRID = torch.linspace(-4, 4, 81)
HILL = torch.distributions.Normal(0.0, 1.0).log_prob(torch.cartesian_prod(GRID, GRID)).sum(-1).exp().view(81, 81)

PICTURES = {
    "machine": lambda: figures.the_machine(),
    "first passes": lambda: figures.first_passes([-500.0, -200.0, -150.0]),
    "samples": lambda: figures.reconstructions_and_samples([-130.0, -110.0], IMAGES[:18], IMAGES[:18], IMAGES[:36]),
    "plane": lambda: figures.plane_of_codes(torch.randn(600, 2), torch.arange(600) % 10, IMAGES),
    "between": lambda: figures.between_codes({"codes, 7 to 1": IMAGES[:12], "pixels, 7 to 1": IMAGES[:12]}),
    "densities": lambda: figures.two_densities(GRID, HILL, HILL),
    "tightening": lambda: figures.tightening({1: -105.0, 50: -101.0, 500: -100.0}),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= WIDEST
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60


def test_every_code_is_written_as_its_digit():
    figure, (axis,) = figures.new_figure()
    figures.draw_codes(axis, torch.randn(50, 2), torch.arange(50) % 10)
    assert len(axis.collections) == 10
    figure.canvas.draw()
