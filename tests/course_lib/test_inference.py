"""Bounds, inference and gradient estimators against exactly solvable models, quadrature and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Normal

from course_lib import amortized, per_point
from course_lib.amortized import Encoder, amortization_gap, refine_q
from course_lib.bounds import (
    aggregate_posterior_log_prob,
    amortized_elbo,
    categorical_elbo,
    elbo_with_analytic_kl,
    importance_weighted_bound,
    log_importance_weights,
    per_point_elbo,
)
from course_lib.distributions import bernoulli_log_likelihood, gaussian_kl, kl_to_standard_normal
from course_lib.gradients import (
    categorical_policy_gradient,
    gaussian_score,
    gradient_mean_and_variance,
    leave_one_out_baseline,
    reparameterize,
    reparameterized_surrogate,
    score_function_surrogate,
)
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior
from course_lib.per_point import ascend_q, count_parameters, infer_q

DTYPE = torch.float64


@pytest.fixture
def linear():
    """A linear-Gaussian model with one latent dimension: a diagonal q can be the exact posterior."""
    generator = torch.Generator().manual_seed(0)
    W, b = (torch.randn(4, *shape, generator=generator, dtype=DTYPE) for shape in ((1,), ()))
    x = torch.randn(3, 4, generator=generator, dtype=DTYPE)
    return x, W, b, torch.tensor(0.7, dtype=DTYPE)


def quantiles(n):
    """Noise that stands for N(0, 1), without noise of its own."""
    return Normal(0.0, 1.0).icdf((torch.arange(n, dtype=DTYPE) + 0.5) / n)


def test_the_bound_is_tight_at_the_exact_posterior_and_falls_by_the_kl_elsewhere(linear):
    x, W, b, sigma = linear
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    log_sigma = covariance.sqrt().log().expand_as(mean)
    eps = quantiles(4000).view(-1, 1, 1).expand(-1, 3, 1)
    evidence = linear_gaussian_evidence(x, W, b, sigma)
    decoder = linear_decoder(W, b)
    # Quantiles miss a little of the variance of the tails.
    torch.testing.assert_close(per_point_elbo(x, mean, log_sigma, eps, decoder, sigma), evidence, atol=5e-3, rtol=0)
    moved = per_point_elbo(x, mean + 0.3, log_sigma + 0.2, eps, decoder, sigma)
    kl = gaussian_kl(mean + 0.3, (log_sigma + 0.2).exp(), mean, log_sigma.exp())
    torch.testing.assert_close(moved, evidence - kl, atol=5e-3, rtol=0)


def test_one_sample_may_be_given_without_its_dimension(linear):
    x, W, b, sigma = linear
    mu, log_sigma, eps = (torch.randn(3, 1, dtype=DTYPE) for _ in range(3))
    decoder = linear_decoder(W, b)
    with_dimension = per_point_elbo(x, mu, log_sigma, eps[None], decoder, sigma)
    torch.testing.assert_close(per_point_elbo(x, mu, log_sigma, eps, decoder, sigma), with_dimension)


def test_gradient_ascent_finds_the_exact_posterior(linear):
    x, W, b, sigma = linear
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    decoder = linear_decoder(W, b)
    mu, log_sigma = torch.zeros(3, 1, dtype=DTYPE), torch.zeros(3, 1, dtype=DTYPE)
    eps = quantiles(500).view(-1, 1, 1).expand(-1, 3, 1)
    for _ in range(300):
        mu, log_sigma = ascend_q(x, mu, log_sigma, eps, decoder, sigma, 0.05)
    torch.testing.assert_close(mu, mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(log_sigma.exp(), covariance.sqrt().expand_as(mean), atol=1e-2, rtol=0)
    fitted = infer_q(x, eps.expand(400, -1, -1, -1), decoder, sigma, 0.05)
    torch.testing.assert_close(fitted[0], mean, atol=1e-2, rtol=0)


def linear_decoder(W, b):
    return lambda z: z @ W.mT + b


def networks(latent=2, data=5):
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(latent, 8), nn.Tanh(), nn.Linear(8, data)).double()
    return Encoder(data, 8, latent).double(), decoder


def test_a_step_of_training_raises_the_bound_of_its_batch():
    encoder, decoder = networks()
    x, eps = torch.randn(6, 5, dtype=DTYPE), torch.randn(3, 6, 2, dtype=DTYPE)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    before = amortized.train_step(x, eps, encoder, decoder, optimizer, 0.8)
    assert amortized_elbo(x, eps, encoder, decoder, 0.8).mean() > before.mean()

    mu, log_sigma = torch.zeros(6, 2, dtype=DTYPE), torch.zeros(6, 2, dtype=DTYPE)
    optimizer = torch.optim.SGD(decoder.parameters(), lr=1e-2)
    new_mu, new_log_sigma, before = per_point.train_step(x, mu, log_sigma, eps, decoder, optimizer, 0.8, 1e-2)
    after = per_point_elbo(x, new_mu, new_log_sigma, eps, decoder, 0.8)
    assert after.mean() > before.mean()
    assert not before.requires_grad
    assert not new_mu.requires_grad


def test_refining_raises_the_bound_and_leaves_both_networks_alone():
    encoder, decoder = networks()
    x, eps = torch.randn(6, 5, dtype=DTYPE), torch.randn(60, 8, 6, 2, dtype=DTYPE)
    kept = [p.detach().clone() for p in (*encoder.parameters(), *decoder.parameters())]
    mu, log_sigma = refine_q(x, eps, encoder, decoder, 0.8, 0.05)
    judge = torch.randn(3000, 6, 2, dtype=DTYPE)
    with torch.no_grad():
        gap = amortization_gap(
            per_point_elbo(x, mu, log_sigma, judge, decoder, 0.8), amortized_elbo(x, judge, encoder, decoder, 0.8)
        )
    assert bool((gap > 0).all())
    for old, new in zip(kept, (*encoder.parameters(), *decoder.parameters()), strict=True):
        assert torch.equal(old, new)
        assert new.grad is None


def test_parameters_are_counted_of_modules_and_of_iterables():
    _, decoder = networks()
    by_hand = 2 * 8 + 8 + 8 * 5 + 5
    assert count_parameters(decoder, 3, 1000) == by_hand + 6000
    assert count_parameters(decoder.parameters(), 3, 1000) == by_hand + 6000
    assert count_parameters(list(decoder.parameters()), 3, 0) == by_hand


def test_an_encoder_of_no_size_is_refused_by_name():
    with pytest.raises(ValueError, match="hidden_dim of a network is at least 1, not 0"):
        Encoder(5, 0, 2)


def test_the_score_is_the_gradient_of_the_log_density():
    z = torch.randn(4, 3, 2, dtype=DTYPE)
    mu, sigma = torch.randn(3, 2, dtype=DTYPE), torch.rand(3, 2, dtype=DTYPE) + 0.5
    wide = [part.expand_as(z).clone().requires_grad_() for part in (mu, sigma)]
    expected = torch.autograd.grad(Normal(*wide).log_prob(z).sum(), wide)
    for mine, theirs in zip(gaussian_score(z, mu, sigma), expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("baseline", [False, True])
def test_both_estimators_are_unbiased(baseline):
    """r(z) = -(z - 2)², q = N(0.5, 0.8): dJ/dmu = -2 (mu - 2) = 3 and dJ/dsigma = -2 sigma = -1.6."""
    torch.manual_seed(0)
    samples, batch = 4, 100_000
    mu = torch.full((batch, 1), 0.5, dtype=DTYPE, requires_grad=True)
    sigma = torch.full((batch, 1), 0.8, dtype=DTYPE, requires_grad=True)
    eps = torch.randn(samples, batch, 1, dtype=DTYPE)

    def reward_of(z):
        return -((z - 2) ** 2).sum(-1)

    z = (mu + sigma * eps).detach()
    reward = reward_of(z)
    if baseline:
        reward = reward - leave_one_out_baseline(reward)
    surrogates = (
        score_function_surrogate(Normal(mu, sigma).log_prob(z).sum(-1), reward),
        reparameterized_surrogate(mu, sigma, eps, reward_of),
    )
    for surrogate in surrogates:
        for grad, true in zip(torch.autograd.grad(surrogate, (mu, sigma)), (3.0, -1.6), strict=True):
            each = batch * grad.squeeze(-1)
            error = (each.std() / math.sqrt(batch)).item()
            assert each.mean().item() == pytest.approx(true, abs=5 * error)


def test_the_categorical_policy_gradient_is_unbiased_for_the_exact_bound():
    """All categories enumerated, each weighted with its probability: the expectation, without noise."""
    torch.manual_seed(1)
    logits = torch.randn(1, 5, dtype=DTYPE, requires_grad=True)
    log_joint = torch.randn(1, 5, dtype=DTYPE)
    (exact,) = torch.autograd.grad(categorical_elbo(log_joint, logits).sum(), logits)
    q = Categorical(logits=logits)
    total = torch.zeros_like(logits)
    for k in range(5):
        z = torch.tensor([[k]])
        reward = log_joint[:, k : k + 1].T - q.log_prob(z)
        (grad,) = torch.autograd.grad(categorical_policy_gradient(logits, reward, z), logits, retain_graph=True)
        total += q.probs[0, k].detach() * grad
    torch.testing.assert_close(total, exact)


def test_the_categorical_bound_is_tight_at_the_posterior():
    log_joint = torch.randn(4, 6, dtype=DTYPE)
    torch.testing.assert_close(categorical_elbo(log_joint, log_joint + 3), log_joint.logsumexp(-1))


def test_a_baseline_needs_two_samples_and_a_variance_two_repeats():
    with pytest.raises(ValueError, match="needs at least 2 samples for each data point, there is 1"):
        leave_one_out_baseline(torch.ones(1, 3))
    with pytest.raises(ValueError, match="at least 2 repeats, not 1"):
        gradient_mean_and_variance(lambda: torch.ones(2), 1)


def test_the_closed_form_kl_agrees_with_the_sampled_bound_on_average():
    torch.manual_seed(2)
    mu, sigma = torch.randn(3, 2, dtype=DTYPE), torch.rand(3, 2, dtype=DTYPE) + 0.4
    z = mu + sigma * torch.randn(200_000, 3, 2, dtype=DTYPE)
    sampled = Normal(0.0, 1.0).log_prob(z).sum(-1) - Normal(mu, sigma).log_prob(z).sum(-1)
    formula = elbo_with_analytic_kl(torch.zeros(3, dtype=DTYPE), mu, sigma)
    torch.testing.assert_close(sampled.mean(0), formula, atol=0.02, rtol=0)
    torch.testing.assert_close(-kl_to_standard_normal(mu, sigma.log()), formula)


def test_the_importance_weighted_bound_rises_with_k_to_the_evidence(linear):
    x, W, b, sigma = linear
    mu, log_sigma = torch.zeros(3, 1, dtype=DTYPE), torch.zeros(3, 1, dtype=DTYPE)
    torch.manual_seed(3)
    z = reparameterize(mu, log_sigma, torch.randn(200_000, 3, 1, dtype=DTYPE))
    log_likelihood = Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)
    log_weights = log_importance_weights(log_likelihood, z, mu, log_sigma)
    bounds = [importance_weighted_bound(log_weights.view(-1, k, 3).transpose(0, 1)).mean(0) for k in (1, 10, 1000)]
    evidence = linear_gaussian_evidence(x, W, b, sigma)
    assert bool((bounds[0] < bounds[1]).all())
    assert bool((bounds[1] < bounds[2]).all())
    torch.testing.assert_close(bounds[2], evidence, atol=0.02, rtol=0)


def test_the_aggregate_posterior_is_a_density():
    mu, log_sigma = torch.randn(5, 1, dtype=DTYPE), torch.randn(5, 1, dtype=DTYPE) * 0.3
    grid = torch.linspace(-12, 12, 6001, dtype=DTYPE)
    density = aggregate_posterior_log_prob(grid.unsqueeze(-1), mu, log_sigma).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-6)


def test_the_bernoulli_likelihood_sums_to_one_and_survives_large_logits(device, dtype):
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).to(device, dtype)
    logits = torch.randn(4, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    total = bernoulli_log_likelihood(images, logits.expand(16, -1)).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-5)
    sure = bernoulli_log_likelihood(torch.tensor([[1.0, 0.0]]).to(logits), torch.tensor([[-500.0, 500.0]]).to(logits))
    assert sure.item() == pytest.approx(-1000)


def test_every_formula_keeps_device_and_dtype(device, dtype):
    def make(*shape):
        return torch.rand(*shape, device=device, dtype=dtype) + 0.1

    mu, log_sigma, eps, x = make(3, 2), make(3, 2), make(4, 3, 2), make(3, 5)
    decoder = nn.Linear(2, 5).to(device, dtype)
    encoder = Encoder(5, 4, 2).to(device, dtype)
    results = (
        per_point_elbo(x, mu, log_sigma, eps, decoder, 0.5),
        amortized_elbo(x, eps, encoder, decoder, 0.5),
        *ascend_q(x, mu, log_sigma, eps, decoder, 0.5, 0.1),
        *infer_q(x, eps[None], decoder, 0.5, 0.1),
        *refine_q(x, eps[None], encoder, decoder, 0.5, 0.1),
        categorical_elbo(make(3, 4), make(3, 4)),
        log_importance_weights(make(4, 3), eps, mu, log_sigma),
        aggregate_posterior_log_prob(make(6, 2), mu, log_sigma),
        *gaussian_score(eps, mu, mu),
        leave_one_out_baseline(make(4, 3)),
    )
    for result in results:
        assert result.dtype == dtype
        assert result.device.type == device
