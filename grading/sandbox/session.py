"""A submission's process, as often as it needs one: a sandbox that has died is replaced, and what ran in it runs again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from grading.sandbox import replies
from grading.sandbox.host import CellRun, Sandbox
from grading.sandbox.limits import Limits
from grading.sandbox.wire import MEGABYTE

STUB = NotImplementedError.__name__
LEFT_OUT = "[Outputs were left out: those of the whole notebook are too large.]\n"


class Session:
    """The sandboxes of one submission, one at a time.

    Attributes:
        given: lines of the released notebook, which may need what is not here, and are not the student's.
        left_out: lines that Python cannot read: cell, line, why.
        ran: every cell that ran, by its number in the notebook, and what became of it.
        lost: why sandboxes died, in order.
        culprits: the cells that a sandbox died of, with why.
        start_seconds, cell_seconds: what starting and running took.
    """

    def __init__(self, start: Callable[[], Sandbox], files: dict[str, bytes], limits: Limits) -> None:
        self.given: frozenset[str] = frozenset()
        self.left_out: list[tuple[int, str, str]] = []
        self.ran: list[tuple[int, CellRun]] = []
        self.lost: list[str] = []
        self.culprits: dict[int, str] = {}
        self.start_seconds = self.cell_seconds = 0.0
        self._start, self._files, self._limits = start, files, limits
        self._end = time.monotonic() + limits.notebook_seconds
        self._starts = 0
        self._output_left = limits.outputs_mb * MEGABYTE
        self._cells: list[tuple[int, str]] = []  # what a fresh sandbox runs first
        self._sandbox: Sandbox | None = None

    def open(self) -> None:
        """Start a sandbox and run in it what ran before.

        Raises:
            SandboxError, CourseError: it cannot be started here.
        """
        began = time.monotonic()
        self._starts += 1
        self._sandbox = self._start()
        if self._files:
            self._sandbox.send_files(self._files)
        for _, source in self._cells:
            if self._sandbox.run(source).lost:
                break
        self.start_seconds += time.monotonic() - began

    def close(self) -> None:
        if self._sandbox:
            if self._sandbox.lost:
                self.lost.append(self._sandbox.lost)
            self._sandbox.close()
            self._sandbox = None

    def alive(self) -> Sandbox | None:
        """Return a sandbox that runs, a fresh one where the last has died; None when there is no time for another."""
        if self._sandbox and not self._sandbox.lost and time.monotonic() < self._end:
            return self._sandbox
        if time.monotonic() >= self._end:
            return None
        self.close()
        if self._starts > self._limits.restarts:
            return None
        self.open()
        return self._sandbox if self._sandbox and not self._sandbox.lost else None

    def run(self, index: int, source: str, left_out: tuple[tuple[str, str], ...] = ()) -> None:
        """Run a cell; one that a sandbox dies of does not run again.

        Args:
            left_out: its lines that Python cannot read, each with why.
        """
        began = time.monotonic()
        self.left_out += [(index, line, why) for line, why in left_out]
        sandbox = self.alive()
        if sandbox is None:
            return
        cell = sandbox.run(source)
        self.cell_seconds += time.monotonic() - began
        unread = [_error(*why.partition(": ")[::2], line) for line, why in left_out]
        self.ran.append((index, self._within(replace(cell, outputs=unread + cell.outputs))))
        if cell.lost:
            self.culprits[index] = cell.lost
        else:
            self._cells.append((index, source))

    def _within(self, cell: CellRun) -> CellRun:
        """Leave out what the outputs of a notebook are too large for, but for errors."""
        kept = []
        for output in cell.outputs:
            self._output_left -= replies.size(output)
            if self._output_left >= 0 or output["output_type"] == "error":
                kept.append(output)
        if len(kept) < len(cell.outputs):
            kept.append({"output_type": "stream", "name": "stdout", "text": LEFT_OUT})
        return replace(cell, outputs=kept)

    def failed_lines(self) -> list[tuple[int, str, str]]:
        """Return the statements that failed and were skipped, or cannot be read: cell, line, why; not the course's own, nor those that came to a stub."""
        lines = [(index, line, why) for index, cell in self.ran for line, why in cell.failed_lines]
        own = [(i, line, why) for i, line, why in lines if line not in self.given and not why.startswith(STUB)]
        return sorted(self.left_out + own, key=lambda found: found[0])

    def only_check(self) -> None:
        """Run no further cell of the notebook: what its cells have left of the time, and as much again, is for checks."""
        self._end = max(self._end, time.monotonic()) + self._limits.notebook_seconds

    def has_run_after(self, index: int) -> bool:
        """Whether a later cell has run in the present sandbox."""
        return any(later > index for later, _ in self._cells)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Work, for a while, in a fresh sandbox in which the same cells have run; nothing that happens there stays."""
        starts = self._starts
        self.close()
        self._starts = 0
        try:
            yield
        finally:
            self.close()
            self._starts = starts - 1  # the sandbox that comes next replaces none that died

    def begin_again(self, cells: list[tuple[int, str]]) -> None:
        """Go on in a fresh sandbox in which these cells, and no others, have run."""
        self.close()
        self._starts = 0
        self._cells = cells

    @contextmanager
    def as_it_was(self, index: int) -> Iterator[None]:
        """Go back, for a while, to a sandbox in which no cell after ``index`` has run."""
        everything, starts = self._cells, self._starts
        self.close()
        self._starts = 0
        self._cells = [(number, source) for number, source in everything if number <= index]
        try:
            yield
        finally:
            self.close()
            self._cells, self._starts = everything, starts


def _error(name: str, says: str, line: str) -> dict[str, Any]:
    """Return the output of a line that cannot be read."""
    traceback = [f"{line}\n{name}: {says}"]
    return {"output_type": "error", "ename": name, "evalue": f"{says}: {line}", "traceback": traceback}
