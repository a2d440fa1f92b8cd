"""The figures of notebook 09 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.figures import normalizing_flows as figures
from course_lib.plots import shown_size

Z = torch.linspace(-4, 4, 200, dtype=torch.float64)
LOG_P = torch.distributions.Normal(0.0, 1.0).log_prob(Z)
CLOUD = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
WORDS = [torch.linspace(0, 1, 9)] * 5
IMAGES = torch.rand(40, 784, generator=torch.Generator().manual_seed(0))

PICTURES = {
    "flow": lambda: figures.the_flow(),
    "interval": lambda: figures.stretched_interval(Z, LOG_P, 2 * Z, LOG_P - 0.693),
    "relu": lambda: figures.half_of_it_lost(CLOUD[:, 0], CLOUD[:, 0].relu(), CLOUD[:, 0]),
    "words": lambda: figures.words_and_truth([WORDS[0] + 1, *WORDS[1:]], WORDS),
    "layers": lambda: figures.layer_by_layer([CLOUD] * 9),
    "fits": lambda: figures.fits(CLOUD, {"one": CLOUD, "two": CLOUD}, {"one": 2.0, "two": 0.5}, 0.29),
    "approach": lambda: figures.approach({"one": [3.0, 2.0], "two": [2.0, 1.0, 0.6]}, 0.29),
    "prior": lambda: figures.better_prior([CLOUD] * 3, [IMAGES] * 3, -3.5, -3.3),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= 900
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60
