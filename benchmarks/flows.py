"""A training step and sampling of the course's NICE and Real-NVP against FrEIA, nflows, normflows and zuko, and the floor.

The same couplings (DIM entries, halves, HIDDEN × 2 units with tanh, COUPLINGS of them, z ~ N(0, I)), the same batch and optimiser,
interleaved in one run; medians of short rounds, ratios to the fastest of the others. On a GPU our step is also measured
recorded as a CUDA graph, compiled before or not, in float32 and in bfloat16; the others run as they come. The others are not among the course's dependencies:
install them into a folder of their own (`pip install --no-deps --target PEERS FrEIA nflows normflows zuko scipy multipledispatch`)
and add it to PYTHONPATH; who is not there is left out, and said so.

    python -m benchmarks.flows               # some minutes on two cores
    python -m benchmarks.flows --readme      # and writes the table into README.md
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from torch import Tensor, nn

from benchmarks.readme import write_table
from course_lib.devices import best_device, describe_device
from course_lib.flows import Composition, flow_log_prob, sample_flow, standard_normal_log_prob
from course_lib.nice import AdditiveCoupling
from course_lib.real_nvp import AffineCoupling
from course_lib.training import _step, new_optimizer

DIM, HIDDEN, COUPLINGS, BATCH = 784, 500, 4, 200
ROUNDS, STEPS = 15, 2
START, END = "<!-- benchmarks.flows{} -->", "<!-- end flows{} -->"
# What a GPU is asked for, in the words of course_lib.training.
OURS: dict[str, dict[str, bool]] = {
    "ours, recorded as a CUDA graph (`capture=True`)": {"captured": True, "compiled": False},
    "the same, in float32": {"captured": True, "compiled": False, "bfloat16": False},
    "the same, compiled before": {"captured": True, "compiled": True, "bfloat16": False},
    "ours, as it comes": {"compiled": False, "bfloat16": False},
}
Step = Callable[[], object]
console = Console()


def trained(log_prob: Callable[[Tensor], Tensor], parameters: Any, device: torch.device) -> Step:
    """Return one step of Adam up the mean of log p(x) of a fresh batch."""
    optimizer = torch.optim.Adam(parameters, lr=1e-4, fused=True)
    generator = torch.Generator(device).manual_seed(0)

    def step() -> object:
        x = torch.rand(BATCH, DIM, generator=generator, device=device)
        optimizer.zero_grad()
        (-log_prob(x).mean()).backward()
        optimizer.step()
        return None

    return step


def our_step(kind: type[nn.Module], device: torch.device, **how: bool) -> Step:
    """Return the step that course_lib.training takes with a flow of such couplings."""
    flow = composed(kind).to(device)
    generator = torch.Generator(device).manual_seed(0)
    optimizer = new_optimizer(flow.parameters(), 1e-4, device)
    step = _step(flow, lambda x, _: log_prob_of(flow, x), optimizer, generator, False, device, **how)
    return lambda: step(torch.rand(BATCH, DIM, generator=generator, device=device))


def composed(kind: type[nn.Module]) -> Composition:
    """Return our couplings, without the scaling at the end, which the others have not."""
    return Composition([kind(DIM, HIDDEN, bool(i % 2)) for i in range(COUPLINGS)])


def log_prob_of(flow: Composition, x: Tensor) -> Tensor:
    return flow_log_prob(flow, x, standard_normal_log_prob)


def floor(outputs: int, device: torch.device) -> Step:
    """Return the matrix products of a step and no more: forward, gradients of weights, gradients of inputs."""
    half = DIM // 2
    layers = [(half, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, outputs * half)] * COUPLINGS
    shapes = [((BATCH, a), (a, b), (BATCH, b)) for a, b in layers]
    made = [tuple(torch.randn(*shape, device=device) for shape in of_layer) for of_layer in shapes]

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
        nn.Linear(half, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs * half)
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
                nn.Linear(inward, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outward)
            ),
        )

    def log_prob(x: Tensor) -> Tensor:
        z, log_det = model(x)
        return -0.5 * (z**2).sum(-1) + log_det

    return log_prob, lambda: model(torch.randn(BATCH, DIM), rev=True)[0], model.parameters()


def nflows_model(additive: bool) -> tuple[Callable[[Tensor], Tensor], Callable[[], Tensor], Any]:
    """Return the same in nflows, affine or additive."""
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.transforms import AdditiveCouplingTransform, AffineCouplingTransform, CompositeTransform

    class Conditioner(nn.Module):
        def __init__(self, outward: int) -> None:
            super().__init__()
            self.layers = network(outward // (DIM // 2))

        def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
            return self.layers(kept)

    kind = AdditiveCouplingTransform if additive else AffineCouplingTransform
    masks = [torch.arange(DIM) % 2 == i % 2 for i in range(COUPLINGS)]
    layers = [kind(mask.int(), lambda inward, outward: Conditioner(outward)) for mask in masks]
    model = Flow(CompositeTransform(layers), StandardNormal([DIM]))
    return model.log_prob, lambda: model.sample(BATCH), model.parameters()


def zuko_model(additive: bool) -> tuple[Callable[[Tensor], Tensor], Callable[[], Tensor], Any]:
    """Return the same in zuko, whose NICE has affine couplings: additive ones are built of its general class."""
    import zuko

    sizes: dict[str, Any] = {"hidden_features": (HIDDEN, HIDDEN), "activation": nn.Tanh}
    masks = [torch.arange(DIM) % 2 == i % 2 for i in range(COUPLINGS)]
    how: dict[str, Any] = {"univariate": zuko.transforms.AdditiveTransform, "shapes": [()]} if additive else {}
    layers = [zuko.flows.coupling.GeneralCouplingTransform(DIM, mask=mask, **how, **sizes) for mask in masks]
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal, torch.zeros(DIM), torch.ones(DIM), buffer=True
    )
    model = zuko.flows.Flow(layers, base)
    return lambda x: model().log_prob(x), lambda: model().sample((BATCH,)), model.parameters()


# Each builds on torch's default device.
Built = tuple[Callable[[Tensor], Tensor], Callable[[], Tensor], Any]
PEERS: dict[str, dict[str, Callable[[], Built]]] = {
    "NICE": {"nflows": lambda: nflows_model(True), "zuko": lambda: zuko_model(True)},
    "Real-NVP": {
        "FrEIA": freia_model,
        "nflows": lambda: nflows_model(False),
        "normflows": normflows_model,
        "zuko": lambda: zuko_model(False),
    },
}


def contenders(kind: str, device: torch.device) -> dict[str, tuple[Step, Step | None]]:
    """Return for each model of a kind its training step and its sampling, where it has one: ours, the floor, the others."""
    generator = torch.Generator(device).manual_seed(1)
    coupling = {"NICE": AdditiveCoupling, "Real-NVP": AffineCoupling}[kind]
    flow = composed(coupling).to(device)
    draw: Step = lambda: sample_flow(flow, BATCH, DIM, generator)  # noqa: E731
    made: dict[str, tuple[Step, Step | None]] = {}
    if device.type == "cuda":
        for name, how in OURS.items():
            made[name] = our_step(coupling, device, **how), draw if name == "ours, as it comes" else None
    else:
        made["ours"] = trained(lambda x: log_prob_of(flow, x), flow.parameters(), device), draw
    made["matrix products alone"] = floor(1 if kind == "NICE" else 2, device), None
    for name, build in PEERS[kind].items():
        if find_spec(name) is None:
            console.print(f"{name} is not installed: left out.")
            continue
        with device:
            log_prob, sample, parameters = build()
        made[name] = trained(log_prob, parameters, device), on(device, sample)
    return made


def on(device: torch.device, sample: Step) -> Step:
    """Return a sampling whose new tensors lie on a device: some of the others ask for none."""

    def drawn() -> object:
        with device:
            return sample()

    return drawn if device.type == "cuda" else sample


def seconds_of(steps: dict[str, Step], device: torch.device) -> dict[str, float]:
    """Return the median seconds of one step of each, in rounds that go through all of them."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for round_ in range(ROUNDS + 3):
        for name, step in steps.items():
            wait()
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            wait()
            if round_ >= 3:  # the first warm up
                times[name].append((time.perf_counter() - began) / STEPS)
    return {name: statistics.median(values) for name, values in times.items()}


