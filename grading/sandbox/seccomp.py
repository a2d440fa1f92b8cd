"""A filter of system calls, which a guest puts on itself and cannot take off: a program for the kernel, compiled here.

Memory that no limit counts, keys that the next submission could find, and what was made for debuggers, containers and
administrators are out of reach; see :mod:`grading.sandbox.syscalls`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from functools import cache
from itertools import pairwise
from typing import Any

from grading.sandbox.syscalls import ALLOWED, LOOKED_AT, REFUSED, numbers

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as the kernel's audit calls them
LOAD, EQUAL, GREATER, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16  # offsets in what the kernel shows of a call
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
SET_SECCOMP, FILTER = 22, 2

NEW_NAMESPACES = (
    0x7E020000  # of clone; clone3, whose flags cannot be seen, does not exist here: libraries fall back on clone
)
NO_CORE_NO_PTRACE, MEMORY_MAP = (
    4,
    35,
)  # prctl's PR_SET_DUMPABLE, which hides a process from whom measures it, and PR_SET_MM
FAMILIES = (1, 2, 10, 16)  # Unix, IPv4, IPv6, netlink, all of them within the sandbox's own network
HUGE_PAGES = 0x40000
TYPE_INTO_TERMINAL = (0x5412, 0x541C)

Instruction = tuple[int, int, int, int]


def _argument(number: int) -> Instruction:
    return LOAD, 0, 0, ARGUMENTS + 8 * number  # the lower half; the kernel reads no more of these


def _refuse_if_any(of: int, bits: int) -> list[Instruction]:
    return [_argument(of), (ANY_BIT, 0, 1, bits), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]


def _refuse_if(of: int, values: tuple[int, ...]) -> list[Instruction]:
    tests = [part for value in values for part in ((EQUAL, 0, 1, value), (RETURN, 0, 0, REFUSE))]
    return [_argument(of), *tests, (RETURN, 0, 0, ALLOW)]


def _refuse_unless(of: int, values: tuple[int, ...]) -> list[Instruction]:
    tests = [part for value in values for part in ((EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW))]
    return [_argument(of), *tests, (RETURN, 0, 0, REFUSE)]


LOOKS = {
    "clone": _refuse_if_any(0, NEW_NAMESPACES),
    "prctl": _refuse_if(0, (NO_CORE_NO_PTRACE, MEMORY_MAP)),
    "socket": _refuse_unless(0, FAMILIES),
    "socketpair": _refuse_unless(0, FAMILIES[:1]),
    "mmap": _refuse_if_any(3, HUGE_PAGES),
    "ioctl": _refuse_if(1, TYPE_INTO_TERMINAL),
}


@cache
def program(machine: str) -> bytes:
    """Return the filter for a machine of ``MACHINES``, as the kernel reads it."""
    code: list[Instruction] = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, MACHINES[machine]),
        (RETURN, 0, 0, UNKNOWN),  # a call of another machine, such as a 32-bit one
        (LOAD, 0, 0, NUMBER),
    ]
    for name, number in numbers(LOOKED_AT, machine).items():
        code += [(EQUAL, 0, len(LOOKS[name]), number), *LOOKS[name]]
    for number in numbers(REFUSED, machine).values():
        code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for first, last in _ranges(sorted(numbers(ALLOWED, machine).values())):
        code += [
            (AT_LEAST, 0, 2, first),
            (GREATER, 2, 0, last),
            (RETURN, 0, 0, ALLOW),
            (RETURN, 0, 0, UNKNOWN),  # the ranges rise: it can be in none of those that follow
        ]
    code.append((RETURN, 0, 0, UNKNOWN))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def _ranges(values: list[int]) -> list[tuple[int, int]]:
    ends = [value for value, after in pairwise(values) if after != value + 1]
    starts = [after for value, after in pairwise(values) if after != value + 1]
    return list(zip([values[0], *starts], [*ends, values[-1]], strict=True))


def is_known(machine: str = platform.machine()) -> bool:
    """Whether there is a filter for this machine."""
    return machine in MACHINES


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def put_on(libc: Any) -> None:
    """Filter the calls of this process, and of all that it starts, from now on.

    It has given up gaining privileges before. On a machine without a filter nothing happens; the doctor says so.

    Raises:
        OSError: the kernel takes no filter.
    """
    if not is_known():
        return
    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    made = _Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(made), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"filtering system calls: {os.strerror(number)}")
