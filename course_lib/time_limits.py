"""A time limit for what a student wrote, on every platform and in every thread."""

from __future__ import annotations

import ctypes
import itertools
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

AGAIN_SECONDS = 0.5  # a student's `except BaseException` cannot swallow the only one
VOLLEY_SECONDS = 0.001  # nor, in a loop, all: what swallowed two gets so many that one comes outside its `try`


class OutOfTime(BaseException):
    """Raised in the student's code when its time is over; no ``except Exception`` swallows it."""


def call_within(seconds: float, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, and raise :class:`OutOfTime` inside it when its time is over.

    In the main thread of a Unix process an alarm does it, which also ends what waits. Elsewhere (Windows, another
    thread) a second thread does it, between two of Python's own steps: one long call into a library ends first, and
    a loop that swallows everything around nothing but such calls (``time.sleep``) never does.

    Args:
        seconds: positive.

    Raises:
        OutOfTime: the time was over, and the function did not swallow it.
    """
    clock: _Clock = _Alarm() if _has_alarms() else _Watcher()
    try:
        clock.start(seconds)
        return function(*args)
    finally:
        while True:
            try:
                clock.stop()
                break
            except OutOfTime:  # it came just when the clock was being stopped, and may have kept it from that
                pass


def _has_alarms() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class _Clock(Protocol):
    def start(self, seconds: float) -> None: ...

    def stop(self) -> None:
        """Raise nothing from now on; may be called again."""


class _Alarm:
    """Raises by SIGALRM."""

    def start(self, seconds: float) -> None:
        self._swallowed = False
        self._previous = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._previous)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._swallowed:
            signal.setitimer(signal.ITIMER_REAL, VOLLEY_SECONDS, VOLLEY_SECONDS)
        self._swallowed = True  # or else there is no next time
        raise OutOfTime


class _Watcher:
    """Raises from a thread of its own."""

    def start(self, seconds: float) -> None:
        self._watched = ctypes.c_ulong(threading.get_ident())
        self._seconds = seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="time limit", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._over.set()
            self._raise(None)  # takes back one that has not come yet

    def _watch(self) -> None:
        for wait in itertools.chain((self._seconds, AGAIN_SECONDS), itertools.repeat(VOLLEY_SECONDS)):
            if self._over.wait(wait):
                return
            with self._lock:
                if not self._over.is_set():
                    self._raise(ctypes.py_object(OutOfTime))

    def _raise(self, error: Any) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._watched, error)
