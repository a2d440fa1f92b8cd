"""The figures of notebooks 04 and 05: their numbers in words, and none too wide."""

from __future__ import annotations

import torch

from course_lib.figures import amortized_inference, policy_gradient_vs_reparameterization
from course_lib.plots import shown_size


def test_every_figure_of_notebook_04_is_drawn_with_its_numbers_in_words():
    ten = torch.rand(10, 784)
    gaps = {"digits": torch.rand(30) + 1, "clothes": torch.rand(10) * 100 + 9}
    pictures = [
        amortized_inference.encoder_decoder(),
        amortized_inference.training([-70.0, 50.0, 100.0], ten, ten),
        amortized_inference.clothes(ten, ten, ten, torch.arange(10.0), [f"thing {i}" for i in range(10)]),
        amortized_inference.unlike(gaps),
        amortized_inference.split_against_width((4, 16), [1.1, 1.2], [100.0, 9.0]),
    ]
    for picture in pictures:
        assert shown_size(picture.png)["width"] <= 900
        assert len(picture.alt.split()) > 10
    assert "thing 3 3" in pictures[2].alt
    assert "width 16: approximation 1.2, amortization 9.0" in pictures[-1].alt


def test_every_figure_of_notebook_05_is_drawn_with_its_numbers_in_words():
    names = ("policy gradient", "with baseline", "reparameterized")
    levels = [{name: 10.0**-i * n for i, name in enumerate(names)} for n in (1, 2, 3)]
    runs = {name: [[-300.0 + i for i in range(40)], [-310.0 + i for i in range(40)]] for name in names}
    sigma = torch.rand(20) * 0.5 + 0.1
    pictures = [
        policy_gradient_vs_reparameterization.two_estimators(),
        policy_gradient_vs_reparameterization.variances((2, 4, 8), levels, (1, 2, 4), levels, levels),
        policy_gradient_vs_reparameterization.what_the_formula_saves(sigma, 1 + sigma, torch.ones(20)),
        policy_gradient_vs_reparameterization.training(runs, dict.fromkeys(names, 1e-3)),
        policy_gradient_vs_reparameterization.prototypes(runs[names[0]][0], runs[names[1]][0], torch.rand(20, 784)),
    ]
    for picture in pictures:
        assert shown_size(picture.png)["width"] <= 900
        assert len(picture.alt.split()) > 10
