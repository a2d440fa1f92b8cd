"""The figures of notebooks 02 and 03: labelled, no wider than a small screen, nothing written over the lines by a legend."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure

from course_lib import patients
from course_lib.explorers.jensen_entropy_kl import PEAK, bound_and_gap, pull_and_entropy
from course_lib.figures import diagrams, jensen_entropy_kl, variational_inference

INCHES = 10.0
IMAGES = torch.rand(10, 784, generator=torch.Generator().manual_seed(0))
DRAWN = {
    "entropies": lambda: jensen_entropy_kl.entropies(*torch.rand(4, 20)),
    "closest_gaussians": jensen_entropy_kl.closest_gaussians,
    "signed_terms": lambda: jensen_entropy_kl.signed_terms(torch.linspace(-3, 0.8, 200), 0.35),
    "stacked_bounds": lambda: jensen_entropy_kl.stacked_bounds([("a", -4.0, 0.0), ("b", -5.0, 1.0)], -4.0),
    "three_kinds": lambda: jensen_entropy_kl.three_kinds(
        {kind: torch.linspace(-1000, 500, 40) for kind in "abc"}, {kind: torch.rand(31, 28, 28) for kind in "abc"}
    ),
    "ring": lambda: jensen_entropy_kl.ring(
        lambda z: -z.square().sum(-1), torch.ones(1), torch.zeros(1, 2), torch.ones(1, 2), 2.7
    ),
    "arrival": lambda: variational_inference.arrival(*torch.rand(3, 30, 2), torch.rand(2), 0.4, torch.rand(2)),
    "training": lambda: variational_inference.training([-500.0, 100.0], IMAGES, IMAGES),
    "dimensions": lambda: variational_inference.dimensions(
        (2, 8, 16), [0.2, 0.1, 0.1], [0.3, 0.2, 0.1], [30.0, 120.0, 110.0], IMAGES, [IMAGES] * 3
    ),
    "staleness": lambda: variational_inference.staleness([0.0, -1.0], [1.0, 3.0], [0.0, 2.0]),
    "waiting": lambda: variational_inference.waiting((1, 10), [-100.0, 90.0], IMAGES, IMAGES),
    "growth": lambda: variational_inference.growth([100, 1000], [20_000, 200_000], 10_000),
    "patient 03": lambda: patients.load_patient("03").picture(),
    "trick_diagram": jensen_entropy_kl.trick_diagram,
    "alternation_diagram": variational_inference.alternation_diagram,
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_figure_fits_and_is_labelled(draw, monkeypatch):
    kept: list[tuple[Figure, str]] = []
    for module in (jensen_entropy_kl, variational_inference, patients, diagrams):
        monkeypatch.setattr(module, "Picture", lambda figure, alt: kept.append((figure, alt)))
    draw()
    ((figure, alt),) = kept
    assert figure.get_size_inches()[0] <= INCHES
    assert len(alt.split()) > 12
    for axis in figure.axes:
        assert axis.get_title(loc="left")
        assert axis.get_legend() is None
        assert not axis.axison or axis.get_xlabel()


@pytest.mark.parametrize("sigma", [0.05, 0.4, 2.0])
def test_the_pull_and_the_entropy_add_up_to_the_bound(sigma):
    """Two quadratures on different grids."""
    pull, entropy = pull_and_entropy(torch.tensor([sigma], dtype=torch.float64))
    assert (pull + entropy).item() == pytest.approx(bound_and_gap(PEAK, sigma)[0], abs=1e-4)


def test_without_the_entropy_the_narrowest_q_is_best_and_with_it_one_in_between():
    widths = torch.linspace(0.02, 2.5, 125, dtype=torch.float64)
    pull, entropy = pull_and_entropy(widths)
    assert pull.argmax() == 0
    assert 0.3 < widths[(pull + entropy).argmax()] < 0.6
