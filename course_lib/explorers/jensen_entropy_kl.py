"""The explorers of notebook 02: Jensen's inequality, q without its entropy, and ELBO + KL = log p(x)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.distributions import LOG_2PI
from course_lib.explorers.explorer import Explorer, Slider
from course_lib.plots import BLACK, BLUE, GREEN, ORANGE, RED, SKY, label, new_figure


def draw_jensen(spread: float, share: float) -> tuple[Figure, str]:
    """Show log E[y] above E[log y] for a y that takes two values with mean one.

    Args:
        spread: 0 to below 1, how far the lower value lies below the mean, as a part of it.
        share: the probability of the lower value.
    """
    low, mean = 1 - spread, 1.0
    high = (mean - share * low) / (1 - share)
    expected_log = share * math.log(low) + (1 - share) * math.log(high)
    gap = math.log(mean) - expected_log

    figure, (axis,) = new_figure(width=7.0, height=3.9)
    y = torch.linspace(0.02, max(3.0, 1.08 * high), 400)
    axis.plot(y, y.log(), color=BLACK, lw=1.6, label="log y, a concave curve")
    axis.plot(
        [low, high],
        [math.log(low), math.log(high)],
        "o-",
        color=BLUE,
        lw=1.4,
        label="the two values of y, and their chord",
    )
    axis.plot([mean], [math.log(mean)], "s", color=GREEN, ms=9, label=f"log E[y] = {math.log(mean):.2f}, on the curve")
    axis.plot([mean], [expected_log], "D", color=RED, ms=8, label=f"E[log y] = {expected_log:.2f}, on the chord")
    axis.plot([mean, mean], [expected_log, math.log(mean)], color=ORANGE, lw=4, alpha=0.7, zorder=1)
    axis.text(mean + 0.02 * float(y[-1]), expected_log - 0.15, f"gap {gap:.2f}", va="top", fontsize=10)
    axis.set_ylim(min(-3.2, math.log(low) - 0.3), math.log(float(y[-1])) + 0.4)
    label(axis, f"Spread {spread:.2f} opens a gap of {gap:.2f} nats between log E[y] and E[log y]", "y", "log y (nats)")
    axis.legend(loc="lower right", frameon=False, fontsize=8.5)
    alt = (
        f"The concave curve log y with a y that is {low:.2f} with probability {share:.2f}, else {high:.2f}. log E[y] = 0 "
        f"lies on the curve, E[log y] = {expected_log:.2f} below it on the chord: a gap of {gap:.2f} nats."
    )
    return figure, alt


jensen = Explorer(
    draw_jensen,
    {
        "spread": Slider("spread of y", start=0.7, low=0.0, high=0.98, step=0.02),
        "share": Slider("probability of the lower value", start=0.5, low=0.05, high=0.95, step=0.05),
    },
)


_PEAKED_X, _PEAKED_SIGMA = 1.6, 0.45


FLOOR = -9.0


def two_peaked_log_joint(z: Tensor) -> Tensor:
    """log p(x, z) of x = |z| + noise, with z ~ N(0, 1.3): x leaves the sign of z open, not quite evenly."""
    log_prior = -0.5 * ((z - 0.15) / 1.3) ** 2 - math.log(1.3) - 0.5 * LOG_2PI
    log_likelihood = -0.5 * ((_PEAKED_X - z.abs()) / _PEAKED_SIGMA) ** 2 - math.log(_PEAKED_SIGMA) - 0.5 * LOG_2PI
    return log_prior + log_likelihood


def two_peaked_slope(z: Tensor) -> Tensor:
    """The derivative of log p(x, z) by z."""
    return (0.15 - z) / 1.3**2 + (_PEAKED_X - z.abs()) / _PEAKED_SIGMA**2 * z.sign()


@lru_cache(maxsize=1)
def two_peaked_log_evidence() -> float:
    """log p(x) of the two-peaked picture, by quadrature over z."""
    wide = torch.linspace(-14, 14, 14_001, dtype=torch.float64)
    return torch.logsumexp(two_peaked_log_joint(wide), 0).item() + math.log(28 / 14_000)


def bound_and_gap(mu: float, sigma: float) -> tuple[float, float, float]:
    """Return (ELBO, KL(q‖p(z|x)), log p(x)) of the two-peaked picture, each by its own quadrature over z."""
    log_evidence = two_peaked_log_evidence()
    z = mu + sigma * torch.linspace(-9, 9, 4001, dtype=torch.float64)
    log_q = -0.5 * ((z - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI
    elbo = torch.trapezoid(log_q.exp() * (two_peaked_log_joint(z) - log_q), z)
    log_posterior = two_peaked_log_joint(z) - log_evidence
    kl = torch.trapezoid(log_q.exp() * (log_q - log_posterior), z)
    return elbo.item(), kl.item(), log_evidence


PEAK = 1.45  # where log p(x, z) is highest

# Far enough out that exp underflows to zero beyond, fine enough for the narrowest q.
_STANDARD = torch.linspace(-7, 7, 701, dtype=torch.float64)


def pull_and_entropy(sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Return E_q[log p(x, z)] and H(q) for q = N(PEAK, sigma), ``(n,)`` for ``sigma (n,)``, by quadrature over z."""
    z = PEAK + sigma.unsqueeze(-1) * _STANDARD
    weights = (-0.5 * _STANDARD**2 - 0.5 * LOG_2PI).exp()
    pull = torch.trapezoid(weights * two_peaked_log_joint(z), _STANDARD)
    return pull, sigma.log() + 0.5 * (LOG_2PI + 1)


