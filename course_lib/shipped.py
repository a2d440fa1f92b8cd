"""Trained models that ship with the course, and how each came about.

A file holds one or several models by name. It is NumPy's ``.npz``, which ``np.load`` reads without this module; what is
known about the models (recipe, seed, seconds, figures) is JSON in the archive's comment, which ``unzip -z`` prints.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from course_lib.data import GALLERY_FILE, read_asset, telling_the_remedy


@dataclass(frozen=True)
class Shipped:
    """A model, or what was drawn from it.

    Attributes:
        arrays: tensors on the CPU, by name.
        recipe: model, data and training, in words.
        seed: of the training.
        seconds: what the training took.
        figures: what the model reached, by name; the name says data and unit.
    """

    arrays: dict[str, Tensor]
    recipe: str
    seed: int
    seconds: float
    figures: dict[str, float]

    def __str__(self) -> str:
        figures = "".join(f"{name}: {value:.5g}; " for name, value in self.figures.items())
        return f"{figures}{self.recipe}; {self.seconds:.0f} s, seed {self.seed}"


def save(path: Path, models: Mapping[str, Shipped]) -> None:
    """Write models to one file; the same models give the same bytes.

    >>> import torch
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "moons.npz"
    >>> save(path, {"NICE": Shipped({"c": torch.ones(2)}, "NICE(2, 8, 4) on two moons", 0, 7.2, {"log p(x) (nats)": -1.25})})
    >>> print(load(path)["NICE"])
    log p(x) (nats): -1.25; NICE(2, 8, 4) on two moons; 7 s, seed 0

    Raises:
        ValueError: a number that is told is not finite.
    """
    told: dict[str, dict[str, object]] = {}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, model in models.items():
            # An only array is called after its model: released notebooks read the gallery with np.load.
            members = {array: name if len(model.arrays) == 1 else f"{name}/{array}" for array in model.arrays}
            told[name] = {**vars(model), "arrays": members}
            for array, member in members.items():
                content = io.BytesIO()
                np.save(content, model.arrays[array].numpy())
                # A ZipInfo of its own carries no time of writing.
                archive.writestr(zipfile.ZipInfo(f"{member}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
        archive.comment = json.dumps(told, allow_nan=False).encode()
    path.write_bytes(whole.getvalue())


def load(path: Path) -> dict[str, Shipped]:
    """Read the models of a file, by name.

    Raises:
        DataError: it is missing or corrupt; the message says how to bring it back.
    """
    values = read_asset(path)
    with telling_the_remedy(path), zipfile.ZipFile(path) as archive:
        return {
            name: Shipped({array: values[member] for array, member in about.pop("arrays").items()}, **about)
            for name, about in json.loads(archive.comment).items()
        }


def load_gallery() -> dict[str, Shipped]:
    """Return samples of one model of each kind, uint8 ``(40, 28, 28)``, as the array ``samples``.

    >>> list(load_gallery())
    ['Gaussian mixture', 'VAE', 'NICE', 'Real-NVP']

    Raises:
        DataError: the file is missing or corrupt.
    """
    return load(GALLERY_FILE)
