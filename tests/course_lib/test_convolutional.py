"""Convolutional VAEs: shapes, sizes, gradients, training; and input that they refuse."""

from __future__ import annotations

import pytest
import torch

from course_lib.convolutional import (
    ConvDecoder,
    ConvEncoder,
    ConvVAE,
    FullyConvVAE,
    image_objective,
    latent_dependence,
)
from course_lib.training import train


def test_shapes_dtypes_and_a_gradient_for_every_parameter(device, dtype):
    torch.manual_seed(0)
    vae = ConvVAE(2, 4, 3).to(device, dtype)
    x, eps = torch.rand(5, 2, 28, 28, device=device, dtype=dtype), torch.rand(5, 3, device=device, dtype=dtype)
    bound = vae.elbo(x, eps)
    assert bound.shape == (5,)
    assert bound.dtype == dtype
    bound.sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in vae.parameters())
    torch.testing.assert_close(vae.elbo(x.flatten(1), eps), bound)
    assert vae.reconstruct(x).shape == x.shape
    assert vae.sample(4, torch.Generator(device).manual_seed(0)).shape == (4, 2, 28, 28)
    assert ConvDecoder(1, 4, 3)(torch.rand(2, 5, 3)).shape == (2, 5, 1, 28, 28)


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (12, 40), (36, 8)])
def test_any_size_divisible_by_four(size, device, dtype):
    vae = FullyConvVAE(1, 4, 2).to(device, dtype)
    x = torch.rand(3, 1, *size, device=device, dtype=dtype)
    mu, log_sigma = vae.encode(x)
    assert mu.shape == log_sigma.shape == (3, 2, size[0] // 4, size[1] // 4)
    assert vae.elbo(x, torch.zeros_like(mu)).shape == (3,)
    assert vae.reconstruct(x).shape == x.shape
    samples = vae.sample(2, *size, torch.Generator(device).manual_seed(0))
    assert samples.shape == (2, 1, *size)
    assert samples.dtype == dtype


def test_the_bound_adds_up_over_images_side_by_side_away_from_the_seam():
    """What a position gives depends on its surroundings only: twice an image, put side by side, has about twice its bound."""
    torch.manual_seed(0)
    vae = FullyConvVAE(1, 4, 2)
    x = torch.zeros(1, 1, 28, 28)
    single = vae.elbo(x, torch.zeros(1, 2, 7, 7))
    double = vae.elbo(torch.cat([x, x], -1), torch.zeros(1, 2, 7, 14))
    torch.testing.assert_close(double, 2 * single, rtol=0.03, atol=0)


@pytest.mark.parametrize(
    ("model", "objective"),
    [
        (ConvVAE(1, 4, 3), None),
        (fully := FullyConvVAE(1, 4, 2), image_objective(fully, 1, 28, 28)),
    ],
)
def test_training_raises_the_bound(model, objective):
    torch.manual_seed(0)
    x = torch.bernoulli(torch.full((40, 784), 0.1))
    settings = {"epochs": 12, "batch_size": 20, "learning_rate": 1e-2, "device": "cpu", "progress": False}
    bounds = train(model, x, objective=objective, **settings).bounds
    assert bounds[-1] > bounds[0] + 5


def test_the_dependence_of_independent_codes_is_nothing_and_of_repeated_ones_is_one():
    z = torch.randn(4000, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert latent_dependence(z).abs().max() < 0.03
    repeated = 3 * z[..., :1].expand(-1, -1, -1, 5) + torch.arange(5.0)
    torch.testing.assert_close(latent_dependence(repeated), torch.ones(4))
    table = torch.corrcoef(z[:, 0, 0].T)
    torch.testing.assert_close(latent_dependence(z[:, :1, :1])[3], table[0, 4])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ConvEncoder(1, 4, 3)(torch.rand(2, 1, 32, 32)), "28, 28"),
        (lambda: ConvEncoder(1, 0, 3), "width is at least 1"),
        (lambda: FullyConvVAE(1, 4, 0), "latent_channels is at least 1"),
        (lambda: FullyConvVAE(1, 4, 2).encode(torch.rand(2, 1, 30, 28)), "divisible by 4, not 30 and 28"),
        (lambda: FullyConvVAE(1, 4, 2).encode(torch.rand(2, 3, 28, 28)), r"\(batch, 1, height, width\)"),
        (lambda: FullyConvVAE(1, 4, 2).elbo(torch.rand(2, 1, 28, 28), torch.rand(2, 2, 7, 8)), "the shape of mu"),
        (lambda: FullyConvVAE(1, 4, 2).sample(2, 28, 30, torch.Generator()), "divisible by 4"),
        (lambda: ConvVAE(1, 4, 3).elbo(torch.rand(2, 1, 28, 28), torch.rand(2, 4)), "the shape of mu"),
        (lambda: image_objective(None, 1, 27, 28), "divisible by 4"),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
