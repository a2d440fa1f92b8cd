"""The figures of notebook 10 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.colour_images import CIFAR_FLOW_FILE
from course_lib.figures import nice as figures
from course_lib.figures.colour import real_nvp_of_photographs
from course_lib.plots import shown_size
from course_lib.shipped import load

WIDEST = 900
IMAGES = torch.rand(32, 784, generator=torch.Generator().manual_seed(0))
GRID = torch.cartesian_prod(torch.linspace(-1.5, 1.5, 5), torch.linspace(-1.5, 1.5, 5))
CLOUD = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
NAMES = ("couplings", "couplings, half the size", "with a scaling, half the size")

PICTURES = {
    "coupling": lambda: figures.coupling_layer(),
    "one coupling": lambda: figures.one_coupling(GRID, GRID),
    "blocks": lambda: figures.block_matrix(torch.eye(5), 2),
    "volumes": lambda: figures.volumes(
        *[dict.fromkeys(NAMES, CLOUD)] * 2, dict.fromkeys(NAMES, -3.0), dict.fromkeys(NAMES, -2.84)
    ),
    "spikes": lambda: figures.spikes([1.0, 0.1, 0.01], [2.0, 4.0, 6.0], [1.0, -50.0, -1e6], 3.8),
    "beginnings": lambda: figures.two_beginnings({"from zeros": [-2000.0, 100.0], "from the spread": [900.0, 1600.0]}),
    "samples": lambda: figures.samples({"from zeros": IMAGES, "from the spread": IMAGES}),
    "others": lambda: figures.beside_others(1700.0),
    "other data": lambda: figures.other_data(load(figures.OTHER_DATA_FILE)),
    "photographs": lambda: real_nvp_of_photographs(*load(CIFAR_FLOW_FILE).values()),
    "restored": lambda: figures.restored({"given": IMAGES[:8], "filled in": IMAGES[:8], "as it was": IMAGES[:8]}),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= WIDEST
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60
