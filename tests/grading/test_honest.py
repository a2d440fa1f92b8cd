"""Honest points are not lost for what else stands in a notebook; what costs points is said."""

from __future__ import annotations

import io
import random
import time
import zipfile

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import fill_in, points, saved_by_colab

from grading.grade import grade
from grading.intake.repair import graded_names
from grading.job import Job
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox
TOPIC, SHORT = "02_jensen_entropy_kl", "00_start_here"

# Lines as people have them among their imports; each fails here, or throws a switch for all that follows.
LINES = [
    "from google.colab import drive",
    "drive.mount('/content/drive')",
    "import seaborn as sns; sns.set_theme()",
    "%matplotlib widget",
    "%load_ext tensorboard",
    "%nosuchmagic",
    "%cd /content/drive/MyDrive",
    "!nvidia-smi",
    "name = input('Your name: ')",
    "assert torch.cuda.is_available(), 'change the runtime'",
    "torch.set_default_device('cuda')",
    "torch.set_default_device('meta')",
    "torch.set_grad_enabled(False)",
    "torch.set_default_dtype(torch.float64)",
    "torch.set_default_dtype(torch.float16)",
    "torch.use_deterministic_algorithms(True)",
    "torch.set_num_threads(3)",
    "torch.inference_mode().__enter__()",
    "import os; os.chdir('/tmp')",
    "import matplotlib; matplotlib.use('TkAgg')",
    "import numpy as np; np.seterr(all='raise')",
    "import sys; sys.exit()",
    "exit()",
    "quit",
    "raise RuntimeError('left here by mistake')",
    "torch.zeros(3).to('cuda')",
    "open('data/train.csv')",
    "%%nosuchmagic_in_a_cell",
]


def graded(bench, topic, notebook, files=None, limits=None):
    name = f"{topic}.ipynb"
    handed = {name: nbformat.writes(notebook).encode()} if files is None else files
    return grade(Job(topic, "anna", handed, dict.fromkeys(graded_names(topic), 7), limits or Limits()), bench)


def earned(result):
    assert "exercises" in result, result.get("why")
    return {name: report["points"] for name, report in result["exercises"].items()}


def full(topic):
    return points(topic, lambda i: True)


def cell_of(notebook, words):
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and words in cell.source)


@pytest.mark.parametrize("seed", range(6))
def test_lines_that_fail_among_the_imports_cost_nothing(seed, bench):
    chance = random.Random(seed)
    notebook = fill_in(TOPIC, lambda i: True)
    imports = cell_of(notebook, "import math")
    lines = imports.source.splitlines()
    put = [line for i, line in enumerate(LINES) if i % 6 == seed and not line.startswith("%%")]
    for line in put:
        lines.insert(chance.randint(0, len(lines)), line)
    imports.source = "\n".join(lines)
    result = graded(bench, TOPIC, notebook)
    assert earned(result) == full(TOPIC), put
    said = {line for _, line, _ in result["failed_lines"]}
    assert said <= set(put), "the student's own lines, and no other"


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_fails_costs_nothing_in_a_cell_of_its_own_or_above_an_answer(line, bench):
    notebook = fill_in(SHORT, lambda i: True)
    answer = next(cell for cell in notebook.cells if cell.id == "log_mean_exp")
    if not line.startswith("%%"):
        answer.source = f"import torch\n{line}\n{answer.source}\n{line}\n1 / 0"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(f"{line}\nx = 1"))
    assert earned(graded(bench, SHORT, notebook)) == full(SHORT)


def test_which_line_failed_is_said_with_why(bench):
    notebook = fill_in(SHORT, lambda i: True)
    answer = next(cell for cell in notebook.cells if cell.id == "log_mean_exp")
    answer.source = (
        f"import seaborn as sns\n{answer.source.replace('return', 'sns.set_theme()' + chr(10) + '    return')}"
    )
    result = graded(bench, SHORT, notebook)
    report = result["exercises"]["log_mean_exp"]
    assert report["points"] == 0
    why = "ModuleNotFoundError: No module named 'seaborn'"
    assert f"`import seaborn as sns` failed when it was graded: {why}." in report["sentences"]
    first = nbformat.reads(result["notebook"], as_version=4).cells[0].source
    assert "import seaborn as sns: ModuleNotFoundError" in first


def with_helper(notebook, statement, use):
    """Let an answer of the short notebook need a name that another statement gives it."""
    answer = next(cell for cell in notebook.cells if cell.id == "log_mean_exp")
    answer.source = f"{statement}\n{answer.source}".strip().replace("return", f"assert {use}\n    return")
    return notebook


@pytest.mark.parametrize("role", ["show", "check"])
def test_what_a_student_adds_to_a_cell_that_is_not_run_is_run(role, bench):
    notebook = fill_in(TOPIC, lambda i: True)
    index = next(i for i, cell in enumerate(notebook.cells) if cell.id == "gaussian_kl")
    if role == "show":
        shown = [c for c in notebook.cells[:index] if "show" in c.metadata.get("tags", [])]
        target = shown[-1]
    else:
        target = [c for c in notebook.cells[:index] if c.id.endswith("-check")][-1]
    target.source = f"FACTOR = 1.0\n{target.source}\ndef helper(x):\n    return FACTOR * x"
    answer = notebook.cells[index]
    answer.source = answer.source.replace("    return ", "    return helper(1.0) * ")
    assert "helper" in answer.source
    assert earned(graded(bench, TOPIC, notebook)) == full(TOPIC)


