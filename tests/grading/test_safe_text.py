"""Any text can be stored, sent and shown once it was made safe; ordinary text stays as it is."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.safe_text import read_back, safe, safe_name, safe_text, writable_name

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


BYTES = st.lists(
    st.sampled_from([b"L", b"%", b"%25", b"%F6", b"%c3", b"\xf6", b"\xc3", b"\xb6", "ö".encode(), b"/"])
).map(b"".join)


@given(BYTES | st.binary(max_size=40))
def test_any_name_of_a_file_can_be_written_and_is_found_again(raw):
    written = writable_name(os.fsdecode(raw))
    written.encode()
    assert os.fsencode(read_back(written)) == raw, "so that no two become one"


@pytest.mark.parametrize("name", ["Müller", "100 %", "a%20b", "50%25", "李", "=1+1"])
def test_names_that_are_utf_8_are_written_as_they_are(name):
    assert writable_name(name) == name
    assert writable_name(os.fsdecode(b"L\xf6sung 100 %")) == "L%F6sung 100 %25"


@given(st.recursive(st.none() | st.integers() | ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_any_data_can_be_written(data):
    json.dumps(safe(data), ensure_ascii=False).encode()
