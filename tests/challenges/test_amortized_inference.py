"""The open task of notebook 04: the record by its recipe, the exact evidence behind it, and what is no encoder."""

from __future__ import annotations

import pytest
import torch

from course_lib.amortized import Encoder
from course_lib.bounds import elbo_with_analytic_kl
from course_lib.challenges import amortized_inference as challenge
from course_lib.data import load_images
from course_lib.digit_model import load_digit_model


@pytest.mark.slow
def test_the_evidence_is_what_quadrature_gives():
    digits = challenge.measured_digits()
    assert challenge.quadrature_log_evidence(digits).mean().item() == pytest.approx(challenge.EVIDENCE, abs=2e-3)
    few = digits[:20]
    wider = challenge.quadrature_log_evidence(few, reach=6.0, step=0.025)
    torch.testing.assert_close(wider, challenge.quadrature_log_evidence(few), atol=0.05, rtol=0)


def test_the_digit_models_own_encoder_is_above_the_record_and_any_q_is_above_zero():
    own = challenge.measure(load_digit_model().encoder)
    assert challenge.CHALLENGE.record < own < 10
    prior = challenge.measure(lambda x: (torch.zeros(len(x), 2), torch.zeros(len(x), 2)))
    assert prior > own


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        ("encoder", "hand in an encoder"),
        (lambda x: x[:, :2], "returns two tensors"),
        (lambda x: (x[:, :2], 0.1), "returns two tensors"),
        (lambda x: (x[:, :8], x[:, :8]), r"mu of 200 digits is \(200, 2\), not \(200, 8\)"),
        (lambda x: (x[:, :2], x[:1, :2]), "log_sigma of 200 digits"),
    ],
)
def test_what_is_no_encoder_is_told_so(encoder, says):
    with pytest.raises(ValueError, match=says):
        challenge.measure(encoder)


class _Recorded(torch.nn.Module):
    """The course's own: see the open task's ``how``."""

    def __init__(self):
        super().__init__()
        self.drop, self.encoder = torch.nn.Dropout(0.3), Encoder(784, 300, 2, hidden_layers=2)

    def forward(self, x):
        return self.encoder(self.drop(x))


@pytest.mark.record
@pytest.mark.slow
def test_the_record_is_what_its_recipe_reaches():
    torch.manual_seed(0)
    mine, model, digits, steps = _Recorded(), load_digit_model(), load_images("train").flat(), 8000
    optimizer = torch.optim.AdamW(mine.parameters(), lr=2e-3, weight_decay=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        x = digits[torch.randint(len(digits), (100,))]
        mu, log_sigma = mine(x)
        sigma = log_sigma.exp()
        log_likelihood = model.log_likelihood(x, mu + sigma * torch.randn(1, 100, 2))
        optimizer.zero_grad()
        (-elbo_with_analytic_kl(log_likelihood, mu, sigma).mean()).backward()
        optimizer.step()
    # Another machine rounds otherwise, and a few digits that the encoder takes for others make up much of the mean.
    assert challenge.measure(mine) == pytest.approx(challenge.CHALLENGE.record, abs=1.5)
