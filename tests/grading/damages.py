"""What happens to notebooks on their way to the grader: each damage made to a good submission of notebook 02."""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOPIC = "02_jensen_entropy_kl"
Raw = dict[str, Any]


@dataclass(frozen=True)
class Damage:
    """A damage: from a good notebook, as JSON, to the files that were handed in.

    Attributes:
        lost: the exercises whose answers are gone.
        says: words of a repair that must be reported; None where nothing needs repair.
    """

    name: str
    make: Callable[[Raw], dict[str, bytes]]
    lost: tuple[str, ...] = ()
    says: str | None = None


def as_file(raw: Any, name: str = f"{TOPIC}.ipynb") -> dict[str, bytes]:
    return {name: json.dumps(raw, indent=1, ensure_ascii=False).encode()}


# Cells of the course's own, by words that they hold.
SETUP, IMPORTS, SUMMARY = "Run this cell first", "import math", f'summary("{TOPIC}")'


def at(raw: Raw, which: str) -> int:
    """The place of a cell, by its id, or of a code cell, by words that it holds."""
    cells = raw["cells"]
    named = [i for i, cell in enumerate(cells) if cell.get("id") == which]
    return (named or [i for i, cell in enumerate(cells) if cell["cell_type"] == "code" and which in source(cell)])[0]


def source(cell: Raw) -> str:
    return "".join(cell["source"])


def changed(change: Callable[[Raw], object]) -> Callable[[Raw], dict[str, bytes]]:
    """A damage that changes the JSON in place."""

    def make(raw: Raw) -> dict[str, bytes]:
        raw = copy.deepcopy(raw)
        change(raw)
        return as_file(raw)

    return make


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Raw], dict[str, bytes]]:
    """A damage that changes the file's bytes."""
    return lambda raw: {f"{TOPIC}.ipynb": change(as_file(raw)[f"{TOPIC}.ipynb"])}


def each_cell(change: Callable[[Raw], object]) -> Callable[[Raw], dict[str, bytes]]:
    def all_cells(raw: Raw) -> None:
        for cell in raw["cells"]:
            change(cell)

    return changed(all_cells)


def delete(*which: str) -> Callable[[Raw], dict[str, bytes]]:
    def without(raw: Raw) -> None:
        gone = {at(raw, one) for one in which}
        raw["cells"] = [cell for i, cell in enumerate(raw["cells"]) if i not in gone]

    return changed(without)


def delete_all_checks(raw: Raw) -> None:
    raw["cells"] = [cell for cell in raw["cells"] if not cell["id"].endswith("-check")]


def duplicate(raw: Raw, cell_id: str) -> None:
    raw["cells"].insert(at(raw, cell_id), copy.deepcopy(raw["cells"][at(raw, cell_id)]))


def stub_behind(raw: Raw) -> None:
    stub = copy.deepcopy(raw["cells"][at(raw, "gaussian_kl")])
    stub["source"] = RELEASED["gaussian_kl"]
    raw["cells"].insert(at(raw, "gaussian_kl") + 1, stub)


RELEASED: dict[str, str] = {}  # filled by the tests


def split(raw: Raw, where: str, blank: bool = False) -> None:
    index = at(raw, "gaussian_kl")
    cell = raw["cells"][index]
    first, second = source(cell).split(where, 1)
    rest = {"cell_type": "code", "id": "fresh", "metadata": {}, "outputs": [], "execution_count": None}
    between = [{"cell_type": "markdown", "id": "note", "metadata": {}, "source": "a note"}] if blank else []
    cell["source"] = first
    raw["cells"][index + 1 : index + 1] = [*between, {**rest, "source": where.lstrip("\n") + second}]


def retype(raw: Raw, cell_id: str, kind: str, fence: bool = False) -> None:
    cell = raw["cells"][at(raw, cell_id)]
    cell["cell_type"] = kind
    cell.pop("outputs", None)
    cell.pop("execution_count", None)
    if fence:
        cell["source"] = f"```python\n{source(cell)}\n```"


