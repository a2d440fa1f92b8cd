"""Control groups of the kernel, version 2, where this machine delegates one: they count all memory, whoever holds it.

A sandbox's group limits its memory and its processes together: also what no process has mapped, and what the kernel keeps for
them. Where none is delegated, system calls that go round the limits of a process are refused, and a watcher adds up the rest.
"""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

from grading.sandbox.limits import Limits
from grading.sandbox.wire import MEGABYTE

OWN = "grader"  # the group that the grader's own processes move to: only leaves may hold any
NEEDED = ("memory", "pids")
HOW = "systemd-run --user --scope -p Delegate=yes python -m grading autograde …"
EMPTY_SECONDS = 0.5


class Group:
    """The group of one sandbox.

    Args:
        base: the delegated folder.
    """

    def __init__(self, base: Path, limits: Limits) -> None:
        self.folder = base / f"sandbox-{uuid.uuid4().hex[:12]}"
        self.folder.mkdir()
        # /tmp and the working directory lie in memory, too.
        most = (limits.memory_mb + 2 * limits.disk_mb) * MEGABYTE
        for name, value in {"memory.max": most, "memory.oom.group": 1, "pids.max": limits.processes}.items():
            (self.folder / name).write_text(str(value))
        with suppress(OSError):  # a machine without swap
            (self.folder / "memory.swap.max").write_text("0")

    @property
    def ran_out(self) -> bool:
        """Whether the kernel has ended it because it used more memory than it may."""
        with suppress(OSError):
            counts = dict(line.split() for line in (self.folder / "memory.events").read_text().splitlines())
            return int(counts.get("oom_kill", 0)) > 0
        return False

    def close(self) -> None:
        """End what is left in it, and remove it; one that does not empty at once is left to the kernel."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")
        end = time.monotonic() + EMPTY_SECONDS
        while time.monotonic() < end:
            with suppress(OSError):
                self.folder.rmdir()
            if not self.folder.exists():
                return
            time.sleep(0.005)


@cache
def delegated() -> Path | None:
    """Return the folder in which this process may make groups; None where there is none. Found out once."""
    with suppress(OSError, ValueError):
        own = _own_group()
        if own is not None:
            return settle(own)
    return None


def settle(own: Path) -> Path | None:
    """Move the processes of a delegated group into one of its leaves, so that it may have others; None if it is not ours.

    Args:
        own: the group of this process.
    """
    if own.name == OWN:
        return own.parent if _holds(own.parent / "cgroup.subtree_control") else None
    if not (_holds(own / "cgroup.controllers") and _is_delegated(own) and os.access(own / "cgroup.procs", os.W_OK)):
        return None
    (own / OWN).mkdir(exist_ok=True)
    for pid in (own / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            (own / OWN / "cgroup.procs").write_text(pid)
    (own / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in NEEDED))
    return own


def _holds(file: Path) -> bool:
    return set(NEEDED) <= set(file.read_text().split())


def _own_group() -> Path | None:
    """Return the folder of the group that this process is in."""
    path = next(
        (line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), None
    )
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        if path is not None and after.split()[0] == "cgroup2":
            return Path(mounted) / os.path.relpath(path, root)
    return None


def _is_delegated(group: Path) -> bool:
    """Whether systemd says so, or a container has it as its root."""
    for name in ("user.delegate", "trusted.delegate"):
        with suppress(OSError):
            return os.getxattr(group, name) == b"1"
    is_root = group == Path("/sys/fs/cgroup")
    return is_root and (group / "cgroup.type").exists()  # the machine's own root has none
