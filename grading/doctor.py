"""Says what is missing on this machine for safe grading, by trying it."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.course import ROOT, CourseError, topics
from grading.grade import Bench
from grading.job import Job
from grading.records.gradebook import open_gradebook
from grading.release.build import nbgrader_config
from grading.sandbox import seccomp
from grading.sandbox.bubblewrap import UNSAFE, SandboxError, own_user_namespace
from grading.sandbox.cgroup import HOW, delegated
from grading.sandbox.limits import Limits
from grading.sandbox.syscalls import REFUSED, numbers

GIGABYTES_PER_WORKER = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        good: True, False, or None for something to know.
    """

    what: str
    good: bool | None
    says: str


def examine(root: Path = ROOT) -> Iterator[Finding]:
    """Yield findings, from the ground up; the later ones are tried only where the earlier hold."""
    yield Finding(
        "system", platform.system() == "Linux", f"{platform.system()} {platform.release()}; grading needs Linux"
    )
    path = shutil.which("bwrap")
    yield Finding("bubblewrap", path is not None, path or UNSAFE)
    yield _gradebook(root)
    yield _space(root)
    if path is None or platform.system() != "Linux":
        return
    yield from _sandbox()


def _gradebook(root: Path) -> Finding:
    config = nbgrader_config(root)
    try:
        with open_gradebook(config) as gradebook:
            count = len(gradebook.students)
        return Finding("gradebook", True, f"{config.CourseDirectory.db_url.split('@')[-1]}, {count} students")
    except CourseError as error:
        return Finding("gradebook", False, str(error))


def _space(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 1e9
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    cores = os.cpu_count() or 1
    enough = memory >= GIGABYTES_PER_WORKER * cores and free > 1
    says = f"{cores} cores, {memory:.0f} GB of memory (a worker needs {GIGABYTES_PER_WORKER}), {free:.0f} GB of disk"
    return Finding("room", enough, says if enough else f"{says}: use fewer --workers, or free some disk")


def _kernel() -> Iterator[Finding]:
    """Say what limits system calls and memory on this machine."""
    machine = platform.machine()
    filtered = seccomp.is_known(machine)
    yield Finding(
        "system calls",
        filtered,
        f"filtered; {len(numbers(REFUSED, machine))} are refused by name, what is not listed does not exist"
        if filtered
        else f"not filtered: there is no list for {machine}; grade on x86-64 or aarch64",
    )
    base = delegated()
    watched = (
        "added up five times a second; system calls that go round it are refused, but the buffers of sockets and pipes are not "
        f"counted. A control group (cgroup v2) counts those, too, where one is delegated: {HOW}"
    )
    yield Finding("memory", True if base else None, f"counted by the kernel, in {base}" if base else watched)


def _sandbox() -> Iterator[Finding]:
    bench = Bench()
    began = time.monotonic()
    try:
        sandbox = bench.sandbox(Job(topics()[0], "doctor", {}, {}, Limits()))
    except (SandboxError, CourseError) as error:
        yield Finding(
            "sandbox",
            False,
            f"{error}. Does the kernel allow user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)?",
        )
        bench.close()
        return
    try:
        how = "a user namespace" if own_user_namespace() else "an unused user id"
        yield Finding("sandbox", True, f"a cell ran in {how}, {time.monotonic() - began:.1f} s after the start")
        yield from _kernel()
        with tempfile.NamedTemporaryFile("w", dir=Path.home(), prefix=".doctor-") as secret:
            probes = {
                "no network": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)",
                "read-only system": "open('/usr/written', 'w')",
                "no home directory": f"open({secret.name!r})",
                "no grader": "from grading import grade",
                "no checks": "from course_lib.checks import find_exercise",
                "no namespaces": "import subprocess\nsubprocess.run(['unshare', '-Ur', 'true'], check=True)",
            }
            for what, probe in probes.items():
                failed = sandbox.run(probe).error
                yield Finding(
                    what,
                    failed is not None,
                    f"{failed}, as it should be" if failed else "it succeeded: do not grade here",
                )
    finally:
        sandbox.close()
        bench.close()
