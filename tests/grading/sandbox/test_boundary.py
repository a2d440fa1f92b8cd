"""A check gives the same report where the answer is a local function and where it lives behind a pipe."""

from __future__ import annotations

import math
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_lib.answers import AnswerFailed, LocalAnswer
from course_lib.checker.exercise import ClassExercise, Question
from course_lib.checker.review import review_exercise, review_question
from course_lib.checks import TOPICS, find_exercise
from grading.sandbox.guest import Guest, GuestShell, make_shell
from grading.sandbox.limits import Limits
from grading.sandbox.peer import _follow_module
from grading.sandbox.remote_answer import HostPeer, RemoteAnswer, RemoteInstance
from grading.sandbox.wire import PeerGone, WireError


@pytest.fixture(scope="module", autouse=True)
def shell() -> Iterator[None]:
    """The guests' shell, which other tests must not find: `check` displays where there is one."""
    global SHELL
    main = sys.modules["__main__"]
    SHELL = make_shell()
    yield
    GuestShell.clear_instance()
    sys.modules["__main__"] = main


@contextmanager
def behind_a_pipe(name: str, thing: Any) -> Iterator[RemoteAnswer]:
    """The answer in a guest that serves from another thread, with the real pipe between."""
    here, there = socket.socketpair()
    guest = Guest(there, Limits().as_dict(), SHELL)
    SHELL.user_ns[name] = thing

    def serve() -> None:
        while True:
            try:
                guest.peer.serve_next()
            except PeerGone:
                return

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    peer = HostPeer(here, 64 << 20, lambda why: why)
    peer.name = name
    peer.ask({"ask": "begin", "name": name, "again": False, "own": False, "seconds": 20})
    try:
        yield RemoteAnswer(peer, name, 20)
    finally:
        here.close()
        server.join(5)
        there.close()


def answers() -> Iterator[Any]:
    for topic in TOPICS.values():
        for exercise in topic:
            if not isinstance(exercise, Question):
                for i, right in enumerate([exercise.reference, *exercise.alternatives]):
                    yield pytest.param(exercise, right, id=f"{exercise.name}-right-{i}")
                for misconception in exercise.misconceptions:
                    yield pytest.param(exercise, misconception.answer, id=f"{exercise.name}-{misconception.name}")


@pytest.mark.parametrize(("exercise", "function"), answers())
def test_every_known_answer_gets_the_same_report(exercise, function):
    # A wrong answer is stopped at its first difference on either set of inputs; a right one must pass both.
    right = function in (exercise.reference, *exercise.alternatives)
    for seed in (None, 4242) if right else (None,):
        local = review_exercise(exercise, LocalAnswer(exercise.name, function), seed)
        with behind_a_pipe(exercise.name, function) as answer:
            remote = review_exercise(exercise, answer, seed)
        assert remote == local


