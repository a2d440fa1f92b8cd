"""The grader's end of a sandbox: run a cell, and check an answer that lives behind the pipe."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib import phrases
from course_lib.answers import AnswerFailed
from grading.course import ROOT
from grading.sandbox import replies
from grading.sandbox.bubblewrap import START_SECONDS, SandboxError, Walls, own_user_namespace
from grading.sandbox.call_graph import is_function, offered, withheld
from grading.sandbox.cgroup import Group, delegated
from grading.sandbox.course_view import write_view
from grading.sandbox.library import FIRST_NUMBER, Library
from grading.sandbox.limits import Limits
from grading.sandbox.measure import Meter
from grading.sandbox.peer import Handler, Raised
from grading.sandbox.remote_answer import HostPeer, RemoteAnswer
from grading.sandbox.wire import MEGABYTE, PeerGone, PeerSilent, WireError, receive

GRACE_SECONDS = 3.0
PRELOAD_SECONDS = 300.0  # seven on an idle core; on a busy machine it has taken more than a hundred
WATCH_SECONDS = 0.2


class ReferenceUsed(Exception):
    """An answer called a solution of the library's that it may not use."""


class Zygote:
    """A preloaded server, with a folder of its own that it removes when it ends, also if we are killed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="grading-"))
        self.folder.chmod(0o755)
        self._views: dict[str, Path] = {}
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": os.path.expanduser("~"),  # matplotlib's font cache; guests get another
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "CUDA_VISIBLE_DEVICES": "",
            phrases.VARIABLE: phrases.LANGUAGE,
            **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
        }
        with tempfile.TemporaryFile() as said:
            with there:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "grading.sandbox.zygote", str(there.fileno()), str(self.folder)],
                    pass_fds=[there.fileno()],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            self._control = here
            here.settimeout(PRELOAD_SECONDS)
            why = "it ended"
            try:
                ready = here.recv(16) == b"ready"
            except OSError:
                ready, why = False, f"not within {PRELOAD_SECONDS:.0f} s"
            if not ready:
                self.close()
                said.seek(0)
                why = said.read().decode(errors="replace").strip()[-800:] or why
                raise SandboxError(f"the server of preloaded libraries did not start: {why}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self, request: dict[str, Any], pipe: socket.socket) -> None:
        """Ask for a guest that serves at the other end of a pipe."""
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], [pipe.fileno()])
        except OSError as error:
            raise SandboxError(f"the server of preloaded libraries has ended: {error}") from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def view(self, topic: str) -> Path:
        """Return the folder with the library as a notebook may see it."""
        if topic not in self._views:
            write_view(topic, self.folder / topic)
            self._views[topic] = self.folder / topic
        return self._views[topic]


@dataclass(frozen=True)
class CellRun:
    """What became of one cell.

    Attributes:
        outputs: in nbformat's words.
        error: the name of an exception's type, or None.
        lost: why the sandbox died of it (a key of ``LOST``, or "time"), or None.
        failed_lines: the statements that failed and were skipped, each its line and why.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    memory_mb: float = 0.0
    error: str | None = None
    lost: str | None = None
    failed_lines: tuple[tuple[str, str], ...] = ()


