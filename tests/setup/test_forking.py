"""docs/forking.md, followed: one file and one command make the course another one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from course_lib import settings
from course_lib.checker.exercise import Exercise
from course_lib.exercises import DECLARED
from grading.course import ROOT

PAGE = (ROOT / "docs" / "forking.md").read_text(encoding="utf-8")
(AS_THE_PAGE_HAS_IT,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FORKED = tomllib.loads(AS_THE_PAGE_HAS_IT)
KEPT = ("00_start_here", "03_variational_inference")  # of thirteen, two that are built soon
LEFT_OUT = [topic for topic in DECLARED if topic not in KEPT]
NEW, DEARER, WORTH = "nats_to_bits", "log_mean_exp", 7
REPLACED = next(e.name for e in DECLARED[KEPT[0]] if isinstance(e, Exercise) and e.points and e.name != DEARER)
OF_02, OF_03 = "course_lib.distributions.gaussian_kl", "course_lib.bounds.per_point_elbo"
SHOWN = """
import course_lib.checks as checks
print(checks.review("log_mean_exp", lambda log_values, dim: log_values.mean(dim)))
print(checks.certificate())
"""
PAGES = """
import sys
from pathlib import Path
sys.path.insert(0, "site")
from course_site import front, guides, notebooks, outputs, references, symbols
from course_site.build import GUIDES, ROOT
from grading.course import topics
books = [notebooks.Notebook(topic) for topic in topics()]
pages = {book.page for book in books} | {f"docs/{name}" for name in GUIDES}
pictures = outputs.Pictures(Path(sys.argv[1]), "pictures")
for book in books:
    turned = lambda text: guides.with_links(text, book.page, pages)
    print(notebooks.page_of(book, pictures, lambda name: "", "", turned))
print(references.references_page(books), symbols.glossary_page(books))
print(front.front_page(Path("site/pages/index.md").read_text(), books, pictures, ""))
"""
GRADED = """
import json, sys
import nbformat
from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_answer
from course_lib.checks import find_exercise
from grading.course import release_path
from grading.grade import Bench, grade
from grading.job import Job
from grading.sandbox.call_graph import withheld
topic, wrong = "00_start_here", "def log_mean_exp(log_values, dim):\\n    return log_values.mean(dim).exp().item()"
notebook = nbformat.read(release_path(topic), as_version=4)
for cell in notebook.cells:
    if cell.id == "log_mean_exp":
        cell.source = wrong
bench = Bench()
result = grade(Job(topic, "anna", {f"{topic}.ipynb": nbformat.writes(notebook).encode()}, {}), bench)
bench.close()
exec(wrong)
here = review_answer(find_exercise("log_mean_exp"), LocalAnswer("log_mean_exp", log_mean_exp))
there = result["exercises"]["log_mean_exp"]
print(json.dumps({"there": there["sentences"], "here": here.sentences, "text": there["text"], "withheld": sorted(withheld(topic))}))
"""


def tracked() -> list[str]:
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [file for file in files if (ROOT / file).is_file() and not file.startswith("benchmarks/")]


def forked(root: Path, *left_out: str) -> None:
    """Copy the course, and write into its settings what the page shows, but for the notebooks left out."""
    for file in tracked():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    own = re.sub(r"^left_out = .*", f"left_out = {json.dumps(left_out)}", AS_THE_PAGE_HAS_IT, flags=re.M)
    (root / "course_lib" / "course.toml").write_text(own)


def replace(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    file.write_text(text)


def put_another_exercise_in_place(root: Path) -> None:
    """Take the exercise of docs/authoring.md for one of notebook 00's."""
    declaration, cell = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "authoring.md").read_text(), re.DOTALL)
    folder = root / "course_lib" / "exercises" / "start_here"
    (folder / f"{REPLACED}.py").unlink()
    (folder / f"{NEW}.py").write_text(declaration)
    replace(folder / "__init__.py", (f'"{REPLACED}"', f'"{NEW}"'))
    source = root / "solutions" / KEPT[0] / f"{KEPT[0]}.py"
    old = re.search(rf'# %% exercise="{REPLACED}"\n.*?### END SOLUTION\n', source.read_text(), re.DOTALL)[0]
    imported = cell.replace("def nats_to_bits", "import math\n\n\ndef nats_to_bits")
    replace(source, (old, imported), (f"`{REPLACED}` ({{{{points {REPLACED}}}}})", f"`{NEW}` ({{{{points {NEW}}}}})"))


