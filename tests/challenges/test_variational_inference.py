"""The decoder of notebook 03's open task: the record is what its recipe reaches, and bad input gets a sentence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_lib.bounds import per_point_elbo
from course_lib.challenges.variational_inference import CHALLENGE, SIGMA_X
from course_lib.data import load_images
from course_lib.per_point import improve_q

LATENT, HIDDEN, PASSES, CLIMBS = 16, 400, 15, 5


def trained(seed: int = 0) -> nn.Module:
    """Train on all shipped digits: each batch's q climbs five steps of Adam, then theta steps once."""
    torch.manual_seed(seed)
    digits = load_images("train").flat()
    decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 784), nn.Sigmoid())
    optimizer = torch.optim.Adam(decoder.parameters(), lr=2e-3)
    mu, log_sigma = torch.zeros(len(digits), LATENT), torch.zeros(len(digits), LATENT)
    for _ in range(PASSES):
        for batch in torch.randperm(len(digits)).split(100):
            x, noise = digits[batch], torch.randn(CLIMBS, 1, len(batch), LATENT)
            mu[batch], log_sigma[batch] = improve_q(x, mu[batch], log_sigma[batch], noise, decoder, SIGMA_X, 0.1)
            eps = torch.randn(2, len(batch), LATENT)
            optimizer.zero_grad()
            (-per_point_elbo(x, mu[batch], log_sigma[batch], eps, decoder, SIGMA_X).mean()).backward()
            optimizer.step()
    return decoder


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_its_recipe_reaches():
    assert CHALLENGE.measure(trained(), LATENT) == pytest.approx(CHALLENGE.record, abs=3)


def test_an_untrained_decoder_is_measured_far_below():
    decoder = nn.Sequential(nn.Linear(2, 784), nn.Sigmoid())
    value = CHALLENGE.attempt(decoder, 2).value
    assert value is not None
    assert value < 0


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ((lambda z: z, 2), "torch.nn.Module"),
        ((nn.Linear(2, 784), 2.0), "whole number"),
        ((nn.Linear(2, 784), 0), "at least one"),
        ((nn.Linear(2, 28), 2), "must be (1, 100, 784)"),
        ((nn.Linear(3, 784), 2), "could not be measured"),
    ],
)
def test_what_cannot_be_measured_is_said(made, says):
    result = CHALLENGE.attempt(*made)
    assert result.value is None
    assert says in result.problem
