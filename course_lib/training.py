"""Training a model by maximising its bound, and measuring the bound on data it has not seen.

The data stay on the device as they came (bytes, for images); nothing in a step makes the device wait for the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_lib.devices import best_device

Objective = Callable[[Tensor, torch.Generator], Tensor]
SHOW_EVERY = 0.5  # seconds between two looks at the running bound: each makes a GPU wait


@dataclass
class History:
    """What a training did.

    Attributes:
        bounds: the mean bound of each epoch, nats, on the training data while it was learning.
        seconds: what the epochs took.
        interrupted: whether it was stopped by hand; the model keeps what it had learned.
    """

    bounds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def epochs(self) -> int:
        return len(self.bounds)

    def __str__(self) -> str:
        if not self.bounds:
            return "Not one pass over the data was finished."
        passes = "1 pass" if self.epochs == 1 else f"{self.epochs} passes"
        change = f"the mean bound went from {self.bounds[0]:.0f} to {self.bounds[-1]:.0f} nats"
        return f"{passes} in {self.seconds:.0f} s; {change}"


def elbo_objective(model: Any) -> Objective:
    """Return the objective of a model with ``elbo(x, eps)`` and ``latent_dim``: one sample for each data point."""

    def objective(x: Tensor, generator: torch.Generator) -> Tensor:
        eps = torch.randn(len(x), model.latent_dim, generator=generator, device=x.device, dtype=x.dtype)
        return model.elbo(x, eps)

    return objective


def train(
    model: nn.Module,
    data: Tensor,
    *,
    epochs: int,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    objective: Objective | None = None,
    binarize: bool = False,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    device: torch.device | str | None = None,
    capture: bool = False,
    progress: bool = True,
) -> History:
    """Maximise the mean of an objective over data with Adam, and return what happened.

    Stop it when you have seen enough (in a notebook: the button with the square): the model keeps what it has
    learned. The same seed on the same machine gives the same model. On a GPU the objective is compiled, and
    computed in bfloat16 where the GPU has it.

    Args:
        model: moved to the device; its parameters are trained in place.
        data: ``(n, ...)``; bytes are read as pixels and divided by 255, then flattened to ``(batch, dim)``.
        epochs: in all, those before an interruption included where a checkpoint goes on.
        objective: maps a batch and a generator to one bound for each data point, ``(batch,)``;
            :func:`elbo_objective` by default.
        binarize: draw each pixel as 0 or 1 with its grey value for probability, anew in every step
            (Salakhutdinov and Murray 2008).
        checkpoint: a file written after every epoch; if it is there, training goes on from it.
        device: :func:`course_lib.devices.best_device` by default.
        capture: on a GPU, record a step once as a CUDA graph and replay it, instead of compiling. For objectives made of
            tensor operations alone: what Python decides in a step, a weight that grows from step to step for instance,
            stays as it was. On a CPU it changes nothing.
        progress: show a bar with the running bound.

    Raises:
        ValueError: the data hold NaN, or what the model's likelihood cannot explain; a setting is out of range.
        RuntimeError: the bound has become NaN, the checkpoint belongs to another training, or the objective cannot be
            captured.
    """
    check_data(data)
    check_more = getattr(model, "check_data", None)
    if callable(check_more):
        check_more(data)
    if len(data) < 2:
        raise ValueError("training needs at least 2 data points, in (n, ...)")
    if not 1 <= batch_size <= len(data) or epochs < 0:
        raise ValueError(f"batch_size lies between 1 and the {len(data)} data points, epochs at 0 or above")
    device = torch.device(device) if device is not None else best_device()
    model.to(device).train()
    data = data.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    optimizer = new_optimizer(model.parameters(), learning_rate, device)
    history = History()
    settings = {"seed": seed, "batch_size": batch_size, "learning_rate": learning_rate, "n": len(data)}
    saved = Path(checkpoint) if checkpoint is not None else None
    if saved is not None and saved.exists():
        history = _resume(saved, model, optimizer, generator, settings)
    step = _step(
        model,
        objective or elbo_objective(model),
        optimizer,
        generator,
        binarize,
        device,
        captured=capture,
        compiled=not capture,
    )

    steps = len(data) // batch_size
    bar = tqdm(total=epochs * steps, initial=history.epochs * steps, disable=not progress, unit="step", leave=False)
    try:
        while history.epochs < epochs:
            began = time.monotonic()
            order = torch.randperm(len(data), generator=generator, device=device)
            total, shown = torch.zeros((), device=device), began
            for index in range(steps):
                total += step(data[order[index * batch_size : (index + 1) * batch_size]])
                bar.update()
                if progress and time.monotonic() - shown > SHOW_EVERY:
                    shown = time.monotonic()
                    mean = total.item() / (index + 1)
                    bar.set_postfix_str(f"epoch {history.epochs + 1} of {epochs}, bound {mean:.2f} nats")
            history.bounds.append(total.item() / steps)
            # Drawn when the bar is next due: hundreds of short epochs a second are more than a notebook's server passes on.
            shows = f"epoch {history.epochs} of {epochs}, bound {history.bounds[-1]:.2f} nats"
            bar.set_postfix_str(shows, refresh=history.epochs == epochs)
            history.seconds += time.monotonic() - began
            if history.bounds[-1] != history.bounds[-1]:
                raise RuntimeError(
                    f"the bound became NaN in epoch {history.epochs}: try a smaller learning_rate than {learning_rate}, "
                    "and look for a log or a division of something that can be zero"
                )
            if saved is not None:
                _save(saved, model, optimizer, generator, settings, history)
    except KeyboardInterrupt:
        history.interrupted = True
        print(f"Stopped by hand in epoch {history.epochs + 1} of {epochs}: the model keeps what it has learned.")
    finally:
        bar.close()
        model.eval()
    return history


def new_optimizer(parameters: Any, learning_rate: float, device: torch.device) -> torch.optim.Adam:
    """Return the Adam that :func:`train` takes its steps with, of parameters or of groups of them."""
    on_gpu = device.type == "cuda"
    return torch.optim.Adam(parameters, lr=learning_rate, fused=on_gpu or device.type == "cpu", capturable=on_gpu)


def _step(
    model: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    binarize: bool,
    device: torch.device,
    *,
    captured: bool = False,
    compiled: bool = True,
    bfloat16: bool = True,
) -> Callable[[Tensor], Tensor]:
    """Return the function that takes one step on a batch and gives the batch's mean bound, still on the device.

    Args:
        captured, compiled, bfloat16: what a GPU is asked for; a CPU does none of it.
    """
    on_gpu = device.type == "cuda"
    # Compiling takes half a minute and more; on a CPU these small networks never win it back.
    compute = torch.compile(objective) if on_gpu and compiled else objective
    # GPUs before Ampere have bfloat16 in emulation only, slower than float32.
    halves = on_gpu and bfloat16 and torch.cuda.get_device_capability(device) >= (8, 0)

    def step(batch: Tensor) -> Tensor:
        x = as_pixels(batch)
        if binarize:
            x = torch.bernoulli(x, generator=generator)
        with torch.autocast("cuda", torch.bfloat16) if halves else nullcontext():
            bound = compute(x, generator).mean()
        optimizer.zero_grad(set_to_none=True)
        (-bound).backward()
        optimizer.step()
        return bound.detach()

    return _Captured(step, generator) if on_gpu and captured else step


class _Captured:
    """A step recorded once as a CUDA graph: a hundred launches become one.

    The first steps are taken as they are: compiling, and what an optimiser makes at its first step, happens there.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        self._step, self._generator = step, generator
        self._taken = 0
        self._stream = torch.cuda.Stream(generator.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Tensor) -> Tensor:
        if self._taken < self.WARM_UP:
            self._taken += 1
            now = torch.cuda.current_stream(self._generator.device)
            self._stream.wait_stream(now)
            with torch.cuda.stream(self._stream):
                bound = self._step(batch)
            now.wait_stream(self._stream)
            return bound
        if self._graph is None:
            self._batch = batch.clone()
            self._graph = torch.cuda.CUDAGraph()
            self._graph.register_generator_state(self._generator)
            try:
                with torch.cuda.graph(self._graph, stream=self._stream):
                    self._bound = self._step(self._batch)
            except RuntimeError as error:
                raise RuntimeError(
                    f"this objective cannot be recorded as a CUDA graph: {str(error).splitlines()[0]}. Does it look at a "
                    "number (.item(), print, if)? Train with capture=False."
                ) from error
        self._batch.copy_(batch)
        self._graph.replay()
        return self._bound


def as_pixels(batch: Tensor) -> Tensor:
    """Return a batch as floats ``(batch, dim)``; bytes are divided by 255."""
    return (batch.float() / 255 if batch.dtype == torch.uint8 else batch).flatten(1)


def check_data(data: Tensor) -> None:
    """Look once at data, before any step.

    Raises:
        ValueError: NaN, or a dtype that is neither bytes nor floats.
    """
    if data.dtype == torch.uint8:
        return
    if not data.is_floating_point():
        raise ValueError(f"data of dtype {data.dtype}: give images as uint8, or as floats in [0, 1]")
    if bool(data.isnan().any()):
        first = data.flatten(1).isnan().any(1).nonzero()[0].item()
        raise ValueError(f"the data hold NaN, first in data point {first}")


@torch.no_grad()
def mean_bound(objective: Objective, data: Tensor, *, batch_size: int = 200, seed: int = 0) -> float:
    """Return the mean of an objective over data, nats: :func:`train`'s counterpart for test sets.

    Args:
        objective: maps a batch and a generator to ``(batch,)``.
        data: as in :func:`train`, on the device of the model.
    """
    generator = torch.Generator(data.device).manual_seed(seed)
    bounds = [objective(as_pixels(batch), generator) for batch in data.split(batch_size)]
    return torch.cat(bounds).mean().item()


def _save(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    settings: dict[str, Any],
    history: History,
) -> None:
    """Write whole or not at all: a kill in between leaves the epoch before."""
    part = path.with_name(path.name + ".part")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        "settings": settings,
        "history": asdict(history),
    }
    torch.save(state, part)
    part.replace(path)


def _resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    settings: dict[str, Any],
) -> History:
    """Bring back an earlier state.

    Raises:
        RuntimeError: the file cannot be read, or belongs to another training.
    """
    remedy = f"Delete {path} to begin anew, or give another checkpoint."
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["settings"] != settings:
            changed = ", ".join(key for key in settings if state["settings"].get(key) != settings[key])
            raise RuntimeError(f"it was written with another {changed}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        return History(**{**state["history"], "interrupted": False})
    except Exception as error:
        raise RuntimeError(f"The checkpoint {path} does not fit this training: {error}. {remedy}") from error
