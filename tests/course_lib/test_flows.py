"""Flows: what holds for every one of them, and the pieces of NICE and Real-NVP."""

from __future__ import annotations

import doctest
import importlib
import math

import pytest
import torch
from moved import TOLERANCE, with_noise

from course_lib.flows import (
    Composition,
    ElementwiseAffine,
    LeakyReLU,
    change_of_variables,
    flow_log_prob,
    negative_log_likelihood,
    numerical_log_det,
    sample_flow,
    standard_normal_log_prob,
)
from course_lib.image_flows import (
    ImageRealNVP,
    MaskedCoupling,
    Scale,
    channel_mask,
    checkerboard_mask,
)
from course_lib.nice import (
    NICE,
    AdditiveCoupling,
    Scaling,
    Whitening,
    additive_coupling_forward,
    additive_coupling_inverse,
    coupling_jacobian,
    dequantize,
    logistic_log_prob,
    logistic_sample,
)
from course_lib.real_nvp import (
    AffineCoupling,
    RealNVP,
    affine_coupling_forward,
    affine_coupling_inverse,
    bits_per_dim,
    logit_transform,
    logit_transform_inverse,
)

DIM = 5


class Flattened(torch.nn.Module):
    """A flow of images as one of points."""

    def __init__(self, flow, of_z, of_x=None):
        super().__init__()
        self.flow, self.of_z, self.of_x, self.dim = flow, of_z, of_x or of_z, math.prod(of_z)

    def forward(self, z):
        x, log_det = self.flow(z.unflatten(-1, self.of_z))
        return x.flatten(-len(self.of_x)), log_det

    def inverse(self, x):
        z, log_det = self.flow.inverse(x.unflatten(-1, self.of_x))
        return z.flatten(-len(self.of_z)), log_det


FLOWS = {
    "ElementwiseAffine": lambda: ElementwiseAffine(DIM),
    "LeakyReLU": lambda: LeakyReLU(0.3),
    "Scaling": lambda: Scaling(DIM),
    "AdditiveCoupling": lambda: AdditiveCoupling(DIM, 7, swap=False),
    "AdditiveCoupling, swap": lambda: AdditiveCoupling(DIM, 7, swap=True),
    "AffineCoupling": lambda: AffineCoupling(DIM, 7, swap=False),
    "AffineCoupling, swap": lambda: AffineCoupling(DIM, 7, swap=True),
    "Composition": lambda: Composition([Composition([ElementwiseAffine(DIM), LeakyReLU(0.5)]), Scaling(DIM)]),
    "Whitening": lambda: Composition([Scaling(DIM), Whitening(torch.randn(50, DIM, dtype=torch.float64), 0.1)]),
    "NICE": lambda: NICE(DIM, 7, 3, hidden_layers=1),
    "RealNVP": lambda: RealNVP(DIM, 7, 3),
    "MaskedCoupling": lambda: Flattened(MaskedCoupling(checkerboard_mask(2, 4), 2, 3), (2, 2, 4)),
    "MaskedCoupling, channels": lambda: Flattened(MaskedCoupling(channel_mask(2)[:, None, None], 2, 3), (2, 2, 4)),
    "Scale": lambda: Flattened(Scale((1, 4, 2), 3, 2, 3), (4, 2, 1), (1, 4, 2)),
    "ImageRealNVP": lambda: Flattened(ImageRealNVP(1, 4, 8, 3, 2), (32,), (1, 4, 8)),
    "ImageRealNVP, one scale": lambda: Flattened(ImageRealNVP(3, 2, 2, 3, 1), (12,), (3, 2, 2)),
}
COUPLINGS = [AdditiveCoupling, AffineCoupling]
MODELS = [NICE, RealNVP]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def points(n, dim=DIM, device="cpu", dtype=torch.float64):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(2), dtype=dtype).to(device)


def shift(kept):
    return torch.stack([kept.sum(-1).sin(), kept[..., 0] ** 2, 2 * kept[..., -1]], -1)


def log_scale(kept):
    return torch.stack([kept[..., 0].cos(), kept.sum(-1).tanh(), kept[..., -1]], -1)


