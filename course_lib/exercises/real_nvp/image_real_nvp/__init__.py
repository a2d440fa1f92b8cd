"""Real-NVP of images: a class, judged by its density and its samples, which must belong to each other."""

from __future__ import annotations

from typing import Any

import torch

from course_lib.answers import Answer
from course_lib.checker import densities, density_traits, flows
from course_lib.checker import image_densities as images
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.exercises.real_nvp.image_real_nvp.classes import WRONG, LastSqueezes, Own
from course_lib.image_flows import ImageRealNVP

HIDDEN, FAR, DRAWN, SETTINGS = 4, 20, 600, 4


def _args(draw: Draw) -> tuple[Any, ...]:
    """Small images of two scales, with sides that differ: dim, shape, and the rest of the constructor's arguments."""
    shape = ((1, 4, 8), (2, 4, 4), (1, 8, 4))[draw.sizes.batch % 3]
    return shape[0] * shape[1] * shape[2], shape, HIDDEN, 2


def _small(draw: Draw) -> tuple[Any, ...]:
    """Sixteen entries, so that the whole space can be looked at."""
    return 16, (1, 4, 4), HIDDEN, 2


def _not_finite(answer: Answer, draw: Draw) -> str | None:
    density = images.density(answer, draw, _args(draw))
    values = density.log_prob(draw.normal(7, density.dim, shift=0.0))
    return (
        None
        if bool(values.isfinite().all())
        else f"For numbers of both signs yours is {values[~values.isfinite()][0]}."
    )


def _scales_ignored(answer: Answer, draw: Draw) -> str | None:
    one, two = (
        sum(p.numel() for p in answer.construct(1, 8, 8, HIDDEN, scales).parameters().values()) for scales in (1, 2)
    )
    return f"One scale and two give {one} numbers." if one == two else None


def _still(answer: Answer, draw: Draw) -> str | None:
    """Every pixel of a sample is shifted: its mean lies away from 0 for some setting of the parameters."""
    still = torch.ones(16, dtype=torch.bool)
    for setting in range(SETTINGS):
        drawn = images.density(answer, draw, _small(draw), scale=0.6).sample(DRAWN, setting)
        still &= drawn.mean(0).abs() < 4 * drawn.std(0) / DRAWN**0.5
        if int(still.sum()) < 2:
            return None
    return f"For images of 4 × 4 the mean of {int(still.sum())} of 16 pixels stays at 0, whatever the parameters."


TRAITS = (
    Trait("no parameters", flows.NO_PARAMETERS.says, images.has_parameters(_args)),
    Trait(
        "hidden_channels ignored",
        "The number of parameters does not change with hidden_channels: hand it to the networks.",
        images.flat(flows.grows(_args, 2)),
    ),
    Trait(
        "num_scales ignored",
        "The number of parameters does not change with num_scales: every scale has couplings of its own.",
        _scales_ignored,
    ),
    Trait(
        "dtype",
        "The dtype is not that of the parameters: what is drawn or created inside, a mask too, takes it from them.",
        images.follows_dtype(_args),
    ),
    Trait(
        "shape of log_prob",
        "log_prob(x) gives one value for each image, (batch,).",
        images.flat(densities.log_prob_shape(_args)),
    ),
    Trait(
        "shape of samples",
        "sample(n, generator) gives n images, (n, channels, height, width).",
        images.flat(densities.sample_shape(_args)),
    ),
    Trait(
        "not for all numbers",
        "log_prob is not a number where x is negative: it takes x as it comes, any real numbers. Dequantization and logit stand outside.",
        _not_finite,
    ),
    Trait(
        "random log_prob",
        "log_prob of the same x is another number each time: nothing is drawn in it. Dequantize outside, before the model sees x.",
        images.flat(densities.is_random(_args)),
    ),
    Trait(
        "images mixed",
        "log p of one image changes with the others in the batch: each has its own density. Is there a batch norm, or a log_det summed over the batch?",
        images.flat(densities.mixes_points(_args)),
    ),
    Trait(
        "loss returned",
        "log_prob grows far from the data: is it the loss? Leave the minus to the training loop.",
        density_traits.grows_far_out(_args, FAR, images.density),
    ),
    Trait(
        "gradient cut",
        "The gradient of log_prob is not that of its values: something is cut off on the way (.detach(), .data, torch.no_grad()).",
        images.flat(densities.gradient_cut(_args)),
    ),
    Trait(
        "generator ignored",
        "The same generator state gives other samples: draw with the generator that is given, generator=generator.",
        images.flat(densities.generator_ignored(_args)),
    ),
    Trait(
        "samples all alike",
        "All samples are alike: draw the latents anew for each of them.",
        images.flat(densities.samples_alike(_args)),
    ),
    Trait(
        "does not integrate to 1",
        "Your density does not integrate to 1. log p(x) is the log-density of the latents of *every* scale, those that leave early as well, with its "
        "constant, plus the log_dets that inverse returns of every coupling of every scale. A squeeze has none.",
        images.once(images.does_not_integrate(_small)),
    ),
    Trait(
        "samples and density apart",
        "Your samples and your density do not belong to each other. Either log_prob forgets something: the latents of one scale, the log_det of some "
        "couplings. Or sample does not retrace its steps: forward for inverse, in the opposite order, unsqueeze for squeeze, and each half put back in "
        "the place from which it was taken.",
        images.once(images.samples_from_elsewhere(_args)),
    ),
    Trait(
        "a pixel untouched",
        "Some pixels are never shifted: within a scale the masks take turns, mask, 1 - mask, ..., and each scale has at least two couplings.",
        images.once(_still),
    ),
    Trait(
        "nothing is scaled",
        "The determinant is the same at every image, as in NICE: a coupling scales by exp(h) of the kept pixels, and its log_det is the sum of h.",
        images.once(images.flat(densities.same_volume_everywhere(_small, 2500, scale=0.9))),
    ),
)

EXERCISE = ClassExercise(
    reference=ImageRealNVP,
    points=4,
    convention="log_prob(x) -> (batch,), nats, of images (batch, channels, height, width) of any real numbers; sample(n, generator) -> "
    "(n, channels, height, width). Latents ~ N(0, I) at every scale.",
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(Own, LastSqueezes),
)
