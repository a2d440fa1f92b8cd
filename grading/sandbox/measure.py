"""What the processes of a sandbox use, read from outside: nothing here is what they say of themselves."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass

KILOBYTE = 1024


@dataclass(frozen=True)
class Usage:
    """Of all processes of a sandbox together.

    Attributes:
        memory: bytes that are no file's: private pages, and those shared between processes, for each that has them. More than
            is in use where processes have been forked, whose pages are one until they are written.
    """

    processes: int = 0
    threads: int = 0
    memory: int = 0


class Meter:
    """Reads a sandbox's own ``/proc``, in which all of its processes stand and no others, however they hide.

    Args:
        proc: where its processes stand; for a sandbox whose first process is ``pid``, ``/proc/PID/root/proc``.
        guest: the process that runs the cells, by its number there.
    """

    def __init__(self, proc: str, guest: int) -> None:
        self._proc = os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._guest = guest
        self._lock = threading.Lock()  # a closed file's number may be another file's soon

    def close(self) -> None:
        with self._lock:
            if self._proc >= 0:
                os.close(self._proc)
            self._proc = -1

    def usage(self) -> Usage:
        with self._lock:
            statuses = [status for number in self._numbers() if (status := self._status(number))]
        return Usage(
            len(statuses),
            sum(status.get("Threads", 0) for status in statuses),
            KILOBYTE * sum(status.get("RssAnon", 0) + status.get("RssShmem", 0) for status in statuses),
        )

    def memory_once(self) -> int:
        """Return the bytes that are no file's, each page counted once however many processes have it.

        The kernel walks through the pages for it: milliseconds for each gigabyte, so only ``usage`` is asked for all the time.
        """
        private, shared, largest = 0, 0, 0
        areas: dict[str, int] = {}
        with self._lock:
            for number in self._numbers():
                status = self._status(number)
                own = status.get("RssAnon", 0) + status.get("RssShmem", 0)
                shares = self._status(number, "smaps_rollup")
                # A program that may not be read counts in full.
                private += shares["Pss_Anon"] if shares else own
                shared += shares["Pss_Shmem"] if shares else 0
                largest = max(largest, own)  # what is forked meanwhile has a share, and is not in the list
                for area, size in self._shared_areas(number).items():
                    areas[area] = max(areas.get(area, 0), size)
        # A child holds what its parent wrote to shared memory without having touched it: such an area counts as it is mapped.
        return max(KILOBYTE * (private + shared), KILOBYTE * private + sum(areas.values()), KILOBYTE * largest)

    def peak_mb(self) -> float:
        """Return the most memory that the guest has had, libraries included, MB; 0 when it has ended."""
        with self._lock:
            return self._status(self._guest).get("VmHWM", 0) / KILOBYTE

    def _numbers(self) -> list[int]:
        with suppress(OSError):  # the sandbox has ended
            return [int(name) for name in os.listdir(self._proc) if name.isdigit()] if self._proc >= 0 else []
        return []

    def _shared_areas(self, number: int) -> dict[str, int]:
        """Return the bytes mapped of each anonymous area of memory that processes share, by its inode."""
        found: dict[str, int] = {}
        for line in self._text(number, "maps").splitlines():
            addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
            if rights.endswith("s") and name == ["/dev/zero (deleted)"]:
                start, end = (int(address, 16) for address in addresses.split("-"))
                found[inode] = found.get(inode, 0) + end - start
        return found

    def _status(self, number: int, name: str = "status") -> dict[str, int]:
        """Return what a file of a process counts, in its own units; empty for one that has ended or may not be read."""
        rows = (line.partition(":") for line in self._text(number, name).splitlines())
        words = {key: value.split() for key, _, value in rows if key != "Name"}
        return {key: int(value[0]) for key, value in words.items() if value and value[0].isdigit()}

    def _text(self, number: int, name: str) -> str:
        """Return a file of a process; nothing of one that has ended or may not be read."""
        with suppress(OSError):
            if self._proc < 0:
                return ""
            with open(os.open(f"{number}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc), "rb") as file:
                return file.read().decode(errors="replace")
        return ""
