"""The figures of notebook 08 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.beta_models import load_record, load_sweep
from course_lib.figures import vaes_in_practice as figures
from course_lib.plots import shown_size

IMAGES = torch.rand(8, 784, generator=torch.Generator().manual_seed(0))
SMALL = torch.zeros(8, 28, 28, dtype=torch.uint8) + torch.arange(28, dtype=torch.uint8)
NUMBERS = torch.tensor([[12.0, 63.0, 16.0], [11.0, 64.0, 16.0]])
FALLING = torch.linspace(-1.9, -12.0, 31)

PICTURES = {
    "weight": lambda: figures.the_weight(),
    "problems": lambda: figures.two_problems(IMAGES, IMAGES, dict.fromkeys("ABC", (IMAGES, IMAGES))),
    "bars": lambda: figures.kl_bars({name: torch.rand(16) for name in "ABC"}),
    "low to high": lambda: figures.from_low_to_high(load_sweep()),
    "no bound": lambda: figures.no_bound(torch.logspace(-2, 1, 31), FALLING, -2.9),
    "curve": lambda: figures.rate_distortion_curve(load_sweep(), {"yours, β = 3, six passes": (7.0, 150.0)}),
    "strong": lambda: figures.strong_decoders(
        {"z": NUMBERS, "z, upper half": NUMBERS}, {"z": SMALL, "z, upper half": SMALL}
    ),
    "steps": lambda: figures.over_steps({"β = 1": [20.0] * 99, "controller": [15.0] * 99}, 15.0),
    "cures": lambda: figures.cures(
        {"β = 1": NUMBERS, "schedule": NUMBERS}, {"β = 1": torch.rand(30), "schedule": torch.rand(30)}
    ),
    "schedules": lambda: figures.schedules(load_record("seeds").arrays, "At equal cost"),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= 900
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60
