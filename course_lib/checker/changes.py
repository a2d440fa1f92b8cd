"""One change to an expression or a statement, and the sentence that tells it in the quantities it touches.

A sentence names inputs and what happens to them, never a line of a solution: a student must be able to find the place,
and not to copy it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from course_lib.checker.words import Words, argument_of, is_module, name_called

NUMBERS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)
# What a call does to its one argument, and how to say that it is left out.
UNARY = {
    "log": "the logarithm",
    "exp": "exp",
    "sqrt": "the square root",
    "square": "the square",
    "abs": "the absolute value",
    "detach": "detach()",
    "sigmoid": "the sigmoid",
    "softmax": "the softmax",
    "log_softmax": "the log-softmax",
    "tanh": "tanh",
    "cumsum": "the running sum",
    "softplus": "softplus",
    "logsigmoid": "the logarithm of the sigmoid",
}
REDUCTIONS = ("sum", "mean", "logsumexp", "amax", "prod")
EXCHANGES = {
    "sum": [("mean", "You average where a sum belongs")],
    "mean": [("sum", "You add up where a mean belongs")],
    "logsumexp": [
        ("amax", "The largest term stands for all of them"),
        ("mean", "You average logarithms: it is the numbers that are averaged, then the logarithm is taken"),
        ("sum", "You add logarithms: it is the numbers that are added, then the logarithm is taken"),
    ],
    "softmax": [("log_softmax", "You keep the logarithm of the softmax"), ("sigmoid", "A sigmoid is no softmax")],
    "log_softmax": [("softmax", "The logarithm of the softmax is missing")],
    "randn": [("rand", "The noise is uniform: it should be Gaussian")],
    "rand": [("randn", "The noise is Gaussian: it should be uniform")],
}


Definition = ast.FunctionDef | ast.Lambda
Place = tuple[ast.AST, str, int | None]  # the parent, the field of it, and the index in a list


@dataclass(frozen=True)
class Edit:
    """One change: where, what stands there, what will stand there, and what to say."""

    where: Place
    old: ast.AST
    new: ast.AST
    says: str


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def edits(tree: Definition | ast.ClassDef, words: Words) -> Iterator[Edit]:
    """Yield every change of a function's tree, the likely ones first."""
    whole = ast.Expression(tree) if isinstance(tree, ast.Lambda) else ast.Module([tree], [])
    places = list(_places(whole))
    for make in (_statements, _signs_and_terms, _calls, _reductions, _factors, _names_exchanged, _scales, _numbers):
        for node, where in places:
            for new, says in make(node, words):
                yield Edit(where, node, new, words.placed(node, says))


@contextmanager
def changed(tree: ast.AST, edit: Edit) -> Iterator[None]:
    """Make one change to a tree for as long as the block runs."""
    parent, name, place = edit.where
    new = copy_location(edit.new, edit.old)
    if place is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[place] = new
    try:
        yield
    finally:
        if place is None:
            setattr(parent, name, edit.old)
        else:
            getattr(parent, name)[place] = edit.old


