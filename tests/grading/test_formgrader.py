"""nbgrader's web view of a graded class: it lists every student, and opens each one's notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, free_port
from nbgrader.api import Gradebook
from submissions import fill_in

from grading.batch.submissions import Settings, autograde
from grading.course import ROOT
from grading.release.build import nbgrader_config

pytestmark = needs_sandbox
STUDENTS = {
    "anna": "anna",
    os.fsdecode(b"L\xf6sung"): "L%F6sung",
    "L%F6sung": "L%25F6sung",
    "Lösung & 1+1": "Lösung & 1+1",
}
START_SECONDS = 60
CONFIG = """
c = get_config()
load_subconfig("nbgrader_config.py", path={folder!r})
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = "sqlite:///{root}/grading/gradebook.db"
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Path:
    root = course(
        tmp_path_factory.mktemp("course"), SHORT, dict.fromkeys(STUDENTS, fill_in(SHORT, lambda i: i % 2 == 0))
    )
    assert len(list(autograde(SHORT, root=root, settings=Settings(workers=2)))) == len(STUDENTS)
    (root / "nbgrader_config.py").write_text(CONFIG.format(folder=str(ROOT / "grading"), root=str(root)))
    return root


@pytest.fixture(scope="module")
def ask(graded) -> Iterator[Callable[[str], str]]:
    """A function that asks formgrader, running on the graded course, for a page."""
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", f"--port={port}", "--allow-root"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={graded}", "--ServerApp.port_retries=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(graded / "config")}
    extension = "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"
    with subprocess.Popen([*command, extension], cwd=graded, env=environment, stderr=subprocess.PIPE) as server:

        def page(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
                return answer.read().decode()

        try:
            end = time.monotonic() + START_SECONDS
            while True:
                try:
                    page("api")
                    break
                except urllib.error.URLError:
                    assert server.poll() is None, "the server has ended"
                    assert time.monotonic() < end, "the server did not start"
                    time.sleep(0.2)
            yield page
        finally:
            server.kill()


def test_every_student_is_listed_with_points(ask):
    listed = {
        row["student"]: row["score"]
        for row in json.loads(ask(f"formgrader/api/submissions/{SHORT}"))
        if row["autograded"]
    }
    assert set(listed) == set(STUDENTS.values())
    assert len(set(listed.values())) == 1
    for path in ("manage_assignments", f"manage_submissions/{SHORT}", f"gradebook/{SHORT}/{SHORT}", "manage_students"):
        assert "nbgrader" in ask(f"formgrader/{path}")


@pytest.mark.parametrize("student", STUDENTS.values())
def test_a_student_s_notebook_opens_with_fields_for_points_and_comments(student, ask, graded):
    config = nbgrader_config(graded)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        (notebook,) = gradebook.find_submission(SHORT, student).notebooks
        number, cells = notebook.id, [grade.name for grade in notebook.grades]
    page = ask(f"formgrader/submissions/{number}/")
    assert "Graded: " in page, "our summary"
    assert 'class="score' in page, "formgrader's own field"
    assert page.count("Comments") + page.count("comment") >= len(cells)
