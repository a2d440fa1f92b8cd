"""Write samples, curve and figures of two Real-NVPs of CIFAR-10 to course_lib/assets/cifar_real_nvp.npz.

Contract: `python scripts/make_cifar_real_nvp.py CIFAR` trains the small one; `... CIFAR CHECKPOINT` takes the paper's, as
`python -m benchmarks.papers real-nvp CIFAR --checkpoint CHECKPOINT` left it. The other stays as it is in the file. CIFAR-10 is read
as course_lib.colour_images does. No image of it is written: samples of the model (uint8), bits/dim over the steps, recipe, seed,
seconds and figures. Nothing is selected by hand.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks import real_nvp as paper
from course_lib import shipped
from course_lib.colour_images import CIFAR_FLOW_FILE, load_colour_images
from course_lib.image_flows import ImageRealNVP
from course_lib.nice import dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform, logit_transform_inverse

SMALL, LARGE = "Real-NVP of CIFAR-10", "Real-NVP of CIFAR-10, the paper's recipe"
PAPER_TOLD = 200  # steps from one point of its curve to the next
STEPS, BATCH, RATE, WARM_UP, TOLD, SEED = 250, 50, 5e-3, 20, 25, 0
ALPHA, LEVELS, DIM, TESTED, SAMPLES = 0.05, 256, 3 * 32 * 32, 2000, 24


def bits(flow: ImageRealNVP, pixels: Tensor, generator: torch.Generator) -> Tensor:
    x, _ = dequantize(pixels.flatten(1), torch.rand(len(pixels), DIM, generator=generator), LEVELS)
    y, log_det = logit_transform(x.view(pixels.shape), ALPHA)
    return bits_per_dim(flow.log_prob(y) + log_det, DIM, LEVELS)


def trained(root: str, steps: int = STEPS) -> shipped.Shipped:
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


def of_checkpoint(root: str, file: Path) -> shipped.Shipped:
    images, test = (load_colour_images("CIFAR10", split, root).images for split in ("train", "test"))
    training = paper.real_nvp_training(images)
    training.resume(file)
    flow = training.model.eval()
    assert isinstance(flow, ImageRealNVP)
    nats, _ = training.measure(test[:TESTED])
    told = bits_per_dim(torch.tensor(nats), DIM, LEVELS).item()
    with torch.no_grad():
        drawn = logit_transform_inverse(flow.sample(SAMPLES, torch.Generator().manual_seed(SEED)), ALPHA)[0]
    each = PAPER_TOLD // training.look
    curve = bits_per_dim(torch.tensor(training.curve), DIM, LEVELS)
    curve = curve[: len(curve) // each * each].reshape(-1, each).mean(-1)
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    recipe = (
        f"ImageRealNVP(3, 32, 32, 64, 2, blocks=8) with {parameters:,} parameters by the recipe of Dinh et al. (2017), {training.steps:,} "
        f"steps of Adam, batches of {training.batch}, {training.passes:.0f} passes over the 50,000 training images of CIFAR-10 (Krizhevsky "
        "2009); seconds of an NVIDIA H200"
    )
    arrays = {
        "samples": (255 * drawn.clamp(0, 1)).round().byte(),
        "curve/steps": torch.arange(1, len(curve) + 1) * PAPER_TOLD,
        "curve/bits per dim": curve,
    }
    figures = {f"{TESTED:,} test images (bits/dim)": told, "parameters": float(parameters)}
    return shipped.Shipped(arrays, recipe, SEED, training.seconds, figures)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if len(sys.argv) == 2:
        made = {SMALL: trained(sys.argv[1])}
    else:
        made = {LARGE: of_checkpoint(sys.argv[1], Path(sys.argv[2]))}
    print(*made.values())
    shipped.save(CIFAR_FLOW_FILE, {**shipped.load(CIFAR_FLOW_FILE), **made})