def copy_location(new: ast.AST, old: ast.AST) -> ast.AST:
    """Give the new nodes of a change the place of the old one, which compiling asks for."""
    for node in ast.walk(new):
        if not hasattr(node, "lineno") and "lineno" in node._attributes:
            ast.copy_location(node, old)
    return new


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, Place]]:
    """Yield every node below a tree with where it hangs."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield value, (parent, name, None)
            elif isinstance(value, list):
                yield from ((item, (parent, name, i)) for i, item in enumerate(value) if isinstance(item, ast.AST))


Change = tuple[ast.AST, str]


def _binary(left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.BinOp:
    return ast.BinOp(left, operator, right)


def _times(number: float, node: ast.expr) -> ast.BinOp:
    return _binary(ast.Constant(number), ast.Mult(), node)


def _signs_and_terms(node: ast.AST, words: Words) -> Iterator[Change]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand, f"The sign is flipped: {words.term(node.operand)} enters with a minus here."
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return
    left, right = node.left, node.right
    other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    yield _binary(left, other, right), f"{_capital(words.term(right))} enters with the wrong sign."
    first = ast.UnaryOp(ast.USub(), left)
    yield _binary(first, node.op, right), f"{_capital(words.term(left))} enters with the wrong sign."
    yield left, f"{_capital(words.term(right))} is missing."
    alone = right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), right)
    yield alone, f"{_capital(words.term(left))} is missing."
    for number, says in ((2.0, "counts twice"), (0.5, "counts half")):
        yield _binary(left, node.op, _times(number, right)), f"{_capital(words.term(right))} {says}."
        yield _binary(_times(number, left), node.op, right), f"{_capital(words.term(left))} {says}."
    if words.of(left) and words.of(right):
        belongs = "sum" if isinstance(node.op, ast.Add) else "difference"
        product = f"{_capital(words.term(left))} is multiplied by {words.term(right)}, where a {belongs} belongs."
        yield _binary(left, ast.Mult(), right), product


def _factors(node: ast.AST, words: Words) -> Iterator[Change]:
    if not isinstance(node, ast.BinOp):
        return
    left, right = node.left, node.right
    one, two = words.of(left), words.of(right)
    if isinstance(node.op, ast.Mult):
        for kept, of_kept, of_gone in ((left, one, two), (right, two, one)):
            if of_gone:
                yield kept, f"The factor with {of_gone} is missing."
            elif of_kept:
                yield kept, f"A constant factor is missing: {words.term(kept)} needs one."
        if one and two:
            yield _binary(left, ast.Div(), right), f"You divide by {two} where a product belongs."
            yield _binary(left, ast.Add(), right), f"You add {one} and {two} where a product belongs."
    elif isinstance(node.op, ast.Div):
        if two:
            yield left, f"The division by {two} is missing."
            yield _binary(left, ast.Mult(), right), f"You multiply by {two} where a division belongs."
        elif one:
            yield left, f"A constant factor is missing: {words.term(left)} needs one."
        if one and two:
            yield _binary(right, ast.Div(), left), f"A quotient is upside down, with {one} below and {two} above."
    elif isinstance(node.op, ast.Pow) and one:
        # In an answer written otherwise it may be raised to another power, or in one place more.
        yield left, f"{_capital(one)} enters with the wrong power."
        yield (
            ast.Call(ast.Attribute(left, "abs", ast.Load()), [], []),
            (f"You take the absolute value of what is raised to a power: {words.term(left)}."),
        )
    elif isinstance(node.op, ast.MatMult) and one and two:
        yield _binary(right, ast.MatMult(), left), f"The matrix product of {one} and {two} is in the wrong order."


def _calls(node: ast.AST, words: Words) -> Iterator[Change]:
    if not isinstance(node, ast.Call):
        return
    name, inner = name_called(node), argument_of(node)
    if inner is None:
        return
    about = words.of(inner)
    if name in UNARY and about:
        yield inner, f"{_capital(UNARY[name])} of {about} is missing."
    if name in ("exp", "log") and about:
        half, double = (copy.deepcopy(node) for _ in range(2))
        for changed, number in ((half, 0.5), (double, 2.0)):
            scaled = _times(number, inner) if name == "exp" else _binary(inner, ast.Pow(), ast.Constant(number))
            if isinstance(changed.func, ast.Attribute) and not is_module(changed.func.value):
                changed.func.value = scaled
            else:
                changed.args[0] = scaled
        if name == "exp":
            yield half, f"{_capital(about)}: you take exp of half of it."
            yield double, f"{_capital(about)}: you take exp of twice as much."
        else:
            yield half, f"{_capital(about)}: you take the logarithm of its square root."
            yield double, f"{_capital(about)}: you take the logarithm of its square."
    for other, says in EXCHANGES.get(name, ()):
        changed = copy.deepcopy(node)
        if isinstance(changed.func, ast.Attribute):
            changed.func.attr = other
            yield changed, f"{says}: {about}." if about else f"{says}."


def _reductions(node: ast.AST, words: Words) -> Iterator[Change]:
    if not isinstance(node, ast.Call) or name_called(node) not in REDUCTIONS:
        return
    inner = argument_of(node)
    about = words.of(inner) if inner is not None else None
    if inner is None or about is None:
        return
    yield inner, f"You keep single values where they are taken together: {about}."
    is_method = isinstance(node.func, ast.Attribute) and not is_module(node.func.value)
    place = 0 if is_method else 1
    keywords = [k for k in node.keywords if k.arg in ("dim", "axis")]
    if not keywords and len(node.args) <= place:
        for dim in (0, -1):
            changed = copy.deepcopy(node)
            changed.args.append(ast.Constant(dim))
            yield changed, f"You take too few values together: {about}."
        return
    for other in (0, -1, 1, -2, None):
        changed = copy.deepcopy(node)
        changed.keywords = [k for k in changed.keywords if k.arg not in ("dim", "axis")]
        changed.args = (
            changed.args[:place] + ([] if other is None else [ast.Constant(other)]) + changed.args[place + 1 :]
        )
        if other is None:
            yield changed, f"You take all values together, over every dimension: {about}."
        else:
            yield changed, f"You take values together over the wrong dimension: {about}."


def _names_exchanged(node: ast.AST, words: Words) -> Iterator[Change]:
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    said = words.known(node.id)
    if said is None:
        return
    for other in words.others(node.id):
        if words.known(other) != said and " and " not in f"{words.known(other)}{said}":
            yield ast.Name(other, ast.Load()), f"{_capital(words.known(other) or '')} stands where {said} belongs."


def _scales(node: ast.AST, words: Words) -> Iterator[Change]:
    """What happens to a single quantity: read as its square, root, logarithm, or cut off from the gradient."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or words.known(node.id) is None:
        return
    said = words.known(node.id)

    def method(name: str) -> ast.Call:
        return ast.Call(ast.Attribute(node, name, ast.Load()), [], [])

    yield method("detach"), f"{_capital(said or '')} is cut off from the gradient in one place."
    if node.id.startswith(("sigma", "scale")):
        yield _binary(node, ast.Pow(), ast.Constant(2)), f"{said} is squared where it should stand itself."
        yield method("sqrt"), f"{said} is under a square root where it should stand itself."
        yield method("log"), f"The logarithm of {said} stands where {said} itself belongs."
        yield method("exp"), f"You take exp of {said}, which is no logarithm."
    elif node.id.startswith("log_"):
        yield method("exp"), f"You take exp of {said} once too often."


