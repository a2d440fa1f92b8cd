"""The open task of notebook 09: what is measured is the distance to the truth, and what is no density is told so."""

from __future__ import annotations

import pytest
import torch

from course_lib.challenges import attempt
from course_lib.challenges.normalizing_flows import CHALLENGE, SIGMA, log_prob_of, measure, record, unseen_points
from course_lib.flows import standard_normal_log_prob
from course_lib.toy_densities import ENTROPIES, two_moons_log_prob


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_the_recipe_reaches():
    assert measure(log_prob_of(record())) == pytest.approx(CHALLENGE.record, abs=0.004)


@pytest.mark.slow
def test_the_truth_is_nothing_above_the_entropy(monkeypatch):
    # That it integrates to 1 is a test of its own, of course_lib.toy_densities.
    monkeypatch.setattr("course_lib.challenges.plane.integral", lambda *_, **__: 1.0)
    assert measure(lambda x: two_moons_log_prob(x, SIGMA)) == pytest.approx(0, abs=1e-4)


def test_what_is_measured_is_the_loss_less_the_entropy():
    loss = -standard_normal_log_prob(unseen_points()).mean().item()
    assert measure(standard_normal_log_prob) == pytest.approx(loss - ENTROPIES["two moons, σ = 0.05"], abs=0.02)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (None, "hand in log_prob"),
        (torch.nn.Linear(2, 2), "hand in log_prob"),
        (lambda x: torch.zeros(()), "one number for each point"),
        (lambda x: 3.0, "yours gives float"),
        (lambda x: x[:, 0] * torch.nan, "NaN"),
        (lambda x: standard_normal_log_prob(x) + 1, "this is no density"),
    ],
)
def test_what_is_no_density_is_told_so(made, says):
    assert says in repr(attempt("09_normalizing_flows", made))


def test_a_model_is_measured_by_its_log_prob():
    model = type("Model", (), {"log_prob": staticmethod(standard_normal_log_prob)})()
    assert measure(model) == measure(standard_normal_log_prob)
