"""A training step of the reference VAEs against pythae's, and against the floor of its matrix products.

The same architecture (784, HIDDEN tanh, LATENT; or two convolutions of stride 2 and back; Bernoulli pixels), the same
batch, the same optimiser, interleaved in one run; medians of many short rounds, reported as ratios. On a GPU our step is
also measured as it comes, compiled, and recorded as a CUDA graph, in bfloat16 and in float32 (torch.compile cannot read
pythae's outputs). pythae is not among the course's dependencies: install it
beside them (`pip install --no-deps pythae`), or the benchmark goes on without it and says so.

    python -m benchmarks.vae                # about two minutes on two cores
    python -m benchmarks.vae --readme       # and writes the table into README.md
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from benchmarks.readme import write_table
from course_lib.convolutional import ConvDecoder, ConvEncoder, ConvVAE
from course_lib.data import load_images
from course_lib.devices import best_device, describe_device
from course_lib.training import _step, elbo_objective, new_optimizer
from course_lib.vae import VAE

HIDDEN, LATENT = 400, 16
WIDTH = 16  # feature maps of the convolutional models
ROUNDS, STEPS = 25, 12
START, END = "<!-- benchmarks.vae{} -->", "<!-- end -->"


def our_step(data: Tensor, batch: int, latent: int = LATENT, **how: bool) -> Callable[[], object]:
    """Return the step that course_lib.training takes; on a GPU, captured, compiled, in bfloat16 or not."""
    torch.manual_seed(0)
    return _our_step(VAE(784, HIDDEN, latent), data, batch, **how)


def our_conv_step(data: Tensor, batch: int) -> Callable[[], object]:
    """Return the step that course_lib.training takes with the convolutional VAE."""
    torch.manual_seed(0)
    return _our_step(ConvVAE(1, WIDTH, LATENT), data, batch)


def _our_step(model: nn.Module, data: Tensor, batch: int, **how: bool) -> Callable[[], object]:
    model.to(data.device)
    optimizer = new_optimizer(model.parameters(), 1e-3, data.device)
    generator = torch.Generator(data.device).manual_seed(0)
    step = _step(model, elbo_objective(model), optimizer, generator, False, data.device, **how)
    return lambda: step(data[torch.randint(len(data), (batch,), generator=generator, device=data.device)])


def pythae_step(data: Tensor, batch: int, fused: bool) -> Callable[[], object] | None:
    """Return the step that pythae's trainer takes on its VAE with our layers, or None without pythae."""
    try:
        from pythae.models import VAE as TheirVAE
        from pythae.models import VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError:
        return None

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.mu, self.log_var = (
                nn.Linear(784, HIDDEN),
                nn.Linear(HIDDEN, LATENT),
                nn.Linear(HIDDEN, LATENT),
            )

        def forward(self, x: Tensor) -> Any:
            hidden = self.hidden(x.flatten(1)).tanh()
            return ModelOutput(embedding=self.mu(hidden), log_covariance=self.log_var(hidden))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 784), nn.Sigmoid())

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    torch.manual_seed(0)
    config = VAEConfig(input_dim=(784,), latent_dim=LATENT, reconstruction_loss="bce")
    model = TheirVAE(config, encoder=Encoder(), decoder=Decoder())
    return _their_step(model, data.float().flatten(1) / 255, batch, fused)


