"""Style, types, and the tests that what you have just changed can break: in less than a minute.

Contract: `python scripts/quick.py [FILE ...]` in the course's environment (`make quick`). Without files, those that
differ from the last commit; if none does, those of the last commit. Of the tests, it runs the files that import a
changed module, directly or through others, without what is marked slow; and of the declared exercises, those that reach
a changed module. A notebook is not executed: `make test` runs everything.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "site"), str(ROOT)]  # course_site, and benchmarks
DECLARATIONS = "tests/exercises/test_declarations.py"
ALWAYS = "tests/setup/test_architecture.py"
OF_PAGES = "tests/exercises/test_authoring.py"
# What no module imports, by how its path begins, and the tests of it.
FOLLOWED = {
    "docs/": OF_PAGES,
    "docs/forking.md": "tests/setup/test_forking.py",
    "course_lib/course.toml": "tests/setup/test_forking.py",
    "course_lib/phrases/": "tests/checker/test_phrases.py",
    "site/": "tests/site/test_site_pages.py",
}


def changed_files() -> list[str]:
    """Return what differs from the last commit, or else what the last commit changed."""
    here = _git("diff", "--name-only", "HEAD") + _git("ls-files", "--others", "--exclude-standard")
    return here or _git("diff", "--name-only", "HEAD~1", "HEAD")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def affected_modules(files: list[str]) -> set[str]:
    """Return the changed modules of the course, its grading, site and benchmarks, with all that import them."""
    graph = grimp.build_graph("course_lib", "grading", "course_site", "benchmarks", cache_dir=None)
    changed = {module_of(file) for file in files if file.endswith(".py")} & graph.modules
    return changed.union(*(graph.find_downstream_modules(module) for module in changed))


def module_of(file: str) -> str:
    return file.removeprefix("site/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tests_of(modules: set[str], files: list[str]) -> list[str]:
    """Return the files of tests that import one of the modules or were changed, and those that are always run."""
    chosen = {ALWAYS} | {file for file in files if Path(file).match("tests/**/test_*.py") and (ROOT / file).exists()}
    others = [file for file in files if module_of(file) not in modules]
    chosen |= {tests for begins, tests in FOLLOWED.items() if any(file.startswith(begins) for file in others)}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if not modules.isdisjoint(imported_by(path)):
            chosen.add(path.relative_to(ROOT).as_posix())
    if any(module.startswith("course_lib.exercises") for module in modules):
        chosen.add(DECLARATIONS)
    return sorted(chosen)


def imported_by(path: Path) -> Iterator[str]:
    """Yield every name that a file imports, as a module may be called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def exercises_in(modules: set[str]) -> list[str]:
    """Return the ids under which the exercises that some modules declare are tested, such as ``02-gaussian_kl``."""
    found = []
    for name in sorted(modules):
        if name.startswith("course_lib.exercises.") and hasattr(module := import_module(name), "EXERCISE"):
            folder = import_module(name.rpartition(".")[0])
            found.append(f"{folder.NOTEBOOK[:2]}-{module.EXERCISE.name}")
    return found


def run(*command: str) -> bool:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode == 0


def main(given: list[str]) -> int:
    began = time.monotonic()
    files = given or changed_files()
    good = run("ruff", "check", "--quiet", ".") and run("ruff", "format", "--quiet", "--check", ".")
    good = run("mypy", "--no-error-summary") and good
    modules = affected_modules(files)
    names = exercises_in(modules)
    chosen = tests_of(modules, files)
    print(f"{len(files)} files changed: {len(chosen)} files of tests, {len(names)} exercises.", flush=True)
    # Of the declarations' tests, those of the exercises that reach a change, and those that belong to none.
    only = " or ".join(["not test_declarations", "test_names", "test_a_question", *names])
    good = run("pytest", "-q", "-n", "2", "--dist", "worksteal", "-m", "not slow", "-k", only, *chosen) and good
    print(
        f"{time.monotonic() - began:.0f} s. {'Nothing is broken so far' if good else 'Something is broken'}: `make test` runs everything."
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
