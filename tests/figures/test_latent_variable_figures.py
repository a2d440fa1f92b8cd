"""The figures of notebook 01 draw what they are given, and what the notebook says about EM is so."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from course_lib.data import load_images, principal_directions
from course_lib.distributions import gaussian_log_prob
from course_lib.figures import latent_variable_models as figures
from course_lib.mixtures import em_step, expected_log_joint, mixture_log_prob, mixture_posterior, sample_mixture

MIXTURE = (
    torch.tensor([0.5, 0.3, 0.2]),
    torch.tensor([[-1.5, 0.0], [1.2, 1.2], [1.5, -1.5]]),
    torch.tensor([[0.5, 1.0], [0.9, 0.4], [0.5, 0.5]]),
)


def test_every_picture_has_a_text():
    z, x = sample_mixture(60, *MIXTURE, torch.Generator().manual_seed(0))
    images, posterior = torch.rand(60, 28, 28), mixture_posterior(x, *MIXTURE)
    pictures = (
        figures.hidden_cause(),
        figures.way_of_a_sample(),
        figures.bell_curves(gaussian_log_prob),
        figures.two_views(z, x),
        figures.hills_and_valleys(mixture_log_prob, mixture_posterior, *MIXTURE),
        figures.three_digits(x, z, images, posterior, (0, 1, 7)),
        figures.between_components(mixture_log_prob, expected_log_joint, *MIXTURE),
        figures.found_without_labels(x, MIXTURE, MIXTURE, [-5.0, -4.0], -3.9),
        figures.what_components_stand_for(images[:12], torch.rand(12)),
    )
    assert all(len(picture.alt) > 30 and picture.png.startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.parametrize("seed", range(4))
def test_em_finds_three_digits_without_their_labels_wherever_it_starts(seed):
    data = load_images("train")
    x = data.flat()[torch.isin(data.labels, torch.tensor([0, 1, 7]))]
    mean, directions = principal_directions(x, 2)
    x = (x - mean) @ directions
    start = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:3]
    mixture = torch.full((3,), 1 / 3), x[start], x.std(0).expand(3, 2)
    history = []
    for _ in range(30):
        history.append(mixture_log_prob(x, *mixture).mean().item())
        mixture = em_step(x, *mixture)
    assert all(after > before - 1e-5 for before, after in pairwise(history))
    assert history[-1] == pytest.approx(-3.902, abs=2e-3)
