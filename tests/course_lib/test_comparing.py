"""Models on one scale: what is known in closed form comes out, and what ships is what it says."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.compared_models import (
    FLOWS,
    compared_digits,
    kinds_of_images,
    load_nice,
    load_real_nvp,
    load_vae,
    measured,
    noise_for,
    shipped_models,
)
from course_lib.comparing import (
    LogitVAE,
    cost_of_step,
    detection,
    evidence_gap,
    flow_bits_per_dim,
    paired_difference,
    power_law,
    vae_bits_per_dim,
)
from course_lib.digit_flow import ALPHA, LEVELS, PIXELS
from course_lib.distributions import gaussian_log_prob
from course_lib.nice import dequantize
from course_lib.real_nvp import logit_transform, logit_transform_inverse
from course_lib.warps import WarpedNormal


class Everything:
    """The uniform density on the unit cube, as one of logits."""

    def log_prob(self, y):
        return logit_transform_inverse(y, 0.1)[1]


@pytest.mark.parametrize("levels", [2, 16, 256])
def test_a_model_that_finds_every_image_equally_likely_has_the_bits_of_its_levels(levels):
    pixels = torch.randint(levels, (5, 12))
    bits = flow_bits_per_dim(Everything(), pixels, torch.rand(5, 12, dtype=torch.float64), levels, 0.1)
    torch.testing.assert_close(bits, torch.full_like(bits, math.log2(levels)))


def test_the_gap_of_a_gaussian_q_tends_to_its_kl_and_vanishes_for_the_posterior():
    """z ~ N(0, 1), x = z + noise of the same size: the posterior is N(x/2, 1/2)."""
    x, generator = 0.8, torch.Generator().manual_seed(0)
    one = torch.ones(1, dtype=torch.float64)
    for mean, std in ((x / 2, math.sqrt(0.5)), (x / 2 + 0.3, math.sqrt(0.5))):
        z = mean + std * torch.randn(100_000, 1, 1, generator=generator, dtype=torch.float64)
        joint = gaussian_log_prob(x * one, z, one) + gaussian_log_prob(z, 0 * one, one)
        gap = evidence_gap(joint - gaussian_log_prob(z, mean * one, std * one)).item()
        assert gap == pytest.approx((mean - x / 2) ** 2 / (2 * 0.5), abs=0.01)


def test_bounds_of_a_vae_lie_in_order_and_differ_by_the_gap():
    weights = torch.randn(50, 7, dtype=torch.float64) * 30 - 2000
    elbo, iwae = vae_bits_per_dim(weights, 784, 256)
    assert (iwae < elbo).all()
    torch.testing.assert_close(784 * math.log(2) * (elbo - iwae), evidence_gap(weights))


def test_a_difference_is_as_sure_as_over_many_draws():
    generator = torch.Generator().manual_seed(0)
    hard = 3 * torch.randn(2000, 30, generator=generator)
    a, b = (hard + 0.2 * torch.randn(2000, 30, generator=generator) for _ in range(2))
    means, errors = zip(*(paired_difference(*both) for both in zip(a, b, strict=True)), strict=True)
    assert torch.stack(errors).square().mean().sqrt() == pytest.approx(torch.stack(means).std().item(), rel=0.05)


def test_an_alarm_that_always_or_never_rings_and_ties():
    usual = torch.tensor([1.0, 2.0])
    assert detection(usual, usual + 5) == 1
    assert detection(usual, usual - 5) == 0
    assert detection(usual, usual) == 0.5


def test_an_exact_power_is_found():
    sizes = torch.tensor([2.0, 3.0, 7.0], dtype=torch.float64)
    exponent, cost = power_law(sizes, 5 * sizes**1.5, 100.0)
    assert exponent.item() == pytest.approx(1.5)
    assert cost.item() == pytest.approx(5000.0)


def test_what_a_step_keeps_grows_with_the_batch_and_leaves_the_model_as_it_was():
    layer = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.Tanh()).requires_grad_(False)
    costs = [cost_of_step(layer, lambda x: layer(x).sum(-1), torch.randn(n, 10)) for n in (100, 200)]
    assert all(seconds > 0 for seconds, _ in costs)
    assert costs[1][1] == pytest.approx(2 * costs[0][1], rel=0.05)
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_the_logit_vae_draws_from_the_density_that_its_weights_estimate():
    """One pixel, one latent: the estimate of p(y) integrates to 1, and has the samples' mean."""
    torch.manual_seed(0)
    vae = LogitVAE(1, 8, 1).double().requires_grad_(False)
    y = torch.linspace(-8, 8, 401, dtype=torch.float64).unsqueeze(1)
    eps = torch.randn(4000, 401, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    density = (vae.log_weights(y, eps).logsumexp(0) - math.log(4000)).exp()
    assert torch.trapezoid(density, y[:, 0]).item() == pytest.approx(1, abs=0.02)
    drawn = vae.sample(20_000, torch.Generator().manual_seed(2))
    assert drawn.mean().item() == pytest.approx(torch.trapezoid(density * y[:, 0], y[:, 0]).item(), abs=0.03)
    assert torch.equal(drawn, vae.sample(20_000, torch.Generator().manual_seed(2)))


def test_its_elbo_is_the_mean_of_its_weights():
    vae = LogitVAE(6, 8, 3)
    y, eps = torch.randn(4, 6), torch.randn(3000, 4, 3)
    torch.testing.assert_close(vae.elbo(y, eps), vae.log_weights(y, eps).mean(0), atol=0.1, rtol=0)


def test_a_density_of_a_warp_integrates_to_one():
    density = WarpedNormal(1).double().requires_grad_(False)
    x = torch.linspace(-200, 200, 80_001, dtype=torch.float64).unsqueeze(1)
    assert torch.trapezoid(density.log_prob(x).exp(), x[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_what_ships_reaches_what_it_says():
    pixels, noise = compared_digits()
    told = measured()
    for name, load in FLOWS.items():
        with torch.no_grad():
            bits = flow_bits_per_dim(load(), pixels[:40], noise[:40], LEVELS, ALPHA)
        torch.testing.assert_close(bits, told[f"{name}/digits"][:40], atol=2e-3, rtol=0)
    y, log_det = logit_transform(dequantize(pixels[:10], noise[:10], LEVELS)[0], ALPHA)
    eps = torch.randn(200, 10, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        elbo, iwae = vae_bits_per_dim(load_vae().log_weights(y, eps) + log_det, PIXELS, LEVELS)
    torch.testing.assert_close(elbo, told["VAE/ELBO"][:10], atol=0.03, rtol=0)
    assert (iwae > told["VAE/digits"][:10] - 5e-3).all(), "200 samples do not beat 5,000"


def test_what_was_measured_is_of_every_kind_and_model():
    told, kinds = measured(), kinds_of_images()
    for name in ("VAE", "NICE", "Real-NVP"):
        assert told[f"{name}/samples"].shape == (16, 784)
        for kind, images in kinds.items():
            assert told[f"{name}/{kind}"].shape == (len(images),)
            assert told[f"{name}/{kind}"].isfinite().all()
    assert torch.equal(noise_for(kinds["black"]), noise_for(kinds["blank"]))


def test_the_reports_show_what_their_bugs_do():
    told, right = measured(), measured()["Real-NVP/digits"].mean()
    without_logit, same_noise, levels_twice = told["reports/Real-NVP"]
    assert without_logit > right + 1
    assert same_noise < right - 0.3, "too good to be true"
    assert levels_twice == pytest.approx(right + 8)
    torch.testing.assert_close(told["reports/uniform"][1:], torch.tensor([8.0, 16.0]), atol=1e-4, rtol=0)
    assert not 7 < told["reports/uniform"][0] < 9


@pytest.mark.parametrize("load", [load_vae, load_nice, load_real_nvp])
def test_a_shipped_model_draws_logits(load):
    drawn = load().sample(3, torch.Generator().manual_seed(0))
    assert drawn.shape == (3, 784)
    assert drawn.isfinite().all()


def test_every_model_says_how_many_parameters_it_has():
    for name, load in (("VAE", load_vae), ("NICE", load_nice)):
        assert shipped_models()[name].figures["parameters"] == sum(p.numel() for p in load().parameters())
