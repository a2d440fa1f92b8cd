"""The switches of a process that a cell can throw for everything after it, as they are and as a check wants them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

SEED = 20


def _random_now() -> Any:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def _set_random(states: Any) -> None:
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])


def _seed() -> None:
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    random.seed(SEED)


def _set_device(device: Any) -> None:
    torch.set_default_device(None if device is None or torch.device(device).type == "cpu" else device)


# Name, how it stands, how to set it.
SWITCHES: tuple[tuple[str, Callable[[], Any], Callable[[Any], Any]], ...] = (
    ("device", lambda: str(torch.get_default_device()), _set_device),
    ("dtype", torch.get_default_dtype, torch.set_default_dtype),
    ("gradients", torch.is_grad_enabled, torch.set_grad_enabled),
    ("anomalies", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    ("determinism", torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    ("threads", torch.get_num_threads, torch.set_num_threads),
    ("folder", os.getcwd, os.chdir),
    ("floats", np.geterr, lambda how: np.seterr(**how)),
)


class Switches:
    """A process's switches: those it began with, and those that the notebook has thrown while a check holds them back."""

    def __init__(self) -> None:
        self._plain = self._now()
        self._held: dict[str, Any] | None = None
        self._random: Any = None

    def _now(self) -> dict[str, Any]:
        found = {}
        for name, read, _ in SWITCHES:
            with suppress(Exception):  # a cell may have broken what reads it
                found[name] = read()
        return found

    def _set(self, wanted: dict[str, Any], now: dict[str, Any]) -> None:
        for name, _, write in SWITCHES:
            if name in wanted and now.get(name) != wanted[name]:
                with suppress(Exception):
                    write(wanted[name])

    def hold(self, own: bool) -> bool:
        """Set all as they were at the start, for a check, or with ``own`` leave the notebook's; return whether any differs.

        Chance begins anew in either case.
        """
        self.release()
        now = self._now()
        with suppress(Exception):
            self._random = _random_now()
            _seed()
        if not own:
            self._held = now
            self._set(self._plain, now)
        return now != self._plain

    def release(self) -> None:
        """Give the notebook its own switches back: what a check sets, or draws, changes nothing in it."""
        if self._held is not None:
            self._set(self._held, self._now())
            self._held = None
        if self._random is not None:
            with suppress(Exception):
                _set_random(self._random)
            self._random = None

    def took_back_device(self) -> bool:
        """Take back a default device that is not here, on which everything after it would fail."""
        with suppress(Exception):  # torch looks for the device when it is asked for its name
            if torch.get_default_device().type in ("cpu", "meta"):
                return False
        torch.set_default_device(None)
        return True
