"""The fully convolutional VAE: a class, judged by what every right one has."""

from __future__ import annotations

from course_lib.checker.exercise import ClassExercise
from course_lib.convolutional import FullyConvVAE
from course_lib.exercises.conditional_and_convolutional_vaes.fully_conv_vae.classes import (
    WRONG,
    Doubled,
    Plain,
    Strided,
)
from course_lib.exercises.conditional_and_convolutional_vaes.fully_conv_vae.traits import TRAITS
from course_lib.exercises.conditional_and_convolutional_vaes.probes import misconceptions_of

EXERCISE = ClassExercise(
    reference=FullyConvVAE,
    points=5,
    convention="encode(x) -> (mu, log_sigma), each (batch, latent_channels, height / 4, width / 4); decode(z) -> logits of the image; "
    "elbo(x, eps) -> (batch,), summed over channels, pixels and positions, KL to N(0, I) in closed form; reconstruct(x) and "
    "sample(n, height, width, generator) -> probabilities.",
    traits=TRAITS,
    misconceptions=misconceptions_of(TRAITS, WRONG),
    alternatives=(Plain, Strided, Doubled),
)
