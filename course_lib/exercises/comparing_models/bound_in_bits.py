r"""What the bound's gap is in bits/dim: a derivation to complete, held against an exact model.

.. math:: \text{bits}(\text{ELBO}) = \text{bits}(\log p(x)) + \frac{D_{KL}(q \| p(z|x))}{\text{dim} \cdot \log 2}
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.exercises.comparing_models.probes import some_levels
from course_lib.real_nvp import bits_per_dim

LOG_2 = math.log(2)


def bound_in_bits(bits: Tensor, kl: Tensor, num_dims: int) -> Tensor:
    """Return the bits/dim of the ELBO.

    Args:
        bits: bits/dim of log p(x), exact, ``(batch,)``.
        kl: of q(z|x) to p(z|x), ``(batch,)``, nats.
        num_dims: pixels times channels.
    """
    return bits + kl / (num_dims * LOG_2)


def _probe(draw: Draw) -> tuple[Any, ...]:
    kl = 5 * draw.positive(draw.sizes.batch)
    return draw.normal(draw.sizes.batch, scale=0.8, shift=3.0), torch.cat([kl[:1] + 9, kl[1:]]), draw.sizes.dim + 3


def _in_an_exact_model(answer: Answer, draw: Draw) -> str | None:
    """Two dimensions, z ~ N(0, 1), x = w z + noise in each: log p(x), the KL and the ELBO are formulas."""
    w, noise, x = 2 * draw.positive(2), draw.positive(2), draw.normal(2)
    mean, std = draw.normal(2), draw.positive(2)
    total, levels = w**2 + noise**2, some_levels(draw)
    q, posterior = Normal(mean, std), Normal(w * x / total, (noise**2 / total).sqrt())
    log_evidence = Normal(torch.zeros_like(x), total.sqrt()).log_prob(x).sum().reshape(1)
    expected = Normal(w * mean, noise).log_prob(x) - 0.5 * (w * std / noise) ** 2
    elbo = (expected - kl_divergence(q, Normal(torch.zeros_like(x), torch.ones_like(x)))).sum().reshape(1)
    kl = kl_divergence(q, posterior).sum().reshape(1)
    (value,) = tensors_from(answer.call(bits_per_dim(log_evidence, 2, levels), kl, 2))
    want = bits_per_dim(elbo, 2, levels)
    if value.numel() != 1 or math.isclose(value.item(), want.item(), rel_tol=1e-4, abs_tol=1e-4):
        return None
    return (
        f"In an exact model of two dimensions log p(x) is {bits_per_dim(log_evidence, 2, levels).item():.3f} bits/dim, the KL "
        f"{kl.item():.3f} nats, and the ELBO {want.item():.3f} bits/dim; yours says {value.item():.3f}."
    )


EXERCISE = Exercise(
    reference=bound_in_bits,
    points=2,
    returns={"bits": "(batch,)"},
    convention="bits of the exact log p(x) in bits/dim, kl in nats and for the whole image; the result in bits/dim, (batch,).",
    probe=_probe,
    gradients=("bits", "kl"),
    properties=(Property("in an exact model", _in_an_exact_model),),
    misconceptions=(
        Misconception(
            "the sign",
            "You subtract the KL: the ELBO lies below log p(x), and bits/dim count minus the logarithm, so the ELBO has more bits.",
            lambda bits, kl, num_dims: bits - kl / (num_dims * LOG_2),
        ),
        Misconception(
            "nats added to bits",
            "You add nats to bits: a nat is 1 / log 2 bits.",
            lambda bits, kl, num_dims: bits + kl / num_dims,
        ),
        Misconception(
            "multiplied by log 2",
            "You multiply by log 2: a nat is more than a bit, divide by log 2.",
            lambda bits, kl, num_dims: bits + kl * LOG_2 / num_dims,
        ),
        Misconception(
            "not for each dimension",
            "The KL is for the whole image, bits/dim for one dimension: divide by num_dims.",
            lambda bits, kl, num_dims: bits + kl / LOG_2,
        ),
        Misconception(
            "neither unit",
            "The KL is added as it is, in nats for the whole image: step 3 divides everything by num_dims · log 2.",
            lambda bits, kl, num_dims: bits + kl,
        ),
        Misconception(
            "counted for each dimension",
            "You multiply by num_dims: the KL is the whole image's already, and bits/dim are shared out.",
            lambda bits, kl, num_dims: bits + kl * num_dims / LOG_2,
        ),
        Misconception(
            "the gap alone",
            "That is the gap in bits/dim. The ELBO's bits/dim are those of log p(x) and the gap.",
            lambda bits, kl, num_dims: kl / (num_dims * LOG_2) + 0 * bits,
        ),
        Misconception(
            "the bits shared out too",
            "You divide the bits by num_dims once more: they are bits/dim already.",
            lambda bits, kl, num_dims: (bits + kl / LOG_2) / num_dims,
        ),
        Misconception(
            "the bits turned into bits",
            "You divide the bits by log 2 as well: only the KL is in nats.",
            lambda bits, kl, num_dims: (bits + kl / num_dims) / LOG_2,
        ),
        Misconception(
            "the KL left out",
            "That is log p(x) in bits/dim, as if q were the posterior itself.",
            lambda bits, kl, num_dims: bits + 0 * kl,
        ),
        Misconception(
            "base 10",
            "You divide by log 10: a bit is a factor of 2.",
            lambda bits, kl, num_dims: bits + kl / (num_dims * math.log(10)),
        ),
    ),
    alternatives=(
        lambda bits, kl, num_dims: (bits * num_dims * LOG_2 + kl) / (num_dims * LOG_2),
        lambda bits, kl, num_dims: bits + kl * math.log2(math.e) / num_dims,
    ),
)
