"""What crosses the pipe is data: it crosses unchanged, and what is malformed is refused."""

from __future__ import annotations

import math
import socket
import time
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.answers import Foreign
from grading.sandbox.peer import Peer
from grading.sandbox.wire import LENGTHS, MAGIC, PeerGone, PeerSilent, Reader, WireError, Writer, receive, send

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


@settings(deadline=None)
@given(value=VALUES)
def test_plain_values_cross_unchanged(value):
    writer = Writer()
    node = writer.node(value)
    again = Reader(writer.payload).value(node)
    assert again == value
    assert repr(again) == repr(value), "types too: 1 is not True, 1 is not 1.0"


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3)])
def test_tensors_cross_bit_by_bit(dtype, shape):
    tensor = (torch.randn(shape, dtype=torch.float64) * 100).to(dtype)
    if tensor.is_floating_point() and tensor.numel():
        tensor.view(-1)[0] = math.nan
    writer = Writer()
    node = writer.node(tensor)
    again = Reader(writer.payload).value(node)
    assert again.dtype == dtype
    assert again.shape == tensor.shape
    torch.testing.assert_close(again, tensor, rtol=0, atol=0, equal_nan=True)


def test_what_is_no_data_crosses_by_the_name_of_its_type():
    class Thing:
        pass

    writer = Writer()
    assert Reader(b"").value(writer.node(Thing())) == Foreign("Thing")
    assert Reader(b"").value(writer.node(Thing)) == Foreign("Thing", is_class=True)
    assert Reader(b"").value(writer.node({"a": 1})) == Foreign("dict")


MALFORMED = [
    {"is": "tensor"},
    {"is": "tensor", "dtype": "float32", "shape": [2], "at": 0, "bytes": 4},
    {"is": "tensor", "dtype": "float32", "shape": [1], "at": 0, "bytes": 400},
    {"is": "tensor", "dtype": "float32", "shape": [1], "at": -4, "bytes": 4},
    {"is": "tensor", "dtype": "float32", "shape": [-1], "at": 0, "bytes": 4},
    {"is": "tensor", "dtype": "float32", "shape": [True], "at": 0, "bytes": 4},
    {"is": "tensor", "dtype": "float32", "shape": [1] * 17, "at": 0, "bytes": 4},
    {"is": "tensor", "dtype": "complex64", "shape": [1], "at": 0, "bytes": 8},
    {"is": "tensor", "dtype": "object", "shape": [1], "at": 0, "bytes": 8},
    {"is": "tensor", "dtype": ["float32"], "shape": [1], "at": 0, "bytes": 4},
    {"is": "generator", "at": 0, "bytes": 3},
    {"is": "callable", "ref": 1, "name": "f"},
    {"is": "foreign", "type": "x", "number": "1"},
    {"is": "foreign", "type": "x", "number": 10**400},
    {"is": "list", "of": 3},
    {"is": "code", "of": "print()"},
    {"no": "kind"},
    [1, 2],
    1 << 70,
    {"is": "list", "of": [0] * 30_000},
    {
        "is": "list",
        "of": [
            {
                "is": "list",
                "of": [
                    {
                        "is": "list",
                        "of": [
                            {
                                "is": "list",
                                "of": [
                                    {
                                        "is": "list",
                                        "of": [
                                            {
                                                "is": "list",
                                                "of": [
                                                    {
                                                        "is": "list",
                                                        "of": [{"is": "list", "of": [{"is": "list", "of": [[]]}]}],
                                                    }
                                                ],
                                            }
                                        ],
                                    }
                                ],
                            }
                        ],
                    }
                ],
            }
        ],
    },
]


@pytest.mark.parametrize("node", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_values_are_refused(node):
    with pytest.raises(WireError):
        Reader(b"12345678").value(node)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["is", "of", "dtype", "shape", "at", "bytes", "ref", "type"]),
            inner | st.sampled_from(["tensor", "list", "tuple", "foreign", "generator", "float32", "bool"]),
            max_size=6,
        )
    ),
    max_leaves=15,
)


@settings(deadline=None, max_examples=300)
@given(node=JSON, payload=st.binary(max_size=64))
def test_any_node_is_read_or_refused_never_worse(node, payload):
    with suppress(WireError):
        Reader(payload).value(node)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b"not a frame at all, but long enough", WireError),
        (LENGTHS.pack(MAGIC, 1 << 31, 0), WireError),
        (LENGTHS.pack(MAGIC, 2, 1 << 62), WireError),
        (LENGTHS.pack(MAGIC, 3, 0) + b"{{{", WireError),
        (LENGTHS.pack(MAGIC, 2, 0) + b"[]", WireError),
        (LENGTHS.pack(MAGIC, 2, 0) + b"\xff\xfe", WireError),
        (LENGTHS.pack(MAGIC, 100, 0) + b"{", PeerSilent),
        (b"LVM", PeerSilent),
    ],
)
def test_malformed_frames_are_refused(frame, error):
    here, there = socket.socketpair()
    with here, there:
        there.send(frame)
        with pytest.raises(error):
            receive(here, time.monotonic() + 0.1, 1 << 20)
        there.close()
        with pytest.raises(PeerGone):
            receive(here, time.monotonic() + 1, 1 << 20) if error is not WireError else send(
                here, {}, b"x" * 10_000_000, time.monotonic() + 1
            )


def test_a_reply_that_was_sent_too_early_is_refused():
    here, there = socket.socketpair()
    with here, there:
        send(there, {"re": "ok", "value": 1.0}, b"", math.inf)
        with pytest.raises(WireError, match="answers no request"):
            Peer(here, 1 << 20).ask({"ask": "value"})


@pytest.mark.parametrize(
    "node",
    [
        {"is": "module"},
        {"is": "module", "ref": "1", "parameters": []},
        {"is": "module", "ref": 1, "parameters": [1]},
        {"is": "module", "ref": 1, "parameters": [["a", None, None, True]]},
        {"is": "module", "ref": 1, "parameters": [["a." * 90, {"is": "tensor"}, None, True]]},
        {"is": "module", "ref": 1, "parameters": [["a", {"is": "tensor", "dtype": "float64"}, None, True]] * 2000},
        {"is": "optimizer", "kind": "__loader__", "groups": []},
    ],
)
def test_a_malformed_module_is_refused(node):
    with pytest.raises(WireError):
        Reader(b"", on_module=lambda *args: None).value(node)
