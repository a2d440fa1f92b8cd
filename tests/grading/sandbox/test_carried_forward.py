"""A mistake carried forward is charged once when grading, as in the student's own notebook."""

from __future__ import annotations

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import solved_cells, untouched

from course_lib.checker.probes import HIDDEN, VISIBLE
from course_lib.checks import find_exercise
from grading.grade import grade
from grading.intake.repair import graded_names
from grading.job import Job

pytestmark = needs_sandbox
TOPIC = "03_variational_inference"
SEEDS = dict.fromkeys(graded_names(TOPIC), 77)
ASCENT = """
def ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size):
    mu, log_sigma = (p.detach().clone().requires_grad_() for p in (mu, log_sigma))
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x).sum()
    ways = torch.autograd.grad(elbo, (mu, log_sigma))
    return tuple((p + step_size * way).detach() for p, way in zip((mu, log_sigma), ways))
"""


def graded(bench, **answers):
    notebook, solved = untouched(TOPIC), solved_cells(TOPIC)
    for cell in notebook.cells:
        if cell.id in graded_names(TOPIC):
            cell.source = answers.get(cell.id, solved[cell.id])
    files = {f"{TOPIC}.ipynb": nbformat.writes(notebook).encode()}
    return grade(Job(TOPIC, "anna", files, SEEDS), bench)


def points(result):
    return {name: report["points"] for name, report in result["exercises"].items()}


def full():
    return {name: find_exercise(name, TOPIC).points for name in graded_names(TOPIC)}


WRONG_PARTS = {
    "half": "def per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x):\n    return 0 * mu.sum(-1)\n",
    "stub": "def per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x):\n    raise NotImplementedError\n",
}


@pytest.mark.parametrize("part", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_right_answer_on_a_wrong_part_has_its_points(bench, part):
    result = graded(bench, per_point_elbo=part, ascend_q=ASCENT)
    assert points(result) == {**full(), "per_point_elbo": 0}
    assert "It calls your `per_point_elbo`" in result["exercises"]["ascend_q"]["sentences"][0]


def test_a_wrong_answer_on_a_wrong_part_earns_nothing(bench):
    result = graded(bench, per_point_elbo=WRONG_PARTS["half"], ascend_q=ASCENT.replace("p + step", "p - step"))
    assert points(result) == {**full(), "per_point_elbo": 0, "ascend_q": 0}


def test_what_stands_in_for_a_part_cannot_be_handed_in_as_the_part(bench):
    """A class of the student's that looks around when it is called finds the course's own part, too late to use it."""
    thief = WRONG_PARTS["half"] + "stolen = {}\n"
    spying = ASCENT.replace(
        "    mu, log_sigma =", "    stolen['it'] = globals()['per_point_elbo']\n    mu, log_sigma ="
    )
    late = "\ndef per_point_elbo(*args):\n    return stolen['it'](*args)\n"
    result = graded(
        bench, per_point_elbo=thief, ascend_q=spying, count_parameters=solved_cells(TOPIC)["count_parameters"] + late
    )
    assert points(result)["per_point_elbo"] == 0


SPYING_STEP = """
import builtins
builtins.stolen = {}

def train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, step_size):
    if ascend_q.__globals__ is not globals():
        builtins.stolen.update(ascend_q.__globals__)
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()
    mu, log_sigma = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    return mu, log_sigma, elbo.detach()
"""
LATE = """
def infer_q(*args):
    return stolen["infer_q"](*args)
"""


def test_what_is_lent_to_one_answer_brings_no_other_and_is_gone_before_the_next(bench):
    wrong = ASCENT.replace("p + step", "p - step")
    result = graded(bench, ascend_q=wrong, train_step=SPYING_STEP, infer_q=LATE)
    assert points(result) == {**full(), "ascend_q": 0, "infer_q": 0}


def test_a_part_that_fails_on_hidden_inputs_alone_costs_its_own_points_alone(bench):
    right = solved_cells(TOPIC)["per_point_elbo"]
    hidden_batch = HIDDEN[-1].batch
    assert hidden_batch not in {sizes.batch for sizes in VISIBLE}
    wrong = right.replace("return (log", f"if len(x) == {hidden_batch}: return 0 * mu.sum(-1)\n    return (log")
    assert wrong != right
    result = graded(bench, per_point_elbo=wrong, ascend_q=ASCENT)
    assert points(result) == {**full(), "per_point_elbo": 0}
