"""What of a cell Python can read: one with a syntax error is left out statement by statement, and the rest stays.

Nothing here runs anything.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from grading.magic_lines import LineByLine

# Lines without indentation that go on with what stands above them.
GOES_ON = re.compile(r"(else|elif|except|finally)\b")
# Errors that may be gone when the lines below are read, too.
UNFINISHED = re.compile(r"was never closed|unterminated triple-quoted|unexpected EOF|expected '")
LINES_BELOW = 40  # that are tried as its end
MOST_ERRORS = 10  # of a cell; behind the last of them nothing is read
UNREADABLE = (
    SyntaxError,
    ValueError,
    RecursionError,
    MemoryError,
    RuntimeError,
    OverflowError,
)  # ast, compile, IPython
TRANSPARENT = re.compile(r"\A\s*%%(time|timeit|capture|prun|memit|heat)\b[^\n]*\n")
DEFINES = re.compile(r"^(?:(?:async[ ]+)?def|class)[ ]+(\w+)|^(\w+)[ ]*=(?!=)", re.MULTILINE)
WHERE = re.compile(r" \(detected at line \d+\)| on line \d+")  # counted in the piece, not in the cell


@dataclass(frozen=True)
class Readable:
    """A cell without what Python cannot read.

    Attributes:
        source: as many lines as it had.
        left_out: the lines with an error, each with what Python says.
        lost: the names that would stand for something, had they been read.
    """

    source: str
    left_out: tuple[tuple[str, str], ...] = ()
    lost: frozenset[str] = frozenset()


def unwrapped(source: str) -> str:
    """Return a cell without a first line that only times or silences it (`%%time`)."""
    return TRANSPARENT.sub("", source, count=1)


@lru_cache(4096)
def readable(source: str) -> Readable:
    """Return what of a cell can be read; most can, and come back as they are."""
    source = unwrapped(source)
    if not source.strip() or _error(source) is None:
        return Readable(source)
    lines = source.split("\n")
    left_out: list[tuple[str, str]] = []
    lost: set[str] = set()
    starts = [*_starts(lines), len(lines)]
    at = 0
    while at < len(starts) - 1:
        begin = starts[at]
        at, stay, error = _piece(lines, starts, at)
        if error is None:
            continue
        if len(left_out) == MOST_ERRORS:
            at, stay = len(starts) - 1, 0
            error = SyntaxError(f"behind {MOST_ERRORS} errors, nothing of the cell was read")
        first, end = begin + stay, starts[at]
        left_out.append(_said(lines[first:end], -stay, error))
        lost |= {name for found in DEFINES.findall("\n".join(lines[first:end])) for name in found if name}
        lines[first:end] = [""] * (end - first)
    return Readable("\n".join(lines), tuple(left_out), frozenset(lost))


def _piece(lines: list[str], starts: list[int], at: int) -> tuple[int, int, SyntaxError | None]:
    """Return which of the starts comes after the piece that begins with one, how many of its lines stay, and what is wrong with it."""
    begin = starts[at]
    first: SyntaxError | None = None
    for after in range(at + 1, len(starts)):
        block = lines[begin : starts[after]]
        error = _error("\n".join(block))
        if error is None:
            return after, len(block), None
        if stay := _lines_that_stay(block, error):
            return after, stay, error
        first = first or error
        if not UNFINISHED.search(first.msg or "") or len(block) > LINES_BELOW:
            break
    return at + 1, 0, first


def _starts(lines: list[str]) -> list[int]:
    """Return the numbers of the lines with which a statement of the cell itself may begin."""
    found = [0]
    decorated = False
    for number, line in enumerate(lines):
        if not line.strip() or line[0].isspace() or (GOES_ON.match(line) and number):
            continue
        if number and not decorated:
            found.append(number)
        decorated = line.startswith("@")
    return found


def _lines_that_stay(block: list[str], error: SyntaxError) -> int:
    """Return how many lines of a block with an error stay: those above one that is indented, or goes on, for no reason.

    Half of a function or a loop is not what was written: of them, nothing stays.
    """
    above = (error.lineno or 1) - 1 if isinstance(error, IndentationError) else 1
    if not 0 < above < len(block) or not (block[above][:1].isspace() or GOES_ON.match(block[above])):
        return 0
    with suppress(*UNREADABLE):
        body = _tree("\n".join(block[:above])).body
        return above if body and not hasattr(body[-1], "body") else 0
    return 0


def _tree(source: str) -> ast.Module:
    """Return a cell as IPython reads it.

    Raises:
        UNREADABLE: it cannot.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        tree = ast.parse(LineByLine().transform_cell(source))
    compile(tree, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return tree


def _error(source: str) -> SyntaxError | None:
    """Return what keeps IPython from running a cell; None if nothing does."""
    try:
        _tree(source)
    except SyntaxError as error:
        return error
    except UNREADABLE as error:
        return SyntaxError(f"{type(error).__name__}: {error}")
    return None


def _said(block: list[str], offset: int, error: SyntaxError) -> tuple[str, str]:
    """Return the line of an error, counted from ``offset`` lines behind the block's beginning, and what it is."""
    number = max(0, offset + (error.lineno or 1) - 1)
    line = next((text for text in (*block[number : number + 1], *block) if text.strip()), "")
    return line.strip()[:200], f"{type(error).__name__}: {WHERE.sub('', error.msg or '')}"
