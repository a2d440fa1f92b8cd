"""Plain `nbgrader autograde` goes through the sandbox too."""

from __future__ import annotations

import nbformat
from conftest import needs_sandbox
from handed_in import SHORT, course, scores
from nbgrader.apps import NbGraderAPI
from submissions import fill_in, points, untouched

from grading.batch.submissions import autograde
from grading.release.build import nbgrader_config

pytestmark = needs_sandbox


def test_plain_nbgrader_grades_through_the_sandbox_what_used_to_stop_it(tmp_path):
    notebook = fill_in(SHORT, lambda i: True)
    doubled = fill_in(SHORT, lambda i: True)
    doubled.cells.append(next(cell for cell in notebook.cells if cell.id == "log_mean_exp"))
    doubled.cells.insert(2, nbformat.v4.new_code_cell("import os\nos._exit(0)"))
    loud = fill_in(SHORT, lambda i: True)
    loud.cells.insert(2, nbformat.v4.new_code_cell("import sys\nprint('careful', file=sys.stderr)"))
    root = course(tmp_path, SHORT, {"anna": notebook, "bert": doubled, "cora": loud, "dora": untouched(SHORT)})
    config = nbgrader_config(root)
    list(autograde(SHORT, ["anna"], root))  # enters the assignment
    for student, right in (("bert", True), ("cora", True), ("dora", False)):
        result = NbGraderAPI(config=config).autograde(SHORT, student, force=True)
        assert result["success"], result.get("log")
        assert scores(root, SHORT, student) == points(SHORT, lambda i, right=right: right)