ODD: dict[str, Any] = {
    "None": None,
    "an ellipsis": ...,
    "a number": 3.0,
    "a class": int,
    "returns None": lambda sigma: None,
    "returns a float": lambda sigma: 1.5,
    "returns an int": lambda sigma: 2,
    "returns a numpy array": lambda sigma: sigma.detach().numpy(),
    "returns a numpy number": lambda sigma: sigma.detach().numpy().sum(),
    "returns a method": lambda sigma: sigma.sum,
    "returns a distribution": lambda sigma: torch.distributions.Normal(0 * sigma, sigma),
    "returns a list of numbers": lambda sigma: [1.0, 2.0],
    "returns two tensors": lambda sigma: (sigma.sum(-1), sigma),
    "returns a sparse tensor": lambda sigma: sigma.to_sparse(),
    "returns a complex tensor": lambda sigma: sigma.sum(-1).to(torch.complex128),
    "returns NaN": lambda sigma: sigma.sum(-1) * math.nan,
    "returns half precision": lambda sigma: sigma.sum(-1).half(),
    "returns its input": lambda sigma: sigma,
    "changes its input": lambda sigma: (
        find_exercise("gaussian_entropy").reference(sigma.mul_(1).add_(0)) + sigma.zero_().sum(-1)
    ),
    "raises": lambda sigma: 1 / 0,
    "raises without a message": lambda sigma: (_ for _ in ()).throw(ValueError()),
    "is not written": lambda sigma: (_ for _ in ()).throw(NotImplementedError()),
    "takes no argument": lambda: 1,
    "prints": lambda sigma: print("hello") or sigma.sum(-1),
    "cuts the gradient": lambda sigma: find_exercise("gaussian_entropy").reference(sigma).detach(),
    "half of the gradient is cut": lambda sigma: (
        find_exercise("gaussian_entropy").reference(sigma) + sigma.detach().sum(-1) - sigma.sum(-1)
    ),
    "is wrong in one way on the inputs seen first": lambda sigma: (
        find_exercise("gaussian_entropy").reference(sigma) * (-1 if sigma.shape[-1] in (2, 3, 4) else 3)
    ),
    "is wrong on the inputs seen first and raises on others": lambda sigma: (
        -find_exercise("gaussian_entropy").reference(sigma) / [0, 0, 1, 1, 1][sigma.shape[-1]]
    ),
    "recurses": lambda sigma: ODD["recurses"](sigma),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_get_the_same_report(name):
    exercise = find_exercise("gaussian_entropy")
    local = review_exercise(exercise, LocalAnswer(exercise.name, ODD[name]))
    with behind_a_pipe(exercise.name, ODD[name]) as answer:
        remote = review_exercise(exercise, answer)
    assert str(remote) == str(local)
    assert remote.misconception == local.misconception


def classes():
    exercises = (exercise for topic in TOPICS.values() for exercise in topic)
    return [exercise for exercise in exercises if isinstance(exercise, ClassExercise)]


def through(self, x):
    return x, x.flatten(1).sum(1)


@pytest.mark.parametrize("exercise", classes(), ids=lambda exercise: exercise.name)
def test_a_module_that_never_became_one_is_told_so_in_the_same_words(exercise):
    methods = {"__init__": lambda self, *sizes: None, "forward": through, "inverse": through}
    bare = type(exercise.name, (nn.Module,), methods)
    local = review_exercise(exercise, LocalAnswer(exercise.name, bare))
    assert not local.passed
    assert "super().__init__()" in str(local)
    with behind_a_pipe(exercise.name, bare) as answer:
        assert str(review_exercise(exercise, answer)) == str(local)


@pytest.mark.parametrize("kind", ["time", "lost"])
def test_a_process_that_is_gone_when_asked_for_parameters_is_not_asked_on(kind):
    class Gone:
        def _ask(self, message: dict[str, Any]) -> Any:
            raise AnswerFailed(kind, "why it is gone")

    with pytest.raises(AnswerFailed, match="why it is gone"):
        RemoteInstance(Gone(), 1).call("forward")


@pytest.mark.parametrize("choice", [None, "it grows", " It Grows. ", "it shrinks", "sideways", 7, [1], int, ""])
def test_choices_get_the_same_report(choice):
    question = find_exercise("spread_prediction")
    assert isinstance(question, Question)
    with behind_a_pipe(question.name, choice) as answer:
        assert review_question(question, answer) == review_question(question, LocalAnswer(question.name, choice))


class Model(nn.Module):
    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, width), nn.Linear(width, 1)
        self.unused = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x).tanh()).squeeze(-1) * self.frozen

    def grow(self) -> None:
        with torch.no_grad():
            self.outer.bias.add_(1.0)


def test_a_class_is_constructed_and_called_and_gradients_reach_its_parameters():
    torch.manual_seed(0)
    reference = Model(3, 4).double()
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    with behind_a_pipe("Model", Model) as answer:
        instance = answer.construct(3, 4)
        instance.call("double")
        instance.set_parameters(dict(reference.named_parameters()))
        parameters = instance.parameters()
        assert list(parameters) == list(dict(reference.named_parameters()))
        assert [p.requires_grad for p in parameters.values()] == [p.requires_grad for p in reference.parameters()]
        result, expected = instance.call("__call__", x), reference(x)
        torch.testing.assert_close(result, expected)
        wanted = [x, *(p for p in reference.parameters() if p.requires_grad)]
        mirrored = [x, *(p for p in parameters.values() if p.requires_grad)]
        theirs = torch.autograd.grad(result.square().sum(), mirrored, allow_unused=True)
        ours = torch.autograd.grad(expected.square().sum(), wanted, allow_unused=True)
        for one, other in zip(theirs, ours, strict=True):
            assert (one is None) == (other is None)
            if other is not None:
                torch.testing.assert_close(one, other)

        instance.call("grow")
        after = instance.parameters()
        assert after["outer.bias"] is parameters["outer.bias"], "the same mirror shows the new value"
        torch.testing.assert_close(after["outer.bias"], reference.outer.bias + 1)
        with pytest.raises(AnswerFailed, match="no method sing"):
            instance.call("sing")
        with pytest.raises(AnswerFailed, match="no parameter"):
            instance.set_parameters({"outer.bias": torch.zeros(7)})