FILES = {
    "a module": ("helper.py", "from helper import ONE", "ONE == 1"),
    "a package": ("mine/deep/helper.py", "from mine.deep.helper import ONE", "ONE == 1"),
    "data": ("data/one.txt", "with open('data/one.txt') as file: text = file.read()", "'ONE' in text"),
    "an unusual kind": (
        "data/one.bin",
        "with open('data/one.bin', 'rb') as file: text = file.read()",
        "b'ONE' in text",
    ),
}


@pytest.mark.parametrize(
    "how", ["beside", "in a folder", "in an archive", "in an archive's folder", "in an archive beside"]
)
@pytest.mark.parametrize("kind", FILES)
def test_files_lie_as_they_were_handed_in(kind, how, bench):
    name, statement, use = FILES[kind]
    notebook = nbformat.writes(with_helper(fill_in(SHORT, lambda i: True), statement, use)).encode()
    folder = "homework/" if how.endswith("folder") else ""
    both = {f"{folder}{SHORT}.ipynb": notebook, f"{folder}{name}": b"ONE = 1\n"}
    if "archive" in how:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, content in both.items():
                if how != "in an archive beside" or path == name:
                    archive.writestr(path, content)
        both = {"upload.zip": buffer.getvalue()} | ({f"{SHORT}.ipynb": notebook} if how.endswith("beside") else {})
    assert earned(graded(bench, SHORT, None, files=both)) == full(SHORT)


ENDS = {
    "everything is deleted": "%reset -f",
    "names are deleted": "del torch, log_mean_exp",
    "the time is used up": "import time\nwhile True:\n    time.sleep(1)",
    "the kernel dies": "import os\nos._exit(0)",
    "a name is used for something else": "torch = log_mean_exp = 3",
    "a library is changed": "import torch\ntorch.exp = torch.log = torch.logsumexp = None",
    "gradients are switched off": "import torch\ntorch.set_grad_enabled(False)",
}


@pytest.mark.parametrize("where", ["behind", "before"])
@pytest.mark.parametrize("end", ENDS)
def test_no_point_is_lost_for_what_stands_elsewhere(end, where, bench):
    notebook = fill_in(SHORT, lambda i: True)
    at = len(notebook.cells) if where == "behind" else 2
    for _ in range(4):
        notebook.cells.insert(at, nbformat.v4.new_code_cell(ENDS[end]))
    limits = Limits(cell_seconds=2, answer_seconds=5, notebook_seconds=6, restarts=2)
    began = time.monotonic()
    assert earned(graded(bench, SHORT, notebook, limits=limits)) == full(SHORT)
    assert time.monotonic() - began < 40


def test_a_loop_in_the_cell_of_an_answer_costs_not_the_answer(bench):
    notebook = fill_in(SHORT, lambda i: True)
    answer = next(cell for cell in notebook.cells if cell.id == "log_mean_exp")
    answer.source += "\n\nwhile True:\n    pass"
    result = graded(bench, SHORT, notebook, limits=Limits(cell_seconds=2))
    assert earned(result) == full(SHORT)


@pytest.mark.parametrize("keep_ids", [True, False])
@pytest.mark.parametrize("magic", ["%%time", "%%capture --no-stderr", "\n%%timeit -n 1"])
def test_a_cell_that_is_timed_or_silenced_is_run(magic, keep_ids, bench):
    notebook = fill_in(SHORT, lambda i: True)
    for cell in notebook.cells:
        if cell.id == "log_mean_exp":
            cell.source = f"{magic}\n{cell.source}"
    assert earned(graded(bench, SHORT, notebook if keep_ids else saved_by_colab(notebook))) == full(SHORT)


@pytest.mark.parametrize("line", ["os.kill(os.getpid(), 9)", "os._exit(0)", "while True: pass"])
def test_a_kernel_that_is_restarted_among_the_imports_costs_nothing(line, bench):
    notebook = fill_in(TOPIC, lambda i: True)
    imports = cell_of(notebook, "import math")
    imports.source = f"import os\n!pip install -q seaborn\n{line}\n{imports.source}"
    assert earned(graded(bench, TOPIC, notebook, limits=Limits(cell_seconds=6))) == full(TOPIC)


def test_what_is_checked_alone_says_what_was_in_the_way(bench):
    notebook = fill_in(SHORT, lambda i: True)
    notebook.cells.insert(2, nbformat.v4.new_code_cell("import torch\ntorch.exp = torch.log = torch.logsumexp = None"))
    report = graded(bench, SHORT, notebook)["exercises"]["log_mean_exp"]
    assert report["points"] > 0
    assert "alone, with only what it needs" in report["text"]


def test_a_wrong_answer_stays_wrong_alone(bench):
    notebook = fill_in(SHORT, lambda i: False)
    notebook.cells.insert(2, nbformat.v4.new_code_cell("import torch\nraise ValueError\ntorch.exp = None"))
    assert earned(graded(bench, SHORT, notebook)) == points(SHORT, lambda i: False)