def table(device: torch.device) -> str:
    rows = [
        f"On {describe_device(device)}, torch {torch.__version__.split('+')[0]}; {DIM} entries, {COUPLINGS} couplings of {HIDDEN} × 2 units, "
        f"batch {BATCH}, Adam, median of {ROUNDS} rounds of {STEPS} steps; beside it the share of the fastest other's time:",
        "",
        "| couplings | whose | training step | drawing a batch |",
        "| --- | --- | ---: | ---: |",
    ]
    for kind in PEERS:
        made = contenders(kind, device)
        training = seconds_of({name: train for name, (train, _) in made.items()}, device)
        with torch.no_grad():
            sampling = seconds_of({name: sample for name, (_, sample) in made.items() if sample}, device)
        columns = [training, sampling]
        fastest = [min((c[n] for n in PEERS[kind] if n in c), default=float("nan")) for c in columns]
        for name in made:
            cells = [
                f"{1e3 * c[name]:.{1 if device.type == 'cpu' else 2}f} ms, {c[name] / best:.2f}" if name in c else ""
                for c, best in zip(columns, fastest, strict=True)
            ]
            rows.append(f"| {'additive' if kind == 'NICE' else 'affine'} | {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main(readme: Annotated[bool, typer.Option(help="Write the table into README.md.")] = False) -> None:
    device = best_device()
    text = table(device)
    print(text)
    if readme:
        where = " on a GPU" if device.type == "cuda" else ""
        write_table(START.format(where), END.format(where), text)


if __name__ == "__main__":
    typer.run(main)
