"""Two commands set the course up, on any platform, and say in one line what is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from grading.course import ROOT

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@needs_make
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


def commands() -> set[str]:
    """What the script's own text offers."""
    text = (ROOT / "scripts" / "bootstrap.py").read_text()
    return set(re.findall(r"^    ([a-z-]+)  +\w", text.split('"""')[1], re.MULTILINE))


@needs_make
def test_make_offers_what_the_script_offers_and_does_nothing_else():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^make ([a-z-]+) ", listed, re.MULTILINE)) - {"help"}
    assert targets == commands() >= {"lab", "test", "quick", "test-lowest", "lint", "build", "check", "env", "clean"}
    for target in targets:
        would = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert f"scripts/bootstrap.py {target}" in would


@needs_make
def test_make_passes_on_how_jupyterlab_is_started():
    made = ["make", "-n", "lab", "LAB_ARGS=--no-browser --port 9999"]
    assert (
        "bootstrap.py lab --no-browser --port 9999"
        in subprocess.run(made, cwd=ROOT, capture_output=True, text=True).stdout
    )


def test_an_unknown_command_is_answered_with_those_there_are():
    result = subprocess.run([sys.executable, "scripts/bootstrap.py", "labb"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "open them in JupyterLab" in result.stdout


def test_on_windows_the_environments_python_stands_elsewhere(script):
    assert Path(script.python_of(".venv", windows=False)).parts[-3:] == (".venv", "bin", "python")
    assert Path(script.python_of(".venv", windows=True)).parts[-3:] == (".venv", "Scripts", "python.exe")


def test_root_is_told_to_jupyterlab_where_there_is_one(script):
    assert "--allow-root" in script.lab_command("python", [], is_root=True)
    assert "--allow-root" not in script.lab_command("python", ["--no-browser"], is_root=False)


def test_jupyterlab_is_the_environments_own_whatever_else_is_on_the_path(script, tmp_path):
    other = tmp_path / "jupyter-lab"
    other.write_text("#!/bin/sh\necho another\n")
    other.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    command = script.lab_command(sys.executable, ["--version"], is_root=False)
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\s*", result.stdout)


def test_every_command_runs_in_the_environment_and_passes_arguments_on(script, monkeypatch):
    ran: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(script, "course_environment", lambda: "python")
    monkeypatch.setattr(script, "lowest_environment", lambda: "lowest-python")
    monkeypatch.setattr(script, "run", lambda command, **variables: ran.append((command, variables)) or 0)
    for name in sorted(commands() - {"clean"}):
        ran.clear()
        assert script.main([name, *(["--given"] if name not in ("env", "lint") else [])]) == 0
        assert all(command[0] == ("lowest-python" if name == "test-lowest" else "python") for command, _ in ran)
        assert name in ("env", "lint") or any("--given" in command for command, _ in ran)
        assert bool(ran) == (name != "env")


def test_it_stops_at_the_first_that_fails_with_its_exit_code(script, monkeypatch):
    codes = iter([0, 3, 0])
    monkeypatch.setattr(script, "run", lambda command: next(codes))
    assert script.run_all([(["a"], {}), (["b"], {}), (["c"], {})]) == 3
    assert next(codes) == 0


def test_the_lowest_environment_has_the_lowest_versions_that_pyproject_allows(script):
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = script.lowest_requirements()
    assert [line.replace(">=", "==") for line in dependencies] == lowest
