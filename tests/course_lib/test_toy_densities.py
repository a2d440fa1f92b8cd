"""Densities that are known, and the layer to try flows on: samples, log p(x) and entropies belong to each other."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.flows import numerical_log_det
from course_lib.toy_densities import (
    ENTROPIES,
    checkerboard,
    checkerboard_log_prob,
    eight_gaussians,
    eight_gaussians_log_prob,
    integral,
    two_moons,
    two_moons_log_prob,
)
from course_lib.warps import LIES, Warp, five_layers, say

DENSITIES = {
    "two moons, σ = 0.05": (lambda n, g: two_moons(n, 0.05, g), lambda x: two_moons_log_prob(x, 0.05)),
    "two moons, σ = 0.1": (lambda n, g: two_moons(n, 0.1, g), lambda x: two_moons_log_prob(x, 0.1)),
    "eight Gaussians": (eight_gaussians, eight_gaussians_log_prob),
    "checkerboard": (checkerboard, checkerboard_log_prob),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_have_the_density_and_the_entropy_that_is_told(name):
    draw, log_prob = DENSITIES[name]
    x = draw(20_000, torch.Generator().manual_seed(0))
    values = log_prob(x)
    error = values.std().item() / math.sqrt(len(x))
    assert -values.mean().item() == pytest.approx(ENTROPIES[name], abs=5 * error + 1e-4)
    assert x.shape == (20_000, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_integrates_to_one_and_its_entropy_is_the_integrals(name):
    _, log_prob = DENSITIES[name]
    step = 0.025  # half of the narrowest width, for which sums of a Gaussian are exact; edges of squares lie between
    line = (torch.arange(400, dtype=torch.float64) + 0.5) * step - 5
    values = torch.cat([log_prob(part) for part in torch.cartesian_prod(line, line).split(20_000)])
    mass = values.exp() * step**2
    assert mass.sum().item() == pytest.approx(1, abs=1e-3)
    assert -torch.where(mass > 0, mass * values, 0.0).sum().item() == pytest.approx(ENTROPIES[name], abs=2e-3)


def test_integral_of_a_standard_normal_is_one():
    assert integral(lambda x: -0.5 * (x**2).sum(-1) - math.log(2 * math.pi), 8.0, 200) == pytest.approx(1, abs=1e-4)


def _warp(dim, dtype=torch.float64):
    layer = Warp(dim).to(dtype)
    generator = torch.Generator().manual_seed(1)
    for parameter in (layer.a, layer.W, layer.b):
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=dtype)
    return layer


def test_a_warp_is_invertible_and_tells_the_truth():
    layer, z = _warp(4), torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x, log_det = layer(z)
    back, log_det_back = layer.inverse(x)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(log_det_back, -log_det)
    torch.testing.assert_close(log_det, numerical_log_det(lambda z: layer(z)[0], z))
    far = layer.inverse(x + 1e4)
    assert bool(far[0].isfinite().all())
    assert bool(far[1].isfinite().all())


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_leaves_the_points_and_is_none_of_the_others(lie):
    honest, liar = _warp(4), say(_warp(4), lie)
    z = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(honest(z)[0], liar(z)[0])
    assert (honest(z)[1] - liar(z)[1]).abs().max() > 0.1
    others = [say(_warp(4), other)(z)[1] for other in LIES if other != lie]
    assert all((liar(z)[1] - other).abs().max() > 0.01 for other in others)


@pytest.mark.parametrize("seed", range(6))
def test_one_of_five_lies(seed):
    z = torch.randn(20, 3, generator=torch.Generator().manual_seed(2))
    layers = five_layers(3, seed)
    off = [(layer(z)[1] - numerical_log_det(lambda z, layer=layer: layer(z)[0], z)).abs().max() for layer in layers]
    assert sum(bool(value > 1e-2) for value in off) == 1
