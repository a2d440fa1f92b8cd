"""Threads that wait for each other do so without burning the cores that others need."""

from __future__ import annotations

import os
import subprocess
import sys

import torch

from course_lib.checks import review

WHEN_IMPORTED = "import os, sys, course_lib; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"


def imported(**environment: str) -> list[str]:
    plain = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    done = subprocess.run(
        [sys.executable, "-c", WHEN_IMPORTED], env=plain | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_the_wait_is_set_before_torch_is_loaded_unless_it_was_set():
    assert imported() == ["1000", "False"]
    assert imported(GOMP_SPINCOUNT="7") == ["7", "False"]


def test_a_check_computes_on_one_thread_and_leaves_the_notebook_its_own():
    seen = []

    def independent_log_prob(probs):
        seen.append(torch.get_num_threads())
        return probs.log().sum(-1)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert review("independent_log_prob", independent_log_prob).passed
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
