"""The explorer of notebook 04: the encoder's q against the best q."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.data import load_images
from course_lib.digit_model import load_digit_model
from course_lib.distributions import kl_to_standard_normal
from course_lib.explorers.explorer import Choice, Explorer, Slider
from course_lib.plots import ORANGE, RED, draw_images, label, new_figure

_NAMES = (*map(str, range(10)), "2, upside down", "5, its negative", "7, shifted by 8 pixels")
_STEPS, _GRID = 200, 41


@lru_cache(maxsize=1)
def _images() -> Tensor:
    """Test digits 0 to 9, and three images unlike the training set, in [0, 1], ``(13, 784)``."""
    data = load_images("test")
    first = torch.stack([data.images[(data.labels == digit).nonzero()[3, 0], 0] for digit in range(10)]).float() / 255
    unlike = torch.stack([first[2].flip(0), 1 - first[5], first[7].roll((0, 8), (0, 1))])
    return torch.cat([first, unlike]).flatten(1)


@lru_cache(maxsize=1)
def _refined() -> tuple[Tensor, Tensor]:
    """mu and log_sigma at the encoder's answers and after each step of Adam, ``(images, steps + 1, 2)`` each.

    All images at once: a change of image is then as quick as any other.
    """
    vae, x = load_digit_model(), _images()
    mu, log_sigma = (start.detach().clone().requires_grad_() for start in vae.encoder(x))
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.04)
    path = [(mu.detach().clone(), log_sigma.detach().clone())]
    for noise in torch.randn(_STEPS, 8, 1, 2, generator=torch.Generator().manual_seed(0)):
        z = mu + log_sigma.exp() * torch.cat([noise, -noise])
        bound = vae.log_likelihood(x, z).mean(0) - kl_to_standard_normal(mu, log_sigma)
        optimizer.zero_grad()
        (-bound.sum()).backward()
        optimizer.step()
        path.append((mu.detach().clone(), log_sigma.detach().clone()))
    mus, log_sigmas = zip(*path, strict=True)
    return torch.stack(mus, 1), torch.stack(log_sigmas, 1)


@lru_cache(maxsize=64)
def _digit_bound(image: int, steps: int) -> float:
    """The bound of one image after so many steps of refinement, in nats."""
    vae, (mus, log_sigmas) = load_digit_model(), _refined()
    mu, log_sigma = mus[image, steps], log_sigmas[image, steps]
    eps = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
    z = mu + log_sigma.exp() * torch.cat([eps, -eps])
    return float(vae.log_likelihood(_images()[image], z).mean() - kl_to_standard_normal(mu, log_sigma))


@lru_cache(maxsize=1)
def digit_codes() -> tuple[Tensor, Tensor]:
    data = load_images("test")
    mu, _ = load_digit_model().encoder(data.flat())
    return mu, data.labels


@lru_cache(maxsize=1)
def _posteriors() -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each image two axes of a rectangle of the latent plane, and its true posterior there, the maximum set to one."""
    vae, (mus, log_sigmas) = load_digit_model(), _refined()
    found = []
    for x, mu, log_sigma in zip(_images(), mus, log_sigmas, strict=True):
        margin = 4 * log_sigma[[0, -1]].exp().max()
        low, high = mu.min(0).values - margin, mu.max(0).values + margin
        first, second = (torch.linspace(float(a), float(b), _GRID) for a, b in zip(low, high, strict=True))
        z = torch.cartesian_prod(first, second)
        log_joint = vae.log_likelihood(x, z) - 0.5 * z.square().sum(-1)
        found.append((first, second, (log_joint - log_joint.max()).exp().view(_GRID, _GRID)))
    return found


def draw_amortization(image: int, steps: int) -> tuple[Figure, str]:
    """Show an image's true posterior in the latent plane, the encoder's q, and q refined for this image alone."""
    mus, log_sigmas = (values[image] for values in _refined())
    first, now = _digit_bound(image, 0), _digit_bound(image, steps)

    figure, (picture, plane, zoom) = new_figure(3, width=3.33, height=3.7, width_ratios=[0.7, 1, 1])
    draw_images(picture, (255 * _images()[image]).byte().view(1, 28, 28), columns=1)
    picture.set_anchor("N")
    label(picture, f"x: a {_NAMES[image]}", "test image", "28 pixels")
    codes, _ = digit_codes()
    plane.plot(codes[:, 0], codes[:, 1], ".", color="0.58", ms=2, zorder=0)

    across, up, posterior = _posteriors()[image]
    zoom.contourf(across, up, posterior.T, levels=[0.01, 0.1, 0.3, 0.6, 0.9, 1.01], cmap="Blues", alpha=0.9)
    circle = torch.linspace(0, 2 * math.pi, 100)
    around = torch.stack([circle.cos(), circle.sin()], -1)
    for view in (plane, zoom):
        for number, colour, style, name in (
            (0, ORANGE, "--", "encoder's q"),
            (steps, RED, "-", f"q after {steps} steps"),
        ):
            ellipse = mus[number] + 2 * log_sigmas[number].exp() * around
            view.plot(ellipse[:, 0], ellipse[:, 1], color=colour, ls=style, lw=2, label=f"{name}, 2σ")
            view.plot(*mus[number].view(2, 1), "o" if number else "s", color=colour, ms=5)
    label(plane, "Among the codes of test digits", "z, dimension 1", "z, dimension 2")
    label(zoom, f"True posterior (blue): gap {now - first:.1f} nats", "z, dimension 1", "z, dimension 2")
    plane.set_xlim(-5, 5)
    plane.set_ylim(-5, 5)
    figure.legend(*plane.get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    alt = (
        f"The image (a {_NAMES[image]}), and in the latent plane its true posterior with two ellipses: the encoder's q reaches a "
        f"bound of {first:.1f} nats, q after {steps} steps of its own {now:.1f}."
    )
    return figure, alt


amortization = Explorer(
    draw_amortization,
    {
        "image": Choice("image x", start=2, options={name: number for number, name in enumerate(_NAMES)}),
        "steps": Slider("steps of refinement", start=160, low=0, high=_STEPS, step=10),
    },
)
