"""The open task of notebook 12: the record is what its recipe reaches, and what is no score is told so."""

from __future__ import annotations

import pytest
import torch

from course_lib.challenges import attempt
from course_lib.challenges.comparing_models import CHALLENGE, measure, record, shuffled
from course_lib.compared_models import kinds_of_images


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_the_recipe_reaches():
    assert measure(record()) == pytest.approx(CHALLENGE.record, abs=2e-3)


def test_a_score_that_is_known_is_measured_by_it():
    assert measure(lambda pixels: torch.zeros(len(pixels))) == 0.5, "it tells nothing"
    ink = measure(lambda pixels: pixels.float().mean(-1))
    assert ink + measure(lambda pixels: -pixels.float().mean(-1)) == pytest.approx(1.0)
    assert 0.5 < ink < 1, "negatives and black have more ink, blank has less"


def test_images_come_mixed_and_the_same_for_everyone():
    images, kinds, of = shuffled()
    assert list(kinds_of_images()) == kinds
    assert len(images) == len(of)
    assert of[:100].unique().numel() > 1
    kept = images.clone()
    shuffled.cache_clear()
    assert torch.equal(shuffled()[0], kept)


def test_a_score_that_changes_its_images_spoils_nobody_elses():
    measure(lambda pixels: pixels.zero_().float().sum(-1))
    assert shuffled()[0].any()


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        (lambda pixels: torch.zeros(()), "one number for each image"),
        (lambda pixels: 3.0, "yours gives float"),
        (lambda pixels: torch.full((len(pixels),), torch.nan), "nan"),
        (torch.nn.Linear(2, 2), "hand in a function"),
        (None, "hand in a function"),
    ],
)
def test_what_is_no_score_is_told_so(score, sentence):
    with pytest.raises(ValueError, match=sentence):
        measure(score)
    assert "could not be measured" in repr(attempt("12_comparing_models", score))
