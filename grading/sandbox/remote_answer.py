"""An answer behind the pipe, as the grader touches it: the same interface as that of one in this process."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from course_lib.answers import AnswerFailed
from grading.sandbox import replies
from grading.sandbox.lending import lent_source
from grading.sandbox.peer import Peer, Raised
from grading.sandbox.wire import MEGABYTE, PeerGone, PeerSilent, Reader, WireError, Writer

CALLBACK_BYTES = 16 * MEGABYTE  # of what an answer may give to a function that it was given
CALLBACK_MEMORY_MB = 1024
LOST = {
    "gone": "{name} ended the whole program: it crashed, or left by os._exit() or a signal.",
    "memory": "{name} needs more memory than a submission may use.",
    "processes": "{name} starts more processes than a submission may have.",
    "frames": "{name} sent something that is no data through the grader's pipe.",
}


class HostPeer(Peer):
    """The grader's end of the pipe: whatever goes wrong on the other side fails the answer, never the grader."""

    def __init__(self, pipe: socket.socket, payload_bytes: int, lose: Callable[[str], str]) -> None:
        super().__init__(pipe, payload_bytes)
        self.name = "the notebook"
        self._lose = lose

    def ask(self, message: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        try:
            return super().ask(message, payload)
        except PeerSilent:
            self._lose("time")
            says = f"{self.name} did not come to an end in time. Is there a loop that never stops?"
            raise AnswerFailed("time", says) from None
        except PeerGone:
            raise AnswerFailed("lost", LOST[self._lose("gone")].format(name=self.name)) from None
        except WireError:
            raise AnswerFailed("lost", LOST[self._lose("frames")].format(name=self.name)) from None

    def read_reply(self, reply: dict[str, Any]) -> None:
        if text := replies.printed(reply):
            print(text, end="")  # a review collects what an answer prints
        if failed := replies.failure(reply):
            raise failed

    def compute(self, function: Callable[..., Any], message: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Call a function that was lent, within bounds: the grader is not to be made large or slow."""
        if len(payload) > CALLBACK_BYTES:
            raise ValueError(f"more than {CALLBACK_BYTES // MEGABYTE} MB were given to a function of the check")
        with memory_bound(CALLBACK_MEMORY_MB):
            return super().compute(function, message, payload)

    def no_gradient(self, error: Raised) -> Exception:
        first = next(iter(error.text.splitlines()), "")[:200]
        says = f"No gradient can be computed through {self.name}: {first}"
        return AnswerFailed("raised", says, None, error.type_name)


@contextmanager
def memory_bound(megabytes: int) -> Iterator[None]:
    """Let this process take no more than so much further memory for a while."""
    import resource  # not on Windows, where notebooks can be built all the same

    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [now + megabytes * MEGABYTE, *(limit for limit in (before, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


class RemoteAnswer:
    """An answer behind the pipe.

    Args:
        lend: told the full names of the course's own solutions that stand in for parts of it.
    """

    def __init__(
        self,
        peer: HostPeer,
        name: str,
        seconds: float,
        lend: Callable[[tuple[str, ...]], None] = lambda parts: None,
    ) -> None:
        self._peer, self._name, self._seconds, self._lend = peer, name, seconds, lend
        self._watched = False

    def value(self) -> Any:
        reply, body = self._ask({"ask": "value"})
        return self._read(body, reply.get("value"))

    def call(self, *args: Any) -> Any:
        return self._call({"ask": "call", "watched": self._watched}, args)

    def construct(self, *args: Any) -> RemoteInstance:
        number = self._call({"ask": "construct", "watched": self._watched}, args)
        return RemoteInstance(self, self._parsed(replies.handle, number))

    def reaches(self, names: Collection[str]) -> list[str]:
        reply, _ = self._ask({"ask": "reaches", "names": list(names)})
        return self._parsed(replies.names, reply, list(names))

    def standing_in(self, parts: Mapping[str, Any]) -> RemoteAnswer:
        """Lend what stands in as source: it is built on the other side, where no cell of the student's runs any more."""
        sources = {name: (part.__module__, part.__name__, lent_source(part)) for name, part in parts.items()}
        self._peer.deadline = time.monotonic() + self._seconds
        self._lend(tuple(f"{part.__module__}.{part.__name__}" for part in parts.values()))
        self._ask({"ask": "stand_in", "parts": sources})
        return self

    def watched(self) -> RemoteAnswer:
        self._peer.deadline = time.monotonic() + self._seconds  # it runs again, and has its time again
        answer = RemoteAnswer(self._peer, self._name, self._seconds, self._lend)
        answer._watched = True
        return answer

    def _ask(self, message: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        try:
            reply, body = self._peer.ask(message, payload)
        except Raised as raised:
            raise self._raised(raised) from None
        self._peer.read_reply(reply)
        return reply, body

    def _call(self, ask: dict[str, Any], args: tuple[Any, ...], extra: list[Tensor] | None = None) -> Any:
        try:
            return self._peer.call(ask, args, extra)
        except Raised as raised:
            raise self._raised(raised) from None
        except WireError as error:
            raise AnswerFailed("type", f"{self._name} returned something that cannot be read: {error}.") from None

    def _read(self, body: bytes, node: Any) -> Any:
        return self._parsed(Reader(body).value, node)

    def _parsed(self, parse: Callable[..., Any], *args: Any) -> Any:
        try:
            return parse(*args)
        except WireError as error:
            raise AnswerFailed("type", f"{self._name} holds something that cannot be read: {error}.") from None

    def _raised(self, raised: Raised) -> AnswerFailed:
        says = f"{self._name} raised {raised.type_name}: {raised.text.splitlines()[0][:300] if raised.text else ''}"
        return AnswerFailed("raised", says, None, raised.type_name)


class RemoteInstance:
    """An instance behind the pipe; its parameters are mirrored here, and gradients flow to the mirrors."""

    def __init__(self, answer: RemoteAnswer, number: int) -> None:
        self._answer, self._number = answer, number
        self._mirrors: dict[str, Tensor] = {}

    def call(self, method: str, *args: Any) -> Any:
        ask = {"ask": "method", "of": self._number, "method": method}
        learned: list[Tensor] = []
        try:
            learned = list(self.parameters().values())
        except AnswerFailed as failed:
            if failed.kind != "raised":
                raise  # its process is gone; else it is a module that is none yet, as the call will tell
        return self._answer._call(ask, args, learned)

    def parameters(self) -> dict[str, Tensor]:
        reply, body = self._answer._ask({"ask": "parameters", "of": self._number})
        current = self._answer._parsed(replies.parameters, body, reply.get("value"))
        fresh: dict[str, Tensor] = {}
        for name, (value, learns) in current.items():
            mirror = self._mirrors.get(name)
            if mirror is None or mirror.shape != value.shape or mirror.dtype != value.dtype:
                mirror = value.requires_grad_(learns)
            else:
                mirror.data.copy_(value)
            fresh[name] = mirror
        self._mirrors = fresh
        return dict(fresh)

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        writer = Writer()
        node = writer.node(list(values.items()))
        self._answer._ask({"ask": "set_parameters", "of": self._number, "value": node}, writer.payload)
