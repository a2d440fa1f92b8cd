"""What crosses between the grader and a sandbox: frames of JSON and raw bytes, never pickle, never code.

A frame is a magic word, two lengths, a JSON header and a payload of raw bytes. Values in the header are
numbers, strings, lists and tuples; a tensor is its dtype, its shape and its place in the payload. Whatever
does not fit this schema is refused before anything is made of it.
"""

from __future__ import annotations

import json
import math
import numbers
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import Module, Parameter
from torch.optim import Optimizer

from course_lib.answers import Foreign
from grading.safe_text import safe
from grading.sandbox.recipes import recipe_of

MAGIC = b"LVM1"
SURROGATE = b"\\ud"  # how half of a character begins, in JSON
LENGTHS = struct.Struct(">4sIQ")
MEGABYTE = 1 << 20
HEADER_BYTES = 4 * MEGABYTE
EMPTY_SIZE = 1 << 20  # the product of the dimensions that are not zero
DEPTH, ITEMS, DIMENSIONS, NAME_CHARACTERS, PARAMETERS = 8, 20_000, 16, 200, 1000
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    )
}


class WireError(Exception):
    """A frame or a value breaks the schema."""


class PeerGone(Exception):
    """The other side has ended, or closed the pipe."""


class PeerSilent(Exception):
    """The other side did not answer in time."""


def send(pipe: socket.socket, message: dict[str, Any], payload: bytes, deadline: float) -> None:
    """Send one frame.

    Raises:
        PeerGone, PeerSilent: the other side has ended, or does not read.
    """
    header = json.dumps(message).encode()
    view = memoryview(LENGTHS.pack(MAGIC, len(header), len(payload)) + header + payload)
    try:
        while view:
            pipe.settimeout(_left(deadline))
            view = view[pipe.send(view) :]
    except TimeoutError:
        raise PeerSilent from None
    except OSError:
        raise PeerGone from None


def receive(pipe: socket.socket, deadline: float, payload_bytes: int) -> tuple[dict[str, Any], bytes]:
    """Receive one frame whose payload is not longer than allowed.

    Raises:
        PeerGone, PeerSilent, WireError: see there.
    """
    magic, header_bytes, size = LENGTHS.unpack(_exactly(pipe, LENGTHS.size, deadline))
    if magic != MAGIC:
        raise WireError("what came is not a frame")
    if header_bytes > HEADER_BYTES or size > payload_bytes:
        raise WireError(f"a frame of {(header_bytes + size) / MEGABYTE:.0f} MB is longer than allowed")
    body = _exactly(pipe, header_bytes + size, deadline)
    header, payload = body[:header_bytes], body[header_bytes:]
    try:
        message = json.loads(header.decode("ascii"))
    except (ValueError, RecursionError):
        raise WireError("a frame's header is not JSON") from None
    if not isinstance(message, dict):
        raise WireError("a frame's header is not an object")
    return (safe(message) if SURROGATE in header.lower() else message), payload


