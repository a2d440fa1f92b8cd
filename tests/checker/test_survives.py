"""A check survives any answer, and says something useful about it."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from course_lib.answers import LocalAnswer
from course_lib.checker.review import review_exercise
from course_lib.checks import CheckFailed, check, find_exercise, review, summary
from course_lib.distributions import gaussian_kl as reference_kl


def wrong(answer, name="gaussian_kl"):
    report = review(name, answer)
    assert not report.passed
    assert report.points == 0
    text, html = str(report), report._repr_html_()
    assert name in text
    assert name in html
    return report


def says(report, *parts):
    for part in parts:
        assert part in str(report), str(report)


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_is_not_answered_yet(answer):
    report = wrong(answer)
    assert report.status == "unanswered"
    says(report, "YOUR CODE HERE", "not answered yet")


def test_the_stub_is_not_answered_yet():
    def stub(*args):
        raise NotImplementedError

    assert wrong(stub).status == "unanswered"


@pytest.mark.parametrize("answer", [3, "text", [1], {}, torch.zeros(3), object(), np.ones(2)])
def test_something_that_is_no_function_is_named(answer):
    says(wrong(answer), "should be a function", type(answer).__name__)


def test_a_class_in_place_of_a_function_is_survived():
    wrong(dict)
    wrong(torch.nn.Linear)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "`return` missing"),
        (3.5, "a float"),
        (np.zeros(2), "a ndarray"),
        ("text", "a str"),
        ([1, 2], "an int"),
        ((), "0 came"),
        ((torch.zeros(2), torch.zeros(2)), "2 came"),
        (torch.zeros(2).sum, "parentheses of a call"),
        (Normal(0.0, 1.0), "one of its methods"),
        (torch.zeros(2, dtype=torch.complex64), "complex"),
        (torch.eye(2).to_sparse(), "sparse"),
    ],
)
def test_a_wrong_type_is_named_with_a_remedy(result, said):
    says(wrong(lambda *args: result), said)


def test_a_wrong_shape_shows_what_was_expected_and_what_came():
    says(wrong(lambda *args: torch.zeros(7, 2, dtype=torch.float64)), "kl (batch,)", "(2,)", "(7,2)")


def test_nan_is_named():
    says(wrong(lambda *args: reference_kl(*args) * float("nan")), "NaN")


def test_an_exception_is_shown_at_the_students_line():
    def answer(mu_q, sigma_q, mu_p, sigma_p):
        half = 0.5
        return half * mu_q.no_such_thing  # the line

    report = wrong(answer)
    says(report, "AttributeError", "no_such_thing", "# the line")
    assert "course_lib" not in str(report)


def test_an_exception_in_a_helper_is_shown_at_the_helpers_line():
    def helper(x):
        return x @ x @ x  # helper line

    says(wrong(lambda mu_q, *rest: helper(mu_q)), "RuntimeError", "# helper line")


def test_wrong_parameters_are_named():
    says(wrong(lambda mu, sigma: mu), "TypeError", "positional argument")


def test_an_endless_recursion_is_named():
    def answer(*args):
        return answer(*args)

    says(wrong(answer), "calls itself without end")


def test_an_endless_loop_ends():
    def answer(*args):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    start = time.monotonic()
    report = review_exercise(find_exercise("gaussian_kl"), LocalAnswer("gaussian_kl", answer, seconds=0.5))
    assert time.monotonic() - start < 10
    says(report, "did not come to an end", "In your code")


@pytest.mark.parametrize("leave", [lambda: sys.exit(), lambda: exit(), lambda: sys.exit(3)])
def test_leaving_the_program_is_named(leave):
    says(wrong(lambda *args: leave()), "ends the whole program")


class Unprintable(Exception):
    def __str__(self):
        raise ValueError


class Hostile:
    def __eq__(self, other):
        return True

    def __getattr__(self, name):
        raise RuntimeError(name)

    __hash__ = None


def test_exceptions_and_objects_that_misbehave_are_survived():
    def answer(*args):
        raise Unprintable

    says(wrong(answer), "Unprintable")
    wrong(lambda *args: Hostile())
    wrong(Hostile())

    def bare(*args):
        raise BaseException("bare")

    says(wrong(bare), "BaseException")


def test_a_tensor_that_claims_to_be_equal_to_everything_is_not_believed():
    class Yes(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func in (torch.allclose, torch.equal, torch.Tensor.__eq__):
                return True
            return super().__torch_function__(func, types, args, kwargs or {})

    wrong(lambda mu_q, *rest: mu_q.sum(-1).as_subclass(Yes))


def test_a_subclass_or_parameter_with_the_right_values_is_accepted():
    class Mine(torch.Tensor):
        pass

    assert review("gaussian_kl", lambda *args: reference_kl(*args).as_subclass(Mine)).passed


def test_printing_and_warning_cost_nothing_and_stay_out_of_the_notebook(capsys):
    def answer(*args):
        print("debugging")
        print("more", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return reference_kl(*args)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert review("gaussian_kl", answer).passed
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_what_a_wrong_answer_printed_is_shown_but_not_without_end():
    def answer(*args):
        print("shape", args[0].shape)
        print("x" * 100_000)

    report = wrong(answer)
    says(report, "Your code printed", "shape torch.Size")
    assert len(str(report)) < 3_000


def test_other_names_type_hints_and_helpers_cost_nothing():
    def answer(m1: torch.Tensor, s1: torch.Tensor, m2: torch.Tensor, s2: torch.Tensor, debug: bool = False):
        return reference_kl(m1, s1, m2, s2)

    assert review("gaussian_kl", answer).passed


def test_a_changed_input_is_named():
    def answer(mu_q, sigma_q, mu_p, sigma_p):
        result = reference_kl(mu_q, sigma_q, mu_p, sigma_p)
        with torch.no_grad():
            mu_q -= mu_p
        return result

    says(wrong(answer), "`mu_q` has changed")


def test_a_missing_gradient_is_named():
    report = wrong(lambda mu_q, sigma_q, mu_p, sigma_p: reference_kl(mu_q, sigma_q, mu_p.detach(), sigma_p))
    says(report, "No gradient reaches `mu_p`")


def test_float32_inside_is_named():
    says(wrong(lambda *args: reference_kl(*(a.float() for a in args))), "float32", "takes dtype and device")


def test_numpy_inside_is_named_for_the_gradient():
    def answer(*args):
        return torch.from_numpy(reference_kl(*args).detach().numpy())

    says(wrong(answer), "o gradient reaches")


def test_a_batch_of_one_is_tried():
    says(wrong(lambda *args: reference_kl(*args).squeeze()), "batch of one")


def test_a_batch_by_batch_result_is_recognised():
    def answer(x, W, b, sigma):
        covariance = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
        log_prob = torch.distributions.MultivariateNormal(b, covariance).log_prob(x)
        return log_prob.unsqueeze(-1) + torch.zeros_like(log_prob)

    says(wrong(answer, "linear_gaussian_evidence"), "The shape is not right")


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (lambda mq, sq, mp, sp: -reference_kl(mp, sp, mq, sq), ("q and p swapped", "sign is flipped")),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq.sqrt(), mp, sp.sqrt()) / mq.shape[-1], ("variances", "average")),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq, mp, sp**2), ("`sigma_p` is squared",)),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq, mp, sp) + 3, ("same constant", "+3.0000")),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq, mp, sp) * 3, ("3 times",)),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq, mp, sp).unsqueeze(-1), ("extra dimension of size one",)),
        (
            lambda mq, sq, mp, sp: ((sq / sp).log() + ((sq / sp) ** 2 + ((mq - mp) / sp) ** 2) / 2).sum(-1),
            ("logarithm is upside down", "-½ for each dimension is missing"),
        ),
        (lambda mq, sq, mp, sp: reference_kl(mq, sq, mp, sp) / 0.6931471805599453, ("bits",)),
    ],
)
def test_slips_and_pairs_of_slips_that_nobody_declared_are_recognised(answer, parts):
    says(wrong(answer), *parts)


def test_an_unknown_wrong_value_is_shown_beside_the_expected_one():
    report = wrong(lambda mq, sq, mp, sp: torch.sin(mq + mp).sum(-1) + sq.sum(-1) * sp.sum(-1))
    assert report.misconception is None
    says(report, "the values are not", "mu_q", "expected", "yours", "Convention")


def test_random_states_and_gradient_mode_are_left_as_they_were():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    def answer(*args):
        torch.manual_seed(99)
        return reference_kl(*args)

    review("gaussian_kl", answer)
    assert torch.equal(torch.rand(3), expected)
    with torch.no_grad():
        assert review("gaussian_kl", reference_kl).passed


def test_hidden_tests_show_neither_inputs_nor_expected_values():
    report = review("gaussian_kl", lambda *args: -reference_kl(*args), seed=77)
    assert report.shown == ()
    says(report, "Right on the inputs you have seen", "sign")


def test_hidden_tests_reject_an_answer_fitted_to_the_visible_inputs():
    remembered = {}

    def learn(*args):
        result = reference_kl(*args)
        remembered[tuple(float(a.sum()) for a in args)] = result
        return result

    assert review("gaussian_kl", learn).passed

    def parrot(*args):
        key = tuple(float(a.sum()) for a in args)
        return remembered.get(key, torch.zeros(len(args[0]), dtype=args[0].dtype))

    assert not review("gaussian_kl", parrot, seed=77).passed


def test_check_finds_the_answer_by_its_name_and_raises_if_it_is_wrong(capsys):
    globals()["gaussian_kl"] = reference_kl
    check("gaussian_kl")
    assert "right (3 of 3 points)" in capsys.readouterr().out
    globals()["gaussian_kl"] = lambda *args: -reference_kl(*args)
    with pytest.raises(CheckFailed, match="sign is flipped") as raised:
        check("gaussian_kl")
    assert len(raised.value._render_traceback_()) == 1
    del globals()["gaussian_kl"]
    with pytest.raises(CheckFailed, match="no gaussian_kl in this notebook yet"):
        check("gaussian_kl")


def test_a_misspelt_exercise_is_named_with_the_nearest():
    with pytest.raises(KeyError, match="gaussian_kl"):
        check("gausian_kl")


@pytest.mark.parametrize("number", [float, np.float32, np.float64, lambda gap: gap])
def test_a_plain_number_is_as_good_as_a_scalar_tensor_where_the_docstring_says_scalar(number):
    assert review("jensen_gap", lambda y: number(y.mean().log() - y.log().mean())).passed


@pytest.mark.parametrize("choice", ["yes", " Yes ", "YES."])
def test_a_choice_is_read_generously(choice):
    assert review("negative_kl_prediction", choice).passed


@pytest.mark.parametrize("choice", [True, 1, ["yes"], "perhaps", object(), lambda: "yes"])
def test_a_choice_that_is_no_option_lists_them(choice):
    report = wrong(choice, "negative_kl_prediction")
    says(report, '"only if the KL is zero"')


def test_student_text_cannot_inject_html():
    def answer(*args):
        raise ValueError("<script>alert(1)</script>")

    html = wrong(answer)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_summary_counts_points_and_raises_nothing():
    globals()["log_mean_exp"] = lambda a, dim: torch.logsumexp(a, dim)
    globals()["underflow_prediction"] = "-inf"
    table = summary("00_start_here")
    assert "1 / 6" in repr(table)
    assert "<table>" in table._repr_html_()
    del globals()["log_mean_exp"], globals()["underflow_prediction"]


def test_what_only_works_on_the_cpu_has_its_points_and_is_told(monkeypatch):
    monkeypatch.setattr("course_lib.checker.review.GPU", "cpu")  # feigned: the last call of a check is the GPU's
    calls, last = 0, 0

    def answer(*args):
        nonlocal calls
        calls += 1
        if calls == last:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return reference_kl(*args)

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "GPU" not in str(review("gaussian_kl", answer))
    calls, last = 0, calls + 1
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    report = review("gaussian_kl", answer)
    assert report.passed
    says(report, "Right on every input tried. On a GPU it does not work yet:", "can't convert cuda:0")
    assert calls == last
    calls, last = 0, 0
    assert "GPU" not in str(review("gaussian_kl", answer))
