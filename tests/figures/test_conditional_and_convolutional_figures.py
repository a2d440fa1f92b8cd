"""The figures of notebook 07 fit a page and say what they show."""

from __future__ import annotations

import pytest
import torch

from course_lib.conditional import branching_world
from course_lib.figures import conditional_and_convolutional_vaes as figures
from course_lib.plots import shown_size

WIDEST = 900
_, ROWS, _ = branching_world()
HALVES = torch.rand(40, 392, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(32, 28, 28, generator=torch.Generator().manual_seed(0))
VALUES = -torch.arange(10.0)

PICTURES = {
    "machine": lambda: figures.the_machine(),
    "two answers": lambda: figures.two_answers(ROWS, ROWS[:10]),
    "drawn": lambda: figures.drawn_answers(torch.rand(6, 10, 24)),
    "bound": lambda: figures.bound_and_truth(VALUES, VALUES + 1, VALUES + 2, VALUES - 3),
    "left out": lambda: figures.left_out({"nothing": (-1.0, -0.7), "the prior": (-1.0, -0.8)}, -0.5),
    "completions": lambda: figures.completions(HALVES[:6], HALVES[:6], HALVES[:6], HALVES[:6].expand(12, -1, -1)),
    "best": lambda: figures.best_of({1: 0.06, 10: 0.04, 100: 0.02}, 0.038),
    "estimates": lambda: figures.estimates({1: -110.0, 10: -70.0, 100: -50.0}, -48.0),
    "priors": lambda: figures.learned_priors(
        torch.randn(40, 5), torch.rand(40, 5), torch.randn(40), torch.rand(40), HALVES
    ),
    "convolutions": lambda: figures.convolutions(),
    "seconds": lambda: figures.equal_seconds({"a": 600_000, "b": 90_000}, {"a": -110.0, "b": -120.0}, 10),
    "sizes": lambda: figures.other_sizes(IMAGES[:16], IMAGES[:16], torch.rand(4, 28, 112)),
    "dependence": lambda: figures.dependence([0.1] * 6, torch.rand(7, 6) - 0.5, torch.zeros(7, 6)),
    "together": lambda: figures.independent_and_together(IMAGES, IMAGES),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_figure_fits_the_page_and_has_a_text(draw):
    picture = draw()
    size = shown_size(picture.png)
    assert size["width"] <= WIDEST
    assert size["height"] < size["width"]
    assert len(picture.alt) > 60
