"""Two commands set the course up, and say in one line what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from grading.course import ROOT

CONDA_NAMES = {"pytorch": "torch"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements() -> dict[str, Requirement]:
    project = PYPROJECT["project"]
    lines = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    return {Requirement(line).name: Requirement(line) for line in lines}


def test_the_conda_environment_asks_for_what_pyproject_asks_for():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {Requirement(line).name: Requirement(line) for line in listed if isinstance(line, str)}
    python = conda.pop("python")
    conda.pop("pip")
    assert str(python.specifier) == PYPROJECT["project"]["requires-python"]
    renamed = {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in conda.items()}
    assert renamed == {name: requirement.specifier for name, requirement in requirements().items()}
    assert {"pip": ["-e ."]} in listed


def test_the_constraints_pin_everything_asked_for_within_its_range_and_name_no_registry():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert "index" not in text
    pins = dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for name, requirement in requirements().items():
        assert Version(pins[name]) in requirement.specifier
    # torchvision 0.(N+15) is built against torch 2.N; any other pair fails to import.
    assert Version(pins["torchvision"]).minor == Version(pins["torch"]).minor + 15


def test_torch_and_torchvision_are_a_matching_pair():
    import torch
    import torchvision

    boxes, scores = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([0.5])
    assert torchvision.ops.nms(boxes, scores, 0.5).tolist() == [0]


def test_the_library_alone_needs_neither_nbgrader_nor_jupyterlab():
    names = {Requirement(line).name for line in PYPROJECT["project"]["dependencies"]}
    assert names == {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "tqdm"}
    code = (
        "import sys, course_lib.checks, course_lib.explorers, course_lib.data;"
        "bad = {'nbgrader', 'jupyterlab', 'jupytext', 'grading', 'nbformat', 'typer'} & set(sys.modules);"
        "sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


def test_importing_the_library_is_quick_for_a_reader_without_torchvision():
    code = "import sys, course_lib.checks; sys.exit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


def bootstrap(root: Path, *, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "scripts/bootstrap.py"],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bootstrap.py", tmp_path / "scripts")
    for name in ("constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    # A course with nothing to install, so that only the setting up is tried.
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "latent-course"\nversion = "0"\n[project.optional-dependencies]\nlab = []\ntest = []\n'
        '[build-system]\nrequires = ["nothing-like-this-exists"]\nbuild-backend = "x"\n'
    )
    return tmp_path


def lower_the_need_for_disk(clone: Path, gigabytes: int) -> None:
    script = clone / "scripts" / "bootstrap.py"
    script.write_text(script.read_text().replace("GIGABYTES = 9", f"GIGABYTES = {gigabytes}"))


def test_no_network_is_said_in_one_line(clone):
    lower_the_need_for_disk(clone, 0)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    result = bootstrap(clone, **nowhere, PIP_FIND_LINKS="", PIP_EXTRA_INDEX_URL="")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "is there a network?" in result.stderr
    assert bootstrap(clone, **nowhere).returncode == 1, "a failed installation is tried again"


def test_no_disk_space_is_said_in_one_line(clone):
    lower_the_need_for_disk(clone, 10**9)
    result = bootstrap(clone)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "of disk space are needed" in result.stderr


def test_an_old_python_is_said_in_one_line(clone):
    script = clone / "scripts" / "bootstrap.py"
    script.write_text(script.read_text().replace("sys.version_info < (3, 11)", "sys.version_info < (9, 9)"))
    result = bootstrap(clone)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "Python 3.11 or newer is needed" in result.stderr


def test_no_python_at_all_is_said_in_one_line(clone):
    tools = clone / "bin"
    tools.mkdir()
    for name in ("make", "sh", "id", "bash", "env"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    result = subprocess.run(
        [str(tools / "make"), "env"], cwd=clone, capture_output=True, text=True, env={"PATH": str(tools)}, check=False
    )
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed, none was found" in result.stderr


def test_make_help_lists_every_target():
    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("lab", "test", "build", "check", "lint", "clean"):
        assert f"make {target} " in result.stdout
