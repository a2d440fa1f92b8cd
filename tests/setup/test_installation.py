"""What a setup cell adds to an environment: what is missing, and nothing that is there is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pip
import pytest

from course_lib import installation
from grading.course import ROOT

LISTED = "import json; from importlib.metadata import distributions as d; print(json.dumps({p.name: p.version for p in d()}))"
COMPLETED = """
import sys
from course_lib.installation import NotInstalled, complete
try:
    complete({fresh})
except NotInstalled as stopped:
    sys.exit("\\n".join(stopped._render_traceback_()))
"""


class Environment:
    """A virtual environment with pip, the library and made-up packages, and a shelf to install from."""

    def __init__(self, folder: Path) -> None:
        self.shelf = folder / "shelf"
        self.shelf.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        self.python = str(folder / "venv" / "bin" / "python")
        (self.site,) = (folder / "venv").glob("lib/python*/site-packages")
        (self.site / "pip").symlink_to(Path(pip.__file__).parent)
        (self.site / "course_lib").symlink_to(ROOT / "course_lib")

    def put(self, name: str, version: str, *requires: str) -> None:
        """Have a package there."""
        folder = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(described(name, version, requires))

    def offer(self, name: str, version: str, *requires: str) -> None:
        """Have a package on the shelf."""
        stem = f"{name}-{version}"
        with zipfile.ZipFile(self.shelf / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{stem}.dist-info/METADATA", described(name, version, requires))
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")

    def packages(self) -> dict[str, str]:
        return json.loads(self.run(LISTED).stdout)

    def complete(self, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        return self.run(COMPLETED.format(fresh=fresh))

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
        own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.shelf), "PIP_CONFIG_FILE": os.devnull}
        command = [self.python, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, env={**clean, **own}, cwd="/", check=False)


def described(name: str, version: str, requires: tuple[str, ...]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join(lines + [f"Requires-Dist: {requirement}" for requirement in requires]) + "\n"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(tmp_path)
    made.put("latent-course", "0.1.0", "torchlike>=2.4", "barlike>=1.0", "lablike>=4; extra == 'lab'")
    return made


def test_where_all_is_there_only_the_course_is_named_and_later_nothing(environment):
    environment.put("torchlike", "2.4.0+cu124")
    environment.put("barlike", "1")
    first, later = environment.complete(fresh=True), environment.complete()
    assert (first.stdout, first.stderr) == ("done: latent-course 0.1.0; nothing that was there was touched.\n", "")
    assert (later.stdout, later.stderr) == ("", "")


def test_what_is_missing_is_chosen_to_fit_what_is_there(environment):
    environment.put("torchlike", "2.4.0")
    environment.put("distribution-s-own", "1.1build1-ubuntu")  # not a version to pip
    environment.offer("torchlike", "9.0")
    environment.offer("barlike", "1.5", "torchlike>=2")
    environment.offer("barlike", "2.0", "torchlike>=9")
    before = environment.packages()
    result = environment.complete(fresh=True)
    assert (
        result.stdout == "and barlike ... done: latent-course 0.1.0, barlike 1.5; nothing that was there was touched.\n"
    )
    assert environment.packages() == {**before, "barlike": "1.5"}


def test_a_package_that_went_missing_later_is_added(environment):
    environment.put("torchlike", "2.4.0")
    environment.offer("barlike", "1.5")
    assert (
        environment.complete().stdout
        == "Installing barlike ... done: barlike 1.5; nothing that was there was touched.\n"
    )


def test_what_is_older_than_what_was_tried_is_left_alone_and_named(environment):
    environment.put("torchlike", "2.3.1")
    environment.put("barlike", "1.0")
    environment.offer("torchlike", "9.0")
    before = environment.packages()
    result = environment.complete()
    assert result.stdout == (
        "torchlike 2.3.1 is older than what was tried (2.4): if something fails, that may be why.\n"
    )
    assert environment.packages() == before


def test_what_fits_nothing_that_is_there_is_not_forced(environment):
    environment.put("torchlike", "2.4.0")
    environment.offer("torchlike", "9.0")
    environment.offer("barlike", "2.0", "torchlike>=9")
    before = environment.packages()
    result = environment.complete()
    assert result.returncode == 1
    assert (
        "This could not be installed: barlike>=1.0. It does not fit what is here, which was left alone" in result.stderr
    )
    assert result.stderr.count("\n") == 2, "a sentence, and what pip says"
    assert environment.packages() == before


def test_offline_the_remedy_is_named(environment):
    environment.put("torchlike", "2.4.0")
    result = environment.complete()
    assert result.returncode == 1
    assert "This could not be installed: barlike>=1.0. Is there a network? It is needed once" in result.stderr
    assert result.stderr.count("\n") == 2, "a sentence, and what pip says"


def test_every_requirement_of_the_course_has_a_name_and_a_lower_bound_that_is_found(monkeypatch):
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert list(installation.requirements().values()) == lines
    assert all(line == f"{name}>={line.partition('>=')[2]}" for name, line in installation.requirements().items())
