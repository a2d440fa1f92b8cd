"""The explorer of notebook 03: q climbs."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.distributions import LOG_2PI
from course_lib.explorers.explorer import Explorer, LogSlider, Slider
from course_lib.explorers.jensen_entropy_kl import (
    FLOOR,
    two_peaked_log_evidence,
    two_peaked_log_joint,
    two_peaked_slope,
)
from course_lib.plots import BLACK, BLUE, RED, SKY, label, new_figure

_CLIMB_NOISE, MOST_STEPS = 256, 80


def _climb_eps() -> Tensor:
    """Noise that stands for N(0, 1): its quantiles, so that a step has no noise of its own."""
    levels = (torch.arange(_CLIMB_NOISE, dtype=torch.float64) + 0.5) / _CLIMB_NOISE
    return (2**0.5) * torch.special.erfinv(2 * levels - 1)


def climb(steps: int, step_size: float, start: float) -> tuple[list[float], list[float]]:
    """Return mu and log_sigma after each step of ascent on the two-peaked picture's bound."""
    mus, log_sigmas = _long_climb(step_size, start)
    return mus[: steps + 1], log_sigmas[: steps + 1]


@lru_cache(maxsize=8)
def _long_climb(step_size: float, start: float) -> tuple[list[float], list[float]]:
    eps = _climb_eps()
    mu, log_sigma = start, math.log(0.5)
    path: tuple[list[float], list[float]] = ([mu], [log_sigma])
    for _ in range(MOST_STEPS):
        noise = math.exp(log_sigma) * eps
        slope = two_peaked_slope(mu + noise)
        d_mu, d_log_sigma = slope.mean().item(), (slope * noise).mean().item() + 1
        mu = min(max(mu + step_size * d_mu, -20.0), 20.0)
        log_sigma = min(max(log_sigma + step_size * d_log_sigma, -8.0), 3.0)
        path[0].append(mu)
        path[1].append(log_sigma)
    return path


def bounds(mus: list[float], log_sigmas: list[float]) -> list[float]:
    """Return the ELBO of each q = N(mu, sigma), by quadrature over z."""
    mu, log_sigma = (torch.tensor(values, dtype=torch.float64)[:, None] for values in (mus, log_sigmas))
    u = torch.linspace(-9, 9, 1501, dtype=torch.float64)
    density = (-0.5 * u.square() - 0.5 * LOG_2PI).exp()
    expected = torch.trapezoid(density * two_peaked_log_joint(mu + log_sigma.exp() * u), u)
    return (expected + log_sigma[:, 0] + 0.5 * (1 + LOG_2PI)).tolist()


def draw_ascent(steps: int, step_size: float, start: float) -> tuple[Figure, str]:
    """Show q after each step of gradient ascent over a posterior with two peaks, and the bound it reaches."""
    mus, log_sigmas = climb(steps, step_size, start)
    elbos, log_evidence = bounds(mus, log_sigmas), two_peaked_log_evidence()
    z = torch.linspace(-5, 5, 500, dtype=torch.float64)

    figure, (left, right) = new_figure(2, width=4.6, height=3.7)
    posterior = (two_peaked_log_joint(z) - log_evidence).exp()
    left.fill_between(z, posterior, color=SKY, alpha=0.45, lw=0, label="posterior p(z|x)")
    for i in sorted({0, *range(0, steps, max(1, steps // 6)), steps}):
        sigma = math.exp(log_sigmas[i])
        q = (-0.5 * ((z - mus[i]) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI).exp()
        last = i == steps
        left.plot(
            z,
            q,
            color=RED if last else BLACK,
            lw=2.4 if last else 0.9,
            ls="-" if last else ":",
            label=f"q after {steps} steps" if last else "earlier q" if i == 0 else None,
        )
    left.set_ylim(0, 1.6)
    sigma = math.exp(log_sigmas[-1])
    label(left, f"q = N({mus[-1]:.2f}, {sigma:.2f}) after {steps} steps", "latent z", "density")
    left.legend(frameon=False, fontsize=8.5, loc="upper left")

    shown = [max(elbo, FLOOR) for elbo in elbos]
    right.plot(range(steps + 1), shown, ".-", color=BLUE, lw=1.8)
    right.axhline(log_evidence, color=BLACK, lw=1.8)
    above = right.get_yaxis_transform()
    right.text(0.98, log_evidence + 0.1, f"log p(x) = {log_evidence:.2f}", transform=above, ha="right", fontsize=9)
    right.set_ylim(FLOOR, log_evidence + 0.8)
    label(right, f"What is left: D_KL(q‖p(z|x)) = {log_evidence - elbos[-1]:.2f} nats", "step", "ELBO (nats)")
    alt = (
        f"Left: q climbing over a posterior with two peaks, from mean {start:.1f} to mean {mus[-1]:.2f} and standard deviation "
        f"{sigma:.2f} in {steps} steps. Right: the ELBO after each step, from {elbos[0]:.2f} to {elbos[-1]:.2f}; "
        f"log p(x) is {log_evidence:.2f}."
    )
    return figure, alt


ascent = Explorer(
    draw_ascent,
    {
        "steps": Slider("steps of ascent", start=25, low=0, high=MOST_STEPS, step=1),
        "step_size": LogSlider("step size", start=0.03, low=0.01, high=0.6),
        "start": Slider("μ at the start", start=2.8, low=-3.0, high=3.0, step=0.1),
    },
)