def _exactly(pipe: socket.socket, size: int, deadline: float) -> bytes:
    """Receive so many bytes; memory grows with what came, never with what was promised."""
    chunks, missing = [], size
    while missing:
        try:
            pipe.settimeout(_left(deadline))
            chunk = pipe.recv(min(missing, MEGABYTE))
        except TimeoutError:
            raise PeerSilent from None
        except OSError:
            raise PeerGone from None
        if not chunk:
            raise PeerGone
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def _left(deadline: float) -> float | None:
    """Return what to give a socket as timeout; an endless deadline is none."""
    if math.isinf(deadline):
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@dataclass
class Writer:
    """Turns values into JSON nodes, collecting the raw bytes of tensors.

    Attributes:
        on_tensor: called with every tensor; what it returns stands in the tensor's node.
        on_callable: called with every function; returns a number by which the other side calls back, or
            None where functions do not cross.
        lends_modules: whether modules cross with their parameters; else a module crosses as a function.
        lends_optimizers: whether optimisers of such modules cross.
        on_parameter: called with every parameter of a module that learns.
    """

    on_tensor: Callable[[Tensor], dict[str, Any]] = lambda tensor: {}
    on_callable: Callable[[Any], int | None] = lambda function: None
    lends_modules: bool = False
    lends_optimizers: bool = False
    on_parameter: Callable[[Tensor], None] = lambda parameter: None
    parameters: dict[int, int] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    items: int = 0

    @property
    def payload(self) -> bytes:
        return b"".join(self.chunks)

    def node(self, thing: Any, depth: int = 0) -> Any:
        """Return the JSON node of a value.

        Raises:
            WireError: it is nested too deep, or has too many parts.
        """
        self.items += 1
        if depth > DEPTH or self.items > ITEMS:
            raise WireError("a value is nested too deep or has too many parts")
        if thing is None or type(thing) in (bool, float):
            return thing
        if isinstance(thing, str):
            return str.__str__(thing)
        if type(thing) is int:
            return thing if abs(thing) < 1 << 63 else self._foreign(thing, number=math.copysign(math.inf, thing))
        if isinstance(thing, Tensor):
            return self._tensor(thing)
        if isinstance(thing, tuple | list):
            kind = "tuple" if isinstance(thing, tuple) else "list"
            return {"is": kind, "of": [self.node(part, depth + 1) for part in thing]}
        if isinstance(thing, torch.Generator):
            return {"is": "generator", **self._bytes(thing.get_state().numpy().tobytes())}
        if self.lends_modules and isinstance(thing, Module):
            return self._module(thing)
        if self.lends_optimizers and isinstance(thing, Optimizer):
            return self._optimizer(thing)
        if callable(thing) and (reference := self.on_callable(thing)) is not None:
            return {"is": "callable", "ref": reference, "name": str(getattr(thing, "__name__", "function"))[:80]}
        number = float(thing) if isinstance(thing, numbers.Real) and not isinstance(thing, bool) else None
        return self._foreign(thing, number)

    def _module(self, module: Module) -> dict[str, Any]:
        """Return the node of a module: its parameters, a number by which its forward is called back, and its recipe."""
        parameters = []
        for name, parameter in module.named_parameters():
            self.parameters[id(parameter)] = len(self.parameters)
            grad = None if parameter.grad is None else self._bare(parameter.grad)
            parameters.append([name, self._bare(parameter), grad, parameter.requires_grad])
            if parameter.requires_grad:
                self.on_parameter(parameter)
        lent = self.on_callable(_forward_of(module))
        what = {"ref": lent, "name": type(module).__name__, "recipe": recipe_of(module)}
        return {"is": "module", **what, "parameters": parameters}

    def _optimizer(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return the node of an optimiser that has made no step, of modules that stand before it."""
        if optimizer.state:
            raise WireError("an optimiser crosses before its first step only")
        groups = []
        for group in optimizer.param_groups:
            options = {key: value for key, value in group.items() if key != "params"}
            members = [self.parameters[id(parameter)] for parameter in group["params"]]
            groups.append({"options": self.node(list(options.items())), "of": members})
        return {"is": "optimizer", "kind": type(optimizer).__name__, "groups": groups}

    def _bare(self, tensor: Tensor) -> dict[str, Any]:
        raw = self._bytes(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return {
            "is": "tensor",
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            **raw,
        }

    def _tensor(self, tensor: Tensor) -> dict[str, Any]:
        with torch._C.DisableTorchFunctionSubclass():
            if tensor.is_sparse or tensor.is_quantized or tensor.dtype.is_complex or tensor.layout != torch.strided:
                return {"is": "foreign", "type": "Tensor", "layout": str(tensor.layout), "dtype": str(tensor.dtype)}
            plain = tensor.detach().as_subclass(Tensor).cpu().contiguous()
            name = str(plain.dtype).removeprefix("torch.")
            if name not in DTYPES:
                return {"is": "foreign", "type": "Tensor", "layout": str(tensor.layout), "dtype": str(tensor.dtype)}
            # A tensor of one element may count as contiguous with any stride: a copy has stride one.
            flat = torch.empty(plain.numel(), dtype=plain.dtype).copy_(plain.reshape(-1))
            raw = self._bytes(flat.view(torch.uint8).numpy().tobytes())
            return {"is": "tensor", "dtype": name, "shape": list(plain.shape), **raw, **self.on_tensor(tensor)}

    def _bytes(self, raw: bytes) -> dict[str, int]:
        at = self.size
        self.chunks.append(raw)
        self.size += len(raw)
        return {"at": at, "bytes": len(raw)}

    def _foreign(self, thing: Any, number: float | None) -> dict[str, Any]:
        is_class = isinstance(thing, type)
        name = str(thing.__name__ if is_class else type(thing).__name__)[:NAME_CHARACTERS]
        return {"is": "foreign", "type": name, "class": is_class, "number": number}


@dataclass
class Reader:
    """Turns JSON nodes back into values, trusting nothing about them."""

    payload: bytes
    on_tensor: Callable[[Tensor, dict[str, Any]], Tensor] = lambda tensor, node: tensor
    on_callable: Callable[[int, str], Any] | None = None
    on_module: Callable[[int, str, dict[str, Parameter], Any], Module] | None = None
    optimizers: bool = False
    parameters: list[Parameter] = field(default_factory=list)
    items: int = 0

    def value(self, node: Any, depth: int = 0) -> Any:
        """Return the value of a node.

        Raises:
            WireError: the node breaks the schema.
        """
        self.items += 1
        if depth > DEPTH or self.items > ITEMS:
            raise WireError("a value is nested too deep or has too many parts")
        if node is None or isinstance(node, bool | float | str):
            return node
        if isinstance(node, int):
            if abs(node) >= 1 << 63:
                raise WireError("a whole number is out of range")
            return node
        if not isinstance(node, dict):
            raise WireError("a value is of no known kind")
        kind = node.get("is")
        if kind in ("tuple", "list") and isinstance(node.get("of"), list):
            parts = [self.value(part, depth + 1) for part in node["of"]]
            return tuple(parts) if kind == "tuple" else parts
        if kind == "tensor":
            return self.on_tensor(self._tensor(node), node)
        if kind == "generator":
            return self.generator(node)
        if kind == "foreign":
            return self._foreign(node)
        if kind == "callable" and self.on_callable and type(node.get("ref")) is int:
            return self.on_callable(node["ref"], str(node.get("name"))[:NAME_CHARACTERS])
        if kind == "module" and self.on_module:
            return self._module(node, self.on_module)
        if kind == "optimizer" and self.optimizers:
            return self._optimizer(node)
        raise WireError("a value is of no known kind")

    def _module(self, node: dict[str, Any], make: Callable[[int, str, dict[str, Parameter], Any], Module]) -> Module:
        own: dict[str, Parameter] = {}
        listed = node.get("parameters")
        if not isinstance(listed, list) or len(listed) > PARAMETERS or type(node.get("ref")) is not int:
            raise WireError("a module is malformed")
        for entry in listed:
            if not isinstance(entry, list) or len(entry) != 4 or not isinstance(entry[1], dict):
                raise WireError("a module is malformed")
            name, value, grad, learns = entry
            if not isinstance(name, str) or len(name) > NAME_CHARACTERS or name.count(".") > DIMENSIONS:
                raise WireError("a module is malformed")
            tensor = self._tensor(value)
            own[name] = Parameter(tensor, requires_grad=learns is True and tensor.is_floating_point())
            own[name].grad = self._tensor(grad) if isinstance(grad, dict) else None
        self.parameters += own.values()
        return make(node["ref"], str(node.get("name"))[:NAME_CHARACTERS], own, node.get("recipe"))

    def _optimizer(self, node: dict[str, Any]) -> Optimizer:
        groups = [
            {"params": [self.parameters[i] for i in group["of"]], **dict(self.value(group["options"]))}
            for group in node["groups"]
        ]
        return getattr(torch.optim, node["kind"])(groups)

    def generator(self, node: dict[str, Any], into: torch.Generator | None = None) -> torch.Generator:
        """Return a generator in the state that a node holds."""
        generator = into or torch.Generator()
        try:
            generator.set_state(torch.frombuffer(bytearray(self._raw(node)), dtype=torch.uint8))
        except (RuntimeError, TypeError, ValueError):
            raise WireError("a generator's state is malformed") from None
        return generator

    def _raw(self, node: dict[str, Any]) -> bytes:
        at, size = node.get("at"), node.get("bytes")
        if type(at) is not int or type(size) is not int or at < 0 or size < 0 or at + size > len(self.payload):
            raise WireError("a value lies outside its frame")
        return self.payload[at : at + size]

    def _tensor(self, node: dict[str, Any]) -> Tensor:
        name, shape = node.get("dtype"), node.get("shape")
        if not isinstance(name, str) or name not in DTYPES:
            raise WireError("a tensor has no known dtype")
        sizes_fit = isinstance(shape, list) and len(shape) <= DIMENSIONS
        if not sizes_fit or not all(type(size) is int and 0 <= size < 1 << 40 for size in shape or ()):
            raise WireError("a tensor's shape is malformed")
        dtype, raw = DTYPES[name], self._raw(node)
        if len(raw) != math.prod(shape or [1]) * dtype.itemsize:
            raise WireError("a tensor's bytes do not fit its shape and dtype")
        if not raw and math.prod(size or 1 for size in shape or [1]) > EMPTY_SIZE:
            raise WireError("a tensor without elements has too many rows")
        if not raw:
            return torch.empty(shape or [], dtype=dtype)
        if dtype == torch.bool:  # any other byte is no truth value
            return (torch.frombuffer(bytearray(raw), dtype=torch.uint8) != 0).reshape(shape or [])
        return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape or [])

    def _foreign(self, node: dict[str, Any]) -> Foreign:
        number = node.get("number")
        whole = isinstance(number, int) and abs(number) < 1 << 63
        if number is not None and not whole and not isinstance(number, float):
            raise WireError("a number is malformed")
        texts = {key: str(node[key])[:NAME_CHARACTERS] for key in ("layout", "dtype") if node.get(key)}
        name = str(node.get("type"))[:NAME_CHARACTERS]
        return Foreign(name, node.get("class") is True, None if number is None else float(number), **texts)


def _forward_of(module: Module) -> Callable[..., Any]:
    """Return the module's forward as a function of its parameters' values and its inputs."""
    names = [name for name, _ in module.named_parameters()]

    def forward(*args: Any) -> Any:
        values = dict(zip(names, args, strict=False))
        return functional_call(module, values, args[len(names) :])

    return forward
