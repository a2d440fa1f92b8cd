"""A derivation to complete: the variance that the closed-form KL takes out; held against the variances themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.gradients import variance_saved


def _saved_probe(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    n = draw.sizes.batch
    samples = torch.tensor([2.0 + draw.integer(9) for _ in range(n)]).to(draw.device, draw.dtype)
    return 4 * draw.positive(n), draw.positive(n), samples


def _agrees_with_samples(answer: Answer, draw: Draw) -> str | None:
    """The two gradients at sixty thousand samples, M = 1."""
    h, sigma, _ = _saved_probe(draw)
    one = torch.ones_like(h)
    (value,) = tensors_from(answer.call(h, sigma, one))
    if value.shape != h.shape:
        return None
    generator = torch.Generator().manual_seed(0)
    z = 0.4 + sigma * torch.randn(60_000, len(h), generator=generator, dtype=h.dtype)
    sampled, formula = (-h * (z - 1) - z).var(0), (-h * (z - 1) - 0.4).var(0)
    measured = sampled - formula
    wrong = (value - measured).abs() > 0.1 * measured
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0, 0])
        return (
            f"Measured at h = {h[at].item():.2f}, sigma = {sigma[at].item():.2f} and M = 1, the formula takes out a variance of "
            f"about {measured[at].item():.2f}; yours says {value[at].item():.2f}."
        )
    return None


EXERCISE = Exercise(
    reference=variance_saved,
    points=2,
    returns={"variance": "(batch,)"},
    convention="Var[-h (z - a) - z] - Var[-h (z - a) - mu], for the mean of M samples z = mu + sigma · eps; (batch,).",
    probe=_saved_probe,
    misconceptions=(
        Misconception(
            "variance of the prior's term alone",
            "That is the variance of the prior's own gradient, -z: it comes with the likelihood's from the same z, and variances "
            "of dependent terms do not add. Subtract the squares, (h + 1)² - h².",
            lambda h, sigma, samples: sigma**2 / samples,
        ),
        Misconception(
            "mixed term once",
            "(h + 1)² - h² is not h + 1: the mixed term counts twice.",
            lambda h, sigma, samples: (h + 1) * sigma**2 / samples,
        ),
        Misconception(
            "one missing",
            "(h + 1)² - h² is not 2h: where the decoder ignores z, h = 0, the formula still takes the prior's noise out.",
            lambda h, sigma, samples: 2 * h * sigma**2 / samples,
        ),
        Misconception(
            "with log p(z) sampled",
            "That is the variance with log p(z) sampled: what the formula leaves, h² sigma²/M, is subtracted.",
            lambda h, sigma, samples: (h + 1) ** 2 * sigma**2 / samples,
        ),
        Misconception(
            "what is left",
            "That is the variance that stays: what is asked for is the difference of the two.",
            lambda h, sigma, samples: h**2 * sigma**2 / samples,
        ),
        Misconception(
            "sigma not squared",
            "You have sigma where its square belongs: z - mu = sigma · eps has the variance sigma².",
            lambda h, sigma, samples: (2 * h + 1) * sigma / samples,
        ),
        Misconception(
            "M forgotten",
            "The mean of M samples has one M-th of the variance: divide by M.",
            lambda h, sigma, samples: (2 * h + 1) * sigma**2,
        ),
        Misconception(
            "M squared",
            "You divide by M²: the variance of a mean of M independent terms is one M-th of theirs.",
            lambda h, sigma, samples: (2 * h + 1) * sigma**2 / samples**2,
        ),
        Misconception(
            "square root of M",
            "You divide by √M, as for a standard deviation: variances fall with M.",
            lambda h, sigma, samples: (2 * h + 1) * sigma**2 / samples.sqrt(),
        ),
        Misconception(
            "sign",
            "Yours is negative: sampling log p(z) adds noise, the formula takes it out.",
            lambda h, sigma, samples: -(2 * h + 1) * sigma**2 / samples,
        ),
    ),
    alternatives=(
        lambda h, sigma, samples: ((h + 1) ** 2 - h**2) * sigma**2 / samples,
        lambda h, sigma, samples: (2 * h * sigma**2 + sigma**2) / samples,
    ),
    properties=(Property("agrees with samples", _agrees_with_samples),),
)
