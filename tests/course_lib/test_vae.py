"""The variational autoencoder: shapes, gradients, bounds, sampling, saving; and input that it refuses."""

from __future__ import annotations

import pytest
import torch

from course_lib.digit_model import load_digit_model
from course_lib.vae import VAE, GaussianVAE, interpolate

SIZES = {"data_dim": 6, "hidden_dim": 9, "latent_dim": 2}
models = pytest.mark.parametrize("model", [VAE, GaussianVAE])


def build(model, device="cpu", dtype=torch.float32, **sizes):
    torch.manual_seed(0)
    return model(**{**SIZES, **sizes}).to(device, dtype)


@models
def test_shapes_dtypes_and_a_gradient_for_every_parameter(model, device, dtype):
    vae = build(model, device, dtype, hidden_layers=2)
    x, eps = (torch.rand(5, size, device=device, dtype=dtype) for size in (6, 2))
    bound = vae.elbo(x, eps)
    assert bound.shape == (5,)
    assert bound.dtype == dtype
    bound.sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in vae.parameters())
    assert vae.elbo(x, torch.rand(3, 5, 2, device=device, dtype=dtype)).shape == (5,)
    assert vae.importance_weighted_bound(x, torch.rand(3, 5, 2, device=device, dtype=dtype)).shape == (5,)
    assert vae.reconstruct(x).shape == (5, 6)
    samples = vae.sample(4, torch.Generator(device).manual_seed(0))
    assert samples.shape == (4, 6)
    assert samples.dtype == dtype


def test_the_bounds_are_below_the_probability_that_samples_of_the_prior_give():
    """For four pixels p(x) of all 16 images is the mean of p(x|z) over the prior."""
    vae = build(VAE, dtype=torch.float64, data_dim=4)
    vae.encoder.log_sigma.bias.data += 0.8  # weights of a q that is narrower than the posterior have heavy tails
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    torch.manual_seed(1)
    z = torch.randn(100_000, 1, 2, dtype=torch.float64)
    with torch.no_grad():
        evidence = vae.log_likelihood(images, z).exp().mean(0).log()
        elbo = vae.elbo(images, torch.randn(20_000, 16, 2, dtype=torch.float64))
        tighter = vae.importance_weighted_bound(images, torch.randn(20_000, 16, 2, dtype=torch.float64))
    assert evidence.exp().sum().item() == pytest.approx(1, abs=1e-3)
    assert bool((elbo < evidence + 0.01).all())
    torch.testing.assert_close(tighter, evidence, atol=0.05, rtol=0)


@models
def test_it_comes_back_from_a_file_as_it_was(model, tmp_path):
    vae, x = build(model), torch.rand(3, 6)
    torch.save(vae.state_dict(), tmp_path / "vae.pt")
    other = model(**SIZES)
    other.load_state_dict(torch.load(tmp_path / "vae.pt", weights_only=True))
    assert torch.equal(vae.reconstruct(x), other.reconstruct(x))


def test_the_same_generator_state_gives_the_same_samples():
    vae = build(VAE)
    one, same, other = (vae.sample(3, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("x", "eps", "says"),
    [
        (torch.rand(6), torch.rand(1, 2), r"For one image write x.unsqueeze\(0\)"),
        (torch.rand(3, 7), torch.rand(3, 2), r"x is \(3, 7\); \(batch, 6\) is expected"),
        (torch.ones(3, 6, dtype=torch.uint8), torch.rand(3, 2), "x.float"),
        (torch.rand(3, 6), torch.rand(3, 3), r"eps is \(3, 3\); \(3, 2\) is expected"),
        (torch.rand(3, 6), torch.rand(1, 2), r"eps is \(1, 2\); \(3, 2\) is expected"),
    ],
)
def test_input_of_the_wrong_kind_is_named(x, eps, says):
    with pytest.raises(ValueError, match=says):
        build(VAE).elbo(x, eps)


@pytest.mark.parametrize("size", ["data_dim", "hidden_dim", "latent_dim", "hidden_layers"])
def test_a_size_of_zero_is_refused(size):
    with pytest.raises(ValueError, match="at least 1"):
        build(VAE, **{size: 0})


def test_a_likelihood_without_width_is_refused():
    with pytest.raises(ValueError, match="sigma_x is a standard deviation"):
        build(GaussianVAE, sigma_x=0.0)


def test_pixels_outside_the_unit_interval_are_refused_by_bernoulli_only():
    data = torch.randn(5, 6)
    with pytest.raises(ValueError, match=r"wants values in \[0, 1\]"):
        build(VAE).check_data(data)
    build(GaussianVAE).check_data(data)


def test_the_shipped_model_reconstructs_digits():
    from course_lib.data import load_images

    x = load_images("test").flat()[:200]
    error = (load_digit_model().reconstruct(x) - x).square().mean()
    assert error < 0.7 * (x - x.mean(0)).square().mean()


def test_interpolation_includes_both_ends():
    line = interpolate(torch.tensor([0.0, 1.0]), torch.tensor([1.0, -1.0]), 5)
    torch.testing.assert_close(line[[0, 2, 4]], torch.tensor([[0.0, 1.0], [0.5, 0.0], [1.0, -1.0]]))
