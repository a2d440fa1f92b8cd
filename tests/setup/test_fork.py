"""What a fork expects: files that platforms read, which speak of this project's version, address and commands, and a package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from grading.course import ROOT, repository

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def commands_of_make(text):
    return re.findall(r"\bmake ([a-z-]+)", text)


def test_the_citation_names_the_version_the_licence_and_the_address_of_the_project():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == PROJECT["version"]
    assert cited["license"] == PROJECT["license"]
    assert cited["repository-code"] == repository()
    assert (ROOT / "README.md").read_text().startswith(f"# {cited['title']}\n")


def test_the_changelog_has_an_entry_for_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(PROJECT['version'])}\]", text, re.M)


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
        ("vendor.github-workflows", WORKFLOWS),
    ],
    ids=["citation", "issue forms", "issue chooser", "workflows"],
)
def test_what_a_platform_reads_is_in_its_own_schema(schema, paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_commands_that_are_there(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True]  # YAML 1.1 reads the key `on` so
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    ran = "\n".join(step.get("run", "") for step in steps)
    assert (ROOT / ".ci" / "run").exists()
    assert ".ci/run" in ran or commands_of_make(ran)
    assert set(commands_of_make(ran)) <= set(TARGETS)


def test_a_container_is_opened_by_the_two_commands_of_the_readme():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    asked = commands_of_make(container["postCreateCommand"]) + commands_of_make(container["postAttachCommand"])
    assert asked == ["env", "lab"]
    script = ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    for name in re.findall(r"\S+\.(?:py|txt)", script.read_text()):
        assert (ROOT / name).exists(), name


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, as an index would get them."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def shipped_files():
    kept = subprocess.run(["git", "ls-files", "course_lib"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(kept.stdout.split())


@pytest.mark.slow
def test_wheel_and_sdist_hold_the_whole_library_with_its_assets(built):
    wheel, sdist = built
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("course_lib/")}
    with tarfile.open(sdist) as packed:
        in_sdist = {name.partition("/")[2] for name in packed.getnames()}
    assert in_wheel == shipped_files()
    assert shipped_files() <= in_sdist
    assert {"README.md", "LICENSE", "pyproject.toml"} <= in_sdist


@pytest.mark.slow
def test_the_installed_package_passes_tests_without_the_checkout(built, tmp_path: Path):
    wheel, _ = built
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)
    for name in ("conftest.py", "course_lib/test_formulas.py", "course_lib/test_shipped.py"):
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / name).write_text((ROOT / "tests" / name).read_text())
    where = "import course_lib; print(course_lib.__file__, course_lib.__version__)"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    told = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [str(site / "course_lib" / "__init__.py"), PROJECT["version"]]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
