"""The open task of notebook 12: a score that is high for images unlike digits."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.challenges.challenge import Challenge
from course_lib.compared_models import kinds_of_images
from course_lib.comparing import detection
from course_lib.data import load_images

BATCH = 100


@lru_cache(maxsize=1)
def shuffled() -> tuple[Tensor, list[str], Tensor]:
    """Return all images mixed, bytes ``(n, 784)``, the names of their kinds, and which of them each is, ``(n,)``."""
    kinds = kinds_of_images()
    images = torch.cat(list(kinds.values()))
    of = torch.cat([torch.full((len(some),), i) for i, some in enumerate(kinds.values())])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(12))
    return images[order], list(kinds), of[order]


def measure(score: Any) -> float:
    """Return how often an unusual image scores higher than a digit, the mean over five kinds of unusual images.

    Args:
        score: maps bytes ``(batch, 784)`` to ``(batch,)``, higher where an image is more unusual.

    Raises:
        ValueError: it is no such function, or gives no number.
    """
    if not callable(score) or isinstance(score, nn.Module):
        raise ValueError("hand in a function from images (batch, 784) to scores (batch,), higher where more unusual")
    images, kinds, of = shuffled()
    parts = []
    with torch.no_grad():
        for batch in images.split(BATCH):
            values = score(batch.clone())
            if not isinstance(values, Tensor) or values.shape != (len(batch),):
                shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise ValueError(f"the score gives one number for each image, ({len(batch)},); yours gives {shape}")
            parts.append(values.double())
    scores = torch.cat(parts)
    if scores.isnan().any():
        raise ValueError("the score is nan for an image, which is no number to compare")
    shares = [detection(scores[of == 0], scores[of == i]) for i in range(1, len(kinds))]
    return torch.stack(shares).mean().item()


def record() -> Callable[[Tensor], Tensor]:
    """Return the course's score: 1 less the cosine of an image and the training digit most in its direction."""
    digits = load_images("train").flat()
    directions = digits / digits.norm(dim=1, keepdim=True)

    def score(pixels: Tensor) -> Tensor:
        ink = pixels.float() / 255
        # A blank sheet has no direction, and is like no digit.
        return 1 - (ink / ink.norm(dim=1, keepdim=True).clamp(min=1e-3) @ directions.T).max(1).values

    return score


CHALLENGE = Challenge(
    task="Write a score that is high for images unlike digits: mirrored digits, negatives, clothes, a blank sheet, a black one.",
    unit="of the pairs",
    higher_is_better=True,
    measure=measure,
    record=0.966,
    how="no density at all: 1 less the largest cosine between the image and any of the 10,000 embedded training digits.",
)
