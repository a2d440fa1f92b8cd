"""The reference implementations against oracles that do not share a line with them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from course_lib.bounds import jensen_gap, monte_carlo_elbo, monte_carlo_log_likelihood
from course_lib.distributions import (
    categorical_entropy,
    gaussian_entropy,
    gaussian_kl,
    gaussian_log_prob,
    log_mean_exp,
    monte_carlo_kl,
)
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior
from course_lib.mixtures import (
    em_step,
    expected_log_joint,
    maximising_means,
    mixture_log_joint,
    mixture_log_prob,
    mixture_posterior,
    sample_mixture,
)

BATCH, DIM, COMPONENTS = 5, 3, 4


@pytest.fixture
def draw(device, dtype):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(device, dtype)

    return normal


@pytest.fixture
def mixture(draw):
    return draw(COMPONENTS).softmax(-1), draw(COMPONENTS, DIM), draw(COMPONENTS, DIM).exp()


def close(got, want, dtype):
    # float32 keeps about six digits of a sum of a few terms.
    tolerance = 1e-10 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


def test_log_mean_exp_is_the_log_of_the_mean_and_survives_large_numbers(draw, dtype):
    a = draw(4, 6)
    for dim in (0, 1, -1):
        close(log_mean_exp(a, dim), a.exp().mean(dim).log(), dtype)
    close(log_mean_exp(a - 1e3, 0), log_mean_exp(a, 0) - 1e3, torch.float32)
    assert log_mean_exp(torch.full((3,), -math.inf), 0) == -math.inf


def test_gaussian_formulas_agree_with_torch_distributions(draw, dtype):
    x, mu, mu_p = draw(BATCH, DIM), draw(BATCH, DIM), draw(BATCH, DIM)
    sigma, sigma_p = draw(BATCH, DIM).exp(), draw(BATCH, DIM).exp()
    close(gaussian_log_prob(x, mu, sigma), Normal(mu, sigma).log_prob(x).sum(-1), dtype)
    close(gaussian_entropy(sigma), Normal(mu, sigma).entropy().sum(-1), dtype)
    expected = kl_divergence(Normal(mu, sigma), Normal(mu_p, sigma_p)).sum(-1)
    close(gaussian_kl(mu, sigma, mu_p, sigma_p), expected, dtype)


def test_categorical_entropy_agrees_and_counts_zero_as_zero(draw, dtype):
    probs = draw(BATCH, COMPONENTS).softmax(-1)
    close(categorical_entropy(probs), Categorical(probs=probs).entropy(), dtype)
    certain = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], dtype=dtype)
    close(categorical_entropy(certain), torch.tensor([0.0, math.log(2)], dtype=dtype), dtype)


def test_the_mixture_agrees_with_torch_distributions(draw, mixture, dtype):
    weights, mu, sigma = mixture
    x = draw(BATCH, DIM)
    oracle = MixtureSameFamily(Categorical(probs=weights), Independent(Normal(mu, sigma), 1))
    close(mixture_log_prob(x, *mixture), oracle.log_prob(x), dtype)
    posterior = mixture_posterior(x, *mixture)
    close(posterior.sum(-1), torch.ones_like(posterior[:, 0]), dtype)
    # E[log p(x, z)] = log p(x) - H(p(z|x))
    close(expected_log_joint(x, *mixture), oracle.log_prob(x) - Categorical(probs=posterior).entropy(), dtype)


def test_expected_log_joint_ignores_an_impossible_component(mixture):
    weights, mu, sigma = (part.double() for part in mixture)
    x = mu + 0.1
    with_zero = torch.cat([weights, weights.new_zeros(1)])
    longer = [torch.cat([part, part[:1]]) for part in (mu, sigma)]
    torch.testing.assert_close(expected_log_joint(x, with_zero, *longer), expected_log_joint(x, weights, mu, sigma))


def test_a_step_of_em_is_where_the_expected_log_joint_has_no_slope():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    old = torch.tensor([0.2, 0.8]).double(), x[:2], torch.full((2, 3), 1.4, dtype=torch.float64)
    posterior = mixture_posterior(x, *old)
    weights, mu, sigma = (part.requires_grad_() for part in em_step(x, *old))
    logits = weights.detach().log().requires_grad_()
    assert torch.equal(mu, maximising_means(x, posterior))
    expected = (posterior * mixture_log_joint(x, logits.softmax(-1), mu, sigma)).sum()
    for slope in torch.autograd.grad(expected, (logits, mu, sigma)):
        torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-10, rtol=0)


def test_sampling_takes_dtype_and_device_from_the_parameters_and_repeats(mixture, device, dtype):
    first = sample_mixture(50, *mixture, torch.Generator(device).manual_seed(3))
    again = sample_mixture(50, *mixture, torch.Generator(device).manual_seed(3))
    z, x = first
    assert z.dtype == torch.int64
    assert x.dtype == dtype
    assert x.device.type == z.device.type == device
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_samples_have_the_moments_of_the_mixture(mixture):
    weights, mu, sigma = (part.double().cpu() for part in mixture)
    _, x = sample_mixture(100_000, weights, mu, sigma, torch.Generator().manual_seed(0))
    mean = weights @ mu
    variance = weights @ (sigma**2 + mu**2) - mean**2
    # Five standard errors of the mean.
    assert ((x.mean(0) - mean).abs() < 5 * (variance / 100_000).sqrt()).all()
    torch.testing.assert_close(x.var(0), variance, rtol=0.03, atol=0)


def test_linear_gaussian_evidence_and_posterior_agree_with_joint_gaussian(draw, dtype):
    x, W, b, sigma = draw(BATCH, DIM), draw(DIM, 2), draw(DIM), draw(1).exp().squeeze()
    identity = torch.eye(DIM, dtype=dtype, device=x.device)
    oracle = MultivariateNormal(b, W @ W.mT + sigma**2 * identity).log_prob(x)
    close(linear_gaussian_evidence(x, W, b, sigma), oracle, dtype)
    # log p(x, z) - log p(z|x) is log p(x) for whatever z.
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    z = draw(BATCH, 2)
    joint = Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)
    posterior = MultivariateNormal(mean, covariance).log_prob(z)
    torch.testing.assert_close(joint - posterior, oracle, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "sigma", [0.7, torch.tensor(0.7), torch.tensor([0.7, 0.5, 0.9])], ids=["float", "scalar", "dims"]
)
def test_monte_carlo_log_likelihood_takes_any_sigma_and_shared_samples(draw, dtype, sigma):
    x, z, W = draw(BATCH, DIM), draw(200, 2), draw(2, DIM)
    sigma = sigma.to(x) if isinstance(sigma, torch.Tensor) else sigma
    shared = monte_carlo_log_likelihood(x, z, lambda z: z @ W, sigma)
    own = monte_carlo_log_likelihood(x, z.unsqueeze(1).expand(-1, BATCH, -1), lambda z: z @ W, sigma)
    close(shared, own, dtype)
    assert shared.shape == (BATCH,)


def test_the_elbo_is_tight_at_the_posterior_and_below_elsewhere(draw):
    x, W, b, sigma = draw(BATCH, DIM).double(), draw(DIM, 2).double(), draw(DIM).double(), torch.tensor(0.6).double()
    x, W, b, sigma = (part.cpu() for part in (x, W, b, sigma))
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    exact = linear_gaussian_evidence(x, W, b, sigma)

    def log_joint(z):
        return Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)

    torch.manual_seed(0)
    posterior = MultivariateNormal(mean, covariance)
    tight = monte_carlo_elbo(posterior.sample((3,)), log_joint, posterior.log_prob)
    torch.testing.assert_close(tight, exact)
    q = MultivariateNormal(mean + 0.5, 2 * covariance)
    loose = monte_carlo_elbo(q.sample((50_000,)), log_joint, q.log_prob)
    torch.testing.assert_close(loose + kl_divergence(q, posterior), exact, rtol=0, atol=0.05)


def test_monte_carlo_kl_approaches_the_formula():
    q, p = Normal(0.3, 0.7), Normal(-0.4, 1.2)
    z = q.sample((100_000,))
    torch.testing.assert_close(monte_carlo_kl(z, q.log_prob, p.log_prob), kl_divergence(q, p), rtol=0, atol=0.02)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20))
def test_jensen_gap_is_never_negative(values):
    assert jensen_gap(torch.tensor(values, dtype=torch.float64)) >= -1e-12


@settings(max_examples=60, deadline=None)
@given(*[st.floats(-5, 5)] * 2, *[st.floats(0.05, 20)] * 2)
def test_gaussian_kl_is_never_negative(mu_q, mu_p, sigma_q, sigma_p):
    args = [torch.tensor([[value]], dtype=torch.float64) for value in (mu_q, sigma_q, mu_p, sigma_p)]
    assert gaussian_kl(*args).item() >= -1e-9


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(3, 2, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    s, t = (torch.rand(3, 2, generator=generator, dtype=torch.float64).add(0.5).requires_grad_() for _ in range(2))
    assert gradcheck(gaussian_log_prob, (a, b, s))
    assert gradcheck(gaussian_kl, (a, s, b, t))
    assert gradcheck(gaussian_entropy, (s,))
    assert gradcheck(lambda a: log_mean_exp(a, 0), (a,))
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    assert gradcheck(lambda x, mu, sigma: mixture_log_prob(x, weights, mu, sigma), (a, b, s))
