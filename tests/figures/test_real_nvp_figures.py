"""The figures of notebook 11 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.figures import real_nvp as figures
from course_lib.image_flows import channel_mask, checkerboard_mask, latent_shapes
from course_lib.plots import shown_size

WIDEST = 900
IMAGES = torch.rand(14, 28, 28, generator=torch.Generator().manual_seed(0))
CLOUD = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
SETS, MODELS = ("two moons", "eight Gaussians", "checkerboard"), ("NICE", "Real-NVP")
DENSITY = -torch.cartesian_prod(*[torch.linspace(-4, 4, 20)] * 2).pow(2).sum(-1).view(20, 20)

PICTURES = {
    "layer": lambda: figures.affine_layer(),
    "blow up": lambda: figures.blow_up({"unbounded": [[2.0, 5e7], [3.0]], "bounded": [[2.0, 1.5, 1.0, 0.9]] * 2}, 4),
    "planes": lambda: figures.side_by_side(
        dict.fromkeys(SETS, CLOUD),
        dict.fromkeys(SETS, dict.fromkeys(MODELS, DENSITY)),
        dict.fromkeys(SETS, dict.fromkeys(MODELS, 0.2)),
        4.5,
    ),
    "masks": lambda: figures.masks(checkerboard_mask(4, 5), channel_mask(4)),
    "scales": lambda: figures.multi_scale(latent_shapes(1, 28, 28, 2)),
    "training": lambda: figures.training([9.0 - 0.03 * i for i in range(200)], 2.2),
    "others": lambda: figures.beside_others(2.2),
    "rows": lambda: figures.image_rows(
        {f"row {i}": IMAGES for i in range(6)}, "Strokes that begin to be digits", "samples as they came"
    ),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= WIDEST
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60
