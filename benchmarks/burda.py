"""The recipe of Burda, Grosse and Salakhutdinov (2016), one stochastic layer, beside their table 1.

784–200–200–50, tanh, stochastically binarised MNIST, batches of 20, Adam with epsilon 1e-4, and the learning rate
0.001 · 10^(-i/7) for 3^i passes over the data, i = 0, ..., 7: 3,280 passes in all. The test bound is estimated with
5,000 samples. On a GPU all of it; on a CPU the first STAGES, which is said in the table.

    python -m benchmarks.burda ROOT                     # ROOT holds the full MNIST in torchvision's layout
    python -m benchmarks.burda ROOT --stages 4 --k 1 --k 5
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from course_lib.data import load_images
from course_lib.devices import best_device, describe_device
from course_lib.vae import VAE

# Table 1, one stochastic layer: minus the test log-likelihood in nats.
PUBLISHED = {("VAE", 1): 86.76, ("VAE", 5): 86.47, ("VAE", 50): 86.35, ("IWAE", 5): 85.54, ("IWAE", 50): 84.78}
BATCH, LATENT, HIDDEN = 20, 50, 200
console = Console()


def train(images: Tensor, kind: str, k: int, stages: int) -> VAE:
    """Follow the recipe on images ``(n, 784)`` with values in [0, 1], on their device."""
    device = images.device
    torch.manual_seed(0)
    model = VAE(784, HIDDEN, LATENT, hidden_layers=2).to(device)
    with torch.no_grad():  # the decoder starts at the mean image
        model.decoder[-1].bias.copy_(images.mean(0).clamp(1e-3, 1 - 1e-3).logit())
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-4, fused=device.type in ("cpu", "cuda"))
    generator = torch.Generator(device).manual_seed(0)
    objective = model.importance_weighted_bound if kind == "IWAE" else model.elbo
    objective = torch.compile(objective) if device.type == "cuda" else objective
    for stage in range(stages):
        optimizer.param_groups[0]["lr"] = 1e-3 * 10 ** (-stage / 7)
        for _ in tqdm(range(3**stage), desc=f"{kind} k = {k}, stage {stage}", leave=False):
            for batch in torch.randperm(len(images), generator=generator, device=device).split(BATCH):
                x = torch.bernoulli(images[batch], generator=generator)
                eps = torch.randn(k, len(x), LATENT, generator=generator, device=device)
                optimizer.zero_grad()
                (-objective(x, eps).mean()).backward()
                optimizer.step()
    return model


@torch.no_grad()
def test_bounds(model: VAE, images: Tensor, samples: int) -> tuple[float, float]:
    """Return the ELBO and the bound with ``samples`` samples, means over binarised test images, nats."""
    generator = torch.Generator(images.device).manual_seed(1)
    x = torch.bernoulli(images, generator=generator)
    elbos, tight = [], []
    for batch in x.split(20):
        eps = torch.randn(samples, len(batch), LATENT, generator=generator, device=images.device)
        elbos.append(model.elbo(batch, eps))
        tight.append(model.importance_weighted_bound(batch, eps))
    return torch.cat(elbos).mean().item(), torch.cat(tight).mean().item()


def main(
    root: Annotated[Path, typer.Argument(help="Where the full MNIST lies.")],
    stages: Annotated[int | None, typer.Option(help="How many of the 8 stages; all on a GPU, else 4.")] = None,
    k: Annotated[list[int] | None, typer.Option(help="Numbers of samples.")] = None,
    samples: Annotated[int, typer.Option(help="Samples of the test bound.")] = 5000,
    tests: Annotated[int, typer.Option(help="Test images.")] = 10_000,
) -> None:
    """Train each model and print its test bounds beside the paper's."""
    device = best_device()
    stages = stages if stages is not None else 8 if device.type == "cuda" else 4
    images = load_images("train", full=True, root=root).flat().to(device)
    test = load_images("test", full=True, root=root).flat()[:tests].to(device)
    passes = sum(3**i for i in range(stages))
    shown = Table("model", "k", "test ELBO", f"bound, {samples} samples", "paper, 5000", "seconds")
    shown.title = f"{passes} of 3,280 passes, {len(test):,} test images, {describe_device(device)}"
    for kind, number in PUBLISHED:
        if k and number not in k:
            continue
        began = time.monotonic()
        model = train(images, kind, number, stages)
        elbo, bound = test_bounds(model, test, samples)
        paper = f"{-PUBLISHED[kind, number]:.2f}"
        shown.add_row(kind, str(number), f"{elbo:.2f}", f"{bound:.2f}", paper, f"{time.monotonic() - began:.0f}")
        console.print(shown)


if __name__ == "__main__":
    typer.run(main)
