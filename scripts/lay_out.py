"""Lay the notebooks out to be worked in: copies in work/, so that a new release never meets a student's work.

Contract: `python scripts/lay_out.py [ROOT]`, standard library alone, run by the Python that will be the notebooks' kernel.

    no copy yet                          it is laid into work/TOPIC/TOPIC.ipynb
    a new release, the copy not touched  the copy is replaced
    a new release, the copy worked in    the copy stays, the release is laid beside it as TOPIC.new.ipynb, and that is said

What was laid is kept in work/.laid/, to know a copy that was worked in. A copy is never overwritten whose cells differ from it.
"""

import json
import sys
from pathlib import Path

LANGUAGE = {  # as ipykernel gives it: JupyterLab would write it into the notebook, and call that a change
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": ".".join(map(str, sys.version_info[:3])),
}


def lay_out(root: Path) -> list[str]:
    """Lay out every released notebook; return what a student has to know."""
    return [said for release in sorted(root.glob("notebooks/*/*.ipynb")) if (said := lay(release, root / "work"))]


def lay(release: Path, work: Path) -> str | None:
    """Lay one notebook out; return a sentence if its copy was worked in and there is a new release."""
    copy = work / release.parent.name / release.name
    laid = work / ".laid" / release.name
    notebook = json.loads(release.read_text(encoding="utf-8"))
    if copy.exists() and laid.exists() and cells(laid) == cells(release):
        return None
    if copy.exists() and (cells(copy) is None or cells(copy) not in (cells(release), cells(laid))):
        beside = copy.with_name(f"{release.stem}.new.ipynb")
        write(beside, notebook)
        write(laid, notebook)
        return f"{release.stem} has a new release. Yours stays as it is; the new one lies beside it: {beside.name}"
    write(copy, notebook)
    write(laid, notebook)
    return None


def cells(path: Path) -> list[tuple[str, str]] | None:
    """Return kind and source of every cell; None where there is no notebook that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in found]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(path: Path, notebook: dict) -> None:
    """Write a notebook whole or not at all, with the language of this Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook["metadata"]["language_info"] = LANGUAGE
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    for sentence in lay_out(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent):
        print(sentence)
