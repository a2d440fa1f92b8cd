"""Explorers: pictures with sliders. Each is a pure function of its settings, and stands still where no kernel runs."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.data import load_images
from course_lib.digit_model import load_digit_model
from course_lib.distributions import LOG_2PI, kl_to_standard_normal, log_mean_exp
from course_lib.plots import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SKY,
    draw_images,
    image_tag,
    label,
    new_figure,
    render_png,
)


@dataclass(frozen=True)
class Slider:
    """One setting: its text, where it starts, and its range; whole numbers if start and step are whole."""

    text: str
    start: float
    low: float
    high: float
    step: float

    @property
    def whole(self) -> bool:
        return float(self.step).is_integer() and float(self.start).is_integer()


@dataclass(frozen=True)
class Explorer:
    """A drawing with sliders.

    Attributes:
        draw: returns the figure and a sentence that says what it shows; depends on its settings alone.
        sliders: one for each setting, by name.
    """

    draw: Callable[..., tuple[Figure, str]]
    sliders: dict[str, Slider]

    @property
    def defaults(self) -> dict[str, float]:
        return {name: slider.start for name, slider in self.sliders.items()}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        figure, alt = self.draw(**self.defaults)
        png = render_png(figure)
        still = {
            "text/plain": f"[explorer: {alt}]",
            "text/html": image_tag(png, alt),
            "image/png": base64.b64encode(png).decode(),
        }
        # A front end takes the first form that it can show: the widget where there is a kernel, else the picture.
        return {**self.widget()._repr_mimebundle_(), **still}

    def widget(self) -> Any:
        """Return the live widget: the sliders above the picture, which follows them."""
        import ipywidgets

        wide = {"description_width": "initial"}
        controls = {
            name: (ipywidgets.IntSlider if slider.whole else ipywidgets.FloatSlider)(
                value=int(slider.start) if slider.whole else slider.start,
                min=int(slider.low) if slider.whole else slider.low,
                max=int(slider.high) if slider.whole else slider.high,
                step=int(slider.step) if slider.whole else slider.step,
                description=slider.text,
                style=wide,
                layout=ipywidgets.Layout(width="30em"),
            )
            for name, slider in self.sliders.items()
        }
        picture = ipywidgets.HTML()

        def redraw(_: object = None) -> None:
            figure, alt = self.draw(**{name: control.value for name, control in controls.items()})
            picture.value = image_tag(render_png(figure), alt)

        for control in controls.values():
            control.observe(redraw, names="value")
        redraw()
        return ipywidgets.VBox([*controls.values(), picture])


# --- 00: the logarithm of a mean of tiny numbers --------------------------------------------------

_TERMS = (-0.8, 0.0, 0.3, 1.1, 1.9)


def draw_underflow(offset: float) -> tuple[Figure, str]:
    """Compare log(mean(exp(a))) with its stable form in float32, for log-values around ``offset``."""
    offsets = torch.linspace(-150, 150, 601)
    a = torch.tensor(_TERMS) + offsets.unsqueeze(-1)
    naive, stable = a.exp().mean(-1).log(), log_mean_exp(a, -1)
    here = torch.tensor(_TERMS) + offset
    naive_here, stable_here = here.exp().mean().log().item(), log_mean_exp(here, 0).item()

    figure, (axis,) = new_figure(width=7.5, height=3.4)
    axis.plot(offsets, stable, color=BLUE, lw=5, alpha=0.35, label="stable: largest entry taken out first")
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
    axis.legend(loc="upper left", frameon=False, fontsize=9)
    alt = (
        f"Log-mean-exp in float32 against the size of the log-values: the stable form is a straight line; the naive "
        f"form leaves it below -103 and above 88. At {offset:.0f} naive gives {shown}, stable {stable_here:.2f}."
    )
    return figure, alt


underflow = Explorer(
    draw_underflow, {"offset": Slider("size of the log-values", start=-60, low=-150, high=150, step=5)}
)


# --- 01: how wildly the Monte Carlo estimate moves -------------------------------------------------


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
    left.plot(grid, _curve(grid), color=BLUE, lw=2, label="decoder: mean of p(x|z), ±2σ")
    left.plot(z, x, ".", color=BLACK, ms=4, alpha=0.6, label="samples: z ~ p(z), x ~ p(x|z)")
    left.axhline(_OBSERVED, color=RED, ls="--", lw=1.5, label="the x we observe")
    hit = ((_curve(z) - _OBSERVED).abs() < 2 * sigma).double().mean().item()
    label(left, f"{hit:.0%} of prior samples explain x in one dimension", "latent z", "x")
    left.set_ylim(-5, 6.5)
    left.legend(loc="upper left", frameon=False, fontsize=8)

    exact = dim * _exact_log_prob(_OBSERVED, sigma)
    draws = torch.randn(_REPEATS, samples, dim, generator=generator)
    log_p = (-0.5 * ((_OBSERVED - _curve(draws)) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI).sum(-1)
    estimates = log_mean_exp(log_p, 1)
    jitter = torch.rand(_REPEATS, generator=generator)
    right.plot(
        estimates, jitter, ".", color=GREEN, ms=5, alpha=0.55, label=f"{_REPEATS} estimates, {samples} samples each"
    )
    right.axvline(exact, color=BLACK, lw=2, label=f"exact log p(x) = {exact:.2f}")
    mean, spread = estimates.mean().item(), estimates.std().item()
    right.axvline(mean, color=ORANGE, lw=2, ls="--", label=f"their mean = {mean:.2f}")
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
    right.legend(loc="upper left", framealpha=0.9, edgecolor="none", fontsize=8)
    alt = (
        f"Left: a bent decoder with a band of two sigma = {2 * sigma:.2f}, prior samples, and the observed x. Right: "
        f"{_REPEATS} Monte Carlo estimates of log p(x), dimension {dim}, {samples} samples each; their mean is "
        f"{mean:.2f} and their spread {spread:.2f}, the exact value {exact:.2f}."
    )
    return figure, alt


monte_carlo = Explorer(
    draw_monte_carlo,
    {
        "samples": Slider("samples for one estimate", start=20, low=1, high=500, step=1),
        "dim": Slider("dimensions of z and x", start=1, low=1, high=20, step=1),
        "sigma": Slider("σ of p(x|z)", start=0.4, low=0.1, high=1.5, step=0.05),
    },
)


# --- 02: Jensen's inequality -----------------------------------------------------------------------


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
    middle = (expected_log + math.log(mean)) / 2
    axis.text(mean - 0.02 * float(y[-1]), middle, f"gap {gap:.2f}", ha="right", va="center", fontsize=10)
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


# --- 02: ELBO + KL = log p(x) ----------------------------------------------------------------------

_PEAKED_X, _PEAKED_SIGMA = 1.6, 0.45
_FLOOR = -9.0


def _two_peaked_log_joint(z: Tensor) -> Tensor:
    """log p(x, z) of x = |z| + noise, with z ~ N(0, 1.3): x leaves the sign of z open, not quite evenly."""
    log_prior = -0.5 * ((z - 0.15) / 1.3) ** 2 - math.log(1.3) - 0.5 * LOG_2PI
    log_likelihood = -0.5 * ((_PEAKED_X - z.abs()) / _PEAKED_SIGMA) ** 2 - math.log(_PEAKED_SIGMA) - 0.5 * LOG_2PI
    return log_prior + log_likelihood


def bound_and_gap(mu: float, sigma: float) -> tuple[float, float, float]:
    """Return (ELBO, KL(q‖p(z|x)), log p(x)) of the two-peaked picture, each by its own quadrature over z."""
    wide = torch.linspace(-14, 14, 14_001, dtype=torch.float64)
    log_evidence = torch.logsumexp(_two_peaked_log_joint(wide), 0) + math.log(28 / 14_000)
    z = mu + sigma * torch.linspace(-9, 9, 4001, dtype=torch.float64)
    log_q = -0.5 * ((z - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI
    elbo = torch.trapezoid(log_q.exp() * (_two_peaked_log_joint(z) - log_q), z)
    log_posterior = _two_peaked_log_joint(z) - log_evidence
    kl = torch.trapezoid(log_q.exp() * (log_q - log_posterior), z)
    return elbo.item(), kl.item(), log_evidence.item()


def draw_bound(mu: float, sigma: float) -> tuple[Figure, str]:
    """Show q over a two-peaked posterior, and a bar in which ELBO and KL add up to log p(x)."""
    elbo, kl, log_evidence = bound_and_gap(mu, sigma)
    z = torch.linspace(-5, 5, 600, dtype=torch.float64)
    posterior = (_two_peaked_log_joint(z) - log_evidence).exp()
    q = (-0.5 * ((z - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI).exp()

    figure, (left, right) = new_figure(2, width=4.4, height=3.9, width_ratios=[1.9, 1])
    left.fill_between(z, posterior, color=SKY, alpha=0.45, lw=0)
    left.plot(z, posterior, color=BLUE, lw=2, label="posterior p(z|x)")
    left.plot(z, q, color=RED, lw=2, ls="--", label=f"q(z) = N({mu:.2f}, {sigma:.2f})")
    left.set_ylim(0, 1.1 * max(0.75, float(q.max())))
    label(left, f"D_KL(q‖p(z|x)) = {kl:.2f} nats", "latent z", "density")
    left.legend(loc="upper left", frameon=False, fontsize=9)

    bottom = max(elbo, _FLOOR)
    right.bar(
        [0], [log_evidence - bottom], bottom=bottom, color=ORANGE, hatch="//", edgecolor="white", width=0.6, label="KL"
    )
    right.bar([0], [bottom - _FLOOR], bottom=_FLOOR, color=BLUE, width=0.6, label="ELBO, from below")
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
    off_scale = " (off the scale)" if elbo < _FLOOR else ""
    right.text(
        0,
        _FLOOR + 0.45,
        f"ELBO {elbo:.2f}{off_scale}",
        ha="center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
    right.set_ylim(_FLOOR, log_evidence + 0.9)
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

# --- 03: q climbs -----------------------------------------------------------------------------------

_CLIMB_NOISE = 256


def _climb_eps() -> Tensor:
    """Noise that stands for N(0, 1): its quantiles, so that a step has no noise of its own."""
    levels = (torch.arange(_CLIMB_NOISE, dtype=torch.float64) + 0.5) / _CLIMB_NOISE
    return (2**0.5) * torch.special.erfinv(2 * levels - 1)


def climb(steps: int, step_size: float, start: float) -> tuple[list[float], list[float]]:
    """Return mu and log_sigma after each step of ascent on the two-peaked picture's bound."""
    eps = _climb_eps()
    mu = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    log_sigma = torch.tensor(math.log(0.5), dtype=torch.float64, requires_grad=True)
    path: tuple[list[float], list[float]] = ([start], [math.log(0.5)])
    for _ in range(steps):
        bound = _two_peaked_log_joint(mu + log_sigma.exp() * eps).mean() + log_sigma
        d_mu, d_log_sigma = torch.autograd.grad(bound, (mu, log_sigma))
        mu = (mu + step_size * d_mu).detach().clamp(-20, 20).requires_grad_()
        log_sigma = (log_sigma + step_size * d_log_sigma).detach().clamp(-8, 3).requires_grad_()
        path[0].append(mu.item())
        path[1].append(log_sigma.item())
    return path


