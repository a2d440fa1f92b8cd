"""Notebook 03's exercises together: what a mistake in the bound costs, and what theta may be."""

from __future__ import annotations

import re

import pytest
from torch import nn

from course_lib.checks import TOPICS, review, summary
from grading.release.source import read_source

TOPIC = "03_variational_inference"
# What was once worth ten points: squared errors where log p(x|z) belongs.
SQUARED_ERROR = """
def per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x):
    z = mu + log_sigma.exp() * eps
    log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    entropy = torch.distributions.Normal(mu, log_sigma.exp()).entropy().sum(-1)
    return (-((x - decoder(z)) ** 2).sum(-1) + log_prior).mean(0) + entropy
"""


def worked_through(**instead: str) -> dict[str, object]:
    """Run the notebook's exercise cells as solved, some of them with other answers."""
    names: dict[str, object] = {"__name__": "__main__", "summary": summary}
    exec("import torch", names)
    graded = {exercise.name for exercise in TOPICS[TOPIC]}
    for cell in read_source(TOPIC).cells:
        if cell.id in graded:
            exec(instead.get(cell.id, cell.source), names)
    return names


def points(names: dict[str, object]) -> dict[str, int]:
    exec(f"reports = summary({TOPIC!r}).reports", names)
    return {report.exercise: report.points for report in names["reports"]}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_wrong_likelihood_costs_the_points_of_the_bound_and_no_others():
    full = points(worked_through())
    assert full == {exercise.name: exercise.points for exercise in TOPICS[TOPIC]}
    assert points(worked_through(per_point_elbo=SQUARED_ERROR)) == {**full, "per_point_elbo": 0}


def test_parameters_of_a_module_alone_are_not_all_that_is_asked_for():
    def module_only(theta: nn.Module, latent_dim: int, num_points: int) -> int:
        return sum(tensor.numel() for tensor in theta.parameters()) + 2 * latent_dim * num_points

    report = review("count_parameters", module_only)
    assert not report.passed
    assert "theta may also be an iterable of tensors" in report.sentences[0]


def test_the_text_and_the_checks_agree_on_who_draws_the_noise():
    prose = " ".join(cell.source for cell in read_source(TOPIC).cells if cell.cell_type == "markdown")
    assert not re.search(r"[Dd]raw noise .* once", prose)
    assert "inside, nothing is drawn" in re.sub(r"\s+", " ", prose)