def swap_metadata(raw: Raw) -> None:
    one, other = (raw["cells"][at(raw, name)] for name in ("gaussian_kl", "gaussian_entropy"))
    one["metadata"], other["metadata"] = other["metadata"], one["metadata"]
    one["id"], other["id"] = other["id"], one["id"]


def to_format_3(raw: Raw) -> dict[str, bytes]:
    cells = []
    for cell in raw["cells"]:
        if cell["cell_type"] == "code":
            cells.append(
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": cell["source"],
                    "language": "python",
                    "metadata": cell["metadata"],
                    "outputs": [],
                }
            )
        else:
            heading = re.match(r"(#+) (.*)\Z", source(cell))
            cells.append(
                {"cell_type": "heading", "level": len(heading[1]), "source": heading[2], "metadata": {}}
                if heading
                else {"cell_type": "markdown", "source": cell["source"], "metadata": {}}
            )
    return as_file(
        {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}
    )


def by_colab(raw: Raw) -> None:
    raw.update(
        nbformat_minor=0,
        metadata={"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    for i, cell in enumerate(raw["cells"]):
        cell.pop("id")
        cell["metadata"] = {**cell["metadata"], "id": f"Xy{i:010d}", "outputId": f"o{i}"}


def by_colab_without_metadata(raw: Raw) -> None:
    by_colab(raw)
    for cell in raw["cells"]:
        cell["metadata"] = {"id": cell["metadata"]["id"]}


def by_vs_code(raw: Raw) -> None:
    raw["metadata"] = {
        "kernelspec": {"display_name": ".venv", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "vscode": {"interpreter": {"hash": "31f2"}},
    }
    for cell in raw["cells"]:
        cell["id"] = f"{abs(hash(cell['id'])) % 16**8:08x}"
        cell["metadata"] = {"vscode": {"languageId": "python"}} if cell["cell_type"] == "code" else {}


def by_classic_notebook(raw: Raw) -> None:
    raw["nbformat_minor"] = 2
    for cell in raw["cells"]:
        cell.pop("id")
        cell["metadata"].update(collapsed=True, scrolled=False)


def merge_answers(raw: Raw) -> None:
    one, other = at(raw, "gaussian_entropy"), at(raw, "categorical_entropy")
    raw["cells"][one]["source"] = source(raw["cells"][one]) + "\n\n\n" + source(raw["cells"][other])
    del raw["cells"][other]


def merge_with_check(raw: Raw) -> None:
    index = at(raw, "gaussian_kl")
    raw["cells"][index]["source"] = source(raw["cells"][index]) + '\n\n\ncheck("gaussian_kl")'
    del raw["cells"][index + 1]


def conflict_in_file(text: bytes) -> bytes:
    lines = text.decode().split("\n")
    at_line = next(i for i, line in enumerate(lines) if "def gaussian_kl" in line)
    mine = lines[at_line : at_line + 1]
    theirs = [line.replace("gaussian_kl", "gaussian_kl") + " " for line in mine]
    conflict = ["<<<<<<< HEAD", *mine, "=======", *theirs, ">>>>>>> feature/answers"]
    return "\n".join(lines[:at_line] + conflict + lines[at_line + 1 :]).encode()


def conflict_in_cell(raw: Raw) -> None:
    cell = raw["cells"][at(raw, "gaussian_kl")]
    stub = RELEASED["gaussian_kl"]
    cell["source"] = f"<<<<<<< HEAD\n{source(cell)}\n=======\n{stub}\n>>>>>>> upstream/main\n"


def cut(text: bytes, words: bytes) -> bytes:
    return text[: text.rindex(words)]


def mark_of(text: bytes, which: str) -> bytes:
    raw = json.loads(text)
    return f'"id": "{raw["cells"][at(raw, which)]["id"]}"'.encode()


def zipped(raw: Raw, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"__MACOSX/._{name}", b"\x00\x05\x16\x07")
        archive.writestr(name, as_file(raw)[f"{TOPIC}.ipynb"])
    return buffer.getvalue()


def smart_spaces(raw: Raw) -> None:
    cell = raw["cells"][at(raw, "gaussian_kl")]
    cell["source"] = "\ufeff" + source(cell).replace("    ", "\u00a0\u00a0\u00a0\u00a0")


def noisy(raw: Raw) -> None:
    cell = raw["cells"][at(raw, "gaussian_kl")]
    cell["source"] = "import sys, warnings\nwarnings.warn('careful')\nprint('here', file=sys.stderr)\n\n" + source(
        cell
    ).replace("return", "warnings.warn('again'); print('there', file=sys.stderr); return")


def junk_cells(raw: Raw) -> None:
    raw["cells"][3:3] = [
        None,
        7,
        "text",
        {"cell_type": "code"},
        {"source": None, "cell_type": "code"},
        {"cell_type": "sorcery", "source": "# what?"},
    ]


def wrong_types(raw: Raw) -> None:
    for cell in raw["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs="none", execution_count="many", metadata=[])


DAMAGES = [
    Damage("nothing", lambda raw: as_file(raw)),
    Damage("the setup cell is deleted", delete(SETUP), says="missing"),
    Damage("the cell with the imports is deleted", delete(IMPORTS), says="missing"),
    Damage("an answer is deleted", delete("gaussian_kl"), lost=("gaussian_kl",), says="gaussian_kl was missing"),
    Damage("a check is deleted", delete("gaussian_kl-check"), says="A check was missing"),
    Damage(
        "an answer and its check are deleted",
        delete("jensen_gap", "jensen_gap-check"),
        lost=("jensen_gap",),
        says="missing",
    ),
    Damage("every check is deleted", changed(delete_all_checks), says="checks were missing"),
    Damage(
        "every text is deleted",
        changed(lambda raw: raw.update(cells=[c for c in raw["cells"] if c["cell_type"] == "code"])),
    ),
    Damage("an answer is there twice", changed(lambda raw: duplicate(raw, "gaussian_kl")), says="twice"),
    Damage("a check is there twice", changed(lambda raw: duplicate(raw, "gaussian_kl-check")), says="twice"),
    Damage(
        "the whole notebook is there twice",
        changed(lambda raw: raw["cells"].extend(copy.deepcopy(raw["cells"]))),
        says="twice",
    ),
    Damage("the stub stands behind the answer", changed(stub_behind), says="twice"),
    Damage("all cells are in reverse order", changed(lambda raw: raw["cells"].reverse()), says="another order"),
    Damage(
        "the checks stand before the answers",
        changed(lambda raw: raw["cells"].sort(key=lambda c: not c["id"].endswith("-check"))),
        says="another order",
    ),
    Damage(
        "the imports stand last",
        changed(lambda raw: raw["cells"].append(raw["cells"].pop(at(raw, IMPORTS)))),
        says="another order",
    ),
    Damage(
        "two answers have changed places",
        changed(lambda raw: raw["cells"].insert(at(raw, "jensen_gap"), raw["cells"].pop(at(raw, "gaussian_kl")))),
        says="another order",
    ),
    Damage("an answer is split after its docstring", changed(lambda raw: split(raw, "\n    return")), says="joined"),
    Damage(
        "an answer is split in an expression, with a note between",
        changed(lambda raw: split(raw, "sigma_q", blank=True)),
        says="joined",
    ),
    Damage("two answers are in one cell", changed(merge_answers)),
    Damage("an answer and its check are in one cell", changed(merge_with_check), says="A check was missing"),
    Damage(
        "an answer has become text", changed(lambda raw: retype(raw, "gaussian_kl", "markdown")), says="had become text"
    ),
    Damage(
        "an answer has become text in a fence",
        changed(lambda raw: retype(raw, "gaussian_kl", "markdown", fence=True)),
        says="had become text",
    ),
    Damage(
        "an answer has become a raw cell",
        changed(lambda raw: retype(raw, "gaussian_kl", "raw")),
        says="had become text",
    ),
    Damage(
        "a choice has become text",
        changed(lambda raw: retype(raw, "spread_prediction", "markdown")),
        says="had become text",
    ),
    Damage(
        "the imports have become text",
        changed(lambda raw: retype(raw, IMPORTS, "markdown")),
        says="had become text",
    ),
    Damage("a check has become text", changed(lambda raw: retype(raw, "gaussian_kl-check", "markdown"))),
    Damage("all metadata of cells is gone", each_cell(lambda cell: cell.update(metadata={})), says="lost their marks"),
    Damage(
        "all metadata and ids are gone",
        each_cell(lambda cell: (cell.update(metadata={}), cell.pop("id"))),
        says="lost their marks",
    ),
    Damage("ids are gone", each_cell(lambda cell: cell.pop("id"))),
    Damage("every id is the same", each_cell(lambda cell: cell.update(id="cell"))),
    Damage(
        "nbgrader's ids are renamed",
        each_cell(lambda cell: cell["metadata"].get("nbgrader", {}).update(grade_id="something-else")),
        says="lost their marks",
    ),
    Damage(
        "nbgrader's metadata is edited",
        each_cell(
            lambda cell: (
                cell["metadata"].get("nbgrader", {}).update(points=100, locked=False, grade=True, solution=True)
            )
        ),
    ),
    Damage(
        "schema_version is missing",
        each_cell(lambda cell: cell["metadata"].get("nbgrader", {}).pop("schema_version", None)),
    ),
    Damage("two cells have exchanged their metadata", changed(swap_metadata)),
    Damage(
        "nbgrader's metadata is no object",
        each_cell(lambda cell: cell["metadata"].update(nbgrader="yes")),
        says="lost their marks",
    ),
    Damage("no kernel is named", changed(lambda raw: raw.update(metadata={}))),
    Damage(
        "another kernel is named",
        changed(lambda raw: raw["metadata"].update(kernelspec={"name": "ir", "display_name": "R", "language": "R"})),
    ),
    Damage(
        "the notebook has no metadata and no format",
        changed(lambda raw: [raw.pop(key) for key in ("metadata", "nbformat", "nbformat_minor")]),
    ),
    Damage("saved by Colab", changed(by_colab)),
    Damage("saved by Colab, metadata gone", changed(by_colab_without_metadata), says="lost their marks"),
    Damage("saved by VS Code", changed(by_vs_code), says="lost their marks"),
    Damage("saved by classic Notebook", changed(by_classic_notebook)),
    *[
        Damage(f"format 4.{minor}", changed(lambda raw, minor=minor: raw.update(nbformat_minor=minor)))
        for minor in range(6)
    ],
    Damage("format 3", to_format_3),
    Damage("a later format", changed(lambda raw: raw.update(nbformat=5, nbformat_minor=1))),
    Damage("called 02 (1).ipynb", lambda raw: as_file(raw, "02 (1).ipynb"), says="02 (1).ipynb"),
    Damage("called .ipynb.txt", lambda raw: as_file(raw, f"{TOPIC}.ipynb.txt"), says=".ipynb.txt"),
    Damage("called .json", lambda raw: as_file(raw, "Untitled.json"), says="Untitled.json"),
    Damage("in a folder", lambda raw: as_file(raw, f"my work/{TOPIC}.ipynb"), says="my work"),
    Damage("in a zip file", lambda raw: {"upload.zip": zipped(raw, f"notebooks/{TOPIC}.ipynb")}, says="upload.zip"),
    Damage("a zip file called .ipynb", lambda raw: {f"{TOPIC}.ipynb": zipped(raw, "x.ipynb")}, says="x.ipynb"),
    Damage(
        "beside an empty file of the right name",
        lambda raw: {f"{TOPIC}.ipynb": b"", **as_file(raw, "copy.ipynb")},
        says="copy.ipynb was read instead",
    ),
    Damage(
        "beside another notebook",
        lambda raw: {**as_file(raw), **as_file({"cells": []}, "00_start_here.ipynb")},
        says="Several notebooks",
    ),
    Damage("a byte order mark", rewritten(lambda text: b"\xef\xbb\xbf" + text), says="byte order mark"),
    Damage("UTF-16", rewritten(lambda text: text.decode().encode("utf-16")), says="byte order mark"),
    Damage("Windows line ends", rewritten(lambda text: text.replace(b"\n", b"\r\n")), says="Windows"),
    Damage(
        "Windows line ends in the cells", each_cell(lambda cell: cell.update(source=source(cell).replace("\n", "\r\n")))
    ),
    Damage("Windows-1252", rewritten(lambda text: text.decode().encode("cp1252", errors="replace")), says="UTF-8"),
    Damage("sources as one string", each_cell(lambda cell: cell.update(source=source(cell)))),
    Damage("hard spaces and a mark in a cell", changed(smart_spaces)),
    Damage("merge-conflict markers in the file", rewritten(conflict_in_file), says="Merge-conflict"),
    Damage("merge-conflict markers in a cell", changed(conflict_in_cell), says="Merge-conflict"),
    Damage(
        "cut off after the last exercise", rewritten(lambda text: cut(text, mark_of(text, SUMMARY))), says="cut off"
    ),
    Damage(
        "cut off within the last check", rewritten(lambda text: cut(text, b'check(\\"entropy_sign\\")')), says="cut off"
    ),
    Damage(
        "cut off before the last exercise",
        rewritten(lambda text: cut(text, b'"id": "entropy_sign"')),
        lost=("entropy_sign",),
        says="cut off",
    ),
    Damage(
        "cut off within the last text, at a broken escape",
        rewritten(lambda text: cut(text, mark_of(text, SUMMARY)) + b'"source": ["see \\q", "x'),
        says="cut off",
    ),
    Damage("beside a large file", lambda raw: {**as_file(raw), "data.csv": b"1,2\n" * 20_000_000}),
    Damage("a comma too many", rewritten(lambda text: text.replace(b'"cells": [', b'"cells": [,', 1)), says="damaged"),
    Damage("something behind the end", rewritten(lambda text: text + b"\n<html>saved</html>")),
    Damage(
        "broken in the middle",
        rewritten(
            lambda text: text.replace(b'"# ## A brief aside: KL', b'"# ## A \\x brief" aside: KL').replace(
                b"A brief aside: KL divergence", b'A "brief" aside: KL divergence'
            )
        ),
        says="damaged",
    ),
    Damage("a list of cells, no notebook", lambda raw: as_file(raw["cells"])),
    Damage("junk among the cells", changed(junk_cells)),
    Damage("outputs, counts and metadata of wrong types", changed(wrong_types), says="lost their marks"),
    Damage("warnings and prints on stderr", changed(noisy)),
]

UNREADABLE = {
    "an empty file": {f"{TOPIC}.ipynb": b""},
    "zeros": {f"{TOPIC}.ipynb": b"\x00" * 5000},
    "an empty folder": {},
    "only a picture": {"photo.png": b"\x89PNG\r\n\x1a\n"},
    "a picture called .ipynb": {f"{TOPIC}.ipynb": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20},
    "a web page": {f"{TOPIC}.ipynb": b"<!doctype html><title>Sign in</title>"},
    "JSON, but no notebook": {f"{TOPIC}.ipynb": b'{"hello": [1, 2, 3]}'},
    "a notebook without cells": {
        f"{TOPIC}.ipynb": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    },
    "brackets without end": {f"{TOPIC}.ipynb": b"[" * 1_000_000},
    "a broken zip file": {"upload.zip": b"PK\x03\x04 and no more"},
}