@pytest.mark.parametrize("name", FLOWS)
def test_every_flow_is_invertible_and_tells_its_log_det(name, device, dtype):
    flow, close = FLOWS[name](), TOLERANCE[dtype]
    # Each number of a convolution is a sum over 3 × 3 pixels of all channels: noise of 0.4 would grow from layer to layer.
    flow = with_noise(flow, device, dtype, scale=0.1 if isinstance(flow, Flattened) else 0.4)
    z = points(6, getattr(flow, "dim", DIM), device, dtype)
    x, log_det = flow(z)
    back, log_det_back = flow.inverse(x)
    assert x.shape == z.shape
    assert log_det.shape == log_det_back.shape == (6,)
    assert {t.dtype for t in (x, log_det, back, log_det_back)} == {dtype}
    assert {t.device for t in (x, log_det, back, log_det_back)} == {z.device}
    torch.testing.assert_close(back, z, **close)
    torch.testing.assert_close(log_det_back, -log_det, **close)

    jacobians = torch.stack([torch.autograd.functional.jacobian(lambda point: flow(point)[0], point) for point in z])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobians).logabsdet, **close)
    torch.testing.assert_close(log_det, numerical_log_det(lambda z: flow(z)[0], z), **close)
    torch.testing.assert_close(log_det_back, numerical_log_det(lambda x: flow.inverse(x)[0], x), **close)

    alone, log_det_alone = flow(z[2:3])
    torch.testing.assert_close(alone, x[2:3], **close)
    torch.testing.assert_close(log_det_alone, log_det[2:3], **close)

    if list(flow.parameters()):
        negative_log_likelihood(flow, z).backward()
        assert all(p.grad is not None and bool(p.grad.any()) for p in flow.parameters())


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_coupling_starts_as_the_identity_and_then_changes_its_half(coupling, swap):
    layer, z = coupling(DIM, 7, swap).double(), points(4)
    assert torch.equal(layer(z)[0], z)
    x, log_det = with_noise(layer)(z)
    assert torch.equal((x == z).all(0), torch.arange(DIM) % 2 == swap)
    assert (log_det.std() > 0.01) == (coupling is AffineCoupling)


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("model", MODELS)
def test_every_entry_of_a_model_is_changed_by_others(model, dim):
    flow = with_noise(model(dim, 6, 2))
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: flow(z)[0]))(points(4, dim))
    others = jacobian.abs() * (1 - torch.eye(dim))
    assert bool((others.sum(-1).amax(0) > 1e-3).all())


def test_the_oracle_takes_negative_tiny_and_huge_determinants():
    z = points(3, 130)
    for factor in (-1e-6, 1e6, -0.7):
        expected = torch.full((3,), 130 * math.log(abs(factor)), dtype=z.dtype)
        torch.testing.assert_close(numerical_log_det(lambda z, c=factor: c * z.roll(1, -1), z), expected)
    assert numerical_log_det(lambda z: 0 * z, z).tolist() == [-math.inf] * 3


def test_the_change_of_variables_gives_the_density_that_is_known():
    """x = exp(s)·z + t with z ~ N(0, I) is Gaussian."""
    flow, x = with_noise(ElementwiseAffine(DIM)), points(6)
    known = torch.distributions.Normal(flow.shift, flow.log_scale.exp()).log_prob(x).sum(-1)
    torch.testing.assert_close(flow_log_prob(flow, x, standard_normal_log_prob), known)
    torch.testing.assert_close(negative_log_likelihood(flow, x), -known.mean())
    z, _ = flow.inverse(x)
    torch.testing.assert_close(change_of_variables(standard_normal_log_prob(z), flow(z)[1]), known)


@pytest.mark.parametrize("model", MODELS)
def test_the_density_integrates_to_one_and_samples_have_it(model):
    """Midpoint rule on cells of 0.1; then 25 regions, whose counts are binomial: 5 standard deviations."""
    flow, n, cell, edge = with_noise(model(2, 8, 3)), 40_000, 0.1, 60.0
    middle = torch.arange(-edge + cell / 2, edge, cell, dtype=torch.float64)
    grid = torch.cartesian_prod(middle, middle)
    with torch.no_grad():
        mass = torch.cat([flow.log_prob(part) for part in grid.split(100_000)]).exp() * cell**2
        samples = flow.sample(n, torch.Generator().manual_seed(3))
    assert mass.sum().item() == pytest.approx(1, abs=1e-4)
    borders = torch.tensor([-2.0, -0.5, 0.5, 2.0], dtype=torch.float64)

    def region(x):
        return torch.bucketize(x.contiguous(), borders) @ torch.tensor([5, 1])

    expected = torch.zeros(25, dtype=torch.float64).index_add(0, region(grid), mass)
    counts = torch.bincount(region(samples), minlength=25)
    assert expected.max() < 0.5
    assert bool(((counts - n * expected).abs() < 5 * (n * expected * (1 - expected)).sqrt() + 1).all())


