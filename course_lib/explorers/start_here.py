"""The explorer of notebook 00: the logarithm of a mean of tiny numbers."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure

from course_lib.distributions import log_mean_exp
from course_lib.explorers.explorer import Explorer, Slider
from course_lib.plots import BLUE, ORANGE, RED, label, new_figure

_TERMS = (-0.8, 0.0, 0.3, 1.1, 1.9)


def draw_underflow(offset: float) -> tuple[Figure, str]:
    """Compare log(mean(exp(a))) with its stable form in float32, for log-values around ``offset``."""
    offsets = torch.linspace(-150, 150, 601)
    a = torch.tensor(_TERMS) + offsets.unsqueeze(-1)
    naive, stable = a.exp().mean(-1).log(), log_mean_exp(a, -1)
    here = torch.tensor(_TERMS) + offset
    naive_here, stable_here = here.exp().mean().log().item(), log_mean_exp(here, 0).item()

    figure, (axis,) = new_figure(width=7.5, height=3.4)
    axis.plot(offsets, stable, color=BLUE, lw=5, alpha=0.6, label="stable: largest entry taken out first")
    axis.plot(offsets, naive, color=RED, lw=1.8, ls="--", label="naive: log(mean(exp(a)))")
    lost = ~naive.isfinite()
    for side in (offsets < 0, offsets > 0):
        gone = offsets[lost & side]
        if len(gone):
            axis.axvspan(float(gone.min()), float(gone.max()), color=ORANGE, alpha=0.18, lw=0)
    axis.text(-127, 60, "exp underflows\nto 0", ha="center", fontsize=9)
    axis.text(120, -120, "exp overflows\nto inf", ha="center", fontsize=9)
    axis.plot([offset], [stable_here], "o", color=BLUE, ms=9)
    shown = f"{naive_here:.2f}" if math.isfinite(naive_here) else str(naive_here)
    title = f"At {offset:.0f} the naive form gives {shown}, the stable one {stable_here:.2f}"
    label(axis, title, "size of the log-values a", "log-mean-exp of a (nats)")
    axis.legend(loc="lower center", bbox_to_anchor=(0.56, 0), frameon=False, fontsize=9)
    alt = (
        f"Log-mean-exp in float32 against the size of the log-values: the stable form is a straight line; the naive "
        f"form leaves it below -103 and above 88. At {offset:.0f} naive gives {shown}, stable {stable_here:.2f}."
    )
    return figure, alt


underflow = Explorer(
    draw_underflow, {"offset": Slider("size of the log-values", start=-60, low=-150, high=150, step=5)}
)
