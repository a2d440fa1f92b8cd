"""Processes that a submission forks share their parent's memory: it is counted once, and what they write is counted, too."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest
from conftest import needs_sandbox

from grading.grade import Bench
from grading.job import Job
from grading.sandbox.host import Sandbox
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox
LIMIT_MB = 512
WAITING_SECONDS = 3.0  # several looks of the watcher, on a busy machine too


@pytest.fixture
def sandbox(bench: Bench) -> Iterator[Sandbox]:
    limits = Limits(cell_seconds=30, memory_mb=LIMIT_MB, disk_mb=32)
    made = bench.sandbox(Job("02_jensen_entropy_kl", "anna", {}, {}, limits))
    yield made
    made.close()


def forking(start: str, held_mb: int, written_mb: int) -> str:
    """A cell that holds memory, forks as said, and lets each process write some of its own."""
    return (
        textwrap.dedent(f"""
        import os, time
        held = bytearray(b"x") * {held_mb * 1_000_000}
        def wait():
            own = bytearray(b"y") * {written_mb * 1_000_000}
            time.sleep({WAITING_SECONDS})
        """)
        + textwrap.dedent(start)
        + '\nprint("HELD")\n'
    )


def starts(processes: int, depth: int) -> dict[str, str]:
    """So many processes, three ways."""
    return {
        "beside each other": f"""
            children = []
            for _ in range({processes}):
                child = os.fork()
                if child == 0:
                    wait(); os._exit(0)
                children.append(child)
            wait()
            for child in children:
                os.waitpid(child, 0)
        """,
        "inside each other": f"""
            first = os.getpid()
            for _ in range({depth}):
                os.fork()
            wait()
            if os.getpid() != first:
                os._exit(0)
        """,
        "a pool": f"""
            import multiprocessing
            with multiprocessing.get_context("fork").Pool({processes}) as pool:
                pool.starmap(wait, [()] * {processes}, chunksize=1)
        """,
    }


@pytest.mark.parametrize("how", starts(0, 0))
def test_what_forked_processes_share_is_counted_once(how, sandbox):
    cell = sandbox.run(forking(starts(8, 3)[how], held_mb=200, written_mb=1))
    assert sandbox.lost is None, "200 MB that nine processes have are 200 MB"
    assert "HELD" in str(cell.outputs)


@pytest.mark.parametrize("how", starts(0, 0))
def test_what_forked_processes_write_is_counted_for_each(how, sandbox):
    sandbox.run(forking(starts(8, 3)[how], held_mb=1, written_mb=150))
    assert sandbox.lost == "memory"
