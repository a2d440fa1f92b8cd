"""Workers on other machines grade the same, without any of the repository's files."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, free_port, scores
from submissions import fill_in, points, untouched

from grading.batch.submissions import Settings, autograde
from grading.course import CourseError
from grading.job import NOT_GRADED

pytestmark = needs_sandbox


def test_two_workers_of_a_scheduler_that_share_no_files_grade_the_same(tmp_path):
    """The workers run elsewhere, without the repository on their path: all they have is what Dask sends them."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # -S keeps the repository's own entry in site-packages away; the libraries are named by hand.
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    start = f"import sys; sys.path.append({libraries!r}); from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
    base = [sys.executable, "-S", "-c", start]
    processes = [
        subprocess.Popen(
            [*base, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
    ]
    for i in range(2):
        folder = tmp_path / f"worker-{i}"
        folder.mkdir()
        probe = "import importlib.util as u, sys; sys.exit(bool(u.find_spec('grading') or u.find_spec('course_lib')))"
        bare = f"import sys; sys.path.append({libraries!r}); {probe}"
        subprocess.run([sys.executable, "-S", "-c", bare], cwd=folder, env=environment, check=True)
        arguments = [
            "worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            str(folder),
        ]
        processes.append(subprocess.Popen([*base, *arguments], cwd=folder, env=environment, stderr=subprocess.DEVNULL))
    try:
        made = {f"s{i}": fill_in(SHORT, lambda j, i=i: (i + j) % 2 == 0) for i in range(4)}
        (tmp_path / "course").mkdir()
        root = course(tmp_path / "course", SHORT, {**made, "broken": ""})
        wait_for_workers(address, 2)
        outcomes = {o.student: o for o in autograde(SHORT, root=root, settings=Settings(scheduler=address))}
        for i in range(4):
            assert outcomes[f"s{i}"].problem is None
            assert scores(root, SHORT, f"s{i}") == points(SHORT, lambda j, i=i: (i + j) % 2 == 0)
        assert outcomes["broken"].state == NOT_GRADED
        used = {
            json.loads(path.read_text())["worker"] for path in (root / "grading" / "results" / SHORT).glob("s*.json")
        }
        assert len(used) == 2, "both workers took part"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout="30s") as client:
        client.wait_for_workers(count, timeout=60)


def test_a_scheduler_that_does_not_answer_is_said(tmp_path):
    root = course(tmp_path, SHORT, {"anna": untouched(SHORT)})
    with pytest.raises(CourseError, match="no Dask scheduler answers"):
        list(autograde(SHORT, root=root, settings=Settings(scheduler=f"tcp://127.0.0.1:{free_port()}")))
