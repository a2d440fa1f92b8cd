"""IPython's lines become what IPython makes of them, also where there are hundreds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from grading.magic_lines import LineByLine

LINES = [
    "%matplotlib inline",
    "!ls",
    "!!ls",
    "!echo it's",
    "!echo (",
    "!echo )",
    '!echo """',
    "!ls \\",
    "x = %time 1",
    "x = !ls",
    "x = !ls (\\",
    "len?",
    "?len",
    "%time?",
    "a.b??",
    "1 + ?",
    ", f a b",
    "; f a b",
    "/ f a",
    "x = 1",
    "x = (1,",
    "2)",
    '"""',
    "if x:",
    "    %time 1",
    "    !ls",
    "    y = %time 1",
    "  -- ?",
    "# !ls",
    "",
    "x = '%time'",
    "%%time",
    ">>> %time 1",
]


def made(transformer: TransformerManager, cell: str) -> str:
    try:
        return transformer.transform_cell(cell)
    except Exception as error:
        return type(error).__name__


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join))
def test_what_becomes_of_a_cell_is_what_ipython_makes_of_it(cell):
    assert made(LineByLine(), cell) == made(TransformerManager(), cell)


@pytest.mark.parametrize("line", ["%matplotlib inline", "!ls", "%load_ext x", "x = %time 1", "x = !ls 'a b'", "len?"])
def test_thousands_of_lines_are_read_in_a_time_that_grows_with_their_number(line):
    one = TransformerManager().transform_cell(f"{line}\n")
    began = time.process_time()
    assert LineByLine().transform_cell(f"{line}\n" * 3000) == one * 3000
    assert time.process_time() - began < 5, "IPython's own gives up at 500, after 4 seconds; this takes 0.2"
