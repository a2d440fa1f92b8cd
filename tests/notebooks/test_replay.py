"""nbval notices a changed number and a changed message of a check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grading.course import solution_path


@pytest.mark.parametrize(
    ("topic", "before", "after"),
    [
        ("00_start_here", "log_mean_exp:       -900.750", "log_mean_exp:       -900.751"),
        ("00_start_here", "You average over the events", "You average over events"),
    ],
)
def test_a_changed_output_fails_the_replay(topic, before, after, tmp_path: Path):
    text = solution_path(topic).read_text()
    assert before in text
    changed = tmp_path / f"{topic}.ipynb"
    changed.write_text(text.replace(before, after))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--nbval-lax", "--nbval-current-env", "--rootdir", str(tmp_path), str(changed)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "LATENT_COURSE_"))}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert result.returncode == 1, result.stdout[-2000:]
    assert "1 failed" in result.stdout
