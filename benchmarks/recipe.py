"""A paper's training on its way: it is looked at now and then, stops at any time, and goes on from its file.

The images lie on the device as bytes, batches are chosen there, and nothing in a step makes the device wait for the host.
On a GPU a step is recorded once as a CUDA graph and replayed.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib.data import DataError, ImageData, cache_directory, load_images
from course_lib.training import _Captured

LogProb = Callable[[Tensor, torch.Generator], Tensor]
SAVE_EVERY = 60.0  # seconds: an interruption costs no more
MEASURED_AT_ONCE, ON_A_GPU = 200, 2000  # images


class Training:
    """Steps of an optimiser up the mean log-density of images.

    Args:
        name: of the model, for the bar and the file.
        model: on the device of the images.
        log_prob: maps images as bytes, ``(batch, channels, height, width)``, and a generator to log p(x), ``(batch,)``,
            nats, of x dequantized to [0, 1).
        optimizer: of the model's parameters, fused, and on a GPU capturable.
        images: uint8 ``(n, channels, height, width)``, on their device.
        batch: images in a step. A pass leaves out what does not fill one.
        look: steps from one look at the loss to the next; a look makes a GPU wait.
        held_out: images that choose the best model, at every look; without them the last one is kept.

    Attributes:
        steps, seconds: taken so far, in all calls.
        curve: the mean of log p(x) between two looks, nats, while the model was learning.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        log_prob: LogProb,
        optimizer: torch.optim.Optimizer,
        images: Tensor,
        batch: int,
        look: int,
        held_out: Tensor | None = None,
    ) -> None:
        self.name, self.model, self.log_prob, self.optimizer = name, model, log_prob, optimizer
        self.images, self.batch, self.look, self.held_out = images, batch, look, held_out
        self.steps, self.seconds = 0, 0.0
        self.curve: list[float] = []
        self.best: dict[str, Any] = {"log_prob": -math.inf, "model": {}}
        self.generator = torch.Generator(images.device).manual_seed(0)
        on_gpu = images.device.type == "cuda"
        self._step: Callable[[Tensor], Tensor] = _Captured(self._plain, self.generator) if on_gpu else self._plain
        self._pass = -1
        self._order = torch.empty(0)

    @property
    def passes(self) -> float:
        """How often every image was seen so far."""
        return self.steps / (len(self.images) // self.batch)

    def run(self, steps: int, until: float = math.inf, file: Path | None = None) -> None:
        """Go on to so many steps in all, rounded up to the next look, or until the clock says so.

        Args:
            until: of :func:`time.monotonic`.
            file: written at the end, and in between so that an interruption costs a minute.

        Raises:
            RuntimeError: log p(x) has become NaN.
        """
        self.model.train()
        saved = time.monotonic()
        with tqdm(total=steps, initial=self.steps, desc=self.name, unit="step", mininterval=5) as bar:
            while self.steps < steps and time.monotonic() < until:
                began, total = time.monotonic(), torch.zeros((), device=self.images.device)
                for index in range(self.steps, self.steps + self.look):
                    total += self._step(self.images[self._rows(index)])
                    bar.update()
                self.curve.append(total.item() / self.look)
                self.steps += self.look
                self.seconds += time.monotonic() - began
                bar.set_postfix_str(f"log p(x) {self.curve[-1]:.2f} nats")
                if math.isnan(self.curve[-1]):
                    raise RuntimeError(f"log p(x) became NaN before step {self.steps:,}")
                if self.held_out is not None:
                    self._compare(self.held_out)
                if file is not None and time.monotonic() - saved > SAVE_EVERY:
                    self.save(file)
                    saved = time.monotonic()
        if file is not None:
            self.save(file)

    def _plain(self, batch: Tensor) -> Tensor:
        log_prob = self.log_prob(batch, self.generator).mean()
        self.optimizer.zero_grad(set_to_none=True)
        (-log_prob).backward()
        self.optimizer.step()
        return log_prob.detach()

    def _rows(self, step: int) -> Tensor:
        """Return which images a step takes: an order of its own for each pass, the same after an interruption."""
        number, place = divmod(step, len(self.images) // self.batch)
        if number != self._pass:
            device = self.images.device
            own = torch.Generator(device).manual_seed(number)
            self._pass, self._order = number, torch.randperm(len(self.images), generator=own, device=device)
        return self._order[place * self.batch : (place + 1) * self.batch]

    def _compare(self, held_out: Tensor) -> None:
        reached, _ = self.measure(held_out)
        if reached > self.best["log_prob"]:
            copy = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self.best = {"log_prob": reached, "model": copy}

    @torch.no_grad()
    def measure(self, images: Tensor) -> tuple[float, float]:
        """Return the mean of log p(x) over images and its standard error, nats, with noise of a fixed seed."""
        learning = self.model.training
        self.model.eval()
        generator = torch.Generator(images.device).manual_seed(1)
        at_once = ON_A_GPU if images.device.type == "cuda" else MEASURED_AT_ONCE
        values = torch.cat([self.log_prob(part, generator) for part in images.split(at_once)]).double()
        self.model.train(learning)
        return values.mean().item(), values.std().item() / math.sqrt(len(values))

    def take_best(self) -> None:
        """Give the model the weights that were best on the images held out, if any were."""
        if self.held_out is not None and self.best["model"]:
            self.model.load_state_dict(self.best["model"])

    def save(self, file: Path) -> None:
        """Write whole or not at all."""
        write_whole(
            {
                "settings": self._settings,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
                "steps": self.steps,
                "seconds": self.seconds,
                "curve": self.curve,
                "best": self.best,
            },
            file,
        )

    def resume(self, file: Path) -> None:
        """Go on from a file, if it is there; before the first step.

        Raises:
            RuntimeError: it cannot be read, or belongs to another training.
        """
        if not file.exists():
            return
        try:
            state = torch.load(file, weights_only=True, map_location=self.images.device)
            if state["settings"] != self._settings:
                raise ValueError(f"it was written with {state['settings']}, here are {self._settings}")
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"].cpu())
        except Exception as error:
            why = str(error).partition(". ")[0]  # torch goes on with advice for files of strangers
            remedy = "Delete it to begin anew, or name another file."
            raise RuntimeError(f"The checkpoint {file} does not fit this training: {why}. {remedy}") from error
        self.steps, self.seconds, self.curve = state["steps"], state["seconds"], state["curve"]
        self.best = state["best"]

    @property
    def _settings(self) -> dict[str, Any]:
        return {"name": self.name, "images": len(self.images), "batch": self.batch, "look": self.look}


def write_whole(state: dict[str, Any], file: Path) -> None:
    """Write a checkpoint; a kill in between leaves the one before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    torch.save(state, part)
    part.replace(file)


def full_mnist(split: Literal["train", "test"], root: Path | None) -> ImageData:
    """Return the whole of MNIST, and never the embedded part of it.

    Raises:
        DataError: it is not there and cannot be downloaded; the message says what to do.
    """
    with warnings.catch_warnings(record=True):  # that it would go on with the embedded part
        data = load_images(split, full=True, root=root)
    if data.name != f"MNIST, {split}":
        folder = (root or cache_directory()) / "MNIST" / "raw"
        raise DataError(
            f"The full MNIST is not in {folder}, and could not be downloaded to it. Run again where there is a network, or "
            f"name the folder that holds MNIST/raw with torchvision's four files."
        )
    return data
