"""The library's solutions, computed for a submission that calls them: in a process of its own, which can be ended.

Whatever sizes a submission asks for, the grader itself computes nothing of it. Frames are handed on as they are: a call goes
to that process, and its calls of the submission's functions (`log_q`), and what gradients need, go back.
"""

from __future__ import annotations

import itertools
import math
import socket
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from grading.sandbox.peer import Peer, Raised
from grading.sandbox.wire import MEGABYTE, PeerGone, PeerSilent, WireError

FIRST_NUMBER = 1 << 40  # of its functions and graphs; the grader's own begin with one
SECONDS = 10
MEMORY_MB = 2048  # beyond what is loaded
KEPT_GRAPHS = 64
Reply = tuple[dict[str, Any], bytes]


class Library:
    """The grader's end.

    Attributes:
        ended: whether its process has ended, of its own or because its time was over.

    Args:
        start: starts the process that serves at the other end of a pipe.
        guest: the submission's process.
    """

    def __init__(self, start: Callable[[socket.socket], None], guest: Peer) -> None:
        self._guest, self.ended = guest, False
        here, there = socket.socketpair()
        self._peer = Peer(here, guest.payload_bytes)
        self._peer.handlers = {"callback": self._hand_back, "vjp": self._hand_back}
        with there:
            start(there)

    def compute(self, name: str, message: dict[str, Any], payload: bytes) -> Reply:
        """Call a function of the library with a request's arguments, and return what to reply."""
        ask = {"ask": "library", "name": name, "args": message.get("args"), "grad": message.get("grad") is True}
        return self._ask(ask, payload, f"{name} with these arguments")

    def serve(self, message: dict[str, Any], payload: bytes) -> Reply:
        """Serve a call of a function that it has lent, or a vector–Jacobian product of one of its results."""
        kept = {key: message.get(key) for key in ("ask", "ref", "call", "args", "grads", "grad")}
        return self._ask(kept, payload, "A function of the library")

    def close(self) -> None:
        self.ended = True
        self._peer.pipe.close()

    def _ask(self, ask: dict[str, Any], payload: bytes, what: str) -> Reply:
        before = self._peer.deadline
        left = SECONDS if math.isinf(self._guest.deadline) else self._guest.deadline - time.monotonic() - 1
        self._peer.deadline = time.monotonic() + min(SECONDS, max(left, 0.1))
        try:
            return self._peer.ask(ask, payload)
        except Raised as raised:
            return _raised(raised.type_name, raised.text)
        except PeerSilent:
            self.close()
            return _raised("TimeoutError", f"{what} takes more than the {SECONDS} seconds that the grader has for it")
        except (PeerGone, WireError):
            self.close()
            return _raised("MemoryError", f"{what} needs more memory or time than the grader has for it")
        finally:
            self._peer.deadline = before

    def _hand_back(self, message: dict[str, Any], payload: bytes) -> Reply:
        """Ask the submission's process, in time that does not count."""
        began = time.monotonic()
        try:
            return self._guest.ask(message, payload)
        except Raised as raised:
            return _raised(raised.type_name, raised.text)
        finally:
            self._peer.deadline += time.monotonic() - began


def _raised(type_name: str, text: str) -> Reply:
    return {"re": "raised", "type": type_name, "text": text}, b""


def serve(pipe: socket.socket, payload_bytes: int) -> None:
    """Serve, as a process of its own, until the grader closes the pipe."""
    import resource  # Unix alone has it, and the module is imported elsewhere too

    with open("/proc/self/statm") as file:
        loaded = int(file.read().split()[0]) * resource.getpagesize()
    most = loaded + MEMORY_MB * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    peer = Peer(pipe, payload_bytes)
    peer.kept_graphs = KEPT_GRAPHS
    peer.numbers = itertools.count(FIRST_NUMBER)

    def compute(message: dict[str, Any], payload: bytes) -> Reply:
        module, _, name = str(message.get("name")).rpartition(".")
        try:
            return peer.answer_with(peer.compute(getattr(import_module(module), name), message, payload))
        except WireError as error:
            raise ValueError(str(error)) from None  # the caller's to know, and no reason to end

    peer.handlers["library"] = compute
    while True:
        peer.serve_next()
