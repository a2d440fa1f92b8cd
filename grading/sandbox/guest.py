"""What runs inside a sandbox: the student's cells in an IPython shell, and the answers that checks call."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from matplotlib_inline.backend_inline import configure_inline_support

from course_lib import student_code
from course_lib.answers import AnswerFailed, LocalAnswer, LocalInstance
from course_lib.time_limits import OutOfTime, call_within
from grading.magic_lines import LineByLine
from grading.sandbox.confine import HOME
from grading.sandbox.outputs import Outputs, Stream
from grading.sandbox.peer import Peer, Raised
from grading.sandbox.switches import Switches
from grading.sandbox.wire import MEGABYTE, PeerGone, Reader, WireError, Writer, send

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": HOME,
    "USER": "student",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",
    "PIP_RETRIES": "0",  # there is no network to wait for
    "NBGRADER_EXECUTION": "autograde",
}
MOST_FAILURES = 50  # of the statements of a cell, after which it ends
FULL_TRACEBACKS = 10


class GuestShell(InteractiveShell):
    """IPython without kernel or sockets, whose outputs are collected."""

    outputs: Outputs
    source: str
    errors = 0  # that were shown so far
    switches: Switches | None = None
    failed: list[list[str]]  # the statements of this cell that failed: each its line, and why

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        """Run one statement of a cell; where it fails, the cell goes on with the next."""
        failed = await super().run_code(code_obj, result, async_=async_)
        if self.switches is not None and self.switches.took_back_device():
            line = _line(self.source, code_obj.co_firstlineno)
            self.failed.append([line, "there is no such device where it is graded"])
        error = getattr(result, "error_in_exec", None)
        if not failed or error is None:
            return failed
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not code_obj:
            trace = trace.tb_next
        number = trace.tb_lineno if trace is not None else 0
        why = ""
        with suppress(Exception):
            why = next(iter(str(error).strip().splitlines()), "")
        self.failed.append([_line(self.source, number), f"{type(error).__name__}: {why[:200]}".rstrip(": ")])
        result.error_in_exec = None
        return isinstance(error, OutOfTime | KeyboardInterrupt) or len(self.failed) >= MOST_FAILURES

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Show an exception, the first of a notebook with the code around it, which takes 30 milliseconds each."""
        self.errors += 1
        if self.errors == FULL_TRACEBACKS + 1:
            self.InteractiveTB.set_mode("Plain")
        super().showtraceback(*args, **kwargs)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.outputs.error(str(getattr(etype, "__name__", etype)), str(evalue), stb)

    def system_piped(self, cmd: str) -> None:
        """Run a command (``!ls``) without a terminal: IPython's own waits 0.2 s for one, each time.

        Raises:
            OSError: it is to go on in the background.
        """
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        command = ["/bin/sh", "-c", self.var_expand(cmd, depth=1)]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    sys.stdout.write(line)
            except BaseException:  # its time is over
                process.kill()
                raise
        self.user_ns["_exit_code"] = process.returncode

    def enable_gui(self, gui: Any = None) -> None:
        """There is no window to open."""

    def init_history(self) -> None:
        """Whose history would it be?"""
        super().init_history()
        self.history_manager.enabled = False


def _line(source: str, number: int) -> str:
    lines = source.splitlines()
    return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""


class _Hook(DisplayHook):
    def write_output_prompt(self) -> None: ...

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        self.shell.outputs.data("execute_result", format_dict)

    def finish_displayhook(self) -> None: ...

    def flush(self) -> None: ...


class _Publisher(DisplayPublisher):
    def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        self.shell.outputs.data("display_data", data)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear()


def make_shell() -> GuestShell:
    """Return a new shell; it computes nothing, so that a server may make it before it forks."""
    GuestShell.clear_instance()
    shell = GuestShell.instance(displayhook_class=_Hook, display_pub_class=_Publisher, history_length=0)
    shell.outputs = Outputs(1 << 16)
    shell.source, shell.failed = "", []
    shell.system = shell.system_piped
    shell.input_transformer_manager = LineByLine()
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    shell.run_cell("1/0\n", store_history=False)  # loads what formats a traceback
    shell.outputs.clear()
    shell.errors = 0
    shell.user_ns.pop("_", None)
    return shell


