"""The frames of an explorer: its own picture at every position, kept as what differs from the picture it starts with.

A frame is drawn by the explorer's own pure function, as sharp as the live one at rest. Laid over the first, it is that
picture in 32 levels a channel: no pixel is off by more than 4 of 255, where the course's own pictures allow 8.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

import course_lib
from course_lib.explorers import EXPLORERS
from course_lib.plots import SHARP, render_pixels
from course_site.positions import positions_of

EXPLORER_BYTES = 1_500_000
AIM_BYTES = 1_100_000  # for the frames of one explorer: those of notebook 02, three of them, have to fit into a page
TRIED = 6  # frames that tell how large the others will be
LEVELS = 32  # halves the bytes
ROUNDED = np.round(np.round(np.arange(256) * (LEVELS - 1) / 255) * 255 / (LEVELS - 1)).astype(np.uint8)
AT_ONCE = 12  # frames that one worker draws before it takes others
UNSEEN_HERE = ("checker", "exercises", "challenges")  # of the library, what no picture follows from


@dataclass(frozen=True)
class Frames:
    """The files of an explorer's frames.

    Attributes:
        count: how many there were to be, about.
        first: the file of the picture it starts with.
        files: for each position, the file to lay over the first; ``None`` for the first itself.
        texts: for each position, the sentence that says what is seen.
        size: width and height at which a page shows the picture.
    """

    count: int
    first: str
    files: list[str | None]
    texts: list[str]
    size: tuple[int, int]


class TooLarge(Exception):
    """A picture or a page is larger than a reader should have to load; the message says which, and by how much."""


def picture(name: str, settings: dict[str, Any]) -> tuple[np.ndarray, str]:
    """Return an explorer's picture, ``(height, width, 4)``, and its sentence, as the live one shows them at rest."""
    figure, alt = EXPLORERS[name].frame(**settings)
    return render_pixels(figure, SHARP), alt


def over(first: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Return what differs from the first picture, and nothing elsewhere; all are ``(height, width, 4)``."""
    one, other = (np.ascontiguousarray(pixels).view(np.uint32) for pixels in (first, changed))
    return np.where(one != other, other, np.uint32(0)).view(np.uint8)


def webp(pixels: np.ndarray) -> bytes:
    """Return a picture in few bytes, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=30, method=1)
    return buffer.getvalue()


@lru_cache(maxsize=len(EXPLORERS))
def _first(name: str) -> np.ndarray:
    return ROUNDED[picture(name, EXPLORERS[name].defaults)[0]]


def frames_for(name: str, count: int) -> int:
    """Return how many frames of an explorer have about :data:`AIM_BYTES` together, at most ``count``."""
    settings = positions_of(EXPLORERS[name], count).settings()
    if len(settings) <= 2 * TRIED:
        return count
    some = settings[:: -(-len(settings) // TRIED)]
    sizes = [len(content) for content, _ in _draw((name, some)) if content]
    return min(count, int(AIM_BYTES * len(sizes) / sum(sizes)))


def _draw(work: tuple[str, list[dict[str, Any]]]) -> list[tuple[bytes | None, str]]:
    name, settings = work
    drawn = []
    for one in settings:
        pixels, alt = picture(name, one)
        differs = over(_first(name), ROUNDED[pixels])
        drawn.append((webp(differs) if differs.any() else None, alt))
    return drawn


def draw_all(folder: Path, count: int, workers: int) -> dict[str, Frames]:
    """Draw every explorer's frames into a folder of its name; what was drawn before from the same sources stays.

    Args:
        count: about how many frames an explorer may have.
        workers: processes that draw.
    """
    stamp = f"{_digest()} {count}"
    kept, listed = folder.with_suffix(".json"), {}
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["stamp"] == stamp:
        listed = found["frames"]
    else:
        listed = {name: vars(frames) for name, frames in _drawn(folder, count, workers)}
        kept.write_text(json.dumps({"stamp": stamp, "frames": listed}), encoding="utf-8")
    return {name: Frames(**frames) for name, frames in listed.items()}


def _drawn(folder: Path, count: int, workers: int) -> Iterator[tuple[str, Frames]]:
    drawn: dict[str, list[tuple[bytes | None, str]]] = {name: [] for name in EXPLORERS}
    # A forked child of a process that has used torch's threads may hang: each worker starts afresh.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        counts = dict(zip(EXPLORERS, pool.map(frames_for, EXPLORERS, repeat(count)), strict=True))
        settings = {name: positions_of(EXPLORERS[name], counts[name]).settings() for name in EXPLORERS}
        work = [(name, some[i : i + AT_ONCE]) for name, some in settings.items() for i in range(0, len(some), AT_ONCE)]
        for (name, _), part in zip(work, pool.map(_draw, work), strict=True):
            drawn[name] += part
    for name, frames in drawn.items():
        yield name, _written(folder / name, counts[name], _first(name), frames)


def _written(folder: Path, count: int, first: np.ndarray, drawn: list[tuple[bytes | None, str]]) -> Frames:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    picture = webp(first)
    contents = {_name(content): content for content in [picture, *(content for content, _ in drawn)] if content}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    height, width = (side // SHARP for side in first.shape[:2])
    return Frames(
        count, _name(picture), [_name(c) if c else None for c, _ in drawn], [a for _, a in drawn], (width, height)
    )


def _name(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()[:12]}.webp"


def _digest() -> str:
    """Return a digest of all that a frame may follow from."""
    root = Path(course_lib.__file__).parent
    sha = hashlib.sha256(f"{matplotlib.__version__} {np.__version__}".encode())
    for path in sorted(
        [*root.rglob("*.py"), *root.glob("assets/*.npz"), Path(__file__), Path(__file__).with_name("positions.py")]
    ):
        if not set(path.parts).intersection(UNSEEN_HERE) and path.name != "mistakes.npz":
            sha.update(path.read_bytes())
    return sha.hexdigest()


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
