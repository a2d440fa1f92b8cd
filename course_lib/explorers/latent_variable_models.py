"""The explorer of notebook 01: how wildly the Monte Carlo estimate of log p(x) moves."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.distributions import LOG_2PI, log_mean_exp
from course_lib.explorers.explorer import Explorer, LogSlider, Slider
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, SKY, label, new_figure


def _curve(z: Tensor) -> Tensor:
    """The decoder of the picture: a mean of p(x|z) that bends."""
    return 1.5 * torch.sin(1.2 * z) + 0.5 * z


@lru_cache(maxsize=256)
def _exact_log_prob(x: float, sigma: float) -> float:
    """log p(x) of one dimension by quadrature over z."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    log_joint = -0.5 * z**2 - 0.5 * LOG_2PI - 0.5 * ((x - _curve(z)) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI
    return float(torch.logsumexp(log_joint, 0) + math.log(16 / 4000))


_OBSERVED = 1.2


_REPEATS = 200


@lru_cache(maxsize=4)
def _means_at_draws(samples: int, dim: int) -> Tensor:
    """The decoder's means at z ~ p(z), ``(_REPEATS, samples, dim)``: what σ does not change."""
    return _curve(torch.randn(_REPEATS, samples, dim, generator=torch.Generator().manual_seed(1)))


def draw_monte_carlo(samples: int, dim: int, sigma: float) -> tuple[Figure, str]:
    """Show the decoder p(x|z) with samples, and 200 estimates of log p(x) in ``dim`` dimensions.

    Every dimension is a copy of the one drawn: x_d = f(z_d) + sigma·noise, so that log p(x) is known.
    """
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(150, generator=generator)
    x = _curve(z) + sigma * torch.randn(150, generator=generator)
    grid = torch.linspace(-3.2, 3.2, 200)

    figure, (left, right) = new_figure(2, width=4.9, height=3.7)
    left.fill_between(grid, _curve(grid) - 2 * sigma, _curve(grid) + 2 * sigma, color=SKY, alpha=0.35, lw=0)
    left.plot(grid, _curve(grid), color=BLUE, lw=2, label="p(x|z): mean ±2σ")
    left.plot(z, x, ".", color=BLACK, ms=4, alpha=0.6, label="samples")
    left.axhline(_OBSERVED, color=RED, ls="--", lw=1.5, label="observed x")
    hit = ((_curve(z) - _OBSERVED).abs() < 2 * sigma).double().mean().item()
    label(left, f"{hit:.0%} of prior samples explain x in one dimension", "latent z", "x")
    left.set_ylim(-5, 6.5)
    left.legend(loc="upper left", frameon=False, fontsize=8.5)

    exact = dim * _exact_log_prob(_OBSERVED, sigma)
    squares = (_OBSERVED - _means_at_draws(samples, dim)).square().sum(-1)
    estimates = log_mean_exp(-0.5 * squares / sigma**2 - dim * (math.log(sigma) + 0.5 * LOG_2PI), 1)
    jitter = torch.rand(_REPEATS, generator=generator)
    right.plot(estimates, jitter, ".", color=GREEN, ms=5, alpha=0.8, label=f"{_REPEATS} estimates")
    right.axvline(exact, color=BLACK, lw=2, label=f"exact {exact:.2f}")
    mean, spread = estimates.mean().item(), estimates.std().item()
    right.axvline(mean, color=ORANGE, lw=2, ls="--", label=f"mean {mean:.2f}")
    width = max(3.0, exact - float(estimates.min()), float(estimates.max()) - exact)
    right.set_xlim(exact - 1.05 * width, exact + 0.6 * width)
    right.set_ylim(-0.05, 1.75)
    right.set_yticks([])
    label(
        right,
        f"In {dim} dimension{'s' * (dim > 1)} the estimates spread by ±{spread:.2f}",
        "estimate of log p(x) (nats)",
        "one dot an estimate",
    )
    right.legend(loc="upper left", framealpha=0.9, edgecolor="none", fontsize=8.5)
    alt = (
        f"Left: a bent decoder with a band of two sigma = {2 * sigma:.2f}, prior samples, and the observed x. Right: "
        f"{_REPEATS} Monte Carlo estimates of log p(x), dimension {dim}, {samples} samples each; their mean is "
        f"{mean:.2f} and their spread {spread:.2f}, the exact value {exact:.2f}."
    )
    return figure, alt


monte_carlo = Explorer(
    draw_monte_carlo,
    {
        "samples": LogSlider("samples for one estimate", start=20, low=1, high=500),
        "dim": Slider("dimensions of z and x", start=1, low=1, high=20, step=1),
        "sigma": Slider("σ of p(x|z)", start=0.4, low=0.1, high=1.5, step=0.05),
    },
)
