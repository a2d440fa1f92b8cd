"""Write the embedded MNIST subset, course_lib/assets/mnist_subset.npz.

Contract: reads the full MNIST below the folder given as argument (torchvision's layout), takes every
sixth training image (10,000) and every fifth test image (2,000), and writes them, with their labels,
as one compressed file. The same input gives the same bytes of pixels; nothing else is touched.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from course_lib.data import SUBSET_FILE, read_idx


def main(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    arrays = {}
    for split, prefix, step in (("train", "train", 6), ("test", "t10k", 5)):
        arrays[f"{split}_images"] = read_idx(raw / f"{prefix}-images-idx3-ubyte")[::step].numpy()
        arrays[f"{split}_labels"] = read_idx(raw / f"{prefix}-labels-idx1-ubyte")[::step].numpy()
    np.savez_compressed(SUBSET_FILE, **arrays)
    shapes = {name: array.shape for name, array in arrays.items()}
    print(f"{SUBSET_FILE.name}: {SUBSET_FILE.stat().st_size / 1e6:.2f} MB, {shapes}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
