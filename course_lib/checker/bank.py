"""What every known wrong answer gives on a check's own inputs, as two numbers: so a wrong answer is looked up, not tried.

The numbers ship with the course and are filed under a key made from the sources that they follow from. Where a source has
changed since, there is nothing under the new key: the check tries the likeliest candidates one by one, and takes longer.
What is looked up is tried all the same before it is told, so that the numbers decide about time alone.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType

import numpy as np
import torch
from torch import Tensor

from course_lib.checker.compare import Observation
from course_lib.checker.exercise import Exercise
from course_lib.checker.mutants import inherited

BANK_FILE = Path(__file__).resolve().parent.parent / "assets" / "mistakes.npz"
MAKES_CANDIDATES = ("candidates", "mutants", "changes", "words", "probes", "bank", "stages")
# What looks at an answer and tells of it: the numbers do not follow from that.
ONLY_JUDGE = {
    "course_lib.answers",
    "course_lib.not_finite",
    *(f"course_lib.checker.{name}" for name in ("exercise", "compare", "behaviour", "report", "extremes", "review")),
}
ODD = {"nan": 77.0, "posinf": 88.0, "neginf": -88.0}  # what stands for numbers that are none
TOLERANCE = 2e-5  # of the largest value; the stored numbers are float32
MOST = 1e30  # that float32 can bear the sum of


def fingerprint(observations: Sequence[Observation]) -> Tensor | None:
    """Return two weighted means of all values observed, ``(2,)``, or None where a call failed or returned nothing."""
    flat = _flat(observations)
    if flat is None:
        return None
    steps = torch.arange(1, len(flat) + 1, dtype=torch.float64)
    weights = torch.stack([torch.cos(steps * 2.399), torch.cos(steps * steps * 0.7548 + 1.0)])
    return (weights * flat).mean(1)


def _flat(observations: Sequence[Observation]) -> Tensor | None:
    values = [value.detach().double().cpu().flatten() for seen in observations for value in seen.values]
    if any(seen.failed for seen in observations) or not values or not sum(map(len, values)):
        return None
    return torch.cat(values).nan_to_num(**ODD).clamp(-MOST, MOST)


def alike(exercise: Exercise, observations: Sequence[Observation]) -> list[int] | None:
    """Return the places of the candidates that give what was observed on the visible inputs.

    None: nothing is known of this exercise as it stands now, or of an answer that failed.
    """
    mine, flat, kept = fingerprint(observations), _flat(observations), _read(BANK_FILE).get(key(exercise))
    if mine is None or flat is None or kept is None:
        return None
    width = 2 * (exercise.atol or 0.0) + TOLERANCE * (0.1 + flat.abs().max().item())
    return np.flatnonzero((np.abs(kept - mine.numpy()) <= width).all(1)).tolist()


@functools.lru_cache(maxsize=2)
def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the numbers by key; a check goes on without them where the file is missing or broken."""
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return {}


@functools.lru_cache(maxsize=500)
def key(exercise: Exercise) -> str:
    """Return the name under which the numbers of an exercise are filed: another one when a source has changed."""
    functions = [exercise.reference, *exercise.alternatives, exercise.probe, exercise.observe]
    functions += [misconception.answer for misconception in exercise.misconceptions]
    modules = {f"course_lib.checker.{name}" for name in MAKES_CANDIDATES}
    for function in functions:
        _collect(function.__module__, modules)
    for module in list(modules):
        for misconception in inherited(module):
            _collect(misconception.answer.__module__, modules)
    whole = hashlib.sha256(exercise.name.encode())
    for module in sorted(modules):
        whole.update(_source(module))
    return whole.hexdigest()[:16]


def _collect(module: str, modules: set[str]) -> None:
    """Add a module of the course, and those of its functions and classes, as far as they compute something."""
    if module in modules or not module.startswith("course_lib.") or module in ONLY_JUDGE:
        return
    modules.add(module)
    for used in list(vars(sys.modules[module]).values()):
        if isinstance(used, FunctionType | type):
            _collect(used.__module__, modules)


@functools.cache
def _source(module: str) -> bytes:
    file = getattr(sys.modules.get(module), "__file__", None)
    # Read as text: a clone on Windows has other line ends.
    return Path(file).read_text(encoding="utf-8").encode() if file else b""
