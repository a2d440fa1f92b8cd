"""What was mended is said once, with how often and where."""

from __future__ import annotations

import pytest

from grading.intake.wording import FORMS, grouped


@pytest.mark.parametrize("form", FORMS)
def test_one_is_said_as_it_is_and_several_as_one_sentence(form):
    first, second = form.format("gaussian_kl"), form.format("jensen_gap")
    assert grouped([first]) == [first]
    (sentence,) = grouped([first, second, first] if "{}" not in form else [first, second, second])
    assert sentence != first
    if "{}" in form:
        assert "2 cells" in sentence
        assert "gaussian_kl, jensen_gap" in sentence
    else:
        assert "3 " in sentence


def test_other_sentences_stand_once_in_their_order():
    lost = "The cell of {} had lost its mark, and was found by what it holds."
    said = ["The file had Windows line ends.", lost.format("a"), "Cells stood in another order.", lost.format("b")]
    assert grouped([*said, said[0]]) == [
        said[0],
        "2 cells had lost their marks, and were found by what they hold: a, b.",
        said[2],
    ]
