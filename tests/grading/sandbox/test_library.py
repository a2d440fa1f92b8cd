"""The library's solutions, called by a submission: computed as ever, apart from the grader and within bounds."""

from __future__ import annotations

import resource
import time

import nbformat
import pytest
from conftest import needs_sandbox
from submissions import fill_in, graded, points

from grading.grade import grade
from grading.job import Job
from grading.sandbox.limits import Limits

pytestmark = needs_sandbox

LARGE = {
    "steps": (
        "06_variational_autoencoder",
        "from course_lib.vae import interpolate as f\nf(torch.zeros(2), torch.ones(2), 300_000_000)",
    ),
    "steps as float": (
        "06_variational_autoencoder",
        "from course_lib.vae import interpolate as f\nf(torch.zeros(2), torch.ones(2), 3e8)",
    ),
    "rows": (
        "02_jensen_entropy_kl",
        "from course_lib.distributions import gaussian_entropy as f\nf(torch.zeros(200_000_000, 0))",
    ),
    "no rows": (
        "02_jensen_entropy_kl",
        "from course_lib.distributions import gaussian_entropy as f\nf(torch.zeros(0, 2 ** 40))",
    ),
    "columns": (
        "02_jensen_entropy_kl",
        "from course_lib.linear_gaussian import linear_gaussian_posterior as f\nf(torch.zeros(1, 1), torch.ones(1, 30_000), torch.zeros(1), 1.0)",
    ),
}


@pytest.fixture
def sandbox(bench, request):
    running = bench.sandbox(Job(request.param, "mallory", {}, {}, Limits(cell_seconds=20, memory_mb=4096)))
    running.run("import torch")
    yield running
    running.close()


@pytest.mark.parametrize(("sandbox", "cell"), LARGE.values(), ids=LARGE, indirect=["sandbox"])
def test_the_grader_computes_nothing_large_for_a_submission_and_says_so(sandbox, cell):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    ran = sandbox.run(cell)
    assert ran.error
    assert ran.error != "KernelDied", ran.outputs
    assert time.monotonic() - began < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000, "kB"
    assert sandbox.run("1 + 1").error is None


@pytest.mark.parametrize("sandbox", ["03_variational_inference"], indirect=True)
def test_calls_callbacks_and_gradients_cross_as_before(sandbox):
    ran = sandbox.run("""
from torch import nn
from course_lib.bounds import per_point_elbo
from course_lib.per_point import ascend_q
x, eps = torch.randn(4, 3), torch.randn(1, 4, 2)
decoder = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3))
mu, log_sigma = torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
calls = []
def lent(z):
    calls.append(1)
    return decoder(z)
for given in (decoder, lent):
    elbo = per_point_elbo(x, mu, log_sigma, eps, given, 0.5)
    mu.grad = None
    elbo.sum().backward()
    own = (x - decoder(mu + log_sigma.exp() * eps)).square().sum() / 0.5
    (theirs,) = torch.autograd.grad(-own, mu)
    assert torch.allclose(mu.grad, theirs - eps[0], atol=1e-4), (mu.grad, theirs)
assert calls
try:
    per_point_elbo(x, mu, log_sigma, eps, lambda z: 1 / 0, 0.5)
except ZeroDivisionError:
    print("RAISED")
assert ascend_q(x, mu, log_sigma, eps, decoder, 0.5, 0.1)[0].shape == (4, 2)
""")
    assert ran.error is None, ran.outputs
    assert "RAISED" in str(ran.outputs)


@pytest.mark.parametrize("sandbox", ["03_variational_inference"], indirect=True)
def test_a_call_of_the_library_that_never_ends_is_ended(sandbox, monkeypatch):
    from grading.sandbox import library

    monkeypatch.setattr(library, "SECONDS", 1)
    ran = sandbox.run("""
from course_lib.per_point import infer_q
from torch import nn
infer_q(torch.randn(64, 300), torch.randn(100_000, 1, 64, 2), nn.Linear(2, 300), 0.5, 0.1)
""")
    print(ran)
    assert ran.error
    assert ran.seconds < 8
    assert sandbox.run("from course_lib.per_point import count_parameters").error is None


def test_the_outputs_of_many_cells_together_have_a_limit(bench):
    topic = "00_start_here"
    notebook = fill_in(topic, lambda i: True)
    for _ in range(20):
        notebook.cells.insert(2, nbformat.v4.new_code_cell("print('x' * 400_000)"))
    files = {f"{topic}.ipynb": nbformat.writes(notebook).encode()}
    seeds = dict.fromkeys(points(topic, lambda i: True), 7)
    result = grade(Job(topic, "mallory", files, seeds, Limits(outputs_mb=2)), bench)
    assert sum(report["points"] for report in result["exercises"].values()) == sum(e.points for e in graded(topic))
    assert len(result["notebook"]) < 3 << 20
    assert "Outputs were left out" in result["notebook"]
