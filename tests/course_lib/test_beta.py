"""The weighted objective, its weight, the judgement of the result, and the models that were trained with it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.distributions import Normal

from course_lib.beta import (
    BetaObjective,
    NeighbourVAE,
    beta_schedule,
    diagnose,
    equivalent_sigma,
    kl_per_dimension,
    next_beta,
    reconstruction_gap,
    sample_gap,
)
from course_lib.beta_models import BETAS, MODELS_FILE, WITH_WEIGHTS, load_beta_vae, load_record, load_sweep
from course_lib.data import load_images
from course_lib.distributions import kl_to_standard_normal
from course_lib.explorers import EXPLORERS
from course_lib.patients import load_patient
from course_lib.vae import VAE


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_kl_of_all_dimensions_is_the_mean_kl():
    mu, log_sigma = torch.randn(50, 4, generator=seeded()), torch.randn(50, 4, generator=seeded(1))
    torch.testing.assert_close(kl_per_dimension(mu, log_sigma).sum(), kl_to_standard_normal(mu, log_sigma).mean())


@pytest.mark.parametrize("beta", [0.2, 1.0, 7.0])
def test_the_equivalent_sigma_differs_by_a_constant(beta):
    sigma, means = torch.tensor([0.4, 2.0]), torch.randn(6, 2, generator=seeded())
    weighted = Normal(means, sigma).log_prob(torch.zeros(2)) / beta
    other = Normal(means, equivalent_sigma(sigma, beta)).log_prob(torch.zeros(2))
    assert (weighted - other).std(0).max() < 1e-5


def test_an_objective_keeps_the_terms_of_every_step_and_hands_on_the_last_kl():
    torch.manual_seed(0)
    vae, seen = VAE(6, 4, 2), []

    def weight(step, kl):
        seen.append((step, kl))
        return beta_schedule(step, 2, 3.0)

    objective = BetaObjective(vae, weight)
    x = torch.rand(5, 6, generator=seeded())
    for _ in range(4):
        value = objective(x, seeded(2))
        terms = -objective.distortions[-1] - objective.betas[-1] * objective.kls[-1]
        assert value.mean().item() == pytest.approx(terms, rel=1e-5)
    assert objective.betas == [0.0, 1.5, 3.0, 3.0]
    assert math.isnan(seen[0][1])
    assert [kl for _, kl in seen[1:]] == objective.kls[:-1]


def test_a_controller_comes_back():
    assert next_beta(next_beta(0.7, 9.0, 5.0, 1.3), 2.0, 5.0, 1.3) == pytest.approx(0.7)


def test_the_gaps_are_zero_and_one_where_they_should_be():
    images, unseen = load_images("train").flat()[:1000], load_images("test").flat()[:200]
    average = images.mean(0)
    assert reconstruction_gap(unseen, unseen, average) == 0
    assert reconstruction_gap(unseen, average.expand_as(unseen), average) == pytest.approx(1)
    assert sample_gap(unseen, unseen, images, seeded()) == 0
    noise = torch.bernoulli(average.expand(200, -1), generator=seeded(5))
    assert sample_gap(noise, unseen, images, seeded()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("given", "neighbours"), [(False, False), (True, False), (True, True)])
def test_a_decoder_sees_what_it_is_told_to_see_and_nothing_else(given, neighbours):
    torch.manual_seed(0)
    model = NeighbourVAE(8, 3, given, neighbours)
    whole, z = torch.rand(1, 784, generator=seeded()).requires_grad_(), torch.randn(1, 3, generator=seeded())
    pixel = 5 * 28 + 9  # of the lower half
    (gradient,) = torch.autograd.grad(model.logits(whole, z)[0, pixel], whole, allow_unused=True)
    seen = set() if gradient is None else set(gradient[0].nonzero().flatten().tolist())
    near = {
        392 + pixel + 28 * down + right
        for down in range(-3, 1)
        for right in range(-3, 4)
        if neighbours and (down < 0 or right < 0)
    }
    assert seen == near | (set(range(392)) if given else set())


def test_a_completion_keeps_the_upper_half_and_follows_its_own_pixels():
    torch.manual_seed(0)
    model = NeighbourVAE(8, 3, True, True)
    whole = torch.bernoulli(torch.full((2, 784), 0.5), generator=seeded())
    z, uniform = torch.randn(2, 3, generator=seeded()), torch.rand(2, 392, generator=seeded())
    drawn = model.complete(whole, z, uniform)
    assert torch.equal(drawn[:, :392], whole[:, :392])
    with torch.no_grad():
        assert torch.equal((model.logits(drawn, z).sigmoid() > uniform).float(), drawn[:, 392:])


def test_every_position_of_the_slider_is_a_trained_model():
    assert tuple(EXPLORERS["weight"].controls["beta"].values) == BETAS
    sweep = load_sweep()
    assert tuple(model.beta for model in sweep) == BETAS
    assert all(model.kl_per_dimension.shape == (16,) for model in sweep)
    assert all(len(model.reconstructions) == 8 and len(model.samples) == 16 for model in sweep)


def test_the_sweep_goes_from_one_problem_to_the_other():
    sweep = load_sweep()
    said = [diagnose(m.rate, m.reconstruction_gap, m.sample_gap) for m in sweep]
    assert said[0] == "latent code not compressed"
    assert said[-1] == "latent code ignored"
    assert said[BETAS.index(1.0)] == "healthy"
    assert all(one.rate > other.rate for one, other in itertools.pairwise(sweep))
    best = min(sweep, key=lambda m: m.rate + m.distortion)
    assert 0.5 <= best.beta <= 1.5, "the text says near 1"


@pytest.mark.parametrize("beta", WITH_WEIGHTS)
def test_the_networks_that_ship_are_those_that_were_measured(beta):
    vae, told = load_beta_vae(beta), next(m for m in load_sweep() if m.beta == beta)
    binary = torch.bernoulli(load_images("test").flat(), generator=seeded(8))
    with torch.no_grad():
        assert kl_to_standard_normal(*vae.encoder(binary)).mean().item() == pytest.approx(told.rate, rel=1e-3)
    assert not any(parameter.requires_grad for parameter in vae.parameters())


def test_the_networks_of_another_weight_do_not_ship():
    with pytest.raises(ValueError, match="do not ship"):
        load_beta_vae(0.7)


def test_the_records_carry_what_the_text_says():
    strong = load_record("strong").arrays
    means = {name: strong[f"{name}: numbers"].mean(0) for name in ("z", "z, upper half", "z, upper half, neighbours")}
    rates = [numbers[0].item() for numbers in means.values()]
    bounds = [-(numbers[0] + numbers[1]).item() for numbers in means.values()]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.2
    assert bounds == sorted(bounds)
    assert strong["schedule: numbers"][:, 0].max() < 0.2
    assert strong["controller: numbers"][:, 0].min() > 4
    seeds = load_record("seeds").arrays
    for weight in ("1", "4"):
        reached = {
            share: -(n[:, 1] + float(weight) * n[:, 0])
            for share in ("0", "0.1", "0.5")
            for n in [seeds[f"{weight} {share}"]]
        }
        assert reached["0"].min() > max(reached["0.1"].max(), reached["0.5"].max())


def test_the_patients_of_notebook_08_show_what_their_questions_say():
    kls = {letter: load_patient(f"08_{letter}").curves["kl"] for letter in "abcde"}
    assert kls["a"][-1] > 50
    assert kls["b"][-1] < 0.1
    assert kls["c"][:10].max() < 3
    assert kls["c"][-1] == kls["c"][10:].max()
    assert kls["d"][-1] < 0.1
    assert (load_patient("08_d").curves["log_beta"][5:].diff() > 0).all()
    assert 12 < kls["e"][-1] < 25


def test_the_files_stay_small():
    assert MODELS_FILE.stat().st_size < 1.45e6
