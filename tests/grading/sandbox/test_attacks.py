"""Every attack earns exactly the points of its honest part, learns nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import nbformat
import pytest
from attacks import ATTACKS, Attack
from conftest import needs_sandbox
from submissions import solved_cells, untouched

from course_lib.checker.probes import HIDDEN
from course_lib.checks import find_exercise, review
from grading.course import ROOT
from grading.grade import grade
from grading.intake.repair import graded_names
from grading.job import Job
from grading.records.store import read_files
from grading.sandbox.limits import Limits

TOPIC = "02_jensen_entropy_kl"
HONEST = {"spread_prediction", "jensen_gap", "gaussian_entropy", "categorical_entropy", "linear_gaussian_posterior"}
MARKER = f"attack-of-{os.getpid()}-left-behind"
CANARY = "the-canary-sings-4711"
SEEDS = {name: 123_456_789 + i for i, name in enumerate(graded_names(TOPIC))}

pytestmark = needs_sandbox


def notebook_with(attack: Attack, places: dict[str, object]) -> bytes:
    notebook, solved = untouched(TOPIC), solved_cells(TOPIC)
    for cell in notebook.cells:
        if cell.id in HONEST:
            cell.source = solved[cell.id]
        if cell.id in attack.answers:
            cell.source = attack.answers[cell.id]
    source = attack.cell
    for name, value in places.items():
        source = source.replace(f"{{{name}}}", str(value))
    if source:
        notebook.cells.insert(2, nbformat.v4.new_code_cell(source))
    return nbformat.writes(notebook).encode()


def processes_left() -> list[str]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                command = Path("/proc", name, "cmdline").read_bytes()
                if MARKER.encode() in command:
                    found.append(name)
            except OSError:
                continue
    return found


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with a gradebook and another student's submission, which an attack may look for."""
    for path in ("grading/submitted/bert", "grading/results", "solutions"):
        (tmp_path / path).mkdir(parents=True)
    for path in (
        "grading/gradebook.db",
        "grading/submitted/bert/answer.py",
        "grading/results/secret",
        "solutions/all.py",
    ):
        (tmp_path / path).write_text(CANARY)
    return tmp_path


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_earns_what_its_honest_part_earns(attack, bench, course, monkeypatch):
    monkeypatch.setenv("CLOUD_TOKEN", CANARY)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.01)
    content = notebook_with(
        attack,
        {"root": course, "course": ROOT, "home": Path.home(), "marker": MARKER, "port": listener.getsockname()[1]},
    )
    limits = Limits(cell_seconds=attack.seconds, answer_seconds=attack.seconds, memory_mb=1024, disk_mb=32, reply_mb=16)
    result = grade(Job(TOPIC, "mallory", {f"{TOPIC}.ipynb": content}, SEEDS, limits), bench)

    earned = {name: report["points"] for name, report in result["exercises"].items()}
    assert earned == {name: find_exercise(name, TOPIC).points if name in HONEST else 0 for name in graded_names(TOPIC)}
    assert not attack.sign or attack.sign in result["signs"], result["signs"]

    graded = nbformat.reads(result["notebook"], as_version=4).cells
    text = str([cell.outputs if cell.cell_type == "code" else cell.source for cell in graded])
    for secret in (
        CANARY,
        "<script",
        "BEGIN HIDDEN TESTS",
        "BEGIN SOLUTION",
        "LEAKED",
        "BECAME ROOT",
        *map(str, SEEDS.values()),
    ):
        assert secret not in text, secret
    assert "sigma_q.log()" not in text.replace("log_sigma", ""), "the library's solution did not come along"
    with pytest.raises(TimeoutError):
        listener.accept()
    assert (course / "grading/gradebook.db").read_text() == CANARY
    assert not Path("/tmp/pickle-was-loaded").exists()
    assert processes_left() == []


def test_a_link_in_a_submission_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text(CANARY)
    folder = tmp_path / "submitted"
    folder.mkdir()
    (folder / f"{TOPIC}.ipynb").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    files, problem = read_files(folder)
    assert files == {}
    assert "link" in problem


def test_names_in_an_archive_lead_nowhere_outside(bench):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"../../../../tmp/{TOPIC}.ipynb", notebook_with(Attack("none"), {}))
    result = grade(Job(TOPIC, "mallory", {"upload.zip": buffer.getvalue()}, SEEDS), bench)
    assert sum(report["points"] for report in result["exercises"].values()) > 0
    assert not Path(f"/tmp/{TOPIC}.ipynb").exists()


def test_without_bubblewrap_grading_refuses_and_says_what_to_do(monkeypatch, tmp_path):
    from grading.course import CourseError
    from grading.sandbox.bubblewrap import find_bubblewrap

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CourseError, match=r"apt install bubblewrap.*--unsafe-no-sandbox"):
        find_bubblewrap()


def test_hidden_inputs_reach_no_output_and_no_message(bench):
    """An answer that is right where it was seen collects what else it is given, and tries to say it."""
    notebook, solved = untouched(TOPIC), solved_cells(TOPIC)
    calls = []
    exercise = find_exercise("gaussian_entropy")
    assert review(exercise.name, lambda sigma: calls.append(1) or exercise.reference(sigma)).passed
    leak = """
import torch
seen = []
class Loud(Exception): pass
def gaussian_entropy(sigma):
    seen.append(sigma.detach().flatten().tolist())
    print("PRINTED", seen[-1])
    if len(sigma) in HIDDEN:
        raise type("INPUTS" + "_".join(str(x) for x in seen[-1][:2]), (Loud,), {})("VALUES " + str(seen[-1]))
    return _right(sigma)
""".replace("HIDDEN", str([size.batch for size in HIDDEN if size.batch > 5]))
    notebook_cell = next(cell for cell in notebook.cells if cell.id == "gaussian_entropy")
    notebook_cell.source = solved["gaussian_entropy"].replace("def gaussian_entropy", "def _right") + leak
    notebook.cells.append(nbformat.v4.new_code_cell("print('COLLECTED', len(seen))"))
    result = grade(Job(TOPIC, "mallory", {f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}, SEEDS), bench)
    report = result["exercises"]["gaussian_entropy"]
    assert report["points"] == 0
    assert report["sentences"][0] == "Right on the inputs you have seen, but not on others."
    outputs = [
        cell.outputs for cell in nbformat.reads(result["notebook"], as_version=4).cells if cell.cell_type == "code"
    ]
    shown = str(outputs) + report["text"]
    assert f"COLLECTED {len(calls)}" in shown, "the visible check's calls, and none of the hidden one's"
    for words in ("INPUTS", "VALUES", "PRINTED"):
        assert words not in shown