@lru_cache(maxsize=1)
def _over_widths() -> tuple[Tensor, Tensor, Tensor]:
    """The widths of q that are drawn, and E_q[log p(x, z)] and H(q) at each."""
    widths = torch.logspace(math.log10(0.03), math.log10(2.5), 120, dtype=torch.float64)
    return (widths, *pull_and_entropy(widths))


def draw_entropy(weight: float, sigma: float) -> tuple[Figure, str]:
    """Show what the width of q makes of E_q[log p(x, z)] + weight · H(q); without the entropy the narrowest is best.

    Args:
        weight: of the entropy, 1 in the bound.
        sigma: the standard deviation of q, which sits on a peak of the posterior.
    """
    widths, pull, entropy = _over_widths()
    total = pull + weight * entropy
    best = float(widths[total.argmax()])
    here_pull, here_entropy = (float(part) for part in pull_and_entropy(torch.tensor([sigma], dtype=torch.float64)))
    here = here_pull + weight * here_entropy
    log_evidence = two_peaked_log_evidence()
    z = torch.linspace(-5, 5, 600, dtype=torch.float64)
    posterior = (two_peaked_log_joint(z) - log_evidence).exp()
    q = (-0.5 * ((z - PEAK) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI).exp()

    figure, (left, right) = new_figure(2, width=4.4, height=3.9)
    left.fill_between(z, posterior, color=SKY, alpha=0.45, lw=0)
    left.plot(z, posterior, color=BLUE, lw=1.6)
    left.plot(z, q, color=RED, lw=2, ls="--")
    top = 1.15 * max(0.9, float(q.max()))
    left.set_ylim(0, top)
    left.text(-1.4, 0.62 + 0.02 * top, "p(z|x)", color=BLUE, ha="center", va="bottom", fontsize=10)
    left.text(1.7 + 0.6 * sigma, 0.8 * float(q.max()), "q", color=RED, ha="left", va="bottom", fontsize=10)
    label(left, f"q = N({PEAK:.2f}, {sigma:.2f}) on one of two peaks", "latent z", "density")

    across = widths.log10()  # a logarithmic axis would take longer to draw
    right.plot(across, pull, color=BLUE, lw=1.6, ls=":", label="E[log p(x,z)]")
    right.plot(across, weight * entropy, color=GREEN, lw=1.6, ls="--", label=f"{weight:.2f} · H(q)")
    right.plot(across, total, color=RED, lw=2.2, label="their sum")
    right.plot([math.log10(sigma)], [here], "o", color=RED, ms=8)
    collapses = best < 0.05
    if not collapses:
        right.plot([math.log10(best)], [float(total.max())], "*", color=BLACK, ms=12, zorder=5)
    named = (0.05, 0.1, 0.2, 0.5, 1, 2)
    right.set_xticks([math.log10(width) for width in named], [f"{width:g}" for width in named])
    right.set_ylim(-9.5, 3)
    says = "The narrower, the better: q collapses" if collapses else f"The sum is largest at σ = {best:.2f}"
    label(right, says, "standard deviation σ of q", "nats")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    alt = (
        f"Left: a posterior with two peaks, and q on the right one with standard deviation {sigma:.2f}. Right, against that "
        f"width: E[log p(x,z)] falls, the entropy, weighted by {weight:.2f}, {'rises' if weight else 'does not count'}; "
        + ("their sum only falls." if collapses else f"their sum is largest at {best:.2f}.")
        + f" Here the sum is {here:.2f} nats."
    )
    return figure, alt


entropy = Explorer(
    draw_entropy,
    {
        "weight": Slider("weight of the entropy", start=0.0, low=0.0, high=1.5, step=0.05),
        "sigma": Slider("standard deviation σ of q", start=0.4, low=0.05, high=2.5, step=0.05),
    },
)


def draw_bound(mu: float, sigma: float) -> tuple[Figure, str]:
    """Show q over a two-peaked posterior, and a bar in which ELBO and KL add up to log p(x)."""
    elbo, kl, log_evidence = bound_and_gap(mu, sigma)
    z = torch.linspace(-5, 5, 600, dtype=torch.float64)
    posterior = (two_peaked_log_joint(z) - log_evidence).exp()
    q = (-0.5 * ((z - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI).exp()

    figure, (left, right) = new_figure(2, width=4.4, height=3.9, width_ratios=[1.9, 1])
    left.fill_between(z, posterior, color=SKY, alpha=0.45, lw=0)
    left.plot(z, posterior, color=BLUE, lw=2, label="posterior p(z|x)")
    left.plot(z, q, color=RED, lw=2, ls="--", label=f"q(z) = N({mu:.2f}, {sigma:.2f})")
    left.set_ylim(0, 1.3 * max(0.65, float(q.max())))  # the legend lies above both
    label(left, f"D_KL(q‖p(z|x)) = {kl:.2f} nats", "latent z", "density")
    left.legend(loc="upper left", frameon=False, fontsize=9)

    bottom = max(elbo, FLOOR)
    right.bar(
        [0], [log_evidence - bottom], bottom=bottom, color=ORANGE, hatch="//", edgecolor="white", width=0.6, label="KL"
    )
    right.bar([0], [bottom - FLOOR], bottom=FLOOR, color=BLUE, width=0.6, label="ELBO, from below")
    right.axhline(log_evidence, color=BLACK, lw=2)
    right.text(0.38, log_evidence + 0.12, f"log p(x) = {log_evidence:.2f}", ha="right", fontsize=9)
    right.text(
        0,
        min(bottom + 0.5 * (log_evidence - bottom), log_evidence - 0.3),
        f"KL {kl:.2f}",
        ha="center",
        va="center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
    off_scale = " (off the scale)" if elbo < FLOOR else ""
    right.text(
        0,
        FLOOR + 0.45,
        f"ELBO {elbo:.2f}{off_scale}",
        ha="center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
    right.set_ylim(FLOOR, log_evidence + 0.9)
    right.set_xlim(-0.5, 0.5)
    right.set_xticks([])
    label(right, f"{elbo:.2f} + {kl:.2f} = {log_evidence:.2f}", "ELBO + KL", "nats")
    alt = (
        f"Left: a posterior with two peaks near -1.4 and 1.4, and q with mean {mu:.2f} and standard deviation {sigma:.2f}. "
        f"Right: a bar in which the ELBO {elbo:.2f} and the KL {kl:.2f} add up to log p(x) = {log_evidence:.2f}."
    )
    return figure, alt


bound = Explorer(
    draw_bound,
    {
        "mu": Slider("mean μ of q", start=0.4, low=-3.0, high=3.0, step=0.1),
        "sigma": Slider("standard deviation σ of q", start=0.8, low=0.1, high=2.5, step=0.05),
    },
)