def draw_ascent(steps: int, step_size: float, start: float) -> tuple[Figure, str]:
    """Show q after each step of gradient ascent over a posterior with two peaks, and the bound it reaches."""
    mus, log_sigmas = climb(steps, step_size, start)
    bounds = [bound_and_gap(mu, math.exp(ls)) for mu, ls in zip(mus, log_sigmas, strict=True)]
    log_evidence = bounds[0][2]
    z = torch.linspace(-5, 5, 500, dtype=torch.float64)

    figure, (left, right) = new_figure(2, width=4.6, height=3.7)
    posterior = (_two_peaked_log_joint(z) - log_evidence).exp()
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

    shown = [max(b[0], _FLOOR) for b in bounds]
    right.plot(range(steps + 1), shown, ".-", color=BLUE, lw=1.8, label="ELBO")
    right.axhline(log_evidence, color=BLACK, lw=1.8, label=f"log p(x) = {log_evidence:.2f}")
    right.set_ylim(_FLOOR, log_evidence + 0.8)
    label(right, f"What is left: D_KL(q‖p(z|x)) = {bounds[-1][1]:.2f} nats", "step", "nats")
    right.legend(frameon=False, fontsize=8.5, loc="lower right")
    alt = (
        f"Left: q climbing over a posterior with two peaks, from mean {start:.1f} to mean {mus[-1]:.2f} and standard deviation "
        f"{sigma:.2f} in {steps} steps. Right: the ELBO after each step, from {bounds[0][0]:.2f} to {bounds[-1][0]:.2f}; "
        f"log p(x) is {log_evidence:.2f}."
    )
    return figure, alt


