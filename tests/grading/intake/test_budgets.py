"""What is too large, too deep or too slow to be read is not graded, with that reason, and soon."""

from __future__ import annotations

import io
import json
import time
import zipfile

import nbformat
import pytest
from submissions import fill_in, untouched

from grading import grade as grading
from grading.grade import grade
from grading.intake.choosing import read_submission
from grading.intake.reading import Unreadable
from grading.intake.repair import graded_names, repair
from grading.job import NOT_GRADED, Job

TOPIC = "02_jensen_entropy_kl"
SEEDS = dict.fromkeys(graded_names(TOPIC), 77)
FIRST = "_first.ipynb"


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def good() -> bytes:
    return nbformat.writes(fill_in(TOPIC, lambda i: True)).encode()


DEEP = {
    "lists": b"[" * 2_000_000,
    "objects": b'{"a":' * 1_000_000,
    "cells": b'{"cells": [' + b'{"cell_type": "code", "source": [{"a": ' * 300_000,
    "objects that end": b'{"a":' * 500_000 + b"1" + b"}" * 500_000,
    "metadata": b'{"cells": [{"cell_type": "code", "source": "", "metadata": '
    + b'{"a":' * 100_000
    + b"1"
    + b"}" * 100_000
    + b"}]}",
}
UNREADABLE = {
    "a zip bomb": (archive({f"{i}.ipynb": b" " * (50 << 20) for i in range(4)}), "unpacked, the archive has more than"),
    "many members": (archive({f"{i}.txt": b"" for i in range(25_000)}), "the archive holds 25000 files"),
    **{f"nested {name}": (archive({"a.ipynb": content}), "nested deeper") for name, content in DEEP.items()},
    "much code": (
        json.dumps({"cells": [{"cell_type": "code", "source": "x = 1\n" * 200_000}] * 6}).encode(),
        "its code has",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_beyond_a_budget_a_file_is_unreadable_with_the_reason(name, bench):
    content, why = UNREADABLE[name]
    began = time.process_time()
    result = grade(Job(TOPIC, "mallory", {"upload.zip" if content[:2] == b"PK" else FIRST: content}, SEEDS), bench)
    assert result["state"] == NOT_GRADED
    assert result["why"].startswith("unreadable file: ")
    assert why in result["why"]
    assert time.process_time() - began < 15


def test_a_good_notebook_beside_a_bomb_is_read():
    content, _ = UNREADABLE["a zip bomb"]
    assert read_submission({"bomb.zip": content, f"{TOPIC}.ipynb": good()}, TOPIC).file == f"{TOPIC}.ipynb"


def test_what_takes_too_long_to_read_is_said_to(bench, monkeypatch):
    def slow(*args: object) -> None:
        while True:
            pass

    monkeypatch.setattr(grading, "repair", slow)
    monkeypatch.setattr(grading, "READING_SECONDS", 0.2)
    result = grade(Job(TOPIC, "mallory", {f"{TOPIC}.ipynb": good()}, SEEDS), bench)
    assert result["why"] == "unreadable file: reading it takes more than 0.2 seconds"


def alike(count: int, longer: int = 1) -> bytes:
    """A notebook with many cells that are nearly one of the course's."""
    notebook = untouched(TOPIC)
    source = max((cell.source for cell in notebook.cells if cell.cell_type == "code"), key=len) * longer
    for i in range(count):
        notebook.cells.append(nbformat.v4.new_code_cell(source.replace("=", f"= {i} +", 3)))
    return nbformat.writes(notebook).encode()


@pytest.mark.parametrize(("count", "longer"), [(400, 1), (1900, 1), (300, 10)])
def test_many_cells_that_are_nearly_alike_are_matched_within_seconds(count, longer):
    began = time.process_time()
    repaired = repair(read_submission({f"{TOPIC}.ipynb": alike(count, longer)}, TOPIC), TOPIC)
    assert time.process_time() - began < 12
    assert {name for step in repaired.steps for name in step.defines} == set(graded_names(TOPIC))


def test_a_cell_with_more_magics_than_ipython_takes_is_read():
    notebook = untouched(TOPIC)
    notebook.cells.insert(2, nbformat.v4.new_code_cell("%time x = 1\n" * 600))
    repair(read_submission({f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}, TOPIC), TOPIC)


def test_a_text_as_large_as_a_film_is_left_out_and_said():
    notebook = untouched(TOPIC)
    notebook.cells.append(nbformat.v4.new_markdown_cell("![](data:image/png;base64," + "A" * (3 << 20)))
    handed = read_submission({f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}, TOPIC)
    assert "A cell of text was too large to be kept." in handed.repairs


def test_an_encrypted_or_broken_archive_is_no_notebook():
    for content in (archive({"a.ipynb": good()})[:-30], b"PK\x03\x04" + bytes(5000)):
        with pytest.raises(Unreadable):
            read_submission({"a.zip": content}, TOPIC)
