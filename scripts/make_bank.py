"""Write down what every known wrong answer gives on a check's visible inputs, for the checks to look it up.

Contract: `python scripts/make_bank.py` in the course's environment (part of `make build`). Writes course_lib/assets/mistakes.npz;
only exercises whose sources changed are tried again, a second or two each.
"""

from __future__ import annotations

import io
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from tqdm.auto import tqdm

from course_lib.answers import LocalAnswer
from course_lib.checker.bank import BANK_FILE, fingerprint, key
from course_lib.checker.candidates import candidates
from course_lib.checker.compare import observe
from course_lib.checker.exercise import Exercise
from course_lib.checker.review import undisturbed
from course_lib.checker.stages import visible_cases
from course_lib.exercises import TOPICS

SECONDS = 3.0  # that a candidate may take: one without an end must not stop the rest


def tried(place: tuple[str, int]) -> np.ndarray:
    """Return the fingerprints of an exercise's candidates, ``(candidates, 2)``; NaN for those that fail."""
    torch.set_num_threads(1)
    topic, index = place
    exercise = TOPICS[topic][index]
    assert isinstance(exercise, Exercise)
    rows = []
    with undisturbed(io.StringIO()):
        for candidate in candidates(exercise):
            answer = LocalAnswer(exercise.name, candidate.answer, SECONDS)
            mark = fingerprint([observe(exercise, answer, case) for case in visible_cases(exercise)])
            rows.append(torch.full((2,), torch.nan) if mark is None else mark)
    return torch.stack(rows).numpy().astype(np.float32)


def main() -> int:
    kept = {}
    if BANK_FILE.exists():
        with np.load(BANK_FILE) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
    places = {
        key(exercise): (topic, index)
        for topic, exercises in TOPICS.items()
        for index, exercise in enumerate(exercises)
        if isinstance(exercise, Exercise)
    }
    missing = [name for name in places if name not in kept]
    with ProcessPoolExecutor() as pool:
        found = list(tqdm(pool.map(tried, [places[name] for name in missing]), total=len(missing), disable=not missing))
    kept |= dict(zip(missing, found, strict=True))
    np.savez_compressed(BANK_FILE, **{name: kept[name] for name in sorted(places)})
    print(
        f"mistakes.npz: {len(missing)} exercises tried again, {sum(len(kept[n]) for n in places)} wrong answers known"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
