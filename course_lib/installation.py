"""What the setup cell does once the bare library is there: it adds what is missing and touches nothing that is there.

The standard library alone: what the course requires may not be there yet.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

COURSE = "latent-course"
# Versions that pip reads; a Linux distribution's own may be others, and one such line fails all constraints.
READABLE = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?")


class NotInstalled(Exception):
    """Something is missing and could not be installed; shown as a sentence instead of a stack."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def complete(fresh: bool = False) -> None:
    """Install the requirements that are missing and say so in one line; say nothing where nothing was done.

    A requirement that is there is left alone, and named if it is older than what was tried.

    Args:
        fresh: the setup cell has just installed the library itself, and has begun the line.

    Raises:
        NotInstalled: something missing could not be installed; it says what helps.
    """
    needed = requirements()
    missing = [name for name in needed if version(name) is None]
    if missing:
        print(f"{'and' if fresh else 'Installing'} {', '.join(missing)} ...", end=" ", flush=True)
        _install([needed[name] for name in missing])
    if added := [f"{name} {version(name)}" for name in ([COURSE] if fresh else []) + missing]:
        print(f"done: {', '.join(added)}; nothing that was there was touched.")
    for name, line in needed.items():
        there, tried = version(name), re.search(r">=([\d.]+)", line)
        if there and tried and _numbers(there) < _numbers(tried[1]):
            print(f"{name} {there} is older than what was tried ({tried[1]}): if something fails, that may be why.")


def requirements() -> dict[str, str]:
    """Return what the library itself requires, without extras: lines as pip reads them, by name."""
    lines = [line for line in metadata.requires(COURSE) or () if ";" not in line]
    return {re.split(r"[^\w.-]", line)[0]: line for line in lines}


def version(name: str) -> str | None:
    """Return the version that is installed, None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _install(missing: list[str]) -> None:
    """Install requirements, holding every package that is there at its version."""
    names = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    there = {name: version(name) or "" for name in names if name}
    held = [f"{name}=={number}\n" for name, number in there.items() if READABLE.fullmatch(number)]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(held))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-color", "--constraint", str(constraints)]
        done = subprocess.run([*pip, *missing], capture_output=True, text=True, check=False)
    if done.returncode:
        why = (re.findall("ERROR.*", done.stderr) or [done.stderr])[0]
        helps = "Is there a network? It is needed once: then run this cell again."
        if "ResolutionImpossible" in done.stderr:
            helps = "It does not fit what is here, which was left alone: an environment of its own helps (make lab)."
        raise NotInstalled(f"This could not be installed: {', '.join(missing)}. {helps}\npip says: {why}")
    importlib.invalidate_caches()


def _numbers(number: str) -> list[int]:
    """Return a version's numbers, to be compared: 2.6.0+cu124 is [2, 6], and so is 2.6."""
    numbers = [int(part) for part in re.findall(r"\d+", number.partition("+")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
