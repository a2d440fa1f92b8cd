"""Conditional VAEs: shapes, gradients, bounds against what is known exactly; and input that they refuse."""

from __future__ import annotations

import pytest
import torch

from course_lib.conditional import (
    ConditionalVAE,
    best_of_samples,
    branching_world,
    conditional_elbo,
    conditional_log_likelihood,
    conditional_objective,
    missing_divergence,
    predict,
)
from course_lib.training import train

X, Y, HIDDEN, LATENT = 5, 4, 7, 2


def build(device="cpu", dtype=torch.float32):
    torch.manual_seed(0)
    return ConditionalVAE(X, Y, HIDDEN, LATENT).to(device, dtype)


def test_shapes_dtypes_and_a_gradient_for_every_parameter(device, dtype):
    model = build(device, dtype)
    x, y, eps = (torch.rand(6, size, device=device, dtype=dtype) for size in (X, Y, LATENT))
    bound = model.elbo(x, y, eps)
    assert bound.shape == (6,)
    assert bound.dtype == dtype
    bound.sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
    many = torch.rand(3, 6, LATENT, device=device, dtype=dtype)
    assert model.elbo(x, y, many).shape == model.log_likelihood(x, y, many).shape == (6,)
    assert model.predict(x, many).shape == (3, 6, Y)
    assert model.predict(x, eps).shape == (6, Y)


def test_bound_and_estimate_lie_below_the_probability_and_that_sums_to_one():
    model = build(dtype=torch.float64)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * Y)
    x = torch.rand(1, X, dtype=torch.float64).expand(len(images), -1)
    torch.manual_seed(1)
    with torch.no_grad():
        eps = torch.randn(100_000, 1, LATENT, dtype=torch.float64)
        evidence = conditional_log_likelihood(x, images, eps, model.prior, model.decoder)
        eps = torch.randn(20_000, len(images), LATENT, dtype=torch.float64)
        bound = model.elbo(x, images, eps)
    assert evidence.exp().sum().item() == pytest.approx(1, abs=2e-3)
    assert bool((bound < evidence + 0.02).all())


def test_with_the_prior_for_q_the_bound_is_the_mean_log_likelihood():
    model = build()
    x, y, eps = torch.rand(6, X), torch.rand(6, Y), torch.randn(9, 6, LATENT)
    mean = torch.nn.functional.binary_cross_entropy(
        predict(x, model.prior, model.decoder, eps), y.expand(9, -1, -1), reduction="none"
    )
    bound = conditional_elbo(x, y, eps, lambda x, y: model.prior(x), model.prior, model.decoder)
    torch.testing.assert_close(bound, -mean.sum(-1).mean(0))


def test_the_missing_term_vanishes_at_the_posterior():
    prior, likelihood = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([0.9, 0.1, 0.4])
    posterior = prior * likelihood / (prior * likelihood).sum()
    assert missing_divergence(posterior, prior, likelihood).item() == pytest.approx(0, abs=1e-6)
    assert missing_divergence(prior, prior, likelihood) > 0


def test_more_answers_never_err_more():
    y, answers = torch.rand(8, Y), torch.rand(20, 8, Y)
    errors = [best_of_samples(y, answers[:n]).mean().item() for n in (1, 5, 20)]
    assert errors == sorted(errors, reverse=True)


def test_the_branching_world_is_a_conditional_distribution():
    x, y, likely = branching_world()
    assert x.shape == (20, 10)
    assert y.shape == (20, 24)
    assert bool((y.sum(-1) == 4).all())
    assert bool((y[0] == y[10]).all())  # question 0 has one answer
    torch.testing.assert_close(likely[:10] + likely[10:], torch.tensor([2.0] + [1.0] * 9))


def test_training_raises_the_bound():
    x, y, _ = branching_world()
    torch.manual_seed(0)
    model = ConditionalVAE(10, 24, 16, 2)
    settings = {"epochs": 60, "batch_size": 20, "learning_rate": 1e-2, "device": "cpu", "progress": False}
    history = train(model, torch.cat([x, y], 1), objective=conditional_objective(model, 10), **settings)
    assert history.bounds[-1] > history.bounds[0] + 5


@pytest.mark.parametrize(
    ("x", "y", "eps", "sentence"),
    [
        (torch.rand(X), torch.rand(3, Y), torch.rand(3, LATENT), r"x is \(5,\)"),
        (torch.rand(3, X), torch.rand(3, X), torch.rand(3, LATENT), r"y is \(3, 5\); \(batch, 4\)"),
        (torch.rand(3, X), torch.rand(2, Y), torch.rand(3, LATENT), "x has 3 rows, y has 2"),
        (torch.rand(3, X), torch.rand(3, Y), torch.rand(3, X), r"eps is \(3, 5\)"),
        (torch.zeros(3, X, dtype=torch.uint8), torch.rand(3, Y), torch.rand(3, LATENT), "floats"),
    ],
)
def test_bad_input_is_named(x, y, eps, sentence):
    with pytest.raises(ValueError, match=sentence):
        build().elbo(x, y, eps)


def test_a_size_of_zero_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        ConditionalVAE(3, 0, 4, 2)
