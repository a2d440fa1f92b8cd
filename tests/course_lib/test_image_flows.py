"""Flows of images: masks, squeezing, scales; what holds for every flow is looked at with the others."""

from __future__ import annotations

import math

import pytest
import torch
from moved import TOLERANCE, with_noise

from course_lib.flows import standard_normal_log_prob
from course_lib.image_flows import (
    ImageRealNVP,
    MaskedCoupling,
    channel_mask,
    checkerboard_mask,
    join_latents,
    latent_shapes,
    masked_coupling_forward,
    masked_coupling_inverse,
    split_latents,
    squeeze,
    unsqueeze,
)
from course_lib.real_nvp import RealNVP


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def shift_image(seen):
    return torch.sin(seen.sum((-3, -2, -1), keepdim=True)) + seen.roll(1, -1) ** 2


def log_scale_image(seen):
    return seen.roll(1, -2).cos() + seen.sum((-3, -2, -1), keepdim=True).tanh()


@pytest.mark.parametrize(
    "mask", [checkerboard_mask(3, 5), channel_mask(2)[:, None, None], checkerboard_mask(3, 5) == 0]
)
def test_a_masked_coupling_changes_what_the_mask_leaves_open_and_is_undone(mask, device, dtype):
    z = torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    mask = mask.to(device)
    x, log_det = masked_coupling_forward(z, mask, shift_image, log_scale_image)
    back, log_det_back = masked_coupling_inverse(x, mask, shift_image, log_scale_image)
    kept = mask.bool().expand(z.shape)
    seen = z * mask
    assert torch.equal(x[kept], z[kept])
    torch.testing.assert_close(x[~kept], (z * log_scale_image(seen).exp() + shift_image(seen))[~kept])
    torch.testing.assert_close(log_det, (log_scale_image(seen) * ~kept).sum((1, 2, 3)))
    torch.testing.assert_close(back, z, **TOLERANCE[dtype])
    torch.testing.assert_close(log_det_back, -log_det)


def test_what_a_mask_keeps_bears_infinite_networks():
    """A network may give anything where the mask is 1: 0 times infinity would be nan."""
    z, mask = torch.randn(2, 1, 2, 2), checkerboard_mask(2, 2)

    def endless(seen):
        return torch.where(mask.bool(), math.inf, seen.sum((-3, -2, -1), keepdim=True)).expand(seen.shape)

    for coupling in (masked_coupling_forward, masked_coupling_inverse):
        moved, log_det = coupling(z, mask, endless, endless)
        assert moved.isfinite().all()
        assert log_det.isfinite().all()


def test_the_masks_are_the_papers():
    board = checkerboard_mask(4, 7)
    assert all(board[i, j] == (i + j) % 2 for i in range(4) for j in range(7))
    assert channel_mask(6).tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("shape", [(2, 1, 2, 2), (2, 3, 6, 4), (3, 8, 2)])