class Guest:
    """Serves the grader: runs cells, calls answers."""

    def __init__(self, pipe: socket.socket, limits: dict[str, int], shell: GuestShell) -> None:
        self.shell = shell
        shell.outputs = Outputs(limits["output_kb"] * 1024)
        self.limits = limits
        self.peer = Peer(pipe, limits["reply_mb"] * MEGABYTE)
        self.peer.takes_optimizers = True
        self.answer: LocalAnswer | None = None
        self.instances: dict[int, LocalInstance] = {}
        self.switches = shell.switches = Switches()
        self._checked: dict[str, Any] = {}
        for name in (
            "run",
            "files",
            "begin",
            "reaches",
            "stand_in",
            "value",
            "call",
            "construct",
            "method",
            "parameters",
            "set_parameters",
        ):
            self.peer.handlers[name] = getattr(self, f"serve_{name}")

    def serve(self) -> None:
        """Serve until the grader closes the pipe."""
        send(self.peer.pipe, {"re": "ok", "ready": True, "pid": os.getpid()}, b"", time.monotonic() + 10)
        while True:
            try:
                self.peer.serve_next()
            except PeerGone:
                return

    def serve_files(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Write the other files of a submission into the working directory."""
        at = 0
        for name, size in message["files"]:
            with suppress(OSError):  # no room, or a name that is taken: the notebook will say what it misses
                os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
                with open(name, "wb") as file:
                    file.write(payload[at : at + size])
            at += size
        return {"re": "ok"}, b""

    def serve_run(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Run a cell."""
        self.switches.release()
        outputs = self.shell.outputs
        outputs.clear()
        self.shell.source, self.shell.failed = message["source"], []
        began = time.monotonic()
        errors: tuple[Any, ...]
        try:
            with redirect_stdout(Stream(outputs, "stdout")), redirect_stderr(Stream(outputs, "stderr")):
                done = call_within(self.limits["cell_seconds"], self._run_cell, message["source"])
            errors = (done.error_before_exec, done.error_in_exec)
        except BaseException as error:  # what a cell left behind to be raised later
            errors = (error,)
        for failure in errors:
            if failure is not None and not any(out["output_type"] == "error" for out in outputs.list):
                outputs.error(type(failure).__name__, str(failure), [])
        reply = {
            "re": "ok",
            "outputs": outputs.list,
            "failed_lines": self.shell.failed[:MOST_FAILURES],
            "seconds": time.monotonic() - began,
        }
        return reply, b""

    def _run_cell(self, source: str) -> Any:
        return self.shell.run_cell(source, store_history=True)

    def serve_begin(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Begin the check of one name.

        ``again``: of the thing that had this name at its last check; ``own``: with the switches that the notebook has thrown.
        """
        switched = self.switches.hold(message["own"])
        self.peer.forget()
        self.instances.clear()
        name = message["name"]
        if message["again"] and name in self._checked:
            thing, found = self._checked[name], True
        else:
            thing, found = self.shell.user_ns.get(name), name in self.shell.user_ns
        self._checked[name] = thing
        self.answer = LocalAnswer(name, thing, message["seconds"])
        return {"re": "ok", "found": found, "switched": switched}, b""

    def serve_reaches(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Say which of some names the answer uses."""
        return {"re": "ok", "names": self._answer().reaches(message["names"])}, b""

    def serve_stand_in(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Let the course's own solutions stand in for some names that the answer uses."""
        own = {name: _lent(*part) for name, part in message["parts"].items()}
        self.answer = self._answer().standing_in(own)
        return {"re": "ok"}, b""

    def serve_value(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        writer = Writer()
        return {"re": "ok", "value": writer.node(self._answer().value())}, writer.payload

    def serve_call(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        return self._observed(self._asked(message).call, message, payload)

    def serve_construct(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        def construct(*args: Any) -> int:
            number = len(self.instances) + 1
            self.instances[number] = self._asked(message).construct(*args)
            return number

        return self._observed(construct, message, payload)

    def serve_method(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        instance = self.instances[message["of"]]
        parameters: list[torch.Tensor] = []
        with suppress(AnswerFailed):  # a module that is none yet: the call will tell
            parameters = list(instance.parameters().values())
        return self._observed(lambda *args: instance.call(message["method"], *args), message, payload, parameters)

    def serve_parameters(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            parameters = self.instances[message["of"]].parameters()
        except AnswerFailed as failed:
            return _failed(failed)
        writer = Writer(on_tensor=lambda tensor: {"grad": tensor.requires_grad})
        node = writer.node(list(parameters.items()))
        return {"re": "ok", "value": node}, writer.payload

    def serve_set_parameters(self, message: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        values = dict(Reader(payload).value(message["value"]))
        try:
            self.instances[message["of"]].set_parameters(values)
        except AnswerFailed as failed:
            return _failed(failed)
        return {"re": "ok"}, b""

    def _answer(self) -> LocalAnswer:
        if self.answer is None:
            raise WireError("no check has begun")
        return self.answer

    def _asked(self, message: dict[str, Any]) -> LocalAnswer:
        return self._answer().watched() if message["watched"] else self._answer()

    def _observed(
        self, function: Any, message: dict[str, Any], payload: bytes, parameters: list[torch.Tensor] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        name, printed = self._answer().name, Outputs(4096)
        try:
            with (
                redirect_stdout(Stream(printed, "stdout")),
                redirect_stderr(Stream(Outputs(0), "stderr")),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                done = self.peer.compute(function, message, payload)
                reply, body = self.peer.answer_with(done, parameters)
        except AnswerFailed as failed:
            reply, body = _failed(failed)
        except KeyboardInterrupt:
            reply, body = _failed(
                AnswerFailed("raised", f"{name} raised KeyboardInterrupt.", error="KeyboardInterrupt")
            )
        except WireError as error:
            reply, body = _failed(AnswerFailed("type", f"{name} returned something that cannot be read: {error}."))
        reply["printed"] = "".join(out["text"] for out in printed.list)
        return reply, body


def _lent(module: str, name: str, source: str) -> Any:
    """Return what the source that the grader has sent defines under a name."""
    lent = ModuleType(module)
    exec(compile(source, f"{student_code.OURS[-1]}/lent.py", "exec"), vars(lent))
    return getattr(lent, name)


def _failed(failed: AnswerFailed) -> tuple[dict[str, Any], bytes]:
    what = {"kind": failed.kind, "says": failed.says, "line": failed.line, "error": failed.error}
    return {"re": "ok", "failed": what}, b""


def enter(pipe: socket.socket, limits: dict[str, int], shell: GuestShell, course: str) -> None:
    """Become the guest: forget the course as the grader knows it, and serve."""
    student_code.OURS += (course,)
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    for name in [name for name in sys.modules if name.split(".")[0] in ("course_lib", "grading")]:
        del sys.modules[name]
    sys.path[:] = [course, os.getcwd()] + [path for path in sys.path if "site-packages" in path or "python3" in path]
    grader = import_module(
        "course_lib.grader"
    )  # the view's own module: the library's references live on the other side

    guest = Guest(pipe, limits, shell)

    def call_grader(name: str, args: tuple[Any, ...]) -> Any:
        try:
            return guest.peer.call({"ask": "library", "name": name}, args)
        except Raised as raised:
            kind = grader.ReferenceUsed if raised.type_name == "ReferenceUsed" else None
            raise (kind(raised.text) if kind else raised.rebuilt()) from None

    vars(grader)["call_grader"] = call_grader
    guest.serve()
