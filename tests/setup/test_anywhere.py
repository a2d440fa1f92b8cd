"""Nothing on a student's way needs Unix: the course with what only Unix has taken away, as on Windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grading.course import ROOT

# The libraries are there first: what they do on Windows is theirs to know.
AS_ON_WINDOWS = """
import os, signal, sys
import torch, torch.distributions, torch.utils.data, numpy, matplotlib.figure, matplotlib.backends.backend_agg, ipywidgets
import tqdm.auto, IPython
{more}
for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
for name in ("SIGALRM", "SIGKILL", "SIGCHLD", "setitimer", "alarm", "pause"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fork", "geteuid", "getuid", "setsid", "sysconf", "uname", "mkfifo", "killpg"):
    if hasattr(os, name):
        delattr(os, name)
"""

A_STUDENTS_WAY = """
import itertools, torch
from course_lib import explorers
from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_exercise
from course_lib.checks import CheckFailed, check, find_exercise, review, summary
from course_lib.data import load_images
from course_lib.digit_model import load_digit_model
from course_lib.patients import load_patient
from course_lib.training import train
from course_lib.vae import VAE

exercise = find_exercise("gaussian_kl")
assert review("gaussian_kl", exercise.reference).passed
assert not review("gaussian_kl", exercise.misconceptions[0].answer).passed

def endless(*args):
    for _ in itertools.count():
        pass

report = review_exercise(exercise, LocalAnswer("gaussian_kl", endless, seconds=0.3))
assert "did not come to an end in time" in str(report), report
gaussian_kl = exercise.misconceptions[0].answer
try:
    check("gaussian_kl")
except CheckFailed:
    pass
else:
    raise AssertionError
assert "in all" in repr(summary("02_jensen_entropy_kl"))
assert "image/png" in explorers.jensen._repr_mimebundle_()[0]
images = load_images("train").images[:200]
train(VAE(784, 20, 2), images, epochs=1, batch_size=100, learning_rate=1e-3, seed=0)
load_digit_model(), load_patient("03").picture()
"""

BUILDING = """
import grading.__main__
from grading.release.build import needs_execution
from grading.batch.submissions import autograde
from grading.course import CourseError

needs_execution("00_start_here")
sys.platform = "win32"
try:
    next(autograde("00", root={root!r}))
except CourseError as error:
    print(error)
"""


def on_windows(code: str, more: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_ON_WINDOWS.format(more=more) + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_student_needs_nothing_that_only_unix_has():
    result = on_windows(A_STUDENTS_WAY)
    assert result.returncode == 0, result.stderr[-3000:]


def test_the_test_can_fail():
    assert "ModuleNotFoundError" in on_windows("import fcntl").stderr
    assert "AttributeError" in on_windows("signal.setitimer").stderr


@pytest.mark.skipif(sys.platform != "linux", reason="grading's own libraries are loaded first, on Linux")
def test_notebooks_are_built_anywhere_and_grading_says_that_it_wants_linux(tmp_path):
    (tmp_path / "grading" / "submitted" / "anna" / "00_start_here").mkdir(parents=True)
    loaded = "import nbgrader.apps, nbgrader.api, nbclient, jupytext, typer, rich.progress, distributed, dask, psutil"
    result = on_windows(BUILDING.format(root=tmp_path).replace("PosixPath", "__import__('pathlib').Path"), loaded)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "grading runs on Linux" in result.stdout
    assert "WSL 2" in result.stdout