def test_a_squeeze_puts_every_pixel_where_it_belongs_and_is_undone(shape):
    x = torch.randn(shape)
    squeezed, (channels, height, width) = squeeze(x), shape[-3:]
    assert squeezed.shape == (*shape[:-3], 4 * channels, height // 2, width // 2)
    for c in range(channels):
        for i in range(2):
            for j in range(2):
                assert torch.equal(squeezed[..., 4 * c + 2 * i + j, :, :], x[..., c, i::2, j::2])
    assert torch.equal(unsqueeze(squeezed), x)


@pytest.mark.parametrize("size", [(1, 28, 28, 2), (3, 32, 32, 3), (2, 8, 16, 1), (1, 16, 48, 4)])
def test_latents_have_as_many_entries_as_the_image_and_are_cut_and_joined(size):
    shapes = latent_shapes(*size)
    channels, height, width, num_scales = size
    assert len(shapes) == num_scales
    assert sum(math.prod(shape) for shape in shapes) == channels * height * width
    assert shapes[0] == ((2 if num_scales > 1 else 4) * channels, height // 2, width // 2)
    z = torch.randn(3, channels * height * width)
    assert [part.shape[1:] for part in split_latents(z, shapes)] == shapes
    assert torch.equal(join_latents(split_latents(z, shapes)), z)


def test_the_paper_sends_half_of_the_dimensions_out_at_each_scale():
    """ImageNet-64 with five scales, as in the paper's appendix: the last latents are 48 × 2 × 2 and squeezed 192."""
    assert latent_shapes(3, 64, 64, 5) == [(6, 32, 32), (12, 16, 16), (24, 8, 8), (48, 4, 4), (192, 2, 2)]


@pytest.mark.parametrize("size", [(1, 28, 28, 2), (3, 16, 8, 3)])
def test_an_image_model_has_a_density_of_its_samples(size, device, dtype):
    channels, height, width, num_scales = size
    flow = with_noise(ImageRealNVP(channels, height, width, 6, num_scales), device, dtype, scale=0.05)
    x = flow.sample(3, torch.Generator(device).manual_seed(0))
    assert x.shape == (3, channels, height, width)
    assert (x.dtype, x.device.type) == (dtype, device)
    assert torch.equal(x, flow.sample(3, torch.Generator(device).manual_seed(0)))
    cold = flow.sample(3, torch.Generator(device).manual_seed(0), temperature=0.0)
    torch.testing.assert_close(cold, cold[:1].expand_as(cold))
    z, log_det = flow.inverse(x)
    torch.testing.assert_close(flow.log_prob(x), standard_normal_log_prob(z) + log_det)
    changed = (flow(z + 0)[0] - z.unflatten(-1, x.shape[1:])).abs().amin(0)
    assert bool((changed > 0).all()), "every pixel is moved"


def test_ten_couplings_are_undone_in_float32():
    """The notebook's image model with noise on every parameter, and its sister on points."""
    flow = with_noise(ImageRealNVP(1, 28, 28, 24, 2), dtype=torch.float32, scale=0.05)
    assert sum(isinstance(layer, MaskedCoupling) for layer in flow.modules()) == 10
    in_plane = with_noise(RealNVP(2, 32, 10), dtype=torch.float32, scale=0.1)
    for model, x in ((flow, torch.randn(8, 1, 28, 28)), (in_plane, 3 * torch.randn(500, 2))):
        with torch.no_grad():
            z, log_det = model.inverse(x)
            back, log_det_back = model(z)
        assert (back - x).abs().max() < 1e-4
        torch.testing.assert_close(log_det_back, -log_det, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("make", [lambda: (ImageRealNVP(1, 8, 8, 6, 2), (1, 8, 8)), lambda: (RealNVP(2, 8, 10), (2,))])
def test_what_lies_far_away_is_unlikely_and_finite(make):
    model, shape = make()
    model = with_noise(model, dtype=torch.float32, scale=0.1)
    x = torch.randn(4, *shape, requires_grad=True)
    far = model.log_prob(1e4 * x)
    (gradient,) = torch.autograd.grad(far.sum(), x)
    assert far.isfinite().all()
    assert gradient.isfinite().all()
    assert bool((far < model.log_prob(x) - 1e4).all())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: checkerboard_mask(0, 3), "height is at least 1, not 0"),
        (lambda: channel_mask(3), "channels is even and at least 2, not 3"),
        (lambda: squeeze(torch.zeros(1, 1, 3, 4)), "height and width are even, not 3 and 4"),
        (lambda: unsqueeze(torch.zeros(1, 6, 3, 4)), "a multiple of 4, not 6"),
        (lambda: latent_shapes(1, 28, 28, 3), "divisible by 2"),
        (lambda: split_latents(torch.zeros(2, 5), [(1, 2, 2)]), "z has 5 entries"),
        (lambda: ImageRealNVP(1, 8, 8, 4, 2, channel_wise=1), "at least 2 couplings"),
        (lambda: ImageRealNVP(1, 8, 8, 0, 2), "hidden_channels is at least 1, not 0"),
        (lambda: ImageRealNVP(1, 8, 8, 4, 0), "num_scales is at least 1, not 0"),
        (lambda: ImageRealNVP(1, 8, 8, 4, 2).log_prob(torch.zeros(3, 64)), r"x is \(3, 64\); \(batch, 1, 8, 8\)"),
        (lambda: ImageRealNVP(1, 8, 8, 4, 2).log_prob(torch.zeros(3, 1, 8, 8).byte()), "dequantize"),
    ],
)
def test_an_image_models_setting_out_of_range_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()
