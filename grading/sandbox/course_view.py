"""The course's library as a submission sees it: everything but what is asked for.

The checks are not in it. What :func:`grading.sandbox.call_graph.withheld` names stands there by name and signature only:
calling it asks the grader, who computes it in a cell, and, while an answer is checked, as far as the answer may use it.
"""

from __future__ import annotations

import ast
import compileall
import shutil
from pathlib import Path

from course_lib import __version__
from grading.sandbox.call_graph import GRADERS_OWN, LIBRARY, module_of, withheld

GRADER = '''\
"""How the library reaches the grader, while a submission is graded."""


class ReferenceUsed(RuntimeError):
    """A solution of the library's was called by an answer that may not use it."""


def call_grader(name, args):
    raise ReferenceUsed("there is no grader here")


def reference(name, *args):
    return call_grader(name, args)
'''

CHECKS = '''\
"""While a submission is graded, the grader itself checks the answers, from outside."""


def check(name, answer=None, *, seed=None, topic=None):
    """The grader checks when the cell with the answer has run."""


def review(name, answer=None, *, seed=None, topic=None):
    """The grader checks when the cell with the answer has run."""


def summary(topic):
    """The grader adds up the points."""


def certificate(topic=None):
    """Nobody prints a page while a submission is graded."""


def using(name, *, topic=None):
    """Demonstrations are not graded."""


def __getattr__(name):
    raise AttributeError(f"course_lib.checks.{name} is not there while a submission is graded: the grader checks")
'''


def write_view(topic: str, folder: Path) -> None:
    """Write the library for a notebook into ``folder/course_lib``."""
    view = folder / "course_lib"
    gone = withheld(topic)
    view.mkdir(parents=True)
    for path in sorted(LIBRARY.rglob("*.py")):
        part = path.relative_to(LIBRARY)
        if part.parts[0] in GRADERS_OWN:
            continue
        module = module_of(part)
        names = {full.rsplit(".", 1)[1] for full in gone if full.rsplit(".", 1)[0] == module}
        (view / part).parent.mkdir(exist_ok=True)
        (view / part).write_text(_without(path.read_text(encoding="utf-8"), module, names), encoding="utf-8")
    (view / "grader.py").write_text(GRADER, encoding="utf-8")
    (view / "checks.py").write_text(CHECKS, encoding="utf-8")
    metadata = folder / f"latent_course-{__version__}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: latent-course\nVersion: {__version__}\n")
    shutil.copytree(LIBRARY / "assets", view / "assets", copy_function=shutil.copyfile)
    compileall.compile_dir(view, quiet=1)  # guests cannot write, and would compile it again and again
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _without(source: str, module: str, names: set[str]) -> str:
    """Return a module's source in which the bodies of some functions and classes are gone."""
    if not names:
        return source
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            doc = [node.body[0]] if ast.get_docstring(node) is not None else []
            given = ", ".join(arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
            asking = f"from course_lib import grader\nreturn grader.reference('{module}.{node.name}', {given})"
            node.body = [*doc, *ast.parse(f"def _():\n    {asking.replace(chr(10), chr(10) + '    ')}").body[0].body]  # type: ignore[attr-defined]
        elif isinstance(node, ast.ClassDef) and node.name in names:
            refusing = f"from course_lib import grader\ngrader.reference('{module}.{node.name}')"
            body = ast.parse(f"def __init__(self, *args, **kwargs):\n    {refusing.replace(chr(10), chr(10) + '    ')}")
            node.body = list(body.body)
    return ast.unparse(tree)
