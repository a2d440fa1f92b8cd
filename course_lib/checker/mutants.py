"""Programs that differ from a right one by one change: what a student may have written whose mistake nobody declared.

They are made from the source of a reference, of the right answers written differently, and of the functions of the
course that these call; a change inside such a part is told with the part's name ("In the entropy: …"), and so is a
misconception of the exercise that asks for the part.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from course_lib.checker.changes import Definition, changed, edits
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.words import Words

DEPTH = 3  # of functions of the course inside each other: an amortized bound, a bound, a density
KNOWN = {"z": "the sample z", "elbo": "the bound", "mu": "`mu`", "sigma": "`sigma`", "log_sigma": "`log_sigma`"}
PARTS = {
    "gaussian_log_prob": "the Gaussian log-density",
    "gaussian_entropy": "the entropy",
    "categorical_entropy": "the entropy",
    "gaussian_kl": "the KL",
    "kl_to_standard_normal": "the KL",
    "log_mean_exp": "the logarithm of the mean",
    "bernoulli_log_likelihood": "the log-likelihood",
    "per_point_elbo": "the bound",
    "amortized_elbo": "the bound",
    "reparameterize": "the sample z",
    "mixture_log_joint": "the log-joint",
    "mixture_posterior": "the posterior",
    "improve_q": "the ascent",
}


_mistakes: dict[Callable[..., Any], tuple[Misconception, ...]] = {}


def inherit(exercises: Iterable[Exercise]) -> None:
    """Let what is known of each exercise be known of every other that calls its reference, too."""
    _mistakes.update({exercise.reference: exercise.misconceptions for exercise in exercises})


def inherited(module: str) -> Iterator[Misconception]:
    """Yield the misconceptions of the exercises whose references stand in a module."""
    for reference, misconceptions in _mistakes.items():
        if reference.__module__ == module:
            yield from misconceptions


@dataclass(frozen=True)
class Mutant:
    """A changed function, and the sentence that says what is different about it."""

    says: str
    function: Callable[..., Any]


@functools.cache
def mutants(function: Callable[..., Any], inputs: tuple[str, ...]) -> tuple[Mutant, ...]:
    """Return the one-change mutants of a function, the likely ones first; made once, some milliseconds for a hundred.

    Args:
        inputs: how a student calls the function's parameters, in their order.
    """
    return tuple(_mutants(function, tuple(f"`{name}`" for name in inputs), DEPTH))


@functools.cache
def class_mutants(made: type) -> tuple[tuple[str, type], ...]:
    """Return the classes that differ from one by one change in one method, each with a sentence."""
    tree = _class_tree(made)
    if tree is None:
        return ()
    methods = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    names = {own.arg: f"`{own.arg}`" for method in methods for own in _parameters(method)[1:]}
    words = Words(names, tree, KNOWN, PARTS)
    some = next(member for member in vars(made).values() if isinstance(member, FunctionType))
    found: list[tuple[str, type]] = []
    for edit in edits(tree, words):
        with changed(tree, edit):
            mutant = _run(some, tree, _compile(tree))
        if isinstance(mutant, type):
            found.append((edit.says, mutant))
    return tuple(found)


def two_changes(
    function: Callable[..., Any], inputs: tuple[str, ...], count: int
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield programs that differ by two changes from a right one, with both sentences: some of all pairs, always the same."""
    tree = _tree(function)
    if tree is None:
        return
    names = {own.arg: f"`{told}`" for own, told in zip(_parameters(tree), inputs, strict=False)}
    every = list(edits(tree, Words(names, tree, KNOWN, PARTS)))
    chance = random.Random(0)
    for _ in range(count if len(every) > 1 else 0):
        one, other = chance.sample(every, 2)
        with changed(tree, one):
            alone = ast.dump(tree)
            with changed(tree, other):
                both = ast.dump(tree)
                made = _build(function, tree)
        if made is not None and both != alone:
            yield one.says, other.says, made


