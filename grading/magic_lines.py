"""IPython's own lines (``%time``, ``!ls``, ``len?``) as Python, in a time that grows with a cell's length.

IPython reads the whole cell anew for every such line, some seconds for hundreds, and gives up at 500.
"""

from __future__ import annotations

import tokenize
from typing import Any

from IPython.core.inputtransformer2 import HelpEnd, TransformerManager, has_sunken_brackets, make_tokens_by_line

OPENING, CLOSING = {"(", "[", "{"}, {")", "]", "}"}


class LineByLine(TransformerManager):
    """IPython's transformer, with the same result: where lines do not depend on each other, all are changed in one reading."""

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        """Change every line of IPython's into Python.

        Raises:
            RuntimeError: very many of them stand over several lines.
        """
        while True:
            changed, ended = self._changed(lines)
            if ended:
                return list(super().do_token_transforms(changed))
            if changed == lines:
                return lines
            lines = changed

    def _changed(self, lines: list[str]) -> tuple[list[str], bool]:
        """Change the lines up to the first that others depend on; say whether the rest is IPython's."""
        lines = list(lines)
        for tokens in make_tokens_by_line(lines):
            candidates = [found for kind in self.token_transformers if (found := kind.find([tokens]))]
            if not candidates:
                continue
            row = tokens[0].start[0] - 1
            if not _stands_alone(tokens, lines[row]):
                return lines, True
            first = min(candidates, key=lambda found: found.sortby())
            first.start_line = 0
            if isinstance(first, HelpEnd):
                first.q_line = 0
            try:
                lines[row : row + 1] = first.transform([lines[row]])
            except SyntaxError:
                return lines, True
        return lines, False


def _stands_alone(tokens: list[Any], line: str) -> bool:
    """Whether a line of tokens is one line of the cell, after which reading goes on as before it."""
    rows = {token.start[0] for token in tokens} | {token.end[0] for token in tokens if token.type != tokenize.NEWLINE}
    marks = [token.string for token in tokens if token.type == tokenize.OP]
    balanced = sum(mark in OPENING for mark in marks) == sum(mark in CLOSING for mark in marks)
    return len(rows) == 1 and balanced and not has_sunken_brackets(tokens) and not line.rstrip("\r\n").endswith("\\")
