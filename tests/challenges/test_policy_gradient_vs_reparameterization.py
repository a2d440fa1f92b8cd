"""The open task of notebook 05: the record by its recipe, and what a biased or greedy estimator is told."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.challenges import policy_gradient_vs_reparameterization as challenge
from course_lib.gradients import leave_one_out_baseline

TOPIC = "05_policy_gradient_vs_reparameterization"


def from_rewards(baseline):
    """A policy gradient from sixteen independent samples."""

    def estimator(reward, mu, sigma, generator):
        eps = torch.randn(16, 2, generator=generator)
        rewards = reward(mu + sigma * eps).unsqueeze(-1)
        return (eps / sigma * (rewards - baseline(rewards))).mean(0)

    return estimator


def on_circles(reward, mu, sigma, generator, circles=4, points=4):
    """The course's own: see the open task's ``how``."""
    shares = (torch.arange(circles) + torch.rand(circles, generator=generator)) / circles
    # R²/2 from the Gamma distribution of shape 2, by bisection of its distribution function 1 - (1 + t) exp(-t).
    low, high = torch.zeros(circles), torch.full((circles,), 60.0)
    for _ in range(40):
        middle = (low + high) / 2
        below = 1 - (1 + middle) * torch.exp(-middle) < shares
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    squares = (2 * high).clamp(min=1e-3)
    turned = torch.arange(points) + torch.rand(circles, 1, generator=generator)
    angles = 2 * math.pi / points * turned
    eps = squares.sqrt()[:, None, None] * torch.stack([angles.cos(), angles.sin()], -1)
    rewards = reward((mu + sigma * eps).view(-1, 2)).view(circles, points, 1)
    return (2 / squares[:, None, None] * eps / sigma * rewards).mean((0, 1))


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_its_recipe_reaches():
    assert challenge.measure(on_circles) == pytest.approx(challenge.CHALLENGE.record, rel=0.03)
    plain, with_baseline = (
        challenge.measure(from_rewards(baseline)) for baseline in (torch.zeros_like, leave_one_out_baseline)
    )
    assert challenge.CHALLENGE.record < with_baseline < 1 < plain


@pytest.mark.parametrize(
    "baseline", [lambda rewards: rewards.mean(0), lambda rewards: rewards, lambda rewards: 2 * rewards]
)
def test_a_biased_estimator_is_told_so(baseline):
    with pytest.raises(ValueError, match="it is biased: the mean of 2000 estimates"):
        challenge.measure(from_rewards(baseline))


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (None, "hand in a function"),
        (lambda reward, mu, sigma, generator: 0.0, r"has the shape \(2,\)"),
        (lambda reward, mu, sigma, generator: torch.zeros(1, 2), r"has the shape \(2,\)"),
        (lambda reward, mu, sigma, generator: reward(mu.expand(17, 2)), "16 rewards, not more"),
        (lambda reward, mu, sigma, generator: [reward(mu.expand(9, 2)) for _ in range(2)], "16 rewards, not more"),
        (lambda reward, mu, sigma, generator: reward(mu), r"of the shape \(n, 2\)"),
        (lambda reward, mu, sigma, generator: mu * torch.nan, "NaN"),
    ],
)
def test_what_is_no_estimate_is_told_so(estimator, says):
    with pytest.raises(ValueError, match=says):
        challenge.measure(estimator)


def test_the_true_gradient_is_that_of_the_reparameterized_estimate():
    make_reward, mu, sigma = challenge.problems()[0]
    image = make_reward()._image
    eps = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    at = mu.clone().requires_grad_()
    z = at + sigma * torch.cat([eps, -eps])
    reward = challenge.load_digit_model().log_likelihood(image, z) - 0.5 * z.square().sum(-1)
    (gradient,) = torch.autograd.grad(reward.mean(), at)
    torch.testing.assert_close(challenge.true_gradient(make_reward(), mu, sigma).float(), gradient, rtol=0.02, atol=0.5)


def test_rewards_carry_no_derivative():
    make_reward, mu, _ = challenge.problems()[0]
    assert not make_reward()(mu.expand(3, 2).clone().requires_grad_()).requires_grad