class Sandbox:
    """A running submission.

    Args:
        unsafe: without bubblewrap: a process of its own, and nothing else.
    """

    def __init__(self, zygote: Zygote, topic: str, limits: Limits, unsafe: bool = False) -> None:
        view = zygote.view(topic)
        self.limits = limits
        self.lost: str | None = None
        self.used_references: set[str] = set()
        self.switched = False
        self._checking: str | None = None
        self._lent: tuple[str, ...] = ()
        self._topic = topic
        self._begun_mb = 0.0
        self._meter: Meter | None = None
        self._walls = None if unsafe else Walls(view, limits.disk_mb)
        base = None if unsafe else delegated()
        self._group = Group(base, limits) if base else None
        self._folder = tempfile.mkdtemp(prefix="unsafe-") if unsafe else None
        here, there = socket.socketpair()
        self._closed = threading.Event()
        self.peer = HostPeer(here, limits.reply_mb * MEGABYTE, self._lose)
        self._zygote = zygote
        self._library: Library | None = None
        self.peer.handlers["library"] = self._serve_library
        for kind, key in (("callback", "ref"), ("vjp", "call")):
            self.peer.handlers[kind] = self._routed(key, self.peer.handlers[kind])
        with there:
            zygote.fork(
                {
                    "pid": self._walls.pid if self._walls else None,
                    "own_user": own_user_namespace(),
                    "uid": None if unsafe or own_user_namespace() else 600_000_000 + zygote.pid,
                    "limits": limits.as_dict(),
                    "course": str(view),
                    "folder": self._folder,
                    "group": str(self._group.folder) if self._group else None,
                },
                there,
            )
        try:
            reply, _ = receive(here, time.monotonic() + START_SECONDS, 1024)
        except (PeerGone, PeerSilent, WireError) as error:
            reply = {"text": f"it did not answer ({type(error).__name__})"}
        if reply.get("ready") is not True:
            self.close()
            raise SandboxError(f"no process could be started in the sandbox: {reply.get('text')}")
        proc = f"/proc/{self._walls.pid}/root/proc" if self._walls else "/proc"
        try:
            self._meter = Meter(proc, int(reply["pid"]))  # nothing of the student's has run yet
        except OSError as error:
            self.close()
            raise SandboxError(f"the sandbox cannot be measured: {error}") from None
        self._baseline_mb = self._peak_mb()
        most = (
            self._meter.usage().memory + limits.memory_mb * MEGABYTE
        )  # what a first look finds later could be the student's
        self._watcher = threading.Thread(target=self._watch, args=(most,), daemon=True)
        if self._walls:
            self._watcher.start()

    def run(self, source: str) -> CellRun:
        """Run a cell."""
        self.peer.name = "This cell"
        self.peer.deadline = time.monotonic() + self.limits.cell_seconds + GRACE_SECONDS
        self._checking = None
        began = time.monotonic()
        try:
            reply, _ = self.peer.ask({"ask": "run", "source": source})
        except AnswerFailed as failed:
            outputs = [
                {"output_type": "error", "ename": "KernelDied", "evalue": failed.says, "traceback": [failed.says]}
            ]
            return CellRun(outputs, time.monotonic() - began, error="KernelDied", lost=self.lost or "gone")
        except Raised as raised:
            outputs = [{"output_type": "error", "ename": raised.type_name, "evalue": raised.text, "traceback": []}]
            return CellRun(outputs, time.monotonic() - began, error=raised.type_name)
        kept = replies.outputs(reply.get("outputs"), self.limits.output_kb * 1024)
        error = next((out["ename"] for out in kept if out["output_type"] == "error"), None)
        memory = max(0.0, self._peak_mb() - self._baseline_mb)
        lines = replies.failed_lines(reply.get("failed_lines"))
        return CellRun(kept, time.monotonic() - began, memory, error=error, failed_lines=lines)

    def send_files(self, files: dict[str, bytes]) -> None:
        """Put further files of the submission into the working directory."""
        self.peer.deadline = time.monotonic() + START_SECONDS
        listed = [[name, len(content)] for name, content in files.items()]
        with suppress(AnswerFailed, Raised):  # then the notebook says what it misses
            self.peer.ask({"ask": "files", "files": listed}, b"".join(files.values()))

    def begin(self, name: str, again: bool = False, own: bool = False) -> RemoteAnswer | None:
        """Begin the check of a name; None if the notebook has no such name.

        Args:
            again: check the thing that had this name when its check last began, whatever has it now.
            own: leave global switches (default dtype, gradients, folder) as the notebook has thrown them.
        """
        self.peer.name = name
        self.peer.deadline = time.monotonic() + self.limits.answer_seconds + GRACE_SECONDS
        self.peer.forget()
        self._checking, self._lent = name, ()
        self.used_references.clear()
        ask = {"ask": "begin", "name": name, "again": again, "own": own, "seconds": self.limits.answer_seconds}
        reply, _ = self.peer.ask(ask)
        self.switched = reply.get("switched") is True
        self._begun_mb = self._peak_mb()
        if reply.get("found") is not True:
            return None
        return RemoteAnswer(self.peer, name, self.limits.answer_seconds + GRACE_SECONDS, self._lend)

    def _lend(self, parts: tuple[str, ...]) -> None:
        self._lent = parts

    def memory_mb(self) -> float:
        """Return by how much the check that runs has raised the most memory that the submission has had, seen from outside."""
        return max(0.0, self._peak_mb() - self._begun_mb)

    def _peak_mb(self) -> float:
        return self._meter.peak_mb() if self._meter else 0.0

    def close(self) -> None:
        """End the submission's processes, all of them."""
        self._closed.set()
        self.peer.pipe.close()
        if self._library:
            self._library.close()
        if self._meter:
            self._meter.close()
        if self._walls:
            self._walls.close()
        if self._group:
            self._group.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _lose(self, why: str) -> str:
        if why == "gone" and self._group and self._group.ran_out:
            why = "memory"
        self.lost = self.lost or why
        self._closed.set()
        if self._walls:
            self._walls.close()
        return self.lost

    def _serve_library(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Compute a function of the library that stands in the sandbox by name alone."""
        full = str(message.get("name"))
        if full not in withheld(self._topic):
            raise WireError("a frame asks for what is not offered")
        checking = self._checking
        if not is_function(full) or (checking and full not in offered(self._topic, checking, self._lent)):
            if checking:
                self.used_references.add(full)
            raise ReferenceUsed(
                f"{full} has no body while a submission is graded: this notebook or a later one asks for what is in it"
            )
        if self._library is None or self._library.ended:
            self._library = Library(self._start_library, self.peer)
        return self._library.compute(full, message, payload)

    def _start_library(self, pipe: socket.socket) -> None:
        self._zygote.fork({"library": self.peer.payload_bytes}, pipe)

    def _routed(self, key: str, ours: Handler) -> Handler:
        """Let the process that computes the library serve what is asked of its own functions and results."""

        def serve(message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
            number = message.get(key)
            if self._library is not None and type(number) is int and number >= FIRST_NUMBER:
                return self._library.serve(message, payload)
            return ours(message, payload)

        return serve

    def _watch(self, most: int) -> None:
        """End the sandbox when its processes together use more than they may: of memory, ``most``."""
        assert self._meter is not None
        while not self._closed.wait(WATCH_SECONDS):
            used = self._meter.usage()
            if used.threads > 2 * self.limits.processes or used.processes > self.limits.processes:
                self._lose("processes")
                continue
            if used.memory > most and self._meter.memory_once() > most:
                self._lose("memory")
