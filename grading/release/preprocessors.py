"""The two places where releasing differs from stock nbgrader."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearOutput, ClearSolutions

EXPLORER = "explorer"


class CourseClearSolutions(ClearSolutions):
    """Replaces a solution by a stub that says whose it is; a question keeps its line to choose in."""

    code_stub: dict[str, str]

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        stubs = dict(self.code_stub)
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if "question" in cell.metadata.get("tags", []):
            self.code_stub = {**stubs, language: "# YOUR CODE HERE: choose above"}
        else:
            stub = f'# YOUR CODE HERE\nraise NotImplementedError("{name} is still to be written, in its cell above")'
            self.code_stub = {**stubs, language: stub}
        try:
            return bool(super()._replace_solution_region(cell, language))
        finally:
            self.code_stub = stubs


class CourseClearOutput(ClearOutput):
    """Clears all output but the explorers' static pictures, seen where no kernel runs."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if EXPLORER not in cell.metadata.get("tags", []):
            return super().preprocess_cell(cell, resources, cell_index)
        cell.execution_count = None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
        return cell, resources