ascent = Explorer(
    draw_ascent,
    {
        "steps": Slider("steps of ascent", start=25, low=0, high=80, step=1),
        "step_size": Slider("step size", start=0.03, low=0.01, high=0.6, step=0.01),
        "start": Slider("μ at the start", start=2.8, low=-3.0, high=3.0, step=0.1),
    },
)


# --- 04: the encoder's q against the best q ---------------------------------------------------------

_UNLIKE = ("upside down", "its negative", "shifted by 8 pixels")


@lru_cache(maxsize=1)
def _twenty_images() -> tuple[Tensor, list[str]]:
    """Test digits 0 to 9, and three images unlike the training set, as vectors in [0, 1]."""
    data = load_images("test")
    first = torch.stack([data.images[(data.labels == digit).nonzero()[3, 0], 0] for digit in range(10)]).float() / 255
    unlike = torch.stack([first[2].flip(0), 1 - first[5], first[7].roll((0, 8), (0, 1))])
    return torch.cat([first, unlike]).flatten(1), [f"a {digit}" for digit in range(10)] + list(_UNLIKE)


@lru_cache(maxsize=16)
def _refined(image: int) -> tuple[Tensor, Tensor]:
    """mu and log_sigma at the encoder's answer and after each of 200 steps of Adam, ``(201, 2)`` each."""
    vae, (images, _) = load_digit_model(), _twenty_images()
    x = images[image : image + 1]
    mu, log_sigma = (start.detach().clone().requires_grad_() for start in vae.encoder(x))
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.04)
    eps = torch.randn(200, 16, 1, 2, generator=torch.Generator().manual_seed(0))
    path = [(mu.detach()[0].clone(), log_sigma.detach()[0].clone())]
    for noise in eps:
        z = mu + log_sigma.exp() * torch.cat([noise, -noise])
        bound = vae.log_likelihood(x, z).mean(0) - kl_to_standard_normal(mu, log_sigma)
        optimizer.zero_grad()
        (-bound.sum()).backward()
        optimizer.step()
        path.append((mu.detach()[0].clone(), log_sigma.detach()[0].clone()))
    mus, log_sigmas = zip(*path, strict=True)
    return torch.stack(mus), torch.stack(log_sigmas)


