"""One preloaded server for all grading tests of a process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from grading.grade import Bench, one_thread

# Grading runs on Linux alone; elsewhere its modules do not even import.
collect_ignore_glob = [] if sys.platform == "linux" else ["*"]


def pytest_report_header() -> str | None:
    return (
        None if sys.platform == "linux" else f"tests/grading is left out: grading runs on Linux, this is {sys.platform}"
    )


needs_sandbox = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    one_thread()
    bench = Bench()
    yield bench
    bench.close()