def _numbers(node: ast.AST, words: Words) -> Iterator[Change]:
    """A number of a formula that is another one; its neighbour says which."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, NUMBERS):
        return
    for side, other in (("left", "right"), ("right", "left")):
        number = getattr(node, side)
        if not isinstance(number, ast.Constant) or not isinstance(number.value, int | float):
            continue
        about = words.of(getattr(node, other))
        where = f" next to {about}" if about else ""
        for value in (2 * number.value, number.value / 2, number.value + 1, number.value - 1, 1):
            if value != number.value:
                changed = copy.deepcopy(node)
                setattr(changed, side, ast.Constant(value))
                yield changed, f"The number{where} is another one."


def _statements(node: ast.AST, words: Words) -> Iterator[Change]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        yield ast.Pass(), f"`{node.value.func.attr}()` is never called."
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        yield ast.Return(ast.Tuple(node.value.elts[::-1], ast.Load())), "The results come in the wrong order."
    if isinstance(node, ast.FunctionDef):
        for i, (one, two) in enumerate(zip(node.body, node.body[1:], strict=False)):
            if all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) for s in (one, two)):
                changed = copy.deepcopy(node)
                changed.body[i], changed.body[i + 1] = changed.body[i + 1], changed.body[i]
                names = [
                    name_called(s.value)
                    for s in (one, two)
                    if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)
                ]
                yield changed, f"`{names[1]}()` comes before `{names[0]}()`."
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        swapped: dict[type, Callable[[], ast.cmpop]] = {
            ast.Lt: ast.GtE,
            ast.Gt: ast.LtE,
            ast.LtE: ast.Gt,
            ast.GtE: ast.Lt,
            ast.Eq: ast.NotEq,
            ast.NotEq: ast.Eq,
        }
        about = words.of(node)
        if about and type(node.ops[0]) in swapped:
            yield (
                ast.Compare(node.left, [swapped[type(node.ops[0])]()], node.comparators),
                (f"A comparison goes the wrong way round: {about}."),
            )