@pytest.mark.parametrize("model", MODELS)
def test_a_sample_depends_on_its_generator_alone(model, device, dtype):
    flow = with_noise(model(DIM, 6, 2), device, dtype)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        draws.append(flow.sample(4, torch.Generator(device).manual_seed(seed)))
    one, same, other = draws
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == (4, DIM)
    assert one.dtype == dtype
    assert one.device.type == device
    assert flow.log_prob(one).shape == (4,)


def test_sample_flow_takes_dtype_and_device_of_the_flow(device, dtype):
    flow = with_noise(ElementwiseAffine(3), device, dtype)
    x = sample_flow(flow, 20_000, 3, torch.Generator().manual_seed(0))
    assert (x.dtype, x.device.type) == (dtype, device)
    error = flow.log_scale.exp() / 20_000**0.5
    assert bool(((x.mean(0) - flow.shift).abs() < 5 * error).all())
    assert sample_flow(LeakyReLU(0.5), 4, 3, torch.Generator(device).manual_seed(0)).device.type == device


@pytest.mark.parametrize("d", [1, 2, 4])
def test_couplings_are_undone_for_any_split(d):
    z = points(4)

    def g(kept):
        return shift(kept)[..., [0, 1, 2, 0]][..., : DIM - d]

    def h(kept):
        return log_scale(kept)[..., [0, 1, 2, 0]][..., : DIM - d]

    x = additive_coupling_forward(z, d, g)
    assert torch.equal(x[:, :d], z[:, :d])
    torch.testing.assert_close(x[:, d:] - z[:, d:], g(z[:, :d]))
    torch.testing.assert_close(additive_coupling_inverse(x, d, g), z)

    x, log_det = affine_coupling_forward(z, d, g, h)
    back, log_det_back = affine_coupling_inverse(x, d, g, h)
    torch.testing.assert_close(x[:, d:], z[:, d:] * h(z[:, :d]).exp() + g(z[:, :d]))
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(log_det, numerical_log_det(lambda z: affine_coupling_forward(z, d, g, h)[0], z))
    torch.testing.assert_close(log_det_back, -log_det)


def test_the_jacobian_of_an_additive_coupling_is_the_slides_block_matrix():
    z = points(4)
    jacobian, eye = coupling_jacobian(z, 2, shift), torch.eye(DIM, dtype=z.dtype)
    one_by_one = [torch.autograd.functional.jacobian(lambda p: additive_coupling_forward(p, 2, shift), p) for p in z]
    torch.testing.assert_close(jacobian, torch.stack(one_by_one))
    assert torch.equal(jacobian[:, :2], eye[:2].expand(4, 2, DIM))
    assert torch.equal(jacobian[:, 2:, 2:], eye[2:, 2:].expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(jacobian), torch.ones(4, dtype=z.dtype))


def test_the_logistic_is_itself_far_out_too(dtype):
    z = torch.tensor([[0.3, -2.0], [700.0, -700.0]], dtype=dtype)
    p = z[0].sigmoid()
    torch.testing.assert_close(logistic_log_prob(z), torch.stack([(p * (1 - p)).log().sum(), z.new_tensor(-1400)]))
    uniform = torch.tensor([1e-30, 0.2, 0.5, 0.9, 1 - 2**-20], dtype=dtype)
    torch.testing.assert_close(logistic_sample(uniform).sigmoid(), uniform)


@pytest.mark.parametrize("levels", [2, 16, 256])
@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.float32])
def test_dequantized_pixels_stay_in_their_cells_below_one(levels, kind, device, dtype):
    pixels = torch.arange(levels, device=device).to(kind).expand(3, levels)
    below_one = 1 - torch.finfo(dtype).eps / 2
    noise = torch.tensor([0.0, 0.5, below_one], dtype=dtype, device=device).unsqueeze(1).expand(3, levels)
    x, log_det = dequantize(pixels, noise, levels)
    assert (x.dtype, x.device.type) == (dtype, device)
    assert torch.equal((x[:2] * levels).floor(), pixels[:2].to(dtype))
    assert x.max() < 1
    assert bool(logit_transform(x, 0.05)[0].isfinite().all())
    torch.testing.assert_close(log_det, torch.full_like(log_det, -levels * math.log(levels)))
    assert log_det.shape == (3,)


