"""What Python cannot read is left out, statement by statement, and said; what it can read stays as it is."""

from __future__ import annotations

import ast
import random
import time

import pytest

from grading.intake.readable import LINES_BELOW, readable

GOOD = [
    "import math",
    "x = (\n    1,\n    2,\n)",
    'text = """a\n  b\nc"""',
    "def f(a):\n    return a",
    "@staticmethod\ndef g(a):\n    if a:\n        return 1\n    return 2",
    "class A:\n    b = 1\n\n    def c(self):\n        return self.b",
    "if x:\n    y = 1\nelse:\n    y = 2",
    "try:\n    z = 1\nexcept ValueError:\n    z = 2\nfinally:\n    w = 3",
    "# a comment",
    "for i in range(3):\n    i += 1",
]
# Each with the line that the student is told, and the names that it would have given.
BAD = [
    ("import math as", "import math as", set()),
    ("lost = (1, 2", "lost = (1, 2", {"lost"}),
    ("lost = 'abc", "lost = 'abc", {"lost"}),
    ('lost = """abc', 'lost = """abc', {"lost"}),
    ("def lost(a)\n    return a", "def lost(a)", {"lost"}),
    ("def lost(a):\n    b = (a\n    return b", "b = (a", {"lost"}),
    ("def lost(a):\n    b = a\n      return b", "return b", {"lost"}),
    ("def lost(a):\n    if a:\n    return a", "return a", {"lost"}),
    ("class lost\n    a = 1", "class lost", {"lost"}),
    ("    indented = 1", "indented = 1", set()),
    ("for i in range(3)\n    print(i)", "for i in range(3)", set()),
    ("print 'hello'", "print 'hello'", set()),
    ("return 3", "return 3", set()),
    ("break", "break", set()),
    ("lost = “a”", "lost = “a”", {"lost"}),
    ("x === 3", "x === 3", set()),
    (")", ")", set()),
    ("def lost(a):\n\tb = a\n        return b", "return b", {"lost"}),
]


@pytest.mark.parametrize("source", [*GOOD, "%time x = 1\n!ls", "%%bash\nls (", "len?", "  x = 1\n  y = 2", "await f()"])
def test_what_can_be_read_comes_back_as_it_is(source):
    assert readable(source).source == source
    assert readable(source).left_out == ()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("bad", "line", "lost"), BAD, ids=[bad.replace("\n", " ") for bad, _, _ in BAD])
def test_all_but_the_statement_with_the_error_stays(bad, line, lost, seed):
    chance = random.Random(seed)
    good = chance.sample(GOOD, 4)
    at = chance.randint(1, 3)  # a first line that is indented is IPython's to set right
    source = "\n".join([*good[:at], bad, *good[at:]])
    found = readable(source)
    if bad.startswith(" ") and any(hasattr(node, "body") for node in ast.parse(good[at - 1]).body):
        pytest.skip("there, it goes on with the block above")
    wanted = [ast.dump(node) for part in good for node in ast.parse(part).body]
    assert [ast.dump(node) for node in ast.parse(found.source).body] == wanted
    assert [said for said, _ in found.left_out] == [line]
    assert found.lost == lost
    assert found.source.count("\n") == source.count("\n"), "lines keep their numbers"


def test_a_triple_quote_that_is_never_closed_ends_where_it_begins():
    found = readable('a = 1\nb = """c\nd = 2')
    assert found.source == "a = 1\n\nd = 2"
    assert "unterminated triple-quoted string" in found.left_out[0][1]


def test_a_cell_with_very_many_errors_is_looked_through_in_seconds():
    began = time.monotonic()
    found = readable("\n".join(["x = (1,", "y = 2"] * 5000))
    assert time.monotonic() - began < 10
    assert 1 < len(found.left_out) < LINES_BELOW
    assert "nothing of the cell was read" in found.left_out[-1][1]


def test_deep_nesting_is_left_out_and_the_rest_is_read():
    found = readable("x = " + "(" * 5000 + ")" * 5000 + "\ny = 1")
    assert found.source.strip() == "y = 1"
