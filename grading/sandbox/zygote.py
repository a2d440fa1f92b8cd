"""A server that has imported the heavy libraries once, and forks a process for every sandbox.

It imports and never computes: a fork of a process that has used OpenMP's threads hangs. It has read nothing
of the course's checks, so that what it forks has nothing of them in its memory.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import sys
import time

from grading.sandbox import confine, library
from grading.sandbox.guest import GuestShell, enter, make_shell
from grading.sandbox.wire import PeerGone, send

PRELOADED = (
    "torch",
    "torch.distributions",
    "torchvision",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "ipywidgets",
)


def preload() -> GuestShell:
    for name in PRELOADED:
        __import__(name)
    return make_shell()


def serve(control: socket.socket, shell: GuestShell) -> None:
    """Fork a guest for every request, until the grader closes the control pipe.

    A request is JSON with the pipe to the grader attached: ``pid`` of a process in the sandbox (null: none),
    ``own_user`` whether the sandbox has a user namespace, ``uid`` to become, ``limits``, ``course``,
    ``group`` of the kernel's that counts it (null: none).
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for guests
    while True:
        data, files, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not data:
            return
        request = json.loads(data)
        if os.fork() == 0:
            control.close()
            if "library" in request:
                _library(socket.socket(fileno=files[0]), int(request["library"]))
            _guest(request, socket.socket(fileno=files[0]), shell)
        os.close(files[0])


def _library(pipe: socket.socket, payload_bytes: int) -> None:
    """Compute the library's functions for a submission, as far as a process may go; never returns."""
    try:
        confine.reset_signals()
        confine.die_with_parent()
        confine.close_all_but([pipe.fileno()])
        library.serve(pipe, payload_bytes)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _guest(request: dict[str, object], pipe: socket.socket, shell: GuestShell) -> None:
    """Join the sandbox, fork once more to be among its processes, and serve; never returns."""
    try:
        confine.reset_signals()
        limits = {str(name): int(value) for name, value in dict(request["limits"]).items()}  # type: ignore[call-overload]
        course = str(request["course"])
        if request["pid"] is not None:
            if request["group"] is not None:
                confine.enter_group(str(request["group"]))
            confine.join(int(str(request["pid"])), request["own_user"] is True)
            if os.fork() != 0:
                os._exit(0)
            course = confine.COURSE
        else:
            confine.die_with_parent()
            os.chdir(str(request["folder"]))
        os.setsid()
        confine.close_all_but([pipe.fileno()])
        confine.limit(limits)
        uid = request["uid"]
        confine.own_keyring()
        confine.give_up_privileges(None if uid is None else int(str(uid)))
        if request["pid"] is not None:
            confine.filter_calls()
        enter(pipe, limits, shell, course)
    except PeerGone:
        pass
    except BaseException as error:
        try:
            send(pipe, {"re": "raised", "type": type(error).__name__, "text": str(error)}, b"", time.monotonic() + 5)
        except BaseException:
            os._exit(1)
    os._exit(0)


def main() -> None:
    """Serve until the grader ends, however it ends; then remove the folder it lent us."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        shell = preload()
        gc.collect()
        gc.freeze()  # a collection in a guest would touch, and so copy, everything that was loaded
        control.send(b"ready")
        serve(control, shell)
    finally:
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
