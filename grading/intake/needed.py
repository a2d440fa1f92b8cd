"""What of a notebook's code is whose, and what an answer needs of it: statement by statement, by the names they use.

Nothing here runs anything.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from grading.intake.repair import statements_of

CHECKING = {"check", "review", "summary"}
# Calls as statements of their own that change nothing an answer could need.
HARMLESS = {"print", "display", "len", "type", "help", "plt", "figures", "explorers", "attempt", *CHECKING}
HARMLESS_MAGICS = {"time", "timeit", "matplotlib", "pip", "config", "pinfo", "pinfo2", "who", "whos"}
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def additions(source: str, released: str) -> str:
    """Return what a student added to a cell of the course's that grading does not run: all that was not there, but for checks."""
    given = {ast.dump(node) for node in statements_of(released) or []}
    own = [node for node in statements_of(source) or [] if ast.dump(node) not in given and not _is_check(node)]
    return "\n".join(ast.unparse(node) for node in own)


def _is_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and _root(node.value) in CHECKING


def _root(node: ast.AST) -> str | None:
    """Return the name that an expression begins with: torch of torch.nn.init.zeros_(w)."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


@dataclass
class Statement:
    """One statement at the top of a cell.

    Attributes:
        cell: its cell's number.
        source: itself; a cell that is no Python is one statement.
        binds, uses: names.
        changes: names of things that it may change in place.
        imports: whether it is an import.
        defines: whether it only defines: a function, a class, a constant, an import.
        interferes: whether it may change what others see: a part of a module, a thing in place, a switch.
    """

    cell: int
    source: str
    binds: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    imports: bool = False
    defines: bool = False
    interferes: bool = False


def split(cell: int, source: str) -> list[Statement]:
    """Return the statements of a cell."""
    nodes = statements_of(source)
    if nodes is None:
        return [Statement(cell, source, interferes=True)]
    return [_statement(cell, node) for node in nodes]


def _statement(cell: int, node: ast.stmt) -> Statement:
    found = Statement(cell, ast.unparse(node), imports=isinstance(node, ast.Import | ast.ImportFrom))
    constant = isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
    found.defines = found.imports or constant or isinstance(node, NAMED)
    waiting: list[tuple[ast.AST, bool]] = [(node, True)]
    while waiting:
        part, outside = waiting.pop()  # outside of functions and classes
        if isinstance(part, NAMED) and outside:
            found.binds.add(part.name)
        elif isinstance(part, ast.alias):
            found.binds.add((part.asname or part.name).split(".")[0])
            found.interferes |= part.name == "*"
        elif isinstance(part, ast.Name):
            (found.uses if isinstance(part.ctx, ast.Load) or not outside else found.binds).add(part.id)
            found.interferes |= isinstance(part.ctx, ast.Del)
        elif isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load) and outside:
            found.changes |= {_root(part) or ""}
            found.interferes = True
        elif isinstance(part, ast.Call) and outside and not _harmless(part):
            # A method may change its object; a function what it is given.
            found.changes |= {_root(part.func) or "", *(_root(arg) or "" for arg in part.args)}
            found.interferes |= isinstance(node, ast.Expr)
        inner = outside and not isinstance(part, (*NAMED, ast.Lambda))
        waiting += [(child, inner) for child in ast.iter_child_nodes(part)]
    return found


def _harmless(call: ast.Call) -> bool:
    text = ast.unparse(call.func)
    if text in ("get_ipython().run_line_magic", "get_ipython().run_cell_magic"):
        return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value in HARMLESS_MAGICS
    return _root(call.func) in HARMLESS or text in ("torch.manual_seed", "np.random.seed", "random.seed")


def needed_by(
    statements: list[Statement], answer: set[int], course: set[int], until: int
) -> tuple[list[tuple[int, str]], bool]:
    """Return what an answer needs, in order, as one piece for each cell, and whether anything else may disturb it.

    Args:
        answer: the numbers of its cells.
        course: those of the course's own cells, which are kept whole.
        until: the number of its check: what stands behind counts only where nothing before it has the name.
    """
    kept = [s.cell in answer or s.cell in course for s in statements]
    names: set[str] = set()
    while True:
        wanted = {name for s, keep in zip(statements, kept, strict=True) if keep for name in s.uses}
        if wanted <= names:
            break
        names |= wanted
        early = {name for s in statements if s.cell <= until for name in s.binds}
        modules = {name for s in statements if s.imports for name in s.binds}
        for index, s in enumerate(statements):
            binds = s.binds & names if s.cell <= until else (s.binds & names) - early
            changes = (s.changes & names) - modules if s.cell <= until else set()
            kept[index] = kept[index] or bool(binds or changes)
    pieces: dict[int, list[str]] = {}
    for s, keep in zip(statements, kept, strict=True):
        if keep:
            pieces.setdefault(s.cell, []).append(s.source)
    disturbing = any(s.interferes and not keep for s, keep in zip(statements, kept, strict=True))
    return [(cell, "\n".join(sources)) for cell, sources in pieces.items()], disturbing