def _digit_bound(image: int, mu: Tensor, log_sigma: Tensor) -> float:
    vae, (images, _) = load_digit_model(), _twenty_images()
    eps = torch.randn(1000, 2, generator=torch.Generator().manual_seed(1))
    z = mu + log_sigma.exp() * torch.cat([eps, -eps])
    return float(vae.log_likelihood(images[image], z).mean() - kl_to_standard_normal(mu, log_sigma))


@lru_cache(maxsize=1)
def _codes() -> tuple[Tensor, Tensor]:
    data = load_images("test")
    mu, _ = load_digit_model().encoder(data.flat())
    return mu, data.labels


def _posterior_around(image: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two axes of a rectangle of the latent plane, and an image's true posterior there, its maximum set to one."""
    vae, (images, _) = load_digit_model(), _twenty_images()
    first, second = (torch.linspace(float(a), float(b), 91) for a, b in zip(low, high, strict=True))
    z = torch.cartesian_prod(first, second)
    log_joint = vae.log_likelihood(images[image], z) - 0.5 * z.square().sum(-1)
    return first, second, (log_joint - log_joint.max()).exp().view(91, 91)


def draw_amortization(image: int, steps: int) -> tuple[Figure, str]:
    """Show an image's true posterior in the latent plane, the encoder's q, and q refined for this image alone."""
    images, names = _twenty_images()
    mus, log_sigmas = _refined(image)
    first, now = _digit_bound(image, mus[0], log_sigmas[0]), _digit_bound(image, mus[steps], log_sigmas[steps])

    figure, (picture, plane, zoom) = new_figure(3, width=3.7, height=3.9, width_ratios=[0.7, 1, 1])
    draw_images(picture, (255 * images[image]).byte().view(1, 28, 28), columns=1)
    picture.set_title(f"x: {names[image]}", loc="left", fontsize=10.5)
    picture.set_xlabel("test image")
    picture.set_ylabel("28 pixels")
    codes, _ = _codes()
    plane.plot(codes[:, 0], codes[:, 1], ".", color="0.8", ms=3, label="codes of test digits", zorder=0)

    ends = torch.stack([mus[0], mus[steps], mus[-1]])
    margin = 4 * torch.stack([log_sigmas[0], log_sigmas[-1]]).exp().max()
    low, high = ends.min(0).values - margin, ends.max(0).values + margin
    across, up, posterior = _posterior_around(image, low, high)
    zoom.contourf(across, up, posterior.T, levels=[0.01, 0.1, 0.3, 0.6, 0.9, 1.01], cmap="Blues", alpha=0.9)
    circle = torch.linspace(0, 2 * math.pi, 100)
    around = torch.stack([circle.cos(), circle.sin()], -1)
    for view in (plane, zoom):
        for number, colour, style, name in (
            (0, ORANGE, "--", "the encoder's q"),
            (steps, RED, "-", f"q after {steps} steps"),
        ):
            ellipse = mus[number] + 2 * log_sigmas[number].exp() * around
            view.plot(ellipse[:, 0], ellipse[:, 1], color=colour, ls=style, lw=2, label=f"{name}, 2σ")
            view.plot(*mus[number].view(2, 1), "o" if number else "s", color=colour, ms=5)
    label(plane, "Where in the latent plane", "z, dimension 1", "z, dimension 2")
    label(zoom, f"True posterior (blue): gap {now - first:.1f} nats", "z, dimension 1", "z, dimension 2")
    plane.set_xlim(-5, 5)
    plane.set_ylim(-5, 5)
    plane.legend(framealpha=0.9, edgecolor="none", fontsize=7.5, loc="upper left")
    alt = (
        f"The image ({names[image]}), and in the latent plane its true posterior with two ellipses: the encoder's q reaches a "
        f"bound of {first:.1f} nats, q after {steps} steps of its own {now:.1f}."
    )
    return figure, alt


amortization = Explorer(
    draw_amortization,
    {
        "image": Slider("image (0–9: that digit; 10–12: unlike the training set)", start=2, low=0, high=12, step=1),
        "steps": Slider("steps of refinement", start=160, low=0, high=200, step=10),
    },
)


# --- 05: the gradient laboratory --------------------------------------------------------------------

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


# --- 06: the latent plane ---------------------------------------------------------------------------


def draw_plane(z1: float, z2: float) -> tuple[Figure, str]:
    """Show codes of test digits in the latent plane, a point among them, and the digit decoded there."""
    mu, labels = _codes()
    z = torch.tensor([[z1, z2]])
    image = load_digit_model().mean(z)[0].view(28, 28)
    figure, (plane, digit) = new_figure(2, width=4.6, height=4.4, width_ratios=[1.25, 1])
    plane.scatter(mu[:, 0], mu[:, 1], c=labels, cmap="tab10", s=5, alpha=0.45, vmin=-0.5, vmax=9.5)
    for number in range(10):
        # The digit itself is written over its codes: colour is not all that tells them apart.
        middle = mu[labels == number].median(0).values
        plane.text(
            float(middle[0]),
            float(middle[1]),
            str(number),
            fontsize=12,
            weight="bold",
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )
    plane.plot([z1], [z2], "X", color=BLACK, ms=13, mec="white")
    plane.set_xlim(-4, 4)
    plane.set_ylim(-4, 4)
    label(plane, "Codes of 2,000 test digits", "z, dimension 1", "z, dimension 2")
    draw_images(digit, (255 * image).byte().unsqueeze(0), columns=1)
    digit.set_title(f"Decoded at z = ({z1:.1f}, {z2:.1f})", loc="left", fontsize=10.5)
    digit.set_xlabel("probability of ink")
    digit.set_ylabel("28 pixels")
    near = int(labels[(mu - z).square().sum(-1).argmin()])
    alt = (
        f"Codes of test digits in a latent plane with a cross at ({z1:.1f}, {z2:.1f}), and the image decoded there; the nearest "
        f"code is that of a {near}."
    )
    return figure, alt


plane = Explorer(
    draw_plane,
    {
        "z1": Slider("z, dimension 1", start=0.5, low=-4.0, high=4.0, step=0.1),
        "z2": Slider("z, dimension 2", start=-0.5, low=-4.0, high=4.0, step=0.1),
    },
)

EXPLORERS: dict[str, Explorer] = {
    "underflow": underflow,
    "monte_carlo": monte_carlo,
    "jensen": jensen,
    "bound": bound,
    "ascent": ascent,
    "amortization": amortization,
    "gradients": gradients,
    "plane": plane,
}
