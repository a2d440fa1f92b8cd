"""Train the Real-NVP of digits that notebooks 11 and 12 show, and that of two moons which an explorer shows.

Contract: `python scripts/make_real_nvp.py ROOT` reads the full MNIST below ROOT (torchvision's layout) and writes real_nvp_digits.npz and
real_nvp_moons.npz to course_lib/assets: weights in float16, the curve of the digits' training, recipe, seed, seconds and figures.
Nothing is selected by hand.
"""

from __future__ import annotations

import math
import sys
import time

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import shipped
from course_lib.data import load_images
from course_lib.digit_flow import (
    CURVE,
    FLOW_FILE,
    HIDDEN_CHANNELS,
    NAME,
    SCALES,
    digit_bits_per_dim,
    new_digit_flow,
)
from course_lib.explorers.real_nvp import COUPLINGS, HIDDEN_DIM, MOONS, MOONS_FILE
from course_lib.image_flows import ImageRealNVP
from course_lib.real_nvp import RealNVP
from course_lib.toy_densities import ENTROPIES, two_moons

STEPS, BATCH, RATE, WARM_UP, TOLD, SEED = 2200, 50, 5e-3, 20, 100, 0
TESTED = 2000
MOONS_STEPS, MOONS_RATE, SIGMA = 3000, 5e-3, 0.1


def fit(flow: ImageRealNVP, images: Tensor, generator: torch.Generator, steps: int = STEPS) -> Tensor:
    """Train by Adam at a rate that rises over the first steps and falls to 0 along a cosine; return bits/dim of each step."""
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2
    )
    reached = []
    bar = tqdm(range(steps), mininterval=20)
    for _ in bar:
        batch = images[torch.randint(len(images), (BATCH,), generator=generator)]
        bits = digit_bits_per_dim(flow, batch, torch.rand(batch.shape, generator=generator)).mean()
        optimizer.zero_grad()
        bits.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        reached.append(bits.item())
        bar.set_postfix_str(f"{sum(reached[-TOLD:]) / len(reached[-TOLD:]):.3f} bits/dim", refresh=False)
    return torch.tensor(reached)


@torch.no_grad()
def mean_bits(flow: ImageRealNVP, images: Tensor) -> float:
    """Return the mean bits/dim of images, with noise of a seed."""
    generator = torch.Generator().manual_seed(1)
    parts = [digit_bits_per_dim(flow, part, torch.rand(part.shape, generator=generator)) for part in images.split(100)]
    return torch.cat(parts).mean().item()


def made(root: str) -> shipped.Shipped:
    images = load_images("train", full=True, root=root).images
    test = load_images("test").images
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    generator, start = torch.Generator().manual_seed(SEED), time.process_time()
    flow = new_digit_flow()
    reached = fit(flow, images, generator)
    seconds = time.process_time() - start
    weights = {name: value.detach().half() for name, value in flow.state_dict().items()}
    flow.load_state_dict({name: value.float() for name, value in weights.items()})
    curve = (torch.arange(1, len(reached) // TOLD + 1) * TOLD, reached.reshape(-1, TOLD).mean(-1))
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    recipe = (
        f"ImageRealNVP(1, 28, 28, {HIDDEN_CHANNELS}, {SCALES}) with {parameters:,} parameters on the logits of the {len(images):,} training digits "
        f"of MNIST, {STEPS:,} steps of Adam, batches of {BATCH}, learning rate {RATE} falling to 0; seconds of one core"
    )
    figures = {
        "test digits (bits/dim)": mean_bits(flow, test[:TESTED]),
        "training digits (bits/dim)": mean_bits(flow, images[:TESTED]),
        "parameters": float(parameters),
    }
    return shipped.Shipped({**weights, **dict(zip(CURVE, curve, strict=True))}, recipe, SEED, seconds, figures)


def moons() -> shipped.Shipped:
    torch.manual_seed(SEED)
    generator, start = torch.Generator().manual_seed(SEED), time.process_time()
    flow = RealNVP(2, HIDDEN_DIM, COUPLINGS)
    optimizer = torch.optim.Adam(flow.parameters(), lr=MOONS_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / MOONS_STEPS)
    for _ in tqdm(range(MOONS_STEPS), mininterval=20):
        loss = -flow.log_prob(two_moons(256, SIGMA, generator)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    weights = {name: value.detach().half() for name, value in flow.state_dict().items()}
    flow.load_state_dict({name: value.float() for name, value in weights.items()})
    with torch.no_grad():
        gap = -flow.log_prob(two_moons(20_000, SIGMA, generator)).mean().item() - ENTROPIES[f"two moons, σ = {SIGMA}"]
    recipe = (
        f"RealNVP(2, {HIDDEN_DIM}, {COUPLINGS}) on two moons, σ = {SIGMA}, {MOONS_STEPS:,} steps of Adam on 256 fresh points, learning rate {MOONS_RATE} "
        "falling to 0; seconds of one core"
    )
    figures = {"above the entropy (nats)": gap}
    return shipped.Shipped(weights, recipe, SEED, time.process_time() - start, figures)


def main(root: str) -> None:
    shipped.save(MOONS_FILE, {MOONS: moons()})
    model = made(root)
    print(model)
    shipped.save(FLOW_FILE, {NAME: model})
    print(f"wrote {FLOW_FILE.name}, {FLOW_FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
