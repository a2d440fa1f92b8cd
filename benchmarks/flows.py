"""A training step and sampling of the course's NICE and Real-NVP against normflows and FrEIA, and the floor.

The same couplings (DIM entries, halves, HIDDEN × 2 units with ReLU, COUPLINGS of them), the same batch and optimiser,
interleaved in one run; medians of short rounds. The others are not among the course's dependencies:
install them beside it (`pip install --no-deps normflows FrEIA`); who is not there is left out, and said so.

    python -m benchmarks.flows               # some minutes on two cores
    python -m benchmarks.flows --readme      # and writes the table into README.md
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from torch import Tensor, nn

from course_lib.nice import NICE
from course_lib.real_nvp import RealNVP
from grading.course import ROOT

DIM, HIDDEN, COUPLINGS, BATCH = 784, 500, 4, 200
ROUNDS, STEPS = 15, 4
START, END = "<!-- benchmarks.flows -->", "<!-- end flows -->"
Step = Callable[[], object]
console = Console()


def trained(log_prob: Callable[[Tensor], Tensor], parameters: Any) -> Step:
    """Return one step of Adam up the mean of log p(x) of a fresh batch."""
    optimizer = torch.optim.Adam(parameters, lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(0)

    def step() -> object:
        x = torch.rand(BATCH, DIM, generator=generator)
        optimizer.zero_grad()
        (-log_prob(x).mean()).backward()
        optimizer.step()
        return None

    return step


def floor(outputs: int) -> Step:
    """Return the matrix products of a step and no more: forward, gradients of weights, gradients of inputs."""
    half = DIM // 2
    layers = [(half, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, outputs * half)] * COUPLINGS
    made = [tuple(torch.randn(*shape) for shape in ((BATCH, a), (a, b), (BATCH, b))) for a, b in layers]

    def step() -> object:
        for x, weight, grad in made:
            torch.mm(x, weight)
            torch.mm(x.mT, grad)
            torch.mm(grad, weight.mT)
        return None

    return step


def network(outputs: int) -> nn.Sequential:
    half = DIM // 2
    return nn.Sequential(
        nn.Linear(half, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs * half)
    )


def normflows_model() -> tuple[Callable[[Tensor], Tensor], Callable[[], Tensor], Any]:
    """Return log_prob, sampling and parameters of the same affine couplings in normflows."""
    import normflows

    layers = []
    for _ in range(COUPLINGS):
        layers += [
            normflows.flows.AffineCouplingBlock(network(2)),
            normflows.flows.Permute(DIM, mode="swap"),
        ]
    model = normflows.NormalizingFlow(normflows.distributions.DiagGaussian(DIM, trainable=False), layers)
    return model.log_prob, lambda: model.sample(BATCH)[0], model.parameters()


def freia_model() -> tuple[Callable[[Tensor], Tensor], Callable[[], Tensor], Any]:
    """Return the same in FrEIA, whose own default couplings transform both halves: here one half each."""
    from FrEIA.framework import SequenceINN
    from FrEIA.modules import GLOWCouplingBlock

    model = SequenceINN(DIM)
    for _ in range(COUPLINGS // 2):  # a block of theirs is two of ours
        model.append(
            GLOWCouplingBlock,
            subnet_constructor=lambda inward, outward: nn.Sequential(
                nn.Linear(inward, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outward)
            ),
        )

    def log_prob(x: Tensor) -> Tensor:
        z, log_det = model(x)
        return -0.5 * (z**2).sum(-1) + log_det

    return log_prob, lambda: model(torch.randn(BATCH, DIM), rev=True)[0], model.parameters()


PEERS = {"normflows": normflows_model, "FrEIA": freia_model}


def contenders() -> dict[str, tuple[Step, Step | None]]:
    """Return for each model its training step and its sampling."""
    made: dict[str, tuple[Step, Step | None]] = {}
    generator = torch.Generator().manual_seed(1)
    for name, model in (("NICE", NICE(DIM, HIDDEN, COUPLINGS)), ("Real-NVP", RealNVP(DIM, HIDDEN, COUPLINGS))):
        made[name] = trained(model.log_prob, model.parameters()), lambda model=model: model.sample(BATCH, generator)
        outputs = 1 if name == "NICE" else 2
        made[f"matrix products of {name}"] = floor(outputs), None
    for name, build in PEERS.items():
        if find_spec(name) is None:
            console.print(f"{name} is not installed: left out.")
            continue
        log_prob, sample, parameters = build()
        made[f"{name}, affine"] = trained(log_prob, parameters), sample
    return made


def seconds_of(steps: dict[str, Step]) -> dict[str, float]:
    """Return the median seconds of one step of each, in rounds that go through all of them."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(ROUNDS + 2):
        for name, step in steps.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            if round_ >= 2:  # the first warm up
                times[name].append((time.perf_counter() - began) / STEPS)
    return {name: statistics.median(values) for name, values in times.items()}


def table() -> str:
    made = contenders()
    training = seconds_of({name: train for name, (train, _) in made.items()})
    with torch.no_grad():
        sampling = seconds_of({name: sample for name, (_, sample) in made.items() if sample})
    rows = [
        f"On cpu ({torch.get_num_threads()} threads), torch {torch.__version__}; {DIM} entries, {COUPLINGS} couplings of {HIDDEN} × 2, "
        f"batch {BATCH}, Adam, median of {ROUNDS} rounds of {STEPS} steps:",
        "",
        "| | training step | drawing a batch |",
        "| --- | ---: | ---: |",
    ]
    for name, seconds in training.items():
        drawn = f"{1e3 * sampling[name]:.1f} ms" if name in sampling else ""
        rows.append(f"| {name} | {1e3 * seconds:.1f} ms | {drawn} |")
    return "\n".join(rows)


def main(readme: Annotated[bool, typer.Option(help="Write the table into README.md.")] = False) -> None:
    text = table()
    console.print(text)
    if readme:
        path = ROOT / "README.md"
        whole = path.read_text(encoding="utf-8")
        pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.S)
        path.write_text(pattern.sub(lambda _: f"{START}\n{text}\n{END}", whole), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
