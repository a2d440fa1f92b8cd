"""A released notebook on its own: an empty folder, an environment without the course, as in Colab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

from course_lib import __version__
from course_lib.checks import TOPICS
from grading.course import ROOT, release_path, topics

# What Colab does not have, or what this is about.
ABSENT = ("course_lib", "latent_course", "_editable_impl_latent", "nbgrader", "jupyterlab", "jupytext", "grading")


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A virtual environment with torch, torchvision, ipywidgets and matplotlib, but without the course.

    The packages are links to those of this environment: installing torch anew would take minutes.
    """
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    for package in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not package.name.startswith(ABSENT):
            (site / package.name).symlink_to(package)
    python = venv / "bin" / "python"
    assert subprocess.run([str(python), "-c", "import course_lib"], capture_output=True).returncode != 0
    assert {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "tqdm", "pip"} <= set(packages(python))
    return python


def packages(python: Path) -> dict[str, str]:
    """What is installed there, with its versions."""
    code = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    return json.loads(subprocess.run([str(python), "-c", code], capture_output=True, check=True).stdout)


def source(tmp_path: Path) -> str:
    """The repository as Colab would get it: what git tracks, and nothing that lies about."""
    copy = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return str(copy)


def run_alone(
    topic: str, python: Path, tmp_path: Path, environment: dict[str, str], *, folder: str = "empty", setup: bool = False
) -> nbformat.NotebookNode:
    """Run a notebook, or its setup cell alone, in a folder of its own."""
    folder = tmp_path / folder
    folder.mkdir(parents=True, exist_ok=True)
    kernels = tmp_path / "kernels" / "bare"
    kernels.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernels / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "bare", "language": "python"}))
    notebook = nbformat.read(release_path(topic), as_version=4)
    if setup:
        notebook.cells = [next(cell for cell in notebook.cells if cell.cell_type == "code")]
    client = NotebookClient(notebook, timeout=300, kernel_name="bare", allow_errors=True)
    client.resources = {"metadata": {"path": str(folder)}}
    client.km = client.create_kernel_manager()
    client.km.kernel_spec_manager = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    client.execute(env={**clean, **environment})
    return notebook


# These take most of a minute or longer; the replay of the solutions trains the same.
LONG = ("03", "04", "05", "06", "07", "08", "09", "10", "11", "12")
ALL = [pytest.param(topic, marks=pytest.mark.record if topic.startswith(LONG) else ()) for topic in topics()]


@pytest.mark.parametrize("topic", ALL)
def test_it_installs_the_course_runs_to_the_end_and_is_kind_about_what_is_unsolved(topic, bare_python, tmp_path):
    before = packages(bare_python)
    notebook = run_alone(topic, bare_python, tmp_path, {"LATENT_COURSE_SOURCE": source(tmp_path)})
    assert packages(bare_python) == {**before, "latent-course": __version__}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "it ran to the end"

    def errors(cell):
        return [output for output in cell.outputs if output.output_type == "error"]

    setup = code[0]
    assert not errors(setup), setup.outputs
    said = f"Installing the course ... done: latent-course {__version__}; nothing that was there was touched.\n"
    assert "".join(output.text for output in setup.outputs) == said
    by_id = {cell.id: cell for cell in code}
    for exercise in TOPICS[topic]:
        checking = by_id[f"{exercise.name}-check"]
        if exercise.points:
            (error,) = errors(checking)
            assert error.ename == "CheckFailed"
            assert "not answered yet" in "\n".join(error.traceback)
            assert len(error.traceback) == 1, "one line, no traceback of ours"
            shown = "\n".join(o.data["text/plain"] for o in checking.outputs if o.output_type == "display_data")
            assert "run that cell, then run this one again" in shown
        else:
            assert not errors(checking)
    for cell in code:
        for error in errors(cell):
            # A cell that shows what the student has built says that it is not built yet, and nothing worse.
            assert error.ename in ("CheckFailed", "NotImplementedError", "NameError"), (cell.source, error.evalue)
    explorers = [cell for cell in code if "explorer" in cell.metadata.get("tags", [])]
    for cell in explorers:
        assert not errors(cell)
        assert "application/vnd.jupyter.widget-view+json" in cell.outputs[0].data


@pytest.mark.parametrize("folder", ["empty", "clone/notebooks/00_start_here"])
def test_without_a_network_the_setup_cell_names_the_remedy(folder, bare_python, tmp_path):
    source(tmp_path)
    nowhere = "http://127.0.0.1:9"
    offline = {"PIP_INDEX_URL": nowhere, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "https_proxy": nowhere}
    offline |= {"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    before = packages(bare_python)
    (cell,) = run_alone(topics()[0], bare_python, tmp_path, offline, folder=folder, setup=True).cells
    begun, stopped = cell.outputs
    assert begun.text == "Installing the course ... "
    says, because = stopped.traceback[0].splitlines()
    assert says == "The course could not be installed. Is there a network? It is needed once: then run this cell again."
    assert because.startswith(
        "pip says: ERROR: No matching distribution found for hatchling"
        if "clone" in folder
        else "pip says: fatal: unable to access"
    )
    assert packages(bare_python) == before