def _class_tree(made: type) -> ast.ClassDef | None:
    lines = {m.__code__.co_firstlineno for m in vars(made).values() if isinstance(m, FunctionType)}
    try:
        module = _module(inspect.getsourcefile(made) or "")
    except (OSError, TypeError, SyntaxError):
        return None
    there = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        and node.name == made.__name__
        and lines <= {part.lineno for part in ast.walk(node) if isinstance(part, ast.FunctionDef)}
    ]
    return copy.deepcopy(there[0]) if len(there) == 1 else None


def _mutants(function: Callable[..., Any], inputs: tuple[str, ...], depth: int) -> Iterator[Mutant]:
    tree = _tree(function)
    if tree is None:
        return
    names = {own.arg: told for own, told in zip(_parameters(tree), inputs, strict=False)}
    words = Words(names, tree, KNOWN, PARTS)
    for edit in edits(tree, words):
        with changed(tree, edit):
            mutant = _build(function, tree)
        if mutant is not None:
            yield Mutant(edit.says, mutant)
    if depth:
        yield from _inside(function, tree, words, depth)


def _inside(function: Callable[..., Any], tree: Definition, words: Words, depth: int) -> Iterator[Mutant]:
    """Yield the mutants of the functions of the course that a function calls, each call on its own."""
    for node in list(ast.walk(tree)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        part = _environment(function).get(node.func.id)
        if not isinstance(part, FunctionType) or not part.__module__.startswith("course_lib."):
            continue
        told = PARTS.get(part.__name__, part.__name__.replace("_", " "))
        about = words.of(node.args[0]) if node.args else None
        where = f"In {told}" + (f" of {about}" if about else "")
        unnamed = not part.__name__[0].isalpha()  # a helper of a right answer: its name says nothing to a student
        own = tuple(words.of(argument) or "" for argument in node.args)
        name = node.func.id
        node.func.id = "_part"
        compiled = _compile(tree)
        node.func.id = name
        known = (Mutant(m.says, m.answer) for m in _mistakes.get(part, ()))
        for mutant in itertools.chain(known, _mutants(part, own, depth - 1)):
            if (whole := _run(function, tree, compiled, _part=mutant.function)) is not None:
                as_it_is = unnamed or mutant.says.startswith("In ")  # the innermost part says it best
                says = mutant.says if as_it_is else f"{where}: {mutant.says[:1].lower()}{mutant.says[1:]}"
                yield Mutant(says, whole)


def _parameters(tree: Definition) -> list[ast.arg]:
    return [*tree.args.posonlyargs, *tree.args.args]


@functools.cache
def _module(path: str) -> ast.Module:
    with open(path, encoding="utf-8") as file:
        return ast.parse(file.read())


def _tree(function: Callable[..., Any]) -> Definition | None:
    """Return the definition of a function or a lambda, or None where it cannot be told from its file."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    try:
        module = _module(inspect.getsourcefile(function) or "")
    except (OSError, TypeError, SyntaxError):
        return None
    there = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        and node.lineno == code.co_firstlineno
        and [p.arg for p in _parameters(node)] == list(code.co_varnames[: code.co_argcount])
    ]
    if len(there) != 1:
        return None
    tree = copy.deepcopy(there[0])
    if isinstance(tree, ast.FunctionDef):
        tree.decorator_list, tree.returns = [], None
        for argument in _parameters(tree):
            argument.annotation = None
    return tree


def _environment(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names that a function sees outside itself."""
    return {**function.__globals__, **inspect.getclosurevars(function).nonlocals}


def _build(function: Callable[..., Any], tree: Definition) -> Callable[..., Any] | None:
    return _run(function, tree, _compile(tree))


def _compile(tree: Definition | ast.ClassDef) -> CodeType | None:
    try:
        if isinstance(tree, ast.Lambda):
            return compile(ast.Expression(tree), "<mutant>", "eval")
        return compile(ast.Module([tree], []), "<mutant>", "exec")
    except (SyntaxError, ValueError, TypeError):
        return None


def _run(
    function: Callable[..., Any], tree: Definition | ast.ClassDef, compiled: CodeType | None, **names: Any
) -> Callable[..., Any] | None:
    """Define a changed function where the names of the unchanged one mean the same."""
    if compiled is None:
        return None
    env = _environment(function) | names
    made = eval(compiled, env)
    return made if isinstance(tree, ast.Lambda) else env[tree.name]
