"""The explorer of notebook 05: two gradient estimators side by side."""

from __future__ import annotations

from functools import lru_cache

import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.explorers.explorer import Explorer, LogSlider, Slider, Switch
from course_lib.plots import BLACK, BLUE, ORANGE, label, new_figure

_ESTIMATES, _MOST_SAMPLES, _MOST_DIMS = 2000, 60, 50


@lru_cache(maxsize=1)
def _noise() -> Tensor:
    """Drawn once, so that what a control changes is not the luck of the draw: 24 MB, and all that takes long."""
    return torch.randn(_ESTIMATES, _MOST_SAMPLES, _MOST_DIMS, generator=torch.Generator().manual_seed(0))


@lru_cache(maxsize=8)
def _sums(samples: int, dim: int) -> tuple[Tensor, Tensor]:
    """‖eps‖² and the sum of eps over the dimensions, ``(_ESTIMATES, samples)`` each."""
    eps = _noise()[:, :samples, :dim]
    return eps.square().sum(-1), eps.sum(-1)


def gradient_estimates(samples: int, sigma: float, dim: int, baseline: bool) -> tuple[Tensor, Tensor, float]:
    """Return policy-gradient and reparameterized estimates of dJ/dmu_1, and the exact value.

    The reward is r(z) = -½‖z - 1‖² - 4, q = N(0, sigma) in ``dim`` dimensions; dJ/dmu_1 = 1.
    """
    squares, total = _sums(samples, dim)
    reward = -0.5 * (sigma**2 * squares - 2 * sigma * total + dim) - 4  # ‖sigma·eps - 1‖², multiplied out
    if baseline and samples > 1:
        reward = reward - (reward.sum(1, keepdim=True) - reward) / (samples - 1)
    eps = _noise()[:, :samples, 0]
    return (eps / sigma * reward).mean(1), (1 - sigma * eps).mean(1), 1.0


def draw_gradients(samples: int, sigma: float, dim: int, baseline: bool) -> tuple[Figure, str]:
    """Show histograms of both estimators around the true gradient."""
    policy, path, true = gradient_estimates(samples, sigma, dim, baseline)
    figure, (axis,) = new_figure(width=7.6, height=3.8)
    reach = min(60.0, max(3.0, 4 * float(policy.std())))
    edges = torch.linspace(true - reach, true + reach, 121)
    for values, colour, hatch, style, name in (
        (policy, ORANGE, "", "-", "policy gradient"),
        (path, BLUE, "//", "--", "reparameterized"),
    ):
        counts = values.clamp(float(edges[0]), float(edges[-1])).histc(120, float(edges[0]), float(edges[-1]))
        density = counts / _ESTIMATES / float(edges[1] - edges[0])
        about = f"{name}\nmean {values.mean():.2f}\nstandard deviation {values.std():.2f}"
        pale = to_rgba(colour, 0.3)
        axis.stairs(
            density, edges, fill=True, facecolor=pale, edgecolor=colour, hatch=hatch, ls=style, lw=1.4, label=about
        )
    axis.axvline(true, color=BLACK, lw=2, ls=":", label=f"true gradient {true:.0f}")
    axis.set_yscale("symlog", linthresh=0.05)
    axis.set_yticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    axis.set_yticks([], minor=True)
    ratio = float(policy.var() / path.var())
    times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
    needless = " (a baseline needs M ≥ 2)" if baseline and samples == 1 else ""
    label(
        axis,
        f"The policy gradient's variance is {times} times as large{needless}",
        "estimate of dJ/dμ₁",
        "density (logarithmic)",
    )
    axis.set_ylim(0, 30)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    alt = (
        f"Histograms of {_ESTIMATES} estimates of a gradient that is {true:.0f}, M = {samples}, sigma = {sigma:.2f}, {dim} "
        f"dimensions, {'with' if baseline else 'without'} baseline. Policy gradient: mean {policy.mean():.2f}, standard "
        f"deviation {policy.std():.2f}. Reparameterized: mean {path.mean():.2f}, standard deviation {path.std():.2f}."
    )
    return figure, alt


gradients = Explorer(
    draw_gradients,
    {
        "samples": LogSlider("samples M in one estimate", start=4, low=1, high=_MOST_SAMPLES),
        "sigma": Slider("σ of q", start=0.5, low=0.1, high=2.0, step=0.1),
        "dim": LogSlider("latent dimension", start=2, low=1, high=_MOST_DIMS),
        "baseline": Switch("leave-one-out baseline"),
    },
)
