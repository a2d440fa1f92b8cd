"""The explorer of notebook 08: one weight on the KL, and everything that it changes."""

from __future__ import annotations

from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.beta_models import load_sweep
from course_lib.data import load_images
from course_lib.explorers.explorer import Explorer, LogSlider
from course_lib.plots import BLACK, BLUE, RED, draw_images, label, new_figure

SHOWN = 6  # images in a row


@lru_cache(maxsize=1)
def _originals() -> Tensor:
    return load_images("test").images[:SHOWN, 0]


def draw_weight(beta: float) -> tuple[Figure, str]:
    """Show reconstructions, samples, KL per dimension and the place on the rate–distortion curve of the model with this β."""
    sweep = load_sweep()
    model = min(sweep, key=lambda trained: abs(trained.beta - beta))
    figure, (images, bars, curve) = new_figure(3, width=3.25, height=3.7, width_ratios=[1.15, 0.9, 1])
    draw_images(images, torch.cat([_originals(), model.reconstructions[:SHOWN], model.samples[: 2 * SHOWN]]), SHOWN)
    images.set_yticks([14, 44, 74, 104], ["x", "back", "draws", "draws"])
    label(images, f"β = {model.beta:g}", "test digits, and samples of the prior", "decoded")
    bars.bar(range(1, 17), model.kl_per_dimension.sort(descending=True).values.tolist(), color=BLUE)
    bars.set_ylim(0, 6)
    label(bars, f"KL: {model.rate:.1f} nats", "latent dimension, sorted", "mean KL (nats)")
    curve.plot([m.rate for m in sweep], [m.distortion for m in sweep], "-", color=BLACK, lw=1)
    curve.plot([model.rate], [model.distortion], "o", color=RED, ms=10)
    label(curve, f"ELBO: {-(model.rate + model.distortion):.0f} nats", "rate: mean KL (nats)", "distortion (nats)")
    alt = (
        f"The model trained with β = {model.beta:g}: KL {model.rate:.1f} nats, distortion {model.distortion:.1f}, reconstruction gap "
        f"{model.reconstruction_gap:.2f}, sample gap {model.sample_gap:.2f}."
    )
    return figure, alt


weight = Explorer(draw_weight, {"beta": LogSlider("weight β of the KL", start=1.0, low=0.01, high=100.0)})
