"""Whatever a sandbox replies is a value, or a failure of that answer: never one of the grader."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.answers import AnswerFailed
from grading.sandbox import replies
from grading.sandbox.peer import Raised
from grading.sandbox.remote_answer import HostPeer, RemoteAnswer
from grading.sandbox.wire import LENGTHS, MAGIC, PeerGone, PeerSilent, WireError, receive

TENSOR = {"is": "tensor", "dtype": "float64", "shape": [2], "at": 0, "bytes": 16}
WHOLE = {**TENSOR, "dtype": "int64", "grad": True}
HUGE = {"is": "tensor", "dtype": "float32", "shape": [1 << 39, 0], "at": 0, "bytes": 0}
HANDLES = [0, -1, 1 << 70, 1.5, True, None, "1", [1], TENSOR, {"is": "list", "of": []}]

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=6)
)
NODES = st.recursive(
    SCALARS | st.sampled_from([TENSOR, WHOLE, HUGE, {**TENSOR, "grad": True}, {**TENSOR, "at": 8}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries({"is": st.sampled_from(["list", "tuple"]), "of": st.lists(inner, max_size=3)})
        | st.dictionaries(st.sampled_from(["is", "of", "shape", "dtype", "number", "type"]), inner, max_size=4)
    ),
    max_leaves=8,
)
REPLIES = st.fixed_dictionaries(
    {"re": st.sampled_from(["ok", "ok", "ok", "raised", "x"])},
    optional=dict.fromkeys(
        ("value", "changed", "call", "failed", "printed", "names", "found", "memory_mb", "type", "text"), NODES
    ),
)
CHANGED = {"arg": 0, "value": TENSOR}
FORGED = [
    {"re": "ok", "value": HUGE},
    {"re": "ok", "value": {**TENSOR, "grad": True}, "call": 10**9},
    {"re": "ok", "value": {**TENSOR, "grad": True}, "call": 1 << 50},
    {"re": "ok", "value": {"is": "list", "of": [{"is": "tuple", "of": [["a"], TENSOR]}]}},
    {"re": "ok", "value": {"is": "list", "of": [{"is": "tuple", "of": ["a", WHOLE]}]}},
    {"re": "ok", "value": {"is": "list", "of": [{"is": "tuple", "of": ["a", TENSOR]}] * 2}},
    {"re": "ok", "value": {"is": "list", "of": TENSOR}},
    {"re": "ok", "value": TENSOR, "changed": [CHANGED, CHANGED]},
    {"re": "ok", "value": TENSOR, "changed": [{"arg": 0, "value": {**WHOLE, "shape": [2]}}]},
    {"re": "ok", "value": TENSOR, "changed": [{"arg": [0], "value": 1}]},
    {"re": "ok", "value": TENSOR, "changed": {"arg": 0}},
    {"re": "ok", "names": [["a"], {"a": 1}]},
    {"re": "ok", "failed": {"kind": ["raised"], "says": {"a": 1}, "line": [1]}},
    {"re": "raised", "type": ["E"], "text": {"a": 1}},
    {"re": "ask", "ask": "library", "name": ["a"]},
    {"ask": "callback", "ref": [1]},
    {"ask": "vjp", "call": 1, "grads": None},
    *({"re": "ok", "value": handle} for handle in HANDLES),
]


def forger(there: socket.socket, reply: dict[str, Any], again: dict[str, Any]) -> None:
    """Answer the first request with one reply, and all further ones with another."""
    with suppress(PeerGone, PeerSilent, WireError, OSError):
        while True:
            asked, _ = receive(there, time.monotonic() + 1, 1 << 20)
            header = json.dumps({**reply, "word": asked.get("word")}).encode()
            there.sendall(LENGTHS.pack(MAGIC, len(header), 16) + header + bytes(16))
            reply = again


def answered(reply: dict[str, Any], again: dict[str, Any], use: Callable[[RemoteAnswer], Any]) -> Any:
    here, there = socket.socketpair()
    peer = HostPeer(here, 1 << 20, lambda why: why)
    peer.deadline = time.monotonic() + 1
    thread = threading.Thread(target=forger, args=(there, reply, again), daemon=True)
    thread.start()
    try:
        return use(RemoteAnswer(peer, "f", 1.0))
    except (AnswerFailed, Raised, WireError) as error:
        return error
    finally:
        here.close()
        there.close()
        thread.join(5)


def differentiate(answer: RemoteAnswer) -> Any:
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    result = answer.call(x * 1)
    if isinstance(result, torch.Tensor) and result.requires_grad:
        return torch.autograd.grad(result.sum(), x)
    return result


def build_and_use(answer: RemoteAnswer) -> Any:
    model = answer.construct(1)
    model.set_parameters(model.parameters())
    return model.call("__call__", torch.ones(2))


USES: dict[str, Callable[[RemoteAnswer], Any]] = {
    "call": lambda answer: answer.call(torch.ones(2)),
    "gradient": differentiate,
    "value": lambda answer: answer.value(),
    "names": lambda answer: answer.reaches(["a", "b"]),
    "class": build_and_use,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("reply", FORGED, ids=range(len(FORGED)))
def test_a_forged_reply_fails_the_answer_alone(use, reply):
    answered(reply, reply, use)
    answered({"re": "ok", "value": 1}, reply, use)
    answered({"re": "ok", "value": {**TENSOR, "grad": True}, "call": 1}, reply, use)


@settings(deadline=None, max_examples=150)
@given(reply=REPLIES, again=REPLIES, use=st.sampled_from(sorted(USES)))
def test_any_reply_fails_the_answer_alone(reply, again, use):
    answered(reply, again, USES[use])


@settings(deadline=None, max_examples=200)
@given(raw=NODES | st.lists(st.dictionaries(st.sampled_from(["output_type", "data", "text", "name"]), NODES)))
def test_any_outputs_are_text_and_pictures_that_can_be_stored(raw):
    for output in replies.outputs(raw, 1000):
        json.dumps(output, ensure_ascii=False).encode()


@pytest.mark.parametrize("number", [10**400, -1e300, float("nan"), float("inf"), True, "3", [3], None])
def test_a_number_that_no_report_could_show_is_none(number):
    assert replies.number(number) == 0.0


def test_a_function_of_the_check_takes_no_more_than_it_may():
    here, there = socket.socketpair()
    with here, there:
        peer = HostPeer(here, 1 << 30, lambda why: why)
        message = {"args": {"is": "tuple", "of": [{**TENSOR, "shape": [1 << 20, 2]}]}}
        node = message["args"]["of"][0]
        node["bytes"] = 1 << 24
        with pytest.raises(RuntimeError, match="memory"):
            peer.compute(lambda x: x @ x.mT, message, bytes(1 << 24))
        node |= {"shape": [1 << 22, 2], "bytes": 1 << 26}
        with pytest.raises(ValueError, match="more than 16 MB"):
            peer.compute(lambda x: x, message, bytes(1 << 26))
