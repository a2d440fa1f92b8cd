"""Signs that a submission was written against the grader: for the instructor to look at, never for points."""

from __future__ import annotations

import ast
import re

SIGNS = {
    r"\b(input_transformers\w*|ast_transformers|ast_node_interactivity)\b": "changes how IPython reads cells",
    r"\bsys\.(displayhook|excepthook|settrace|setprofile|meta_path)\b": "replaces a hook of Python",
    r"\b(builtins|__builtins__)\b": "reaches for Python's builtins",
    r"\bdef __eq__\b": "defines its own equality",
    r"\bos\.(_exit|kill|fork|setsid|abort)\b": "ends or forks processes",
    r"\b(subprocess|multiprocessing|pty)\b": "starts other programs",
    r"\b(socket|urllib|requests|http)\b\.?\w*\(": "uses the network",
    r"\b(gradebook|hidden_seed|autograded|HIDDEN TESTS|nbgrader)\b": "names parts of the grader",
    r"\bcourse_lib\.(checks|grader)\.\w|find_exercise": "reaches for the checks",
    r"\bcourse_lib(\.| import .*\b)(checker|exercises)\b": "reaches for the checks",
    r"\bgc\.get_objects\b|\bsys\._getframe\b|\binspect\.(stack|currentframe|getsource)": "looks into the running program",
    r"\b(pickle|marshal|ctypes)\b": "handles code as data",
    r"/proc/|/etc/passwd|\.\./\.\.": "names files outside its folder",
}
PATCHED = re.compile(
    r"^\s*(torch|np|numpy|math)(\.\w+)+\s*=[^=]|setattr\(\s*(torch|np|numpy|math|builtins)\b", re.MULTILINE
)


def signs_in(source: str) -> list[str]:
    """Return what in a student's cell an instructor may want to look at."""
    code = _without_comments(source)
    found = [says for pattern, says in SIGNS.items() if re.search(pattern, code)]
    if PATCHED.search(code):
        found.append("replaces functions of a library")
    return found


def _without_comments(source: str) -> str:
    try:
        return ast.unparse(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
