"""The explorer of notebook 10: what it fills with colour keeps its area, whatever the sliders say."""

from __future__ import annotations

import pytest
import torch

from course_lib.explorers.nice import GRID, SQUARE, area, draw_couplings, through


@pytest.mark.parametrize("strength", [0.0, 0.8, 1.2])
@pytest.mark.parametrize("layers", range(5))
def test_the_area_stays_one(layers, strength):
    assert area(through(SQUARE, layers, strength)) == pytest.approx(1.0, abs=2e-3)


def test_area_is_that_of_a_triangle():
    assert area(torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]])) == pytest.approx(6.0)


def test_one_coupling_moves_the_second_entry_alone_and_two_both():
    assert torch.equal(through(GRID, 1, 0.8)[:, 0], GRID[:, 0])
    assert (through(GRID, 1, 0.8)[:, 1] != GRID[:, 1]).any()
    assert (through(GRID, 2, 0.8) != GRID).any(0).all()


def test_its_text_says_which_entry_moved_last():
    assert "the last one moved x2 alone" in draw_couplings(1, 0.8)[1]
    assert "the last one moved x1 alone" in draw_couplings(2, 0.8)[1]
    assert "nothing has moved" in draw_couplings(0, 0.8)[1]
