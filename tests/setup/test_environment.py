"""Two commands set the course up, and say in one line what is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from grading.course import ROOT

CONDA_NAMES = {"pytorch": "torch", "python-build": "build"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements() -> dict[str, Requirement]:
    project = PYPROJECT["project"]
    lines = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    return {Requirement(line).name: Requirement(line) for line in lines}


def test_the_conda_environment_asks_for_what_pyproject_asks_for():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    by_pip = next(line["pip"] for line in listed if isinstance(line, dict))
    assert "-e ." in by_pip
    lines = [line for line in (*listed, *by_pip) if isinstance(line, str) and line != "-e ."]
    conda = {Requirement(line).name: Requirement(line) for line in lines}
    python = conda.pop("python")
    conda.pop("pip")
    assert str(python.specifier) == PYPROJECT["project"]["requires-python"]
    renamed = {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in conda.items()}
    assert renamed == {name: requirement.specifier for name, requirement in requirements().items()}


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
