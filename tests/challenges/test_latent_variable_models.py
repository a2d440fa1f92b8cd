"""The open task of notebook 01: the record is what its recipe reaches, and what is no mixture is told so."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.challenges.latent_variable_models import CHALLENGE, DIRECTIONS, images_of, measure, training_digits
from course_lib.data import load_images


def log_joint(x, weights, mu, sigma):
    """Return log p(x, z) by products of matrices, which are many times faster than differences of all with all."""
    precision = sigma**-2
    squares = x**2 @ precision.T - 2 * x @ (mu * precision).T + (mu**2 * precision).sum(-1)
    return weights.log() - sigma.log().sum(-1) - 0.5 * DIRECTIONS * math.log(2 * math.pi) - 0.5 * squares


def rounds(x, mixture, number):
    for _ in range(number):
        posterior = log_joint(x, *mixture).softmax(-1)
        mass = posterior.sum(0).unsqueeze(-1)
        mu = posterior.T @ x / mass
        mixture = posterior.mean(0), mu, (posterior.T @ x**2 / mass - mu**2).sqrt()
    return mixture


def without_the_least_missed(x, mixture):
    others = 1 - log_joint(x, *mixture).softmax(-1)  # p(x) without a component, as a share of p(x) with it
    kept = torch.arange(len(mixture[0])) != (-others.clamp(min=1e-12).log()).sum(0).argmin()
    weights, mu, sigma = (part[kept] for part in mixture)
    return weights / weights.sum(), mu, sigma


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_the_recipe_reaches():
    x = training_digits()
    start = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:100]
    weights = torch.full((100,), 0.01, dtype=x.dtype)
    mixture = rounds(x, (weights, x[start], 0.5 * x.std(0).expand(100, -1)), 30)
    while len(mixture[0]) > 50:
        mixture = rounds(x, without_the_least_missed(x, mixture), 4)
    reached = measure(*rounds(x, mixture, 100))
    assert reached == pytest.approx(CHALLENGE.record, abs=0.01)


def one_gaussian():
    x = training_digits()
    return torch.ones(1), x.mean(0, keepdim=True), x.std(0, keepdim=True)


def test_one_gaussian_is_measured_by_its_density():
    weights, mu, sigma = one_gaussian()
    x, mean = load_images("test").flat(torch.float64), load_images("train").flat(torch.float64).mean(0)
    covariance = torch.cov(load_images("train").flat(torch.float64).T)
    values, vectors = torch.linalg.eigh(covariance)
    along = (x - mean) @ vectors[:, -DIRECTIONS:]
    expected = torch.distributions.Normal(0.0, values[-DIRECTIONS:].sqrt()).log_prob(along).sum(-1).mean()
    assert measure(weights, mu, sigma) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w, m, s: (w, m, s[:, :3]), r"sigma is \(components, 20\)"),
        (lambda w, m, s: (w, m[0], s), r"mu is \(components, 20\)"),
        (lambda w, m, s: (2 * w, m, s), "weights are probabilities"),
        (lambda w, m, s: (w, m, -s), "all of them above 0"),
        (lambda w, m, s: (w, m * math.nan, s), "mu holds a number that is not finite"),
        (lambda w, m, s: (w.expand(51) / 51, m.expand(51, -1), s.expand(51, -1)), "with 50 components at most"),
        (lambda w, m, s: ([1.0], m, s), "weights is a list"),
    ],
)
def test_what_is_no_such_mixture_is_told_so(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        measure(*change(*one_gaussian()))


def test_points_become_images():
    images = images_of(training_digits()[:30])
    real = load_images("train").images[:30, 0].double() / 255
    assert images.shape == (30, 28, 28)
    assert 0 <= images.min() <= images.max() <= 1
    assert (images - real).square().mean() < 0.5 * (real - real.mean(0)).square().mean()
