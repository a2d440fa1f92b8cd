"""Feedback pages show formulas without a network: all that the notebooks have, and whatever a student types."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.course import topics
from grading.records.offline import FORMULA, offline
from grading.release.source import read_source


@pytest.mark.parametrize("topic", topics())
def test_every_formula_of_a_notebook_can_be_shown(topic):
    texts = [re.sub(r"`[^`]*`", "", cell.source) for cell in read_source(topic).cells if cell.cell_type == "markdown"]
    formulas = [found[0] for text in texts for found in FORMULA.finditer(text)]
    assert formulas
    for formula in formulas:
        shown = offline(formula)
        assert shown.startswith("<math"), formula
        assert not re.search(r"\\[a-zA-Z]", shown), formula


@pytest.mark.parametrize(
    "text", ["It costs $5.", "<code>$a$</code>", "<pre>$$x$$</pre>", r"a \$1 and \$2", "no formula", "$$"]
)
def test_what_is_no_formula_stays_as_it_is(text):
    assert offline(text) == text


def test_a_picture_from_elsewhere_is_told_by_its_text():
    assert offline('<p><img alt="a cat" src="https://example.org/cat.png"></p>') == "<p>a cat</p>"
    assert offline('<img src="//example.org/cat.png">') == "a picture"
    here = '<img alt="a plot" src="data:image/png;base64,AAAA">'
    assert offline(here) == here


@given(st.text(alphabet="$\\{}_^&<>ab 1", max_size=40))
def test_whatever_stands_between_dollars_raises_nothing(text):
    offline(text)
