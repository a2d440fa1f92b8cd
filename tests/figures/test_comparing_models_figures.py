"""The figures of notebook 12 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.figures import comparing_models as figures
from course_lib.plots import shown_size

WIDEST = 900
BITS = {"VAE": torch.linspace(2, 3, 40), "NICE": torch.linspace(3, 5, 40), "Real-NVP": torch.linspace(1, 2, 40)}
KINDS = {"digits": torch.linspace(1, 2, 40), "clothes": torch.linspace(3, 900, 10), "blank": torch.tensor([0.3])}
COSTS = {"seconds": torch.tensor([1.0, 2.0]), "MB": torch.tensor([3.0, 9.0])}
JOBS = {"MB": {"VAE": 3.0, "NICE": 4.0}, "%": {"more": 70.0, "more or fewer": 30.0}, "codes": {"VAE": 1.0, "NICE": 9.0}}

PICTURES = {
    "one scale": figures.one_scale_for_all,
    "bound": lambda: figures.bound_over_samples((1, 10, 100), (2.6, 2.55, 2.54), 2.6),
    "on one scale": lambda: figures.on_one_scale(BITS, BITS["VAE"] + 0.1),
    "image by image": lambda: figures.image_by_image(BITS["VAE"], BITS["NICE"], ("VAE", "NICE"), -1.0, 0.02),
    "growth": lambda: figures.growth(
        torch.tensor([100.0, 400.0]), COSTS, {"seconds": (0.5, 9.0), "MB": (1.0, 90.0)}, {"256 × 256": 65536.0}
    ),
    "unlike": lambda: figures.unlike_images(dict.fromkeys(BITS, KINDS), torch.zeros(3, 28, 28, dtype=torch.uint8)),
    "slide": lambda: figures.slide([("+ exact", "1.47 bits/dim", True), ("- special", "couplings", False)] * 2),
    "consequences": lambda: figures.consequences(JOBS, {"MB": "the VAE, because", "%": "stop what has more or fewer"}),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= WIDEST
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60


def test_a_choice_is_recognised_by_the_longest_name_and_none_stays_none():
    alt = PICTURES["consequences"]().alt
    assert "(chosen: VAE)" in alt
    assert "(chosen: more or fewer)" in alt
    assert "(chosen: None)" in alt
