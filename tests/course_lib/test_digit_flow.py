"""The shipped Real-NVP of digits is what its record says, and is undone in float32."""

from __future__ import annotations

import doctest

import pytest
import torch

from course_lib import digit_flow
from course_lib.data import load_images
from course_lib.digit_flow import CURVE, digit_bits_per_dim, load_digit_flow, shipped_digit_flow, to_grey, to_logits


@pytest.fixture(scope="module")
def digits():
    return load_images("test").images[:200]


def test_the_shipped_figure_is_reached_again(digits):
    noise = torch.rand(digits.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        bits = digit_bits_per_dim(load_digit_flow(), digits, noise)
    error = bits.std().item() / len(bits) ** 0.5
    told = shipped_digit_flow().figures["test digits (bits/dim)"]
    assert bits.mean().item() == pytest.approx(told, abs=5 * error)
    assert told < 1.6


def test_the_curve_falls_to_what_is_told():
    record = shipped_digit_flow()
    steps, curve = (record.arrays[name] for name in CURVE)
    assert steps.shape == curve.shape
    assert curve[0] > 2 * curve[-1]
    assert curve[-1].item() == pytest.approx(record.figures["training digits (bits/dim)"], abs=0.05)


def test_ten_trained_couplings_are_undone_in_float32(digits):
    flow = load_digit_flow()
    y, _ = to_logits(digits, torch.rand(digits.shape, generator=torch.Generator().manual_seed(2)))
    with torch.no_grad():
        z, log_det = flow.inverse(y)
        back, log_det_back = flow(z)
    assert (to_grey(back) - to_grey(y)).abs().max() < 1e-4
    torch.testing.assert_close(log_det_back, -log_det, rtol=1e-4, atol=1e-2)


def test_a_uniform_model_has_eight_bits(digits):
    class Uniform:
        def log_prob(self, y):
            return -self.log_det

    noise = torch.rand(digits.shape, generator=torch.Generator().manual_seed(2))
    uniform = Uniform()
    uniform.log_det = to_logits(digits, noise)[1]
    torch.testing.assert_close(digit_bits_per_dim(uniform, digits, noise), torch.full((200,), 8.0))


def test_the_examples_in_the_docstrings_run():
    result = doctest.testmod(digit_flow)
    assert result.attempted
    assert not result.failed
