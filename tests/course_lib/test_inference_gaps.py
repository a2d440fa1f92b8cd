"""The two parts of the gap, and the objective of the policy gradient."""

from __future__ import annotations

import pytest
import torch

from course_lib.amortized import Encoder, leaning_gap, log_evidence_estimate, measure_gaps
from course_lib.bounds import elbo_with_analytic_kl, per_point_elbo
from course_lib.gradients import policy_gradient_objective, variance_saved
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior

DTYPE = torch.float64


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DTYPE)


class Affine(torch.nn.Module):
    """An encoder that is off by a little, everywhere alike."""

    def __init__(self, mean, log_sigma):
        super().__init__()
        self.mean, self.log_sigma = mean, log_sigma

    def forward(self, x):
        return self.mean(x) + 0.3, self.log_sigma.expand(len(x), -1)


def test_in_the_linear_gaussian_model_the_approximation_gap_is_that_of_a_leaning_posterior():
    """All three levels are known there: the evidence, the best upright q, and what an encoder loses."""
    W, b, sigma, x = noise(4, 1, seed=1) + 0.4 * noise(4, 2, seed=6), noise(4, seed=2), 0.7, noise(3, 4, seed=3)
    _, covariance = linear_gaussian_posterior(x, W, b, sigma)
    s = covariance.diagonal().sqrt()
    rho = covariance[0, 1] / s.prod()
    expected = leaning_gap(s[0], s[1], rho).item()
    assert expected > 0.05

    best = 0.5 * (1 / torch.linalg.inv(covariance).diagonal()).log()
    encoder = Affine(lambda x: linear_gaussian_posterior(x, W, b, sigma)[0], best)
    eps = noise(20_000, 3, 2, seed=4)
    steps = noise(400, 32, 3, 2, seed=5)
    approximation, amortization = measure_gaps(x, steps, eps, encoder, lambda z: z @ W.mT + b, sigma, 0.01)
    assert approximation.tolist() == pytest.approx([expected] * 3, abs=0.03)
    lost = 0.5 * 0.3**2 * torch.linalg.inv(covariance).sum().item()
    assert amortization.tolist() == pytest.approx([lost] * 3, abs=0.05)


def test_the_estimate_of_the_evidence_rises_to_the_truth():
    W, b, sigma, x = noise(4, 2, seed=1), noise(4, seed=2), 0.7, noise(3, 4, seed=3)
    exact = linear_gaussian_evidence(x, W, b, sigma)
    mu, log_sigma = torch.zeros(3, 2, dtype=DTYPE), torch.zeros(3, 2, dtype=DTYPE)
    means = []
    for samples in (2, 20, 2000):
        eps = noise(samples, 200 * 3, 2, seed=samples)
        estimate = log_evidence_estimate(
            x.repeat(200, 1), mu.repeat(200, 1), log_sigma.repeat(200, 1), eps, lambda z: z @ W.mT + b, sigma
        )
        means.append(estimate.view(200, 3).mean(0))
    bound = per_point_elbo(x, mu, log_sigma, noise(2000, 3, 2), lambda z: z @ W.mT + b, sigma)
    assert bool((bound < means[0]).all())
    assert bool((means[0] < means[1]).all())
    assert bool((means[1] < exact).all())
    torch.testing.assert_close(means[2], exact, atol=0.05, rtol=0)


def test_the_gradient_of_the_policy_gradient_objective_is_that_of_the_bound():
    """With a likelihood that is known, phi's and theta's gradients are the reparameterized ones, on average."""
    samples = 200_000
    mu, sigma = (torch.tensor([value], dtype=DTYPE, requires_grad=True) for value in ([0.4, -0.2], [0.6, 0.8]))
    theta = torch.tensor([1.0, -1.0], dtype=DTYPE, requires_grad=True)
    eps = noise(samples, 1, 2)

    def log_likelihood(z):
        return -((z - theta) ** 2).sum(-1) + 3.0

    z = (mu + sigma * eps).detach()
    log_q = torch.distributions.Normal(mu, sigma).log_prob(z).sum(-1)
    by_policy = torch.autograd.grad(policy_gradient_objective(log_likelihood(z), log_q, mu, sigma), (mu, sigma, theta))
    bound = elbo_with_analytic_kl(log_likelihood(mu + sigma * eps), mu, sigma).mean()
    for mine, other in zip(by_policy, torch.autograd.grad(bound, (mu, sigma, theta)), strict=True):
        torch.testing.assert_close(mine, other, atol=0.05, rtol=0)


def test_what_the_formula_saves_is_all_of_it_where_the_decoder_does_not_listen():
    one = torch.ones(1, dtype=DTYPE)
    assert variance_saved(0 * one, one, 4 * one).item() == pytest.approx(0.25)


def test_an_encoder_of_the_library_may_be_measured():
    encoder, decoder = Encoder(5, 4, 2).double(), torch.nn.Linear(2, 5).double()
    parts = measure_gaps(noise(3, 5), noise(2, 4, 3, 2), noise(6, 3, 2), encoder, decoder, 0.5, 0.1)
    assert [tuple(part.shape) for part in parts] == [(3,), (3,)]
    assert not any(part.requires_grad for part in parts)
