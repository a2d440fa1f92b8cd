"""Any text can be stored, sent and shown once it was made safe; ordinary text stays as it is."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.safe_text import safe, safe_name, safe_text

ANY = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(ANY)
def test_any_text_can_be_written_once_it_is_safe(text):
    safe_text(text).encode()
    assert "\x00" not in safe_text(text)
    assert safe_text(safe_text(text)) == safe_text(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_ordinary_text_stays_as_it_is(text):
    assert safe_text(text) == text


@given(st.binary(max_size=80))
def test_any_name_of_a_file_is_one_line_that_moves_no_cursor(raw):
    name = safe_name(os.fsdecode(raw))
    name.encode()
    assert len(name.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name)


@pytest.mark.parametrize("name", ["Müller", "李", "O'Neil", "a b.ipynb", "=1+1"])
def test_names_that_people_have_stay(name):
    assert safe_name(name) == name


@given(st.recursive(st.none() | st.integers() | ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_any_data_can_be_written(data):
    json.dumps(safe(data), ensure_ascii=False).encode()