def in_the_fork(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "300"}
    environment.pop("LATENT_COURSE_LANGUAGE", None)
    return subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """A fork with two notebooks, an exercise replaced and one worth more, built; and what the build said."""
    root = tmp_path_factory.mktemp("fork")
    forked(root, *[topic[:2] for topic in LEFT_OUT])
    put_another_exercise_in_place(root)
    worth = root / "course_lib" / "exercises" / "start_here" / f"{DEARER}.py"
    worth.write_text(re.sub(r"points=\d+", f"points={WORTH}", worth.read_text()))
    built = in_the_fork(root, "-m", "grading", "build")
    assert built.returncode == 0, built.stdout + built.stderr
    return root, built.stdout


def released(root: Path, topic: str) -> str:
    return (root / "notebooks" / topic / f"{topic}.ipynb").read_text()


@pytest.mark.slow
def test_a_build_executes_what_has_other_code_and_brings_the_rest_into_line(fork):
    root, said = fork
    assert [f"{KEPT[0]}: executed", f"{KEPT[1]}: only text has changed"] == said.splitlines()[:2]
    checked = in_the_fork(root, "-m", "grading", "check")
    assert "No drift in 2 notebooks" in checked.stdout, checked.stdout + checked.stderr


@pytest.mark.slow
def test_title_authors_and_address_stand_wherever_the_course_is_named(fork):
    root, _ = fork
    full = f"{FORKED['title']}, {FORKED['subtitle']}"
    assert (root / "README.md").read_text().startswith(f"# {full}\n")
    cited = yaml.safe_load((root / "CITATION.cff").read_text())
    assert (cited["title"], cited["repository-code"]) == (full, FORKED["repository"])
    assert cited["authors"] == [{"name": FORKED["authors"]}]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Repository"] == FORKED["repository"]
    assert project["description"].startswith(full)
    assert json.loads((root / ".devcontainer" / "devcontainer.json").read_text())["name"] == FORKED["title"]
    for topic in KEPT:
        assert f"git+{FORKED['repository']}" in released(root, topic)
        assert f"github/irgendwo/latente-variablen/blob/main/notebooks/{topic}" in released(root, topic)


@pytest.mark.slow
def test_nothing_that_is_read_still_has_the_address_or_the_title_of_the_original(fork):
    root, _ = fork
    ours = settings.SETTINGS
    old = (ours.repository.removeprefix("https://github.com/"), ours.full_title)
    built = {f"solutions/{topic}/{topic}.ipynb" for topic in LEFT_OUT}
    tells = re.compile("|".join(map(re.escape, old)))
    for file in tracked():
        if file not in built and (root / file).exists() and not file.startswith("tests/"):
            found = tells.search((root / file).read_text(encoding="utf-8", errors="ignore"))
            assert not found or file == "course_lib/__init__.py", f"{file}: {found[0]}"


@pytest.mark.slow
def test_a_notebook_left_out_is_neither_released_nor_listed_nor_linked(fork):
    root, _ = fork
    assert sorted(path.name for path in (root / "notebooks").iterdir()) == sorted(KEPT)
    readme = (root / "README.md").read_text()
    for topic in LEFT_OUT:
        assert f"(notebooks/{topic}/" not in readme
        assert not any(f"../{topic}/" in released(root, kept) for kept in KEPT)
    assert f"../{KEPT[1]}/{KEPT[1]}.ipynb" in released(root, KEPT[0])


