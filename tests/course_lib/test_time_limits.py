"""A time limit ends what never ends, in the main thread and in others, with and without alarms, and leaves nothing behind."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_exercise
from course_lib.checks import find_exercise
from course_lib.time_limits import AGAIN_SECONDS, OutOfTime, call_within

Do = Callable[[Callable[[], Any]], Any]


def in_another_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@pytest.fixture(params=["alarm", "no alarms", "another thread"])
def do(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Do]:
    """Where a check runs: in a notebook, on Windows, in an editor that computes in a thread."""
    if request.param == "alarm" and not hasattr(signal, "setitimer"):
        pytest.skip("this platform has no alarms")
    if request.param == "no alarms":
        monkeypatch.delattr(signal, "setitimer", raising=False)
        monkeypatch.delattr(signal, "SIGALRM", raising=False)
    before = threading.active_count()
    yield in_another_thread if request.param == "another thread" else lambda work: work()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before, "no thread is left behind"


def endless() -> None:
    while True:
        time.sleep(0.001)


def swallowing(times: int) -> None:
    for _ in range(times):
        with suppress(BaseException):
            endless()
    endless()


def test_a_result_comes_back_and_an_error_too(do):
    assert do(lambda: call_within(5, lambda a, b: a + b, 2, 3)) == 5
    with pytest.raises(ZeroDivisionError):
        do(lambda: call_within(5, lambda: 1 / 0))


def giving_up_never() -> None:
    """What a beginner writes: the `except` means a wrong number, and means everything."""
    while True:
        try:
            sorted(range(100), key=lambda number: -number)
        except:  # noqa: E722
            continue


def test_a_loop_that_swallows_everything_is_ended(do):
    with pytest.raises(OutOfTime):
        do(lambda: call_within(0.05, giving_up_never))


def test_a_limit_within_a_limit_is_one_of_its_own(do):
    def outer() -> str:
        with pytest.raises(OutOfTime):
            call_within(0.05, endless)
        return "went on"

    assert do(lambda: call_within(20, outer)) == "went on"


@pytest.mark.parametrize(("function", "longest"), [(endless, 1.0), (lambda: swallowing(2), 1.0 + 2 * AGAIN_SECONDS)])
def test_what_never_ends_is_ended_also_if_it_swallows_the_first(do, function, longest):
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        do(lambda: call_within(0.05, function))
    assert 0.05 <= time.monotonic() - began < longest + 2


def test_nothing_comes_after_a_call_whatever_the_moment_it_ended(do):
    def around_the_limit() -> int:
        late = 0
        for number in range(150):
            ends = 0.004 + 0.00004 * number
            try:
                call_within(0.007, lambda ends=ends: time.sleep(ends))
            except OutOfTime:
                late += 1
            for _ in range(200):  # steps in which one that was left pending would come
                pass
        time.sleep(AGAIN_SECONDS + 0.1)
        return late

    assert 0 < do(around_the_limit) < 150


def test_a_check_says_that_an_answer_does_not_end(do):
    answer = LocalAnswer("gaussian_kl", lambda *args: endless(), seconds=0.2)
    report = do(lambda: review_exercise(find_exercise("gaussian_kl"), answer))
    assert "did not come to an end in time" in str(report)
    assert "In your code" in str(report)
