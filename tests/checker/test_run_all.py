"""Run All goes to the end where a person sits in front of the notebook, and a program sees a wrong answer fail."""

from __future__ import annotations

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

WRONG = "from course_lib.checks import check\ndef gaussian_entropy(sigma):\n    return sigma.sum(-1)\n"
STOPPED = "There is no gaussian_entropy"


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel()
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run(client, code, person=True):
    """Run a cell as a front end does, which can answer input(), or as a program; return what was shown, and the status."""
    shown = []

    def listen(message):
        content = message["content"]
        shown.append(str(content.get("data", {}).get("text/plain", "")) + str(content.get("evalue", "")))

    reply = client.execute_interactive(code, allow_stdin=person, output_hook=listen, timeout=60)
    return "\n".join(shown), reply["content"]["status"]


def test_a_wrong_answer_is_told_and_the_notebook_goes_on(kernel):
    run(kernel, WRONG)
    shown, status = run(kernel, 'check("gaussian_entropy")')
    assert "✗ gaussian_entropy: not right yet" in shown
    assert status == "ok"


def test_a_program_sees_it_fail(kernel):
    run(kernel, WRONG)
    shown, status = run(kernel, 'check("gaussian_entropy")', person=False)
    assert "✗ gaussian_entropy: not right yet" in shown
    assert status == "error"


def test_nbclient_which_nbgrader_and_validate_use_sees_it_fail():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(WRONG + 'check("gaussian_entropy")')])
    with pytest.raises(CellExecutionError, match="not right yet"):
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()


RIGHT = "import torch, math\ndef gaussian_entropy(sigma):\n    return (0.5 + 0.5 * math.log(2 * math.pi) + sigma.log()).sum(-1)\n"


def test_a_definition_that_python_could_not_read_is_not_judged_by_the_one_before(kernel):
    run(kernel, RIGHT)
    assert "✓" in run(kernel, 'check("gaussian_entropy")')[0]
    run(kernel, "def gaussian_entropy(sigma):\n    return (sigma.log().sum(-1)\n")
    shown, _ = run(kernel, 'check("gaussian_entropy")')
    assert "✓" not in shown
    assert "Python could not read the last cell with `gaussian_entropy`" in shown
    assert "SyntaxError in line 2" in shown
    run(kernel, RIGHT)
    assert "✓" in run(kernel, 'check("gaussian_entropy")')[0]


def test_a_cell_that_stopped_before_the_definition_is_named(kernel):
    run(kernel, RIGHT)
    run(kernel, "1 / 0\ndef gaussian_entropy(sigma):\n    return sigma\n")
    assert "stopped before it came to `gaussian_entropy`" in run(kernel, 'check("gaussian_entropy")')[0]


@pytest.mark.parametrize(
    "cell",
    [
        "%%time\n" + RIGHT,
        RIGHT + "gaussian_entropy = torch.no_grad()(gaussian_entropy) if False else gaussian_entropy\n",
        "# a comment\n\n" + RIGHT + "\n%matplotlib inline\n",
        RIGHT + "\ngaussian_entropy(torch.ones(2, 3));\n",
        "text = '''\ndef gaussian_entropy(sigma):\n    pass\n'''\n" + RIGHT,
    ],
)
def test_what_lives_is_not_called_stale(kernel, cell):
    run(kernel, cell)
    assert "✓" in run(kernel, 'check("gaussian_entropy")')[0]
