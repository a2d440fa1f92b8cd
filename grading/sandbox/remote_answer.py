"""An answer behind the pipe, as the grader touches it: the same interface as that of one in this process."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor

from course_lib.answers import AnswerFailed
from grading.sandbox.lending import lent_source
from grading.sandbox.peer import Peer, Raised
from grading.sandbox.wire import PeerGone, PeerSilent, Reader, WireError, Writer

KINDS = ("unanswered", "half", "raised", "type", "time")
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
        printed = reply.get("printed")
        if isinstance(printed, str) and printed:
            print(printed[:4096], end="")  # a review collects what an answer prints
        failed = reply.get("failed")
        if isinstance(failed, dict):
            kind = failed.get("kind") if failed.get("kind") in KINDS else "raised"
            texts = {key: str(failed[key])[:1000] for key in ("says", "line", "error") if failed.get(key) is not None}
            raise AnswerFailed(str(kind), texts.get("says", ""), texts.get("line"), texts.get("error"))


class RemoteAnswer:
    """An answer behind the pipe."""

    def __init__(self, peer: HostPeer, name: str, seconds: float) -> None:
        self._peer, self._name, self._seconds = peer, name, seconds

    def value(self) -> Any:
        reply, body = self._ask({"ask": "value"})
        return self._read(body, reply.get("value"))

    def call(self, *args: Any) -> Any:
        return self._call({"ask": "call"}, args)

    def construct(self, *args: Any) -> RemoteInstance:
        number = self._call({"ask": "construct"}, args)
        return RemoteInstance(self, number)

    def reaches(self, names: Collection[str]) -> list[str]:
        reply, _ = self._ask({"ask": "reaches", "names": list(names)})
        said = reply.get("names")
        return [name for name in names if isinstance(said, list) and name in said]

    def standing_in(self, parts: Mapping[str, Any]) -> RemoteAnswer:
        """Lend what stands in as source: it is built on the other side, where no cell of the student's runs any more."""
        sources = {name: (part.__module__, part.__name__, lent_source(part)) for name, part in parts.items()}
        self._peer.deadline = time.monotonic() + self._seconds
        self._ask({"ask": "stand_in", "parts": sources})
        return self

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
        try:
            return Reader(body).value(node)
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
        return self._answer._call(ask, args, list(self.parameters().values()))

    def parameters(self) -> dict[str, Tensor]:
        reply, body = self._answer._ask({"ask": "parameters", "of": self._number})
        current = self._answer._read(body, reply.get("value"))
        nodes = reply.get("value", {}).get("of", []) if isinstance(reply.get("value"), dict) else []
        fresh: dict[str, Tensor] = {}
        for pair, node in zip(current if isinstance(current, list) else [], nodes, strict=True):
            well_formed = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Tensor)
            if not well_formed:
                raise AnswerFailed("type", "The parameters cannot be read.")
            name, value = pair
            mirror = self._mirrors.get(name)
            if mirror is None or mirror.shape != value.shape or mirror.dtype != value.dtype:
                mirror = value.requires_grad_(node["of"][1].get("grad") is True)
            else:
                mirror.data.copy_(value)
            fresh[str(name)] = mirror
        self._mirrors = fresh
        return dict(fresh)

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        writer = Writer()
        node = writer.node(list(values.items()))
        self._answer._ask({"ask": "set_parameters", "of": self._number, "value": node}, writer.payload)