@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize("shape", [(4, 5), (4, 2, 3, 3)])
def test_the_logit_is_undone_and_its_log_det_is_the_derivatives(shape, alpha, dtype):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype).requires_grad_()
    y, log_det = logit_transform(x, alpha)
    back, log_det_back = logit_transform_inverse(y, alpha)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y, torch.logit(alpha + (1 - alpha) * x), **TOLERANCE[dtype])
    torch.testing.assert_close(log_det, slope.log().flatten(1).sum(-1), **TOLERANCE[dtype])
    torch.testing.assert_close(back, x, **TOLERANCE[dtype])
    torch.testing.assert_close(log_det_back, -log_det, **TOLERANCE[dtype])
    far = torch.tensor([[600.0, -600.0]], dtype=dtype)
    torch.testing.assert_close(logit_transform_inverse(far, 0.05)[1], far.new_tensor([-1200 - 2 * math.log(0.95)]))


def test_a_uniform_model_has_as_many_bits_as_a_pixel():
    """Dequantized, through the logit, under the logistic: a uniform density written the long way."""
    assert bits_per_dim(torch.zeros(3), 784, 256).tolist() == [8.0] * 3
    x, _ = dequantize(torch.randint(256, (3, 784)), torch.rand(3, 784, dtype=torch.float64), 256)
    y, log_det = logit_transform(x, 0.0)
    torch.testing.assert_close(bits_per_dim(logistic_log_prob(y) + log_det, 784, 256), 8 * torch.ones(3).double())


def test_bits_count_a_discrete_model_exactly():
    """Four grey values with known probabilities: the mean of bits/dim is the cross-entropy in bits."""
    probs = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    density = (4 * probs[torch.tensor([[0], [1], [2]])]).log().sum(-1)
    assert bits_per_dim(density, 1, 4).tolist() == pytest.approx([1, 2, 3])


@pytest.mark.parametrize("wrong", ["dim", "hidden_dim", "num_couplings", "hidden_layers"])
@pytest.mark.parametrize("model", MODELS)
def test_a_size_too_small_is_refused(model, wrong):
    sizes = {"dim": 4, "hidden_dim": 5, "num_couplings": 2, "hidden_layers": 1}
    least = 2 if wrong in ("dim", "num_couplings") else 1
    with pytest.raises(ValueError, match=f"at least {least}"):
        model(**{**sizes, wrong: least - 1})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.rand(4), r"For one point write x.unsqueeze\(0\)"),
        (torch.rand(3, 5), r"x is \(3, 5\); \(batch, 4\) is expected"),
        (torch.ones(3, 4, dtype=torch.uint8), "dequantize"),
    ],
)
def test_input_of_the_wrong_kind_is_named(model, x, says):
    with pytest.raises(ValueError, match=says):
        model(4, 5, 2).log_prob(x)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ElementwiseAffine(0), "dim is at least 1, not 0"),
        (lambda: Scaling(0), "dim is at least 1, not 0"),
        (lambda: AdditiveCoupling(1, 4, False), "dim is at least 2, not 1"),
        (lambda: LeakyReLU(0.0), "slope lies between 0"),
        (lambda: LeakyReLU(1.0), "slope lies between 0"),
        (lambda: Composition([]), "at least one layer"),
        (lambda: dequantize(torch.ones(2, 3), torch.rand(2, 3), 0), "levels"),
        (lambda: dequantize(torch.ones(2, 3), torch.rand(3), 256), r"pixels are \(2, 3\) and noise is \(3,\)"),
        (lambda: logit_transform(torch.rand(2, 3), 1.0), r"alpha lies in \[0, 1\)"),
        (lambda: logit_transform_inverse(torch.rand(2, 3), -0.1), r"alpha lies in \[0, 1\)"),
        (lambda: bits_per_dim(torch.zeros(2), 0, 256), "num_dims and levels"),
    ],
)
def test_a_setting_out_of_range_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("module", ["flows", "nice", "real_nvp", "image_flows", "shipped"])
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(importlib.import_module(f"course_lib.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_whitening_gives_every_direction_the_logistics_spread_and_leaves_the_floor():
    x = torch.randn(4000, 3, dtype=torch.float64) @ torch.tensor([[1.0, 0.5, 0], [0, 2, 0], [0, 0.3, 0.2]]).double()
    x = torch.cat([x, torch.full((len(x), 1), 2.0, dtype=torch.float64)], -1)
    z, _ = Whitening(x, floor=0.01).inverse(x)
    expected = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)) * math.pi**2 / 3
    torch.testing.assert_close(z.T.cov(), expected, atol=1e-8, rtol=0)
    torch.testing.assert_close(z.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-8, rtol=0)


@pytest.mark.parametrize(("x", "floor"), [(torch.ones(3), 0.1), (torch.ones(1, 3), 0.1), (torch.randn(5, 3), 0.0)])
def test_whitening_refuses_what_it_cannot_be_fitted_to(x, floor):
    with pytest.raises(ValueError, match="2 points or more, floor positive"):
        Whitening(x, floor)
