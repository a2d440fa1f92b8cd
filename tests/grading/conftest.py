"""One preloaded server for all grading tests of a process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from grading.grade import Bench, one_thread

needs_sandbox = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    one_thread()
    bench = Bench()
    yield bench
    bench.close()
