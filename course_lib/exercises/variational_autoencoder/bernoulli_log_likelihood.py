"""log p(x|z) of pixels from logits of any size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn import functional

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import bernoulli_log_likelihood


def _pixels(draw: Draw, *shape: int) -> Tensor:
    """Grey values in (0, 1), none of them a half."""
    return (0.8 * draw.normal(*shape)).sigmoid()


def _bernoulli_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.dim
    logits = draw.normal(*shape, scale=1.5)
    x = _pixels(draw, *shape)
    return (x.round(decimals=2) if draw.decimals else x), logits


def _sure(draw: Draw) -> tuple[Tensor, Tensor]:
    x = (draw.normal(draw.sizes.batch, 5, shift=0.0) > 0).to(draw.dtype)
    return x, 300 * draw.normal(draw.sizes.batch, 5)


def _sums_to_one(answer: Answer, draw: Draw) -> str | None:
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    logits = draw.normal(1, 3, scale=1.5).expand(len(images), -1).contiguous()
    (value,) = tensors_from(answer.call(images, logits))
    if value.shape == (8,) and abs(value.exp().sum().item() - 1) > 1e-5:
        return (
            f"The probabilities of all 8 images of three binary pixels add up to {value.exp().sum().item():.4f}: to 1 "
            "is expected."
        )
    return None


EXERCISE = Exercise(
    reference=bernoulli_log_likelihood,
    points=3,
    returns={"log_likelihood": "(batch,)"},
    convention="Σ x log p + (1 - x) log(1 - p) with p = sigmoid(logits), summed over the pixels, (batch,), in nats; x may "
    "be grey, any value in [0, 1].",
    probe=_bernoulli_probe,
    gradients=("logits",),
    sums_over="x",
    misconceptions=(
        Misconception(
            "BCE returned",
            "The sign is flipped: binary cross-entropy is a loss, minus the log-likelihood.",
            lambda x, logits: functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
        ),
        Misconception(
            "arguments exchanged",
            "x and logits are exchanged: in binary_cross_entropy_with_logits the logits come first, the target second.",
            lambda x, logits: -functional.binary_cross_entropy_with_logits(x, logits, reduction="none").sum(-1),
        ),
        Misconception(
            "sigmoid twice",
            'The sigmoid is taken twice: a function with "with_logits" in its name takes it itself.',
            lambda x, logits: (
                -functional.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").sum(-1)
            ),
        ),
        Misconception(
            "mean over pixels",
            "You average over the pixels: log-likelihoods of pixels add. With a mean, the KL counts 784 times too much and "
            "z is ignored.",
            lambda x, logits: bernoulli_log_likelihood(x, logits) / x.shape[-1],
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda x, logits: bernoulli_log_likelihood(x, logits).sum(),
        ),
        Misconception(
            "mean over everything",
            "You average over pixels and batch, the default of torch's loss functions: sum over the pixels, keep the batch.",
            lambda x, logits: -functional.binary_cross_entropy_with_logits(logits, x),
        ),
        Misconception(
            "only the ink",
            "The term of the white pixels is missing: (1 - x) log(1 - p).",
            lambda x, logits: (x * functional.logsigmoid(logits)).sum(-1),
        ),
        Misconception(
            "only the paper",
            "The term of the inked pixels is missing: x log p.",
            lambda x, logits: ((1 - x) * functional.logsigmoid(-logits)).sum(-1),
        ),
        Misconception(
            "ink and paper exchanged",
            "Ink and paper are exchanged: p = sigmoid(logits) is the probability of ink, x = 1.",
            lambda x, logits: bernoulli_log_likelihood(1 - x, logits),
        ),
        Misconception(
            "grey values rounded",
            "You round x to 0 or 1: grey values count as they are.",
            lambda x, logits: bernoulli_log_likelihood((x > 0.5).to(x), logits),
        ),
        Misconception(
            "logits without sigmoid in one term",
            "You multiply x with the logits and leave out the normaliser log(1 + exp(logits)).",
            lambda x, logits: (x * logits).sum(-1),
        ),
        Misconception(
            "squared error",
            "That is a squared error, the likelihood of a Gaussian: pixels are Bernoulli here.",
            lambda x, logits: -0.5 * ((x - logits.sigmoid()) ** 2).sum(-1),
        ),
        Misconception(
            "not summed",
            "You return one value per pixel: sum over the last dimension.",
            lambda x, logits: x * logits - functional.softplus(logits),
        ),
        Misconception(
            "likelihood instead of its logarithm",
            "You return the likelihood: its logarithm is wanted. For images the likelihood underflows.",
            lambda x, logits: bernoulli_log_likelihood(x, logits).exp(),
        ),
        Misconception(
            "log of the sigmoid",
            "Where the decoder is sure you get NaN or -inf: sigmoid(400) is exactly 1, and log(1 - 1) is -inf. Compute with "
            "the logits: logsigmoid, softplus, or binary_cross_entropy_with_logits.",
            lambda x, logits: (x * logits.sigmoid().log() + (1 - x) * (1 - logits.sigmoid()).log()).sum(-1),
        ),
        Misconception(
            "log-probabilities cut off",
            "Where the decoder is sure your value stops at -100 for each pixel, as in torch's binary_cross_entropy on "
            "probabilities: a wrong pixel must cost what its logit says. Compute with the logits.",
            lambda x, logits: -functional.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1),
        ),
        Misconception(
            "small number added",
            "A small number inside the logarithm, or a clamp, keeps it finite, but no longer right where the decoder is "
            "sure: its gradient vanishes there. Compute with the logits.",
            lambda x, logits: (
                x * (logits.sigmoid() + 1e-10).log() + (1 - x) * (1 - logits.sigmoid() + 1e-10).log()
            ).sum(-1),
        ),
    ),
    alternatives=(
        lambda x, logits: -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
        lambda x, logits: (x * functional.logsigmoid(logits) + (1 - x) * functional.logsigmoid(-logits)).sum(-1),
        lambda x, logits: Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(-1),
        lambda x, logits: torch.sum(x * logits - torch.logaddexp(torch.zeros_like(logits), logits), dim=1),
    ),
    properties=(Property("sums to one", _sums_to_one),),
    edge_cases=(
        EdgeCase("a decoder that is sure", "Right for moderate logits, but not for logits of several hundred.", _sure),
    ),
)