def pythae_conv_step(data: Tensor, batch: int, fused: bool) -> Callable[[], object] | None:
    """Return the step of pythae's VAE with the layers of our convolutional one, or None without pythae."""
    try:
        from pythae.models import VAE as TheirVAE
        from pythae.models import VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError:
        return None

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = ConvEncoder(1, WIDTH, LATENT)

        def forward(self, x: Tensor) -> Any:
            mu, log_var = self.layers(x)
            return ModelOutput(embedding=mu, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = ConvDecoder(1, WIDTH, LATENT)

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    torch.manual_seed(0)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
    model = TheirVAE(config, encoder=Encoder(), decoder=Decoder())
    return _their_step(model, data.float() / 255, batch, fused)


def _their_step(model: nn.Module, pixels: Tensor, batch: int, fused: bool) -> Callable[[], object]:
    """Return a step as pythae's trainer takes it; it wants pixels as floats."""
    model.to(pixels.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)

    def step() -> object:
        inputs = {"data": pixels[torch.randint(len(pixels), (batch,), device=pixels.device)]}
        optimizer.zero_grad()
        loss = model(inputs).loss
        loss.backward()
        optimizer.step()
        return loss

    return step


def floor_step(data: Tensor, batch: int) -> Callable[[], object]:
    """Return the matrix products of a step and no more: forward, gradients of weights, gradients of inputs."""
    layers = [(784, HIDDEN), (HIDDEN, 2 * LATENT), (LATENT, HIDDEN), (HIDDEN, 784)]
    made = [
        tuple(torch.randn(*shape, device=data.device) for shape in ((batch, a), (a, b), (batch, b))) for a, b in layers
    ]

    def step() -> object:
        for index, (x, weight, grad) in enumerate(made):
            torch.mm(x, weight)
            torch.mm(x.mT, grad)
            if index:  # nobody asks for the gradient of the images
                torch.mm(grad, weight.mT)
        return None

    return step


def seconds_of(contenders: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Return the median seconds of one step of each, in rounds that go through all of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(ROUNDS + 2):
        for name, step in contenders.items():
            _wait(device)
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            _wait(device)
            if round_ >= 2:  # the first warm up
                times[name].append((time.perf_counter() - began) / STEPS)
    return {name: statistics.median(values) for name, values in times.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def kept_bytes(batch: int, latent: int) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, parameters not counted."""
    model = VAE(784, HIDDEN, latent)
    own = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        bound = model.elbo(torch.rand(batch, 784), torch.randn(batch, latent))
    assert bound.shape == (batch,)
    return sum(kept.values())


def gpu_table(data: Tensor) -> str:
    """Return the table of a GPU's steps."""
    batches = (100, 500)
    ours = {
        "ours, recorded as a CUDA graph (`capture=True`)": {"captured": True},
        "the same, in float32": {"captured": True, "bfloat16": False},
        "the same, compiled before": {"captured": True, "compiled": True},
        "ours, compiled": {"compiled": True},
        "ours, as it comes": {},
    }
    theirs = {
        "pythae, same optimiser": {"fused": True},
        "pythae, as its trainer sets it": {"fused": False},
    }
    columns: list[dict[str, float]] = []
    for batch in batches:
        contenders = {name: our_step(data, batch, **{"compiled": False, **how}) for name, how in ours.items()}
        for name, how in theirs.items():
            if step := pythae_step(data, batch, **how):
                contenders[name] = step
        contenders["matrix products alone, as they come"] = floor_step(data, batch)
        columns.append(seconds_of(contenders, data.device))
    fastest = [min((c[name] for name in theirs if name in c), default=float("nan")) for c in columns]
    lines = [
        f"On {describe_device(data.device)}, torch {torch.__version__.split('+')[0]}; 784–{HIDDEN}–{LATENT}, Adam, median of {ROUNDS} rounds of {STEPS} steps; beside it the share of the fastest pythae's step:",
        "",
        f"| step | {' | '.join(f'batch {batch}' for batch in batches)} |",
        "| --- | ---: | ---: |",
    ]
    for name in columns[0]:
        cells = [f"{1e6 * c[name]:.0f} µs, {c[name] / f:.2f}" for c, f in zip(columns, fastest, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(data: Tensor) -> str:
    device = data.device
    lines = [
        f"On {describe_device(device)}, torch {torch.__version__.split('+')[0]}; 784–{HIDDEN}–{LATENT}, Adam, median of {ROUNDS} rounds of {STEPS} steps:",
        "",
        "| batch | ours | matrix products alone | pythae, same optimiser | pythae, as its trainer sets it |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for batch in (100, 500):
        contenders = {"ours": our_step(data, batch), "floor": floor_step(data, batch)}
        for name, fused in (("fused", True), ("default", False)):
            if step := pythae_step(data, batch, fused):
                contenders[name] = step
        seconds = seconds_of(contenders, device)
        ours = seconds["ours"]
        cells = [f"{1000 * ours:.2f} ms", f"{seconds['floor'] / ours:.2f} of it"]
        cells += [f"{seconds[n] / ours:.2f} times" if n in seconds else "not installed" for n in ("fused", "default")]
        lines.append(f"| {batch} | {' | '.join(cells)} |")
    lines += [
        "",
        f"The convolutional VAE, {WIDTH} and {2 * WIDTH} feature maps, {LATENT} latent dimensions:",
        "",
        "| batch | ours | pythae, same optimiser | pythae, as its trainer sets it |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for batch in (100, 500):
        contenders = {"ours": our_conv_step(data, batch)}
        for name, fused in (("fused", True), ("default", False)):
            if step := pythae_conv_step(data, batch, fused):
                contenders[name] = step
        seconds = seconds_of(contenders, device)
        cells = [f"{1000 * seconds['ours']:.2f} ms"]
        cells += [
            f"{seconds[n] / seconds['ours']:.2f} times" if n in seconds else "not installed"
            for n in ("fused", "default")
        ]
        lines.append(f"| {batch} | {' | '.join(cells)} |")
    lines += [
        "",
        "| batch, latent dimensions | step | for one image | kept for the backward pass |",
        "| ---: | ---: | ---: | ---: |",
    ]
    grid = [(20, 16), (100, 16), (500, 16), (2000, 16), (100, 2), (100, 128)]
    seconds = seconds_of({f"{b}, {k}": our_step(data, b, k) for b, k in grid}, device)
    for batch, latent in grid:
        name = f"{batch}, {latent}"
        lines.append(
            f"| {name} | {1000 * seconds[name]:.2f} ms | {1e6 * seconds[name] / batch:.0f} µs | {kept_bytes(batch, latent) / 1e6:.1f} MB |"
        )
    return "\n".join(lines)


def main(
    readme: Annotated[bool, typer.Option("--readme", help="Write the table into README.md.")] = False,
) -> None:
    """Measure, print the table, and put it into the README if asked."""
    data = load_images("train").images.to(best_device())
    on_gpu = data.device.type == "cuda"
    text = gpu_table(data) if on_gpu else table(data)
    print(text)
    if readme:
        write_table(START.format(" on a GPU" if on_gpu else ""), END, text)


if __name__ == "__main__":
    typer.run(main)
