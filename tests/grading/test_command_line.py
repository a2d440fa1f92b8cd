"""The command line answers at once, and works with a library only where a command needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from grading.course import ROOT

SLOW = (
    "torch",
    "numpy",
    "nbgrader",
    "nbconvert",
    "nbformat",
    "sqlalchemy",
    "dask",
    "distributed",
    "IPython",
    "jupytext",
)
LOADED = """
import json, sys
from typer.testing import CliRunner
from grading.__main__ import app

said = CliRunner().invoke(app, {command!r})
assert said.exit_code == 0, said.output
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}} & set({slow!r}))))
"""


@pytest.mark.parametrize("command", [["--help"], ["autograde", "--help"], ["doctor", "--help"]], ids=" ".join)
def test_help_loads_none_of_the_libraries_that_are_slow_to_load(command):
    code = LOADED.format(command=command, slow=SLOW)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == []
