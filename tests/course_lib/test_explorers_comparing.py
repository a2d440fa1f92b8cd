"""The explorer of notebook 12: two models, and what is drawn of them is what was measured."""

from __future__ import annotations

import itertools

import pytest

from course_lib.compared_models import measured
from course_lib.explorers.comparing_models import BARS, HISTOGRAMS, NAMES, draw_trade_off


@pytest.mark.parametrize("measure", [*BARS, *HISTOGRAMS])
def test_its_text_names_both_models_whatever_the_measure(measure):
    for first, second in itertools.product(NAMES, NAMES):
        _, alt = draw_trade_off(first, second, measure)
        assert first in alt
        assert second in alt
        assert ("upper limit" in alt) == ("VAE" in (first, second))


def test_its_title_says_the_medians():
    figure, _ = draw_trade_off("NICE", "Real-NVP", next(iter(HISTOGRAMS)))
    title = figure.axes[1].get_title(loc="left")
    for name, line in (("NICE", "solid"), ("Real-NVP", "dashed")):
        assert f"{name} ({line}) {measured()[f'{name}/digits'].median():.2f}" in title
