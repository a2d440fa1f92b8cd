"""docs/architecture.md is true: who imports whom, what has a room, how long a file is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from course_lib.checker.exercise import Question
from course_lib.exercises import TOPICS
from grading.course import ROOT, topics

LINES = 400
# Collections of data, which grow by what they hold.
COLLECTIONS = {"tests/grading/attacks.py", "tests/grading/damages.py"}


def keep_the_rules(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env={"PYTHONPATH": str(root)}, check=False)


def test_imports_keep_the_rules():
    result = keep_the_rules(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("course_lib/distributions.py", "from course_lib.vae import VAE"),
        ("course_lib/vae.py", "from course_lib.checks import check"),
        ("course_lib/checker/review.py", "from course_lib.exercises import TOPICS"),
        ("course_lib/checker/compare.py", "from course_lib import plots"),
        (
            "course_lib/exercises/start_here/log_mean_exp.py",
            "from course_lib.exercises.jensen_entropy_kl import probes",
        ),
        ("course_lib/data.py", "import grading.course"),
        ("course_lib/in_no_room.py", "import torch"),
    ],
)
def test_an_import_against_the_rules_is_noticed(file, line, tmp_path):
    for folder in ("course_lib", "grading"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{line}\n")
    assert keep_the_rules(tmp_path).returncode == 1


def test_every_notebook_has_its_folder_of_exercises_and_every_exercise_its_file():
    assert list(TOPICS) == topics()
    for topic, exercises in TOPICS.items():
        folder = ROOT / "course_lib" / "exercises" / topic.split("_", 1)[1]
        files = {path.stem for path in folder.iterdir()} - {"__init__", "__pycache__", "probes", "questions"}
        asked = [exercise.name for exercise in exercises if not isinstance(exercise, Question)]
        assert {name.replace("_", "").lower() for name in asked} == {stem.replace("_", "") for stem in files}


def test_no_file_is_too_long_to_be_read_in_one_sitting():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [
        name for name in listed.stdout.splitlines() if not name.startswith("solutions/") and name not in COLLECTIONS
    ]
    assert len(files) > 100
    long = {
        name: count
        for name in files
        if (ROOT / name).exists() and (count := len((ROOT / name).read_text().splitlines())) > LINES
    }
    assert not long


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_file_that_a_page_names_is_there(page):
    text = (ROOT / "docs" / page).read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:course_lib|grading|scripts|tests|docs)/[\w./]+\.(?:py|md))`", text)
    missing = [name for name in linked if not (ROOT / "docs" / name).exists()]
    missing += [name for name in named if not (ROOT / name).exists() and "nats_to_bits" not in name]
    assert linked or named
    assert not missing


def test_no_two_test_files_have_the_same_name():
    # pytest imports them by their bare names.
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