@pytest.mark.slow
def test_points_and_another_exercise_are_in_the_notebook_and_in_the_readme(fork):
    root, _ = fork
    cells = {cell["id"]: cell for cell in json.loads(released(root, KEPT[0]))["cells"]}
    assert REPLACED not in cells or REPLACED == NEW
    assert NEW in cells
    assert cells[f"{NEW}-check"]["metadata"]["nbgrader"]["points"] == 1
    assert cells["log_mean_exp-check"]["metadata"]["nbgrader"]["points"] == WORTH
    total = sum(cell["metadata"].get("nbgrader", {}).get("points", 0) for cell in cells.values())
    (row,) = [row for row in (root / "README.md").read_text().splitlines() if f"(notebooks/{KEPT[0]}/" in row]
    assert f" {total} points |" in row


@pytest.mark.slow
def test_a_check_and_the_certificate_speak_the_language_of_the_fork(fork):
    root, _ = fork
    shown = in_the_fork(root, "-c", SHOWN)
    assert shown.returncode == 0, shown.stderr
    assert f"log_mean_exp: noch nicht richtig (0 von {WORTH} Punkten)" in shown.stdout
    assert re.search(r"^    erwartet +\S.*\n    deins ", shown.stdout, re.M)
    assert f"{FORKED['title']}, {FORKED['subtitle']}\n00 start here" in shown.stdout
    assert "0 von 2 Notebooks verzeichnet" in shown.stdout
    executed = (root / "solutions" / KEPT[0] / f"{KEPT[0]}.ipynb").read_text()
    assert f"log_mean_exp: richtig ({WORTH} von {WORTH} Punkten)" in executed


@pytest.mark.slow
def test_the_site_has_pages_for_what_is_taught_alone(fork, tmp_path):
    pytest.importorskip("furo", reason="the extra `site` is not installed")
    root, _ = fork
    pages = in_the_fork(root, "-c", PAGES, str(tmp_path))
    assert pages.returncode == 0, pages.stderr[-2000:]
    assert f"# {FORKED['title']}, {FORKED['subtitle']}" in pages.stdout
    assert f"git clone {FORKED['repository']} && cd latente-variablen" in pages.stdout
    assert not [topic for topic in LEFT_OUT if topic in pages.stdout]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_in_the_sandbox_a_report_is_the_same_as_in_the_notebook_and_what_is_not_asked_for_is_there(fork):
    root, _ = fork
    graded = in_the_fork(root, "-c", GRADED)
    assert graded.returncode == 0, graded.stderr[-2000:]
    said = json.loads(graded.stdout.splitlines()[-1])
    assert said["there"] == said["here"]
    assert "In log_mean_exp kam es zu einem" in said["there"][0]
    assert f"noch nicht richtig (0 von {WORTH} Punkten)" in said["text"]
    # What a notebook that is left out asked for is free to use; what one that is taught asks for is not.
    assert callable(getattr(import_module(OF_02.rpartition(".")[0]), OF_02.rpartition(".")[2]))
    assert OF_02 not in said["withheld"]
    assert OF_03 in said["withheld"]


def test_the_page_shows_every_setting_there_is():
    assert set(FORKED) == set(vars(settings.SETTINGS))


def test_every_notebook_left_out_is_there():
    numbers = {path.parent.name[:2] for path in (ROOT / "solutions").glob("*/*.py")}
    assert set(settings.SETTINGS.left_out) <= numbers


@pytest.mark.parametrize("change", ["title = 3", "name = 'x'"])
def test_a_line_of_the_settings_that_means_nothing_is_named(tmp_path, change):
    file = tmp_path / "course.toml"
    lines = [line for line in AS_THE_PAGE_HAS_IT.splitlines() if not line.startswith(change.split()[0])]
    file.write_text("\n".join([*lines, change]))
    with pytest.raises(ValueError, match=re.escape(change.split()[0])):
        settings.read(file)
