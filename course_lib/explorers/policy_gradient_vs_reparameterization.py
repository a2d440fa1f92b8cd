"""The explorer of notebook 05: two gradient estimators side by side."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.explorers.explorer import Explorer, Slider
from course_lib.plots import BLACK, BLUE, ORANGE, label, new_figure

_ESTIMATES = 2000


def gradient_estimates(samples: int, sigma: float, dim: int, baseline: int) -> tuple[Tensor, Tensor, float]:
    """Return policy-gradient and reparameterized estimates of dJ/dmu_1, and the exact value.

    The reward is r(z) = -½‖z - 1‖² - 4, q = N(0, sigma) in ``dim`` dimensions; dJ/dmu_1 = 1.
    """
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(_ESTIMATES, samples, dim, generator=generator)
    z = sigma * eps
    reward = -0.5 * ((z - 1) ** 2).sum(-1) - 4
    if baseline and samples > 1:
        reward = reward - (reward.sum(1, keepdim=True) - reward) / (samples - 1)
    policy = (eps[..., 0] / sigma * reward).mean(1)
    path = (1 - z[..., 0]).mean(1)
    return policy, path, 1.0


def draw_gradients(samples: int, sigma: float, dim: int, baseline: int) -> tuple[Figure, str]:
    """Show histograms of both estimators around the true gradient."""
    policy, path, true = gradient_estimates(samples, sigma, dim, baseline)
    figure, (axis,) = new_figure(width=7.6, height=3.8)
    reach = min(60.0, max(3.0, 4 * float(policy.std())))
    bins = torch.linspace(true - reach, true + reach, 121).tolist()
    for values, colour, hatch, name in (
        (policy, ORANGE, "", "policy gradient"),
        (path, BLUE, "//", "reparameterized"),
    ):
        axis.hist(
            values.clamp(bins[0], bins[-1]),
            bins=bins,
            color=colour,
            alpha=0.65,
            hatch=hatch,
            edgecolor="white",
            lw=0.2,
            density=True,
            label=f"{name}: mean {values.mean():.2f}, standard deviation {values.std():.2f}",
        )
    axis.axvline(true, color=BLACK, lw=2, label=f"true gradient {true:.0f}")
    axis.set_yscale("symlog", linthresh=0.05)
    ratio = float(policy.var() / path.var())
    needless = " (a baseline needs M ≥ 2)" if baseline and samples == 1 else ""
    label(
        axis,
        f"Same mean; the policy gradient's variance is {ratio:.3g} times as large{needless}",
        "estimate of dJ/dμ₁",
        "density (logarithmic)",
    )
    axis.set_ylim(0, 30)
    axis.legend(framealpha=1, edgecolor="none", fontsize=8.5, loc="upper left")
    alt = (
        f"Histograms of {_ESTIMATES} estimates of a gradient that is {true:.0f}, M = {samples}, sigma = {sigma:.2f}, {dim} "
        f"dimensions, {'with' if baseline else 'without'} baseline. Policy gradient: mean {policy.mean():.2f}, standard "
        f"deviation {policy.std():.2f}. Reparameterized: mean {path.mean():.2f}, standard deviation {path.std():.2f}."
    )
    return figure, alt


gradients = Explorer(
    draw_gradients,
    {
        "samples": Slider("samples M in one estimate", start=4, low=1, high=64, step=1),
        "sigma": Slider("σ of q", start=0.5, low=0.1, high=2.0, step=0.1),
        "dim": Slider("latent dimension", start=2, low=1, high=50, step=1),
        "baseline": Slider("leave-one-out baseline (0 off, 1 on)", start=0, low=0, high=1, step=1),
    },
)
