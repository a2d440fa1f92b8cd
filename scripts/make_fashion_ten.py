"""Write ten images of Fashion-MNIST, course_lib/assets/fashion_ten.npz.

Contract: `python scripts/make_fashion_ten.py FOLDER` reads t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz in
FOLDER (Debian's package dataset-fashion-mnist puts them into /usr/share/datasets/fashion-mnist), takes the first test image
of each class, and writes them with their labels. The same input gives the same pixels; nothing is selected by hand.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

import numpy as np
from torch import Tensor

from course_lib.data import CLOTHES_FILE, read_idx


def unpacked(path: Path) -> Tensor:
    """Read a compressed IDX file."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        return read_idx(plain)


def main(folder: Path) -> None:
    images, labels = (unpacked(folder / f"t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    first = [int((labels == label).nonzero()[0]) for label in range(10)]
    np.savez_compressed(CLOTHES_FILE, images=images[first].numpy(), labels=labels[first].numpy())
    print(f"{CLOTHES_FILE.name}: {CLOTHES_FILE.stat().st_size:,} bytes, test images {first}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