def test_construction_fails_as_it_fails_locally():
    for thing in (None, 3, print, lambda: 1, Model):
        said = []
        with behind_a_pipe("Model", thing) as remote:
            for answer in (remote, LocalAnswer("Model", thing)):
                with pytest.raises(AnswerFailed) as failed:
                    answer.construct("not a size")
                said.append((failed.value.kind, failed.value.says, failed.value.error))
        assert said[0] == said[1]


def test_gradients_flow_through_functions_that_the_grader_lends():
    def answer_of_student(z: Tensor, log_p: Any) -> Tensor:
        return (log_p(2 * z) + z.sum(-1)).mean()

    z = torch.randn(4, 3, dtype=torch.float64)
    weight = torch.rand(3, dtype=torch.float64)

    def log_p(z: Tensor) -> Tensor:
        return -(weight * z**2).sum(-1)

    one, other = z.clone().requires_grad_(), z.clone().requires_grad_()
    with behind_a_pipe("f", answer_of_student) as answer:
        result = answer.call(one * 1, log_p)
        result.backward()
    answer_of_student(other, log_p).backward()
    torch.testing.assert_close(one.grad, other.grad)


def test_an_error_in_a_lent_function_is_the_students_to_see():
    def log_p(z: Tensor) -> Tensor:
        raise IndexError("no such dimension")

    with behind_a_pipe("f", lambda z, log_p: log_p(z)) as answer, pytest.raises(AnswerFailed) as failed:
        answer.call(torch.ones(2), log_p)
    assert failed.value.error == "IndexError"
    assert "no such dimension" in failed.value.says


def test_a_generator_goes_on_where_the_answer_left_it():
    def draw(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, generator=generator)

    mine, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    with behind_a_pipe("draw", draw) as answer:
        for _ in range(3):
            assert torch.equal(answer.call(5, theirs), draw(5, mine))


def test_a_module_is_lent_with_its_parameters_and_an_optimiser_steps_them():
    def one_step(x, model, optimizer):
        assert isinstance(model, nn.Module)
        assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
        first = model(x).square().mean()
        optimizer.zero_grad()
        first.backward()
        optimizer.step()
        return first.detach(), model(x).square().mean().detach()

    torch.manual_seed(1)
    here, away = Model(3, 4).double(), Model(3, 4).double()
    away.load_state_dict(here.state_dict())
    x = torch.randn(5, 3, dtype=torch.float64)
    results = []
    for model, where in ((here, None), (away, "behind a pipe")):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.5) if parameter.requires_grad else None
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.5, 0.9))
        if where is None:
            results.append(one_step(x, model, optimizer))
        else:
            with behind_a_pipe("one_step", one_step) as answer:
                results.append(answer.call(x, model, optimizer))
    torch.testing.assert_close(results[1], results[0])
    assert results[0][1] < results[0][0]
    for mine, theirs in zip(away.parameters(), here.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
        torch.testing.assert_close(mine.grad, theirs.grad)


@pytest.mark.parametrize(
    "values", [None, [], [[torch.ones(1), None]], [[1.0, None]] * 6, [[torch.ones(2, 2), None]] * 6, ["ab"] * 6]
)
def test_malformed_parameters_of_a_lent_module_are_refused(values):
    with pytest.raises(WireError):
        _follow_module(Model(3, 4), values)


def test_an_optimiser_that_has_stepped_does_not_cross():
    model = Model(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    with behind_a_pipe("f", lambda *args: None) as answer, pytest.raises(AnswerFailed, match="first step"):
        answer.call(model, optimizer)


def test_gradients_reach_the_parameters_of_a_module_that_crosses():
    def squared(model, x):
        return model(x).square()

    torch.manual_seed(2)
    model, x = Model(3, 4).double(), torch.randn(5, 3, dtype=torch.float64)
    learning = [p for p in model.parameters() if p.requires_grad]
    with behind_a_pipe("squared", squared) as answer:
        remote = torch.autograd.grad(answer.call(model, x).sum(), learning, allow_unused=True)
    local = torch.autograd.grad(squared(model, x).sum(), learning, allow_unused=True)
    for one, other in zip(remote, local, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other)
