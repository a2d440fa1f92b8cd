"""What a student meets when JupyterLab opens: the notebooks, clean, and nothing that is not theirs."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from webdriver import CHROMEDRIVER, CHROMIUM, browser, free_port, running, wait_until

from grading.course import ROOT, topics

TOPIC = "02_jensen_entropy_kl"
SCROLL_SIDEWAYS = """
return [...document.querySelectorAll('.jp-CodeCell .cm-scroller')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)
"""


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with two small notebooks."""
    for topic in ("00_one", "01_two"):
        release(tmp_path, topic, "x = 1")
    return tmp_path


def release(root: Path, topic: str, source: str) -> None:
    path = root / "notebooks" / topic / f"{topic}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(source)))


def notebook(source: str, **cell: object) -> dict[str, object]:
    code = {"cell_type": "code", "id": "a", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
    return {"cells": [{**code, **cell}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def copy_of(root: Path, topic: str = "00_one", ending: str = ".ipynb") -> Path:
    return root / "work" / topic / f"{topic}{ending}"


def source_in(path: Path) -> str:
    return "".join(json.loads(path.read_text())["cells"][0]["source"])


def test_every_notebook_is_laid_out_once(course):
    lay_out = script("lay_out").lay_out
    assert lay_out(course) == []
    assert source_in(copy_of(course)) == source_in(copy_of(course, "01_two")) == "x = 1"
    copy_of(course).write_text(json.dumps(notebook("x = 2")))
    assert lay_out(course) == []
    assert source_in(copy_of(course)) == "x = 2", "work stays"


def test_a_new_release_replaces_a_copy_that_was_run_but_not_changed(course):
    lay_out = script("lay_out").lay_out
    lay_out(course)
    copy_of(course).write_text(json.dumps(notebook(["x = ", "1"], execution_count=7)))
    release(course, "00_one", "x = 3")
    assert lay_out(course) == []
    assert source_in(copy_of(course)) == "x = 3"


def test_a_new_release_is_laid_beside_work_and_said_once(course):
    lay_out = script("lay_out").lay_out
    lay_out(course)
    copy_of(course).write_text(json.dumps(notebook("mine")))
    release(course, "00_one", "x = 3")
    (said,) = lay_out(course)
    assert "00_one has a new release. Yours stays as it is" in said
    assert source_in(copy_of(course)) == "mine"
    assert source_in(copy_of(course, ending=".new.ipynb")) == "x = 3"
    assert lay_out(course) == []
    release(course, "00_one", "x = 4")
    assert len(lay_out(course)) == 1
    assert source_in(copy_of(course)) == "mine"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}'])
@pytest.mark.parametrize("laid_too", [True, False])
def test_a_copy_that_cannot_be_read_is_never_overwritten(course, content, laid_too):
    lay_out = script("lay_out").lay_out
    lay_out(course)
    copy_of(course).write_text(content)
    if not laid_too:
        shutil.rmtree(course / "work" / ".laid")
    release(course, "00_one", "x = 3")
    assert len(lay_out(course)) == 1
    assert copy_of(course).read_text() == content


def test_git_sees_nothing_of_a_students_work():
    asked = ["git", "check-ignore", "-q", "work/00_start_here/00_start_here.ipynb"]
    assert subprocess.run(asked, cwd=ROOT).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")
def test_jupyterlab_opens_clean_without_instructors_tools_and_without_news(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    assert script("lay_out").lay_out(tmp_path) == []
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = [part for part in script("bootstrap").lab_command(sys.executable, [], is_root=True) if "root_dir" not in part]
    server = ["--no-browser", f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    places = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **places, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}
    with running([*own, *server], f"{url}/api", 60, cwd=tmp_path, env=environment), browser(1024) as page:

        def count(selector):
            return page.run("return document.querySelectorAll(arguments[0]).length", selector)

        page.open(f"{url}/lab/tree/work/{TOPIC}/{TOPIC}.ipynb")
        wait_until(lambda: count(".jp-Notebook .jp-Cell"), 60, "a notebook")
        wait_until(lambda: count('.jp-Notebook-ExecutionIndicator[data-status="idle"]'), 60, "a kernel")
        # JupyterLab calls a notebook changed for the moment in which it fills it; what counts is how it stays.
        wait_until(lambda: count(".jp-mod-dirty") == 0, 20, "a notebook without changes")
        time.sleep(2)
        assert count(".jp-mod-dirty") == 0
        assert count(".Toastify__toast") == 0
        shown = page.run("return document.body.innerText + document.body.innerHTML")
        for tool in ("Formgrader", "Create Assignment", "Assignment List", "Course List"):
            assert tool not in shown
        assert count('.jp-RenderedMarkdown a[href*="03_variational_inference"]')
        assert count(".jp-CodeCell .cm-scroller") > 10
        assert page.run(SCROLL_SIDEWAYS) == [], "what a question says can be read without scrolling"


def test_instructors_keep_their_tools():
    teaching = script("bootstrap").lab_command("python", [], is_root=False, teaching=True)
    assert not any("app_settings_dir" in part for part in teaching)
    settings = ROOT / "scripts" / "jupyterlab"
    assert json.loads((settings / "page_config.json").read_text())["disabledExtensions"]


def test_the_first_notebook_is_among_those_laid_out():
    start = script("bootstrap").START
    assert start == f"/lab/tree/work/{topics()[0]}/{topics()[0]}.ipynb"
