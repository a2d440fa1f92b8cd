"""Real images for every notebook: an embedded MNIST subset, and the full data sets on request.

Images are uint8 ``(n, channels, height, width)`` and stay so until a batch is used: a quarter of the
memory of float32, and quick to keep on a GPU.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

ASSETS = Path(__file__).parent / "assets"
SUBSET_FILE = ASSETS / "mnist_subset.npz"
CLOTHES_FILE = ASSETS / "fashion_ten.npz"  # made by scripts/make_fashion_ten.py
GALLERY_FILE = ASSETS / "gallery.npz"  # samples of models of the course, made by scripts/make_gallery.py
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
CACHE_VARIABLE = "LATENT_COURSE_DATA"
IDX_UINT8_MAGIC = 0x0800


class DataError(RuntimeError):
    """A data file is missing, truncated or corrupt; the message names the file and the remedy."""


@dataclass(frozen=True)
class ImageData:
    """Images with their labels.

    Attributes:
        images: uint8 ``(n, channels, height, width)``.
        labels: int64 ``(n,)``.
        name: what was loaded, for captions, such as ``"MNIST subset, train"``.
    """

    images: Tensor
    labels: Tensor
    name: str

    def __len__(self) -> int:
        return len(self.images)

    def flat(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the images as vectors ``(n, channels·height·width)`` with values in [0, 1]."""
        return self.images.flatten(1).to(dtype) / 255


def cache_directory() -> Path:
    """Return where downloads are kept: ``$LATENT_COURSE_DATA``, or ``~/.cache/latent-course``."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "latent-course").expanduser()


def load_images(
    split: Literal["train", "test"] = "train",
    *,
    full: bool = False,
    dataset: Literal["MNIST", "FashionMNIST"] = "MNIST",
    root: Path | str | None = None,
) -> ImageData:
    """Load images, at once and offline by default.

    Args:
        split: ``"train"`` or ``"test"``.
        full: ``False`` gives the embedded MNIST subset (10,000 and 2,000 images). ``True`` gives the whole
            data set through ``torchvision.datasets``, downloaded once with a progress bar.
        dataset: which full data set.
        root: where downloads are kept, :func:`cache_directory` by default.

    Returns:
        The images. If the download fails, or torchvision cannot be imported, the embedded subset
        comes back with a warning that says so.

    Raises:
        DataError: a file on disk is corrupt or truncated.
        ValueError: no such split or data set.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split is "train" or "test", not {split!r}')
    if dataset not in ("MNIST", "FashionMNIST"):
        raise ValueError(f'dataset is "MNIST" or "FashionMNIST", not {dataset!r}')
    if not full:
        if dataset != "MNIST":
            raise ValueError(f"only MNIST is embedded: ask for {dataset} with full=True")
        return _load_subset(split)
    return _load_full(split, dataset, Path(root) if root is not None else cache_directory())


def principal_directions(x: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return the mean of the data and the directions in which they vary most.

    Args:
        x: ``(n, dim)``.
        number: how many directions.

    Returns:
        The mean ``(dim,)`` and orthonormal columns ``(dim, number)``, the direction of largest variance first. A
        direction's sign is a convention: its entries add up to a positive number.
    """
    mean = x.mean(0)
    _, directions = torch.linalg.eigh((x - mean).T @ (x - mean))  # the smallest first
    directions = directions.flip(-1)[:, :number]
    return mean, directions * directions.sum(0).sign()


def load_clothes() -> ImageData:
    """Return ten test images of Fashion-MNIST, one of each class, in the order of :data:`CLOTHES`; embedded, offline.

    Raises:
        DataError: the file is missing or corrupt.
    """
    images, labels = read_asset(CLOTHES_FILE, ("images", "labels")).values()
    return ImageData(images.unsqueeze(1), labels.long(), "Fashion-MNIST, ten test images")


def read_asset(path: Path, names: Collection[str] | None = None) -> dict[str, Tensor]:
    """Read the arrays of one of the package's own files.

    Args:
        names: which of them; all by default.

    Raises:
        DataError: the file is missing or corrupt; the message says how to bring it back.
    """
    with telling_the_remedy(path), np.load(path) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in names or arrays.files}


@contextmanager
def telling_the_remedy(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while one of the package's own files is read into a DataError that says what to do."""
    try:
        yield
    except Exception as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}: {error}). It is part of the package: "
            "reinstall it with `pip install --force-reinstall --no-deps latent-course`, "
            "or in a clone bring it back with `git checkout -- course_lib/assets`."
        ) from error


def _load_subset(split: str, path: Path = SUBSET_FILE) -> ImageData:
    images, labels = read_asset(path, (f"{split}_images", f"{split}_labels")).values()
    return ImageData(images.unsqueeze(1), labels.long(), f"MNIST subset, {split}")


def _load_full(split: str, dataset: str, root: Path) -> ImageData:
    prefix = "train" if split == "train" else "t10k"
    raw = root / dataset / "raw"
    paths = [raw / f"{prefix}-images-idx3-ubyte", raw / f"{prefix}-labels-idx1-ubyte"]
    if not all(path.exists() for path in paths):
        try:
            # torchvision is imported late: it takes a second, and a build that does not match torch
            # fails with RuntimeError or AttributeError rather than ImportError.
            from torchvision import datasets

            getattr(datasets, dataset)(str(root), train=split == "train", download=True)
        except Exception as error:
            warnings.warn(
                f"The full {dataset} is not to be had ({type(error).__name__}: {error}). Going on with the "
                f"embedded MNIST subset. To use the full data, put torchvision's files into {raw}, "
                f"or set {CACHE_VARIABLE} to a folder that has them.",
                stacklevel=3,
            )
            return _load_subset(split)
    images, labels = (read_idx(path) for path in paths)
    if len(images) != len(labels):
        raise DataError(
            f"{paths[0]} has {len(images)} images but {paths[1]} has {len(labels)} labels: "
            "delete both files and run again to download them anew."
        )
    return ImageData(images.unsqueeze(1), labels.long(), f"{dataset}, {split}")


def read_idx(path: Path) -> Tensor:
    """Read a file in the IDX format of MNIST (unsigned bytes), checking its header against its size.

    Raises:
        DataError: it is missing, is not such a file, or its length differs from what the header says.
    """
    remedy = "Delete it and run again to download it anew."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). {remedy}") from error
    rank = content[3] if len(content) >= 4 else 0
    header = 4 + 4 * rank
    if int.from_bytes(content[:4], "big") != IDX_UINT8_MAGIC + rank or rank == 0 or len(content) < header:
        raise DataError(f"{path} is not an IDX file of unsigned bytes: corrupt, or still compressed. {remedy}")
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    if len(content) - header != math.prod(shape):
        raise DataError(
            f"{path} is truncated or corrupt: its header promises {math.prod(shape):,} bytes of data, "
            f"there are {len(content) - header:,}. {remedy}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).reshape(shape)
