"""What a forked process does to itself before it runs anything of a student's.

It joins the namespaces that bubblewrap made (no network, a read-only system, a private /tmp, its own
processes), takes on limits, and gives up every privilege, in this order.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
from collections.abc import Iterable
from typing import Any

from grading.sandbox import seccomp
from grading.sandbox.wire import MEGABYTE

NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x08000000 | 0x04000000 | 0x40000000  # user mnt pid ipc uts net
USER = 0x10000000
NO_NEW_PRIVILEGES, DROP_BOUNDING, DIE_WITH_PARENT = 38, 24, 1
CAPABILITY_VERSION = 0x20080522
KEYCTL = {"x86_64": 250, "aarch64": 219}  # a system call without a function in libc
JOIN_SESSION_KEYRING = 1
COURSE, HOME = "/latent-course", "/student"  # folders in a sandbox; no real one is called so

libc: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def join(pid: int, own_user: bool) -> None:
    """Enter the namespaces of a process; those of processes forked from now on included."""
    flags = NAMESPACES if own_user else NAMESPACES & ~USER
    handle = os.pidfd_open(pid)
    try:
        _must(libc.setns(handle, flags), "entering the sandbox")
    finally:
        os.close(handle)
    os.chdir(HOME)


def die_with_parent() -> None:
    _must(libc.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0), "tying a process to its parent")


def limit(limits: dict[str, int]) -> None:
    """Take on limits that no child process can lift."""
    import resource  # not on Windows, where notebooks can be built all the same

    with open("/proc/self/statm") as file:
        preloaded = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = {
        resource.RLIMIT_AS: preloaded + limits["memory_mb"] * MEGABYTE,
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["file_mb"] * MEGABYTE,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, value in hard.items():
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def own_keyring() -> None:
    """Leave the grader's keys behind, with an empty keyring for this session.

    A kernel, or a container, without keys has none to leave; a filter of system calls refuses all use of them after.
    """
    number = KEYCTL.get(platform.machine())
    if number is not None:
        libc.syscall(number, JOIN_SESSION_KEYRING, None)


def enter_group(folder: str) -> None:
    """Be counted in a control group, with all that is forked from now on."""
    with open(f"{folder}/cgroup.procs", "w") as file:
        file.write("0")


def filter_calls() -> None:
    """Keep to the system calls that a submission needs; the last thing to do."""
    seccomp.put_on(libc)


def give_up_privileges(uid: int | None) -> None:
    """Become an ordinary user, if we are root, and bar the way back."""
    for capability in range(64):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)  # fails beyond the kernel's last, and without the right to
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _must(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "giving up privileges")
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _must(libc.capset(ctypes.byref(header), ctypes.byref(none)), "giving up capabilities")


def close_all_but(kept: Iterable[int]) -> None:
    """Close every file that was open, but for some; the standard ones lead nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    low = 3
    for file in sorted(kept):
        os.closerange(low, file)
        low = file + 1
    os.closerange(low, 65536)


def reset_signals() -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
