"""An answer on top of a wrong one has its own points, and is told which part to mend."""

from __future__ import annotations

import pytest

from course_lib.checks import CheckFailed, check, summary, using

TOPIC = "03_variational_inference"

RIGHT_PART = "from course_lib.bounds import per_point_elbo as reference\ndef per_point_elbo(*args):\n    return reference(*args)\n"
WRONG_PART = RIGHT_PART.replace("return reference", "return 2 * reference")
ASCENT = """
import torch
def ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size):
    mu, log_sigma = (p.detach().clone().requires_grad_() for p in (mu, log_sigma))
    elbo = {call}(x, mu, log_sigma, eps, decoder, sigma_x).sum()
    ways = torch.autograd.grad(elbo, (mu, log_sigma))
    return tuple((p {sign} step_size * way).detach() for p, way in zip((mu, log_sigma), ways))
"""


class Notebook:
    """A namespace in which cells have run."""

    def __init__(self, *cells):
        self.names = {"__name__": "__main__", "check": check, "using": using, "summary": summary}
        for cell in cells:
            exec(cell, self.names)

    def report(self, name):
        try:
            exec(f"check({name!r})", self.names)
        except CheckFailed as failed:
            return failed.report
        return None

    def points(self):
        exec(f"points = summary({TOPIC!r})", self.names)
        return {report.exercise: report.points for report in self.names["points"].reports}


WAYS = {
    "directly": "per_point_elbo",
    "through a helper": "helper",
    "in a lambda": "(lambda *args: per_point_elbo(*args))",
}
HELPER = "def helper(*args):\n    return per_point_elbo(*args)\n"


@pytest.mark.parametrize("call", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("part", [WRONG_PART, "def per_point_elbo(*args):\n    raise NotImplementedError\n", ""])
def test_a_right_answer_on_a_wrong_part_has_its_points(capsys, part, call):
    notebook = Notebook(part, HELPER, ASCENT.format(call=call, sign="+"))
    assert notebook.report("ascend_q") is None
    said = capsys.readouterr().out
    if part:
        assert "What you wrote here is right. It calls your `per_point_elbo`" in said
        assert notebook.points()["per_point_elbo"] == 0
    assert notebook.points()["ascend_q"] == 3


def test_its_own_mistake_is_named_whatever_the_part_does():
    (notebook,) = [Notebook(WRONG_PART, ASCENT.format(call="per_point_elbo", sign="-"))]
    report = notebook.report("ascend_q")
    assert report.status == "wrong"
    assert report.misconception == "descent" or "down" in str(report) or "sign" in str(report), str(report)
    assert "Checked with the course's own `per_point_elbo`" in report.sentences[-1]


def test_on_a_right_part_nothing_is_said_of_it():
    notebook = Notebook(RIGHT_PART, ASCENT.format(call="per_point_elbo", sign="-"))
    assert "Checked with" not in str(notebook.report("ascend_q"))


def test_the_students_own_names_are_what_they_were():
    notebook = Notebook(WRONG_PART, ASCENT.format(call="per_point_elbo", sign="+"))
    before = dict(notebook.names)
    notebook.report("ascend_q")
    after = dict(notebook.names)
    assert {name: after[name] for name in before} == before


def test_a_demonstration_uses_the_students_own_where_it_is_right(capsys):
    notebook = Notebook(RIGHT_PART, ASCENT.format(call="per_point_elbo", sign="+"))
    exec("part, whole = using('per_point_elbo'), using('ascend_q')", notebook.names)
    assert notebook.names["part"] is notebook.names["per_point_elbo"]
    assert notebook.names["whole"] is notebook.names["ascend_q"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("cells", [(WRONG_PART,), ()], ids=["wrong", "not there"])
def test_a_demonstration_uses_the_courses_own_otherwise_and_says_so(capsys, cells):
    notebook = Notebook(*cells)
    exec("part = using('per_point_elbo')", notebook.names)
    assert notebook.names["part"].__module__ == "course_lib.bounds"
    assert "Shown with the course's own per_point_elbo" in capsys.readouterr().out


def test_a_demonstration_does_not_use_what_gives_wrong_values_through_a_part(capsys):
    notebook = Notebook(WRONG_PART, ASCENT.format(call="per_point_elbo", sign="+"))
    exec("whole = using('ascend_q')", notebook.names)
    assert notebook.names["whole"].__module__.startswith("course_lib")
