"""The VAE: a class, judged by what every right one has."""

from __future__ import annotations

from course_lib.checker.exercise import ClassExercise, Misconception
from course_lib.exercises.variational_autoencoder.vae.classes import WRONG_VAES, Chunked, Deep, Plain, WithoutBiases
from course_lib.exercises.variational_autoencoder.vae.traits import VAE_TRAITS
from course_lib.vae import VAE

EXERCISE = ClassExercise(
    reference=VAE,
    points=6,
    convention="elbo(x, eps) -> (batch,): log p(x|z) at z = mu + sigma · eps, summed over pixels, minus the closed-form KL. "
    "reconstruct(x) -> (batch, data_dim): probabilities, decoded from mu. sample(n, generator) -> (n, data_dim), z ~ N(0, I).",
    traits=VAE_TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG_VAES[trait.name]) for trait in VAE_TRAITS),
    alternatives=(Plain, Chunked, Deep, WithoutBiases),
)
