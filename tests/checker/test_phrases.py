"""The catalogues of phrases: whole, with the same places in every language, and English where one says nothing."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from course_lib import phrases
from grading.course import ROOT

ENGLISH = phrases.read("en")
OTHERS = sorted({path.stem for path in phrases.FOLDER.glob("*.toml")} - {"en"})
# A key where a phrase is asked for, itself or chosen by a condition; what stands in braces is filled in at run time.
ASKED = re.compile(r"""(?:\bsay\(|\b_said\(|\bkey = | else )\s*f?["'](?P<key>\w+\.[\w.{}]+)["']""")


def places(phrase):
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


def keys_in_the_code():
    """Every key that the code asks for, as a pattern: what is filled in at run time may be any word."""
    for folder in ("course_lib", "grading"):
        for path in (ROOT / folder).rglob("*.py"):
            for found in ASKED.finditer(path.read_text(encoding="utf-8")):
                yield r"\w+".join(map(re.escape, re.split(r"\{[\w.]+\}", found["key"])))


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_phrase_with_the_same_places(language):
    own = phrases.read(language)
    assert set(own) == set(ENGLISH)
    for key, phrase in own.items():
        assert places(phrase) == places(ENGLISH[key]), key
        assert phrase.strip() == phrase != ""


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_is_another_one(language):
    own = phrases.read(language)
    assert [key for key in own if len(ENGLISH[key].split()) > 2 and own[key] == ENGLISH[key]] == []


def test_every_phrase_that_is_asked_for_is_there_and_none_is_forgotten():
    asked = set(keys_in_the_code())
    assert len(asked) > 50
    assert [pattern for pattern in asked if not any(re.fullmatch(pattern, key) for key in ENGLISH)] == []
    assert [key for key in ENGLISH if not any(re.fullmatch(pattern, key) for pattern in asked)] == []


def test_what_a_language_does_not_say_is_said_in_english(tmp_path, monkeypatch):
    (tmp_path / "en.toml").write_text((phrases.FOLDER / "en.toml").read_text())
    (tmp_path / "nl.toml").write_text('[state]\nwrong = "nog niet goed"\n')
    monkeypatch.setattr(phrases, "FOLDER", tmp_path)
    spoken = phrases.spoken("nl")
    assert spoken == {**ENGLISH, "state.wrong": "nog niet goed"}


def test_a_language_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(LookupError, match=r"xx\.toml is not there; the course speaks de, en"):
        phrases.read("xx")
