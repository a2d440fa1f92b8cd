"""The explorers of notebook 11: area and log-det agree, and the layers lead from z to two moons."""

from __future__ import annotations

import pytest
import torch

from course_lib.explorers.nice import SQUARE, area
from course_lib.explorers.real_nvp import COUPLINGS, GRID, INSIDE, after, coupled, draw_affine, draw_moons, moons_flow
from course_lib.toy_densities import ENTROPIES, two_moons


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("scale", [-1.5, 0.0, 1.0])
def test_the_area_is_the_mean_of_the_determinant(scale, second):
    told = coupled(INSIDE, 0.7, scale, second)[1].exp().mean().item()
    assert area(coupled(SQUARE, 0.7, scale, second)[0]) == pytest.approx(told, rel=3e-3)


def test_a_coupling_keeps_the_entry_it_says():
    for second in (False, True):
        x, _ = coupled(GRID, 0.7, 0.8, second)
        assert torch.equal(x[:, int(second)], GRID[:, int(second)])
        assert (x != GRID).any()
        assert f"keeps entry {1 + second}" in draw_affine(0.7, 0.8, second)[1]


def test_the_trained_flow_is_near_two_moons():
    flow = moons_flow()
    points = two_moons(5000, 0.1, torch.Generator().manual_seed(3))
    assert -flow.log_prob(points).mean().item() - ENTROPIES["two moons, σ = 0.1"] < 0.06


@pytest.mark.parametrize("layers", [0, 1, COUPLINGS, COUPLINGS + 1])
def test_the_density_after_some_layers_is_one(layers):
    grid, points, density = after(layers)
    assert density.sum().item() * (6.0 / 95) ** 2 == pytest.approx(1.0, abs=0.12)  # of what lies within 3 of 0
    assert grid.isfinite().all()
    assert points.isfinite().all()
    assert str(layers) in draw_moons(layers)[1] or not layers


def test_all_layers_are_the_flow():
    flow = moons_flow()
    x = torch.tensor([[0.0, 1.0], [1.0, -0.5]])
    z, _ = flow.inverse(x)
    torch.testing.assert_close(flow(z)[0], x, atol=1e-4, rtol=1e-4)
