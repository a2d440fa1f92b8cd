"""The recipe of Burda, Grosse and Salakhutdinov (2016), one stochastic layer, beside their table 1.

784–200–200–50, tanh, stochastically binarised MNIST, batches of 20, Adam with epsilon 1e-4, and the learning rate
0.001 · 10^(-i/7) for 3^i passes over the data, i = 0, ..., 7: 3,280 passes in all. The test bound is estimated with
5,000 samples, in float32. On a CPU the first 4 stages, which is said in the table.

On a GPU all models train side by side, each in a stream of its own, in steps that are compiled and recorded as CUDA
graphs of 50 steps; matrix products there are in TensorFloat-32. With a checkpoint folder, a training stops after
--minutes and goes on from there when it is called again.

    python -m benchmarks.burda ROOT                     # ROOT holds the full MNIST in torchvision's layout
    python -m benchmarks.burda ROOT --stages 4 --k 1 --k 5
    python -m benchmarks.burda ROOT --minutes 8 --checkpoints FOLDER
    python -m benchmarks.burda ROOT --keep              # for the table of benchmarks.papers
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from benchmarks import results
from benchmarks.recipe import full_mnist, write_whole
from course_lib.data import DataError
from course_lib.devices import best_device, describe_device
from course_lib.vae import VAE

# Table 1, one stochastic layer: minus the test log-likelihood in nats.
PUBLISHED = {("VAE", 1): 86.76, ("VAE", 5): 86.47, ("VAE", 50): 86.35, ("IWAE", 5): 85.54, ("IWAE", 50): 84.78}
PAPER = "Burda, Grosse and Salakhutdinov 2016"
BATCH, LATENT, HIDDEN = 20, 50, 200
RECORDED = 50  # steps in one CUDA graph
WARM_UP = 3  # steps before it is recorded
console = Console()


def learning_rate(passes: int) -> float:
    """Return the learning rate of the pass that follows so many."""
    stage = next(i for i in range(9) if passes < passes_of(i + 1))
    return 1e-3 * 10 ** (-stage / 7)


def passes_of(stages: int) -> int:
    """Return how many passes over the data the first stages take."""
    return sum(3**i for i in range(stages))


class Training:
    """One model of the table on its way.

    Args:
        images: ``(n, 784)`` with values in [0, 1], on their device.
        kind: "VAE" or "IWAE".
        k: samples of the bound that is maximised.
    """

    def __init__(self, images: Tensor, kind: str, k: int) -> None:
        self.images, self.kind, self.k = images, kind, k
        self.device, self.on_gpu = images.device, images.device.type == "cuda"
        self.passes, self.seconds = 0, 0.0
        torch.manual_seed(0)
        self.model = VAE(784, HIDDEN, LATENT, hidden_layers=2).to(self.device)
        with torch.no_grad():  # the decoder starts at the mean image
            self.model.decoder[-1].bias.copy_(images.mean(0).clamp(1e-3, 1 - 1e-3).logit())
        self.rate = torch.tensor(learning_rate(0), device=self.device)  # a tensor: a graph reads it anew
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=self.rate, eps=1e-4, fused=True, capturable=self.on_gpu
        )
        self.generator = torch.Generator(self.device).manual_seed(0)
        bound = self.model.importance_weighted_bound if kind == "IWAE" else self.model.elbo
        self.bound: Callable[[Tensor, Tensor], Tensor] = torch.compile(bound) if self.on_gpu else bound
        self.order = torch.arange(len(images), device=self.device)
        self.start, self.ahead = torch.zeros((), dtype=torch.long, device=self.device), self.order[:BATCH].clone()
        self.stream = torch.cuda.Stream(self.device) if self.on_gpu else None
        self.graph: torch.cuda.CUDAGraph | None = None

    def step(self) -> None:
        """Take the batch at ``start`` in ``order``, and a step of Adam."""
        x = torch.bernoulli(self.images[self.order[self.start + self.ahead]], generator=self.generator)
        eps = torch.randn(self.k, BATCH, LATENT, generator=self.generator, device=self.device)
        self.optimizer.zero_grad()
        (-self.bound(x, eps).mean()).backward()
        self.optimizer.step()
        self.start += BATCH

    def record(self) -> None:
        """Write ``RECORDED`` steps down as a CUDA graph; what the steps before it taught is forgotten again."""
        weights = [p.detach().clone() for p in self.model.parameters()]
        torch.cuda.synchronize()
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP):
                self.step()
        torch.cuda.synchronize()
        with torch.no_grad():
            for mine, before in zip(self.model.parameters(), weights, strict=True):
                mine.copy_(before)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        with torch.cuda.graph(self.graph, stream=self.stream):
            for _ in range(RECORDED):
                self.step()

    def one_pass(self) -> None:
        """Go once through the data."""
        steps = len(self.images) // BATCH
        with torch.cuda.stream(self.stream) if self.stream else nullcontext():
            self.rate.fill_(learning_rate(self.passes))
            self.order.copy_(torch.randperm(len(self.order), generator=self.generator, device=self.device))
            self.start.zero_()
            for _ in range(steps // RECORDED if self.graph else 0):
                self.graph.replay()
            for _ in range(steps % RECORDED if self.graph else steps):
                self.step()
        if self.stream:
            self.stream.synchronize()
        self.passes += 1

    def run(self, passes: int, until: float) -> None:
        """Train to so many passes in all, or until the clock says so."""
        if self.on_gpu:
            torch.cuda.synchronize()
        before, began = self.seconds, time.monotonic()
        bar = tqdm(total=passes, initial=self.passes, desc=f"{self.kind} k = {self.k}", mininterval=10)
        with bar:
            while self.passes < passes and time.monotonic() < until:
                self.one_pass()
                self.seconds = before + time.monotonic() - began
                bar.update()

    def save(self, folder: Path) -> None:
        """Write whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "passes": self.passes,
            "seconds": self.seconds,
        }
        write_whole(state, self._file(folder))

    def resume(self, folder: Path) -> None:
        """Go on from the folder's file, if there is one: before the steps are recorded, or after."""
        if not self._file(folder).exists():
            return
        state = torch.load(self._file(folder), weights_only=True, map_location="cpu")
        self.model.load_state_dict(state["model"])
        with torch.no_grad():
            for index, parameter in enumerate(self.model.parameters()):
                for name, value in state["optimizer"]["state"][index].items():
                    # In place: a recorded step reads where it was recorded.
                    held = self.optimizer.state[parameter]
                    held[name] = held[name].copy_(value) if name in held else value.to(self.device)
        self.generator.set_state(state["generator"])
        self.passes, self.seconds = state["passes"], state["seconds"]

    def _file(self, folder: Path) -> Path:
        return folder / f"{self.kind}_{self.k}.pt"


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
    minutes: Annotated[float, typer.Option(help="Stop training after so many, compiling included.")] = 1e6,
    checkpoints: Annotated[Path | None, typer.Option(help="A folder to go on from.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the results for the README's table.")] = False,
) -> None:
    """Train each model and print its test bounds beside the paper's."""
    until = time.monotonic() + 60 * minutes
    device = best_device()
    stages = stages if stages is not None else 8 if device.type == "cuda" else 4
    try:
        data, unseen = (full_mnist(split, root) for split in ("train", "test"))
    except DataError as missing:
        raise typer.BadParameter(str(missing)) from missing
    images, test = data.flat().to(device), unseen.flat()[:tests].to(device)
    trainings = [Training(images, kind, number) for kind, number in PUBLISHED if not k or number in k]
    torch.set_float32_matmul_precision("high")
    for training in trainings:
        if device.type == "cuda":
            training.record()
        if checkpoints:
            training.resume(checkpoints)
    with ThreadPoolExecutor(len(trainings) if device.type == "cuda" else 1) as pool:
        list(pool.map(lambda training: training.run(passes_of(stages), until), trainings))
    torch.set_float32_matmul_precision("highest")
    shown = Table("model", "k", "passes", "test ELBO", f"bound, {samples} samples", "paper, 5000", "seconds")
    shown.title = f"of 3,280 passes, {len(test):,} test images, {describe_device(device)}"
    rows: list[results.Row] = []
    for training in trainings:
        if checkpoints:
            training.save(checkpoints)
        elbo, bound = test_bounds(training.model, test, samples)
        paper = f"{-PUBLISHED[training.kind, training.k]:.2f}"
        cells = (f"{training.passes}", f"{elbo:.2f}", f"{bound:.2f}", paper, f"{training.seconds:.0f}")
        shown.add_row(training.kind, str(training.k), *cells)
        rows.append(row_of(training, bound, elbo, f"{samples:,} samples, {len(test):,} test digits"))
    console.print(shown)
    if keep:
        results.keep(rows)


def row_of(training: Training, bound: float, elbo: float, how: str) -> results.Row:
    """Return what a training reached beside the paper's figure."""
    name, of_all = f"{training.kind}, k = {training.k}", f"{training.passes:,} of {passes_of(8):,} passes"
    theirs, device = -PUBLISHED[training.kind, training.k], describe_device(training.device)
    run = f"{of_all}; {how}; test ELBO {elbo:.2f}".replace("-", "−")
    return results.Row(PAPER, name, "MNIST, binarised", "nats", theirs, bound, run, device)


if __name__ == "__main__":
    typer.run(main)
