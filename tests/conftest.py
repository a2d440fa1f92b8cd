"""Shared by all tests: one thread a worker, so that parallel workers do not fight over the cores."""

from __future__ import annotations

import os
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATENT_COURSE_LANGUAGE", "en")  # tests quote what checks say; a fork's own language is another

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from course_lib.settings import SETTINGS

torch.set_num_threads(1)

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))]
DTYPES = [torch.float32, torch.float64]


@cache
def left_out_in(file: Path) -> str | None:
    """Return a notebook that a file of tests names and that is left out of this course (course_lib/course.toml)."""
    named = re.findall(r"\b\d\d_[a-z]{2}\w+", file.read_text(encoding="utf-8"))
    return next((topic for topic in named if not SETTINGS.teaches(topic)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if topic := left_out_in(item.path):
            item.add_marker(pytest.mark.skip(reason=f"{topic} is left out, and this file names it"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    try:
        return (yield)
    except KeyError as error:
        from course_lib.exercises import LeftOut  # loads all exercises, which few tests need

        if isinstance(error, LeftOut):
            pytest.skip(str(error.args[0]))
        raise


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=DTYPES, ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param
