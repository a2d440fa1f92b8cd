"""Formulas in MathML Core: every one of the course, and what browsers need to draw them well."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("furo", reason="the extra `site` is not installed")

from course_site.formulas import mathml
from course_site.links import mentions
from course_site.references import named_in, same
from course_site.symbols import formulas_of, symbols

from course_site.notebooks import Notebook  # isort: skip
from grading.course import topics


@pytest.mark.parametrize("topic", topics())
def test_every_formula_of_the_course_can_be_written(topic):
    texts = [cell.source for cell in Notebook(topic).released.cells if cell.cell_type == "markdown"]
    formulas = [formula for text in texts for formula in formulas_of(text)]
    assert formulas
    for tex in formulas:
        made = mathml(tex, block=True)
        assert made.startswith("<math")
        assert "\\" not in made


@pytest.mark.parametrize("tex", [r"\nosuchthing x", r"\begin{aligned}a"])
def test_what_cannot_be_written_is_said(tex):
    with pytest.raises(ValueError, match="no MathML"):
        mathml(tex, block=False)


def test_letters_of_other_alphabets_are_characters_of_their_own():
    assert "𝒩" in mathml(r"\mathcal N", block=False)
    assert "ℒ" in mathml(r"\mathcal{L}", block=False)
    assert "mathvariant" not in mathml(r"\mathcal N \mathbb E", block=False)


@pytest.mark.parametrize(
    ("tex", "rooms"), [(r"\log p", 1), (r"2\log p", 2), (r"\log(p)", 0), (r"-\log p", 1), (r"\log_2 p", 1)]
)
def test_a_function_stands_apart_from_what_is_no_bracket(tex, rooms):
    assert mathml(tex, block=False).count("<mspace") == rooms


def test_brackets_are_as_large_as_they_were_asked_for_and_relations_have_room():
    made = mathml(r"\Big(a\Big)^{-1}", block=True)
    assert made.count('stretchy="true"') == 2
    assert made.index('form="prefix"') < made.index('form="postfix"')
    assert "<mo>∼</mo>" in mathml(r"z\sim q", block=False)
    assert mathml("p(x|z)", block=False).count('lspace="0"') == 1


def test_a_large_bracket_with_an_exponent_holds_what_it_closes():
    made = mathml(r"C = \Big(a(b)\Big)^{2} d", block=True)
    group = re.search(r"<msup><mrow>(.*?)</mrow><mn>2</mn>|<msup><mrow>(.*)</mrow><mrow><mn>2</mn></mrow></msup>", made)
    held = re.sub(r"<[^>]+>", "", next(filter(None, group.groups())))
    assert held == "(a(b))"
    assert re.sub(r"<[^>]+>", "", made) == "C=(a(b))2d"


def test_aligned_equations_are_a_table():
    made = mathml(r"\begin{aligned}a&=b\\&=c\end{aligned}", block=True)
    assert made.count("<mtr>") == 2
    assert "&amp;" not in made


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("as in notebook 02, and more", ["02"]),
        ("(Notebook\n10 opens it)", ["10"]),
        ("known from notebooks 01 and 02: both", ["01", "02"]),
        ("notebooks 01, 02 and 03", ["01", "02", "03"]),
        ("of 10 and 12 there are 22", []),
        ("notebook 02 and 300 others", ["02"]),
    ],
)
def test_notebooks_are_recognised_where_they_are_named(text, numbers):
    parts = mentions(text)
    assert "".join(part for part, _ in parts) == text
    assert [number for _, number in parts if number] == numbers


def test_works_are_read_from_a_paragraph_of_references():
    text = (
        "The lecture. Kool, van Hoof and Welling, *Buy 4*, 2019, for the baseline. Higgins et al., *beta-VAE: learning*, 2017 (page 3) "
        "and *Another one*, 2018: why."
    )
    assert named_in(text) == [
        ("Kool, van Hoof and Welling", "Buy 4", "2019"),
        ("Higgins et al.", "beta-VAE: learning", "2017"),
        ("", "Another one", "2018"),
    ]
    assert same("NICE", "NICE: Non-linear independent components estimation")
    assert not same("NICE", "Nicer pictures")


def test_every_symbol_is_found_by_its_own_sign_and_can_be_written():
    for symbol in symbols():
        assert re.search(symbol.find, symbol.tex), symbol.name
        assert mathml(symbol.tex, block=False)
    assert len({symbol.anchor for symbol in symbols()}) == len(symbols())
