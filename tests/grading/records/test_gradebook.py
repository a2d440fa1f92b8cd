"""nbgrader's gradebook: what a human entered stays, and it may be a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, free_port, read_csv, scores
from nbgrader.api import Gradebook
from submissions import fill_in, points, untouched

from grading.batch.submissions import Settings, autograde
from grading.course import CourseError
from grading.job import GRADED
from grading.records.export import export
from grading.release.build import nbgrader_config

pytestmark = needs_sandbox


def test_what_an_instructor_entered_by_hand_stays(tmp_path):
    root = course(tmp_path, SHORT, {"anna": fill_in(SHORT, lambda i: True)})
    list(autograde(SHORT, root=root))
    config = nbgrader_config(root)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        grade = gradebook.find_grade("log_mean_exp-check", SHORT, SHORT, "anna")
        grade.manual_score = 1.5
        gradebook.db.commit()
    list(autograde(SHORT, root=root, settings=Settings(again=True)))
    assert scores(root, SHORT, "anna")["log_mean_exp"] == 1.5


def test_a_broken_gradebook_is_said(tmp_path, monkeypatch):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    monkeypatch.setenv("LATENT_COURSE_DB", "postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    with pytest.raises(CourseError, match=r"the gradebook at .* cannot be opened"):
        list(autograde(SHORT, root=root))


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL server of our own; skipped where none is installed."""
    tools = (
        sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not shutil.which("initdb")
        else [Path(shutil.which("initdb")).parent]
    )
    if not tools:
        pytest.skip("no PostgreSQL server is installed")
    data, port = tmp_path / "postgres", free_port()
    data.mkdir()
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(data, 65534, 65534)
        for parent in list(data.parents)[:-1]:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    subprocess.run(
        [*as_user, str(tools[-1] / "initdb"), "-D", str(data), "-U", "course", "-A", "trust"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = [
        *as_user,
        str(tools[-1] / "postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        str(data),
    ]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"postgresql+psycopg://course@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()


def wait_for_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def test_the_gradebook_may_be_postgresql(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("LATENT_COURSE_DB", postgres)
    (tmp_path / "course").mkdir()
    root = course(tmp_path / "course", SHORT, {"anna": fill_in(SHORT, lambda i: True), "bert": untouched(SHORT)})
    list(autograde(SHORT, root=root))
    assert not (root / "grading" / "gradebook.db").exists()
    assert scores(root, SHORT, "anna") == points(SHORT, lambda i: True)
    assert scores(root, SHORT, "bert") == points(SHORT, lambda i: False)
    assert not any(outcome.fresh for outcome in autograde(SHORT, root=root))
    export(tmp_path / "grades.csv", root)
    assert {row["status"] for row in read_csv(tmp_path / "grades.csv")} == {GRADED}
