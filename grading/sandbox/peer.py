"""Two processes that call each other's functions with data, and differentiate through the calls.

Either side asks, and while it waits for the reply it serves what the other side asks of it: a check calls an
answer, which calls the `log_q` it was given, which lives on the check's side. Of a call through which gradients
flow, the side that computed it keeps the graph, and multiplies vectors with its Jacobian when asked.
"""

from __future__ import annotations

import builtins
import itertools
import math
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from grading.sandbox.lent_modules import LentModule, kind_of
from grading.sandbox.recipes import build
from grading.sandbox.replies import gradients, raised
from grading.sandbox.wire import Reader, WireError, Writer, receive, send

KEPT_GRAPHS = 256
TEXT_CHARACTERS = 4000

Handler = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]


class Raised(Exception):
    """The other side raised; ``type_name`` and ``text`` say what."""

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(text)
        self.type_name, self.text = type_name, text

    def rebuilt(self) -> Exception:
        """Return the nearest built-in exception."""
        kind = getattr(builtins, self.type_name, None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind = RuntimeError
        try:
            return kind(self.text)
        except TypeError:  # UnicodeDecodeError and its like take more than a text
            return RuntimeError(self.text)


class Peer:
    """One end of a pipe over which functions are called and differentiated."""

    def __init__(self, pipe: socket.socket, payload_bytes: int) -> None:
        self.pipe = pipe
        self.payload_bytes = payload_bytes
        self.handlers: dict[str, Handler] = {"callback": self._serve_callback, "vjp": self._serve_vjp}
        self.deadline = math.inf
        self.takes_optimizers = False
        self.kept_graphs = KEPT_GRAPHS
        self._functions: dict[int, Any] = {}
        self._graphs: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        self.numbers = itertools.count(1)
        self._lock = threading.RLock()

    def forget(self) -> None:
        """Drop the functions and graphs that were kept for calls from the other side."""
        self._functions.clear()
        self._graphs.clear()

    # Asking

    def ask(self, message: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Send a request and return the reply, serving the other side meanwhile.

        Raises:
            Raised: the other side raised while serving it.
            PeerGone, PeerSilent, WireError: see grading.sandbox.wire.
        """
        with self._lock:
            # A reply that does not carry its request's word was sent before it was asked for.
            word = secrets.token_hex(8)
            send(self.pipe, {**message, "word": word}, payload, self.deadline)
            while True:
                reply, body = receive(self.pipe, self.deadline, self.payload_bytes)
                if "ask" in reply:
                    self.serve(reply, body)
                elif reply.get("word") != word:
                    raise WireError("a reply answers no request")
                elif reply.get("re") == "raised":
                    raise Raised(*raised(reply, TEXT_CHARACTERS))
                elif reply.get("re") == "ok":
                    return reply, body
                else:
                    raise WireError("a frame is neither a request nor a reply")

    def serve_next(self) -> None:
        """Wait for a request and serve it."""
        with self._lock:
            message, payload = receive(self.pipe, self.deadline, self.payload_bytes)
            self.serve(message, payload)

    def serve(self, message: dict[str, Any], payload: bytes) -> None:
        """Serve a request that has come."""
        handler = self.handlers.get(str(message.get("ask")))
        if handler is None:
            raise WireError("a frame asks for what is not offered")
        try:
            reply, body = handler(message, payload)
        except (Raised, WireError):
            raise
        except Exception as error:
            reply, body = {"re": "raised", "type": type(error).__name__, "text": str(error)[:TEXT_CHARACTERS]}, b""
        send(self.pipe, {**reply, "word": message.get("word")}, body, self.deadline)

    def call(self, ask: dict[str, Any], args: tuple[Any, ...], extra: list[Tensor] | None = None) -> Any:
        """Call a function of the other side; gradients flow through tensors among the arguments.

        Args:
            ask: the request, to which the arguments are added.
            extra: further tensors, known to both sides, on which the result may depend (parameters).
        """
        inputs: list[Tensor] = []
        grad = torch.is_grad_enabled()

        def on_tensor(tensor: Tensor) -> dict[str, Any]:
            if not (grad and tensor.requires_grad):
                return {}
            inputs.append(tensor)
            return {"grad": True, "leaf": tensor.is_leaf}

        learning = inputs.append if grad else lambda parameter: None
        # Only the grader lends optimisers: what it is lent it would have to build from what a submission says.
        writer = Writer(on_tensor, self._keep_function, True, not self.takes_optimizers, learning)
        node = writer.node(args)
        reply, body = self.ask({**ask, "args": node, "grad": grad}, writer.payload)
        self.read_reply(reply)
        self._follow_changes(args, reply, body)
        attached: list[Tensor] = []

        def on_result(tensor: Tensor, node: dict[str, Any]) -> Tensor:
            if node.get("grad") is True and tensor.is_floating_point():
                attached.append(tensor)
            return tensor

        result = Reader(body, on_result).value(reply.get("value"))
        reference = reply.get("call")
        sources = inputs + [tensor for tensor in extra or [] if tensor.requires_grad]
        if attached and sources and type(reference) is int:
            linked = _Linked.apply(self, reference, attached, *sources)
            pairs = {id(bare): link for bare, link in zip(attached, linked, strict=True)}
            result = _replace(result, pairs)
        return result

    def read_reply(self, reply: dict[str, Any]) -> None:
        """Look at a call's reply before its result is read; the grader's side does."""

    def _follow_changes(self, args: tuple[Any, ...], reply: dict[str, Any], body: bytes) -> None:
        """Repeat on our arguments what the other side did to them in place."""
        changed = reply.get("changed") or []
        if not isinstance(changed, list) or len(changed) > len(args):
            raise WireError("the changed arguments are malformed")
        reader = Reader(body)
        for entry in changed:
            index = entry.get("arg") if isinstance(entry, dict) else None
            if type(index) is not int or not 0 <= index < len(args):
                raise WireError("the changed arguments are malformed")
            mine = args[index]
            if isinstance(mine, Module):
                _follow_module(mine, reader.value(entry.get("value")))
            elif isinstance(mine, torch.Generator):
                reader.generator(entry["value"] if isinstance(entry.get("value"), dict) else {}, into=mine)
            elif isinstance(mine, Tensor):
                new = reader.value(entry.get("value"))
                if not isinstance(new, Tensor):
                    raise WireError("the changed arguments are malformed")
                mine.data = new.to(mine.dtype)

    def vjp(self, reference: int, vectors: list[Tensor | None], sources: list[Tensor]) -> list[Tensor | None]:
        """Ask the other side for a vector–Jacobian product of an earlier call, one for each source."""
        writer = Writer()
        node = writer.node(vectors)
        try:
            reply, body = self.ask({"ask": "vjp", "call": reference, "grads": node}, writer.payload)
        except Raised as error:
            raise self.no_gradient(error) from None
        return gradients(Reader(body).value(reply.get("value")), sources)

    def no_gradient(self, error: Raised) -> Exception:
        """Return what to raise where the other side has failed to differentiate."""
        return error.rebuilt()

    # Serving

    def compute(self, function: Callable[..., Any], message: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Call a function of ours with the arguments of a request.

        Returns ``result``, ``args`` and ``changed``, for :meth:`answer_with`.
        """
        leaves: list[Tensor] = []

        def on_tensor(tensor: Tensor, node: dict[str, Any]) -> Tensor:
            if node.get("grad") is not True or not tensor.is_floating_point():
                return tensor
            leaves.append(tensor.requires_grad_())
            # What came in as a result of other operations may be changed in place, a leaf may not.
            return tensor if node.get("leaf") is True else tensor * 1

        def on_module(reference: int, name: str, parameters: dict[str, Parameter], recipe: Any) -> Module:
            if message.get("grad") is True:
                leaves.extend(parameter for parameter in parameters.values() if parameter.requires_grad)
            plain = build(recipe) if self.takes_optimizers else None  # the grader builds nothing for a submission
            return kind_of(plain)(self._proxy(reference, name), parameters, plain)

        reader = Reader(payload, on_tensor, self._proxy, on_module, self.takes_optimizers)
        args = reader.value(message.get("args"))
        if not isinstance(args, tuple):
            raise WireError("the arguments are no tuple")
        before = [arg.detach().clone() if isinstance(arg, Tensor) else _state(arg) for arg in args]
        with torch.set_grad_enabled(message.get("grad") is True):
            result = function(*args)
        return {"result": result, "args": args, "before": before, "leaves": leaves}

    def answer_with(self, done: dict[str, Any], extra: list[Tensor] | None = None) -> tuple[dict[str, Any], bytes]:
        """Make the reply to a call: its result, what it changed, and whether gradients flow."""
        flowing: list[Tensor] = []
        inputs = done["leaves"] + [tensor for tensor in extra or [] if tensor.requires_grad]

        def on_tensor(tensor: Tensor) -> dict[str, Any]:
            if not tensor.requires_grad or not inputs:
                return {}
            flowing.append(tensor)
            return {"grad": True}

        writer = Writer(on_tensor)
        value = writer.node(done["result"])
        if writer.size > self.payload_bytes:
            raise WireError(f"more than {self.payload_bytes >> 20} MB were returned")
        writer.on_tensor = lambda tensor: {}
        changed = [
            {"arg": index, "value": writer.node(arg)}
            for index, (arg, old) in enumerate(zip(done["args"], done["before"], strict=True))
            if (isinstance(arg, Tensor) and _changed(arg, old))
            or (isinstance(arg, torch.Generator) and not torch.equal(arg.get_state(), old))
        ]
        changed += [
            {"arg": index, "value": writer.node([[p.detach(), p.grad] for p in arg.parameters()])}
            for index, arg in enumerate(done["args"])
            if isinstance(arg, LentModule)
        ]
        reply = {"re": "ok", "value": value, "changed": changed}
        if flowing:
            reply["call"] = next(self.numbers)
            self._graphs[reply["call"]] = (flowing, inputs)
            if len(self._graphs) > self.kept_graphs:
                self._graphs.pop(next(iter(self._graphs)))
        return reply, writer.payload

    def _serve_callback(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        function = self._functions.get(_number(message.get("ref")))
        if function is None:
            raise ValueError("this function belongs to a call that is over")
        return self.answer_with(self.compute(function, message, payload))

    def _serve_vjp(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        gradients = Reader(payload).value(message.get("grads"))
        kept = self._graphs.get(_number(message.get("call")))
        if kept is None or not isinstance(gradients, list) or len(gradients) != len(kept[0]):
            raise ValueError("this result belongs to a call that is over")
        outputs, inputs = kept
        pairs = [(out, grad) for out, grad in zip(outputs, gradients, strict=True) if isinstance(grad, Tensor)]
        products = torch.autograd.grad(
            [out for out, _ in pairs], inputs, [grad for _, grad in pairs], retain_graph=True, allow_unused=True
        )
        writer = Writer()
        return {"re": "ok", "value": writer.node(list(products))}, writer.payload

    def _keep_function(self, function: Any) -> int:
        number = next(self.numbers)
        self._functions[number] = function
        return number

    def _proxy(self, reference: int, name: str) -> Callable[..., Any]:
        def call_back(*args: Any) -> Any:
            try:
                return self.call({"ask": "callback", "ref": reference}, args)
            except Raised as error:
                raise error.rebuilt() from None

        call_back.__name__ = call_back.__qualname__ = name
        return call_back


def _follow_module(module: Module, values: Any) -> None:
    """Give a module that was lent the parameters and gradients that came back."""
    own = list(module.parameters())
    if not isinstance(values, list) or len(values) != len(own):
        raise WireError("the parameters of a module are malformed")
    for parameter, pair in zip(own, values, strict=True):
        value, grad = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        parameter.data = _like(value, parameter)
        parameter.grad = None if grad is None else _like(grad, parameter)


def _like(value: Any, parameter: Tensor) -> Tensor:
    if not isinstance(value, Tensor) or value.shape != parameter.shape or not value.is_floating_point():
        raise WireError("the parameters of a module are malformed")
    return value.to(parameter)


class _Linked(torch.autograd.Function):
    """Results that came over the pipe, linked to the tensors they were computed from."""

    @staticmethod
    def forward(ctx: Any, peer: Peer, reference: int, results: list[Tensor], *sources: Tensor) -> tuple[Tensor, ...]:
        ctx.peer, ctx.reference = peer, reference
        ctx.sources = [source.detach() for source in sources]
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *vectors: Tensor | None) -> Any:
        return (None, None, None, *ctx.peer.vjp(ctx.reference, list(vectors), ctx.sources))


def _replace(thing: Any, pairs: dict[int, Tensor]) -> Any:
    if isinstance(thing, tuple | list):
        return type(thing)(_replace(part, pairs) for part in thing)
    return pairs.get(id(thing), thing)


def _number(thing: Any) -> int:
    return thing if type(thing) is int else -1


def _state(thing: Any) -> Tensor | None:
    return thing.get_state() if isinstance(thing, torch.Generator) else None


def _changed(now: Tensor, before: Tensor) -> bool:
    plain = now.detach().as_subclass(Tensor)
    return plain.shape != before.shape or plain.dtype != before.dtype or not torch.equal(plain, before)
