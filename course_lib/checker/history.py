"""Whether a name still is what an earlier cell made it, because the last cell that defines it did not get that far."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from types import FunctionType
from typing import Any

from course_lib.phrases import say


def stale(name: str) -> str | None:
    """Return a sentence if the last cell that defines a name has failed, and what has the name is older; else None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    manager = getattr(shell, "history_manager", None)
    if shell is None or manager is None:
        return None
    defines = re.compile(rf"^(?:(?:async +)?def|class) +{name}\b|^{name} *(?::[^=\n]*)?=(?!=)", re.M)
    raw = next((cell for cell in reversed(manager.input_hist_raw) if defines.search(cell)), None)
    if raw is None:
        return None
    try:
        tree = ast.parse(shell.transform_cell(raw))
    except SyntaxError as error:
        why = say("stale.place", error=type(error).__name__, line=error.lineno, message=error.msg)
        return say("stale.unread", name=name, why=why)
    if _is_another(tree, name, shell.user_ns.get(name)):
        return say("stale.stopped", name=name)
    return None


def _is_another(tree: ast.Module, name: str, thing: Any) -> bool:
    """Whether a plain function is not the one that a cell defines; in doubt, it is."""
    written = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if len(written) != 1 or written[0].decorator_list or not isinstance(thing, FunctionType):
        return False
    try:
        lives = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return False
    # A name that was given to another function since then (a decorated or a borrowed one) is not for us to judge.
    return thing.__name__ == name and thing.__module__ == "__main__" and ast.dump(lives) != ast.dump(written[0])
