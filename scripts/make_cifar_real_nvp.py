"""Train a small Real-NVP on CIFAR-10 and write samples, curve and figures to course_lib/assets/cifar_real_nvp.npz.

Contract: `python scripts/make_cifar_real_nvp.py CIFAR [STEPS]` reads CIFAR-10 as course_lib.colour_images does. No image of it is
written: samples of the model (uint8), bits/dim over the steps, recipe, seed, seconds of one core and figures. Nothing is selected
by hand.
"""

from __future__ import annotations

import math
import sys
import time

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import shipped
from course_lib.colour_images import CIFAR_FLOW_FILE, load_colour_images
from course_lib.image_flows import ImageRealNVP
from course_lib.nice import dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform, logit_transform_inverse

STEPS, BATCH, RATE, WARM_UP, TOLD, SEED = 250, 50, 5e-3, 20, 25, 0
ALPHA, LEVELS, DIM, TESTED, SAMPLES = 0.05, 256, 3 * 32 * 32, 2000, 24


def bits(flow: ImageRealNVP, pixels: Tensor, generator: torch.Generator) -> Tensor:
    x, _ = dequantize(pixels.flatten(1), torch.rand(len(pixels), DIM, generator=generator), LEVELS)
    y, log_det = logit_transform(x.view(pixels.shape), ALPHA)
    return bits_per_dim(flow.log_prob(y) + log_det, DIM, LEVELS)


def made(root: str, steps: int) -> shipped.Shipped:
    images, test = (load_colour_images("CIFAR10", split, root).images for split in ("train", "test"))
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    generator, start = torch.Generator().manual_seed(SEED), time.process_time()
    flow = ImageRealNVP(3, 32, 32, hidden_channels=32, num_scales=2)
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2
    )
    reached = []
    for _ in tqdm(range(steps), mininterval=20):
        loss = bits(flow, images[torch.randint(len(images), (BATCH,), generator=generator)], generator).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        reached.append(loss.item())
    seconds = time.process_time() - start
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        told = torch.cat([bits(flow, part, noise) for part in test[:TESTED].split(100)]).mean().item()
        drawn = logit_transform_inverse(flow.sample(SAMPLES, torch.Generator().manual_seed(SEED)), ALPHA)[0]
    curve = torch.tensor(reached)[: steps // TOLD * TOLD].reshape(-1, TOLD).mean(-1)
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    recipe = (
        f"ImageRealNVP(3, 32, 32, 32, 2) with {parameters:,} parameters on the logits of the 50,000 training images of CIFAR-10 (Krizhevsky 2009), "
        f"{steps:,} steps of Adam, batches of {BATCH}, learning rate {RATE} falling to 0; seconds of one core"
    )
    arrays = {
        "samples": (255 * drawn.clamp(0, 1)).round().byte(),
        "curve/steps": torch.arange(1, len(curve) + 1) * TOLD,
        "curve/bits per dim": curve,
    }
    figures = {f"{TESTED:,} test images (bits/dim)": told, "parameters": float(parameters)}
    return shipped.Shipped(arrays, recipe, SEED, seconds, figures)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    model = made(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
    print(model)
    shipped.save(CIFAR_FLOW_FILE, {"Real-NVP of CIFAR-10": model})
