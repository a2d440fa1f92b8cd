"""Train the broken flows of notebook 09, and write what they showed to course_lib/assets/patients_09.npz.

Contract: `python scripts/make_flow_patients.py` needs no data; the curves, samples and densities of three flows on two
moons, each with one bug, with recipe, seed, seconds and figures. Nothing is selected by hand. What is told of a patient
are the symptoms, never the bug: students can print it.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from course_lib import shipped
from course_lib.flows import Composition, ElementwiseAffine, standard_normal_log_prob
from course_lib.patients import FLOW_PATIENTS_FILE, PLANE_CELLS, PLANE_REACH
from course_lib.real_nvp import AffineCoupling
from course_lib.toy_densities import two_moons

STEPS, SHOWN, SEED = 1500, 600, 9


def built() -> Composition:
    couplings = [AffineCoupling(2, 32, bool(i % 2)) for i in range(6)]
    return Composition([ElementwiseAffine(2), *couplings, ElementwiseAffine(2)])


def back(flow: Composition, x: Tensor, forwards: bool = False) -> tuple[Tensor, Tensor]:
    """The way from x to z, the layers in the order of the way to x if ``forwards``."""
    total = x.new_zeros(len(x))
    for layer in flow.layers if forwards else reversed(flow.layers):
        x, log_det = layer.inverse(x)
        total = total + log_det
    return x, total


def forwards(flow: Composition, x: Tensor) -> Tensor:
    z, log_det = back(flow, x, forwards=True)
    return standard_normal_log_prob(z) + log_det


def missing(flow: Composition, x: Tensor) -> Tensor:
    return standard_normal_log_prob(back(flow, x)[0])


def wrong_sign(flow: Composition, x: Tensor) -> Tensor:
    z, log_det = back(flow, x)
    return standard_normal_log_prob(z) - log_det


BROKEN = {"09_a": forwards, "09_b": missing, "09_c": wrong_sign}


def patient(name: str) -> shipped.Shipped:
    torch.manual_seed(SEED)
    generator, began = torch.Generator().manual_seed(SEED), time.monotonic()
    flow, log_prob, objectives = built(), BROKEN[name], []
    optimizer = torch.optim.Adam(flow.parameters(), lr=3e-3)
    for _ in range(STEPS):
        objective = log_prob(flow, two_moons(256, 0.05, generator)).mean()
        optimizer.zero_grad()
        (-objective).backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        objectives.append(objective.item())
    line = torch.linspace(-PLANE_REACH, PLANE_REACH, PLANE_CELLS)
    with torch.no_grad():
        samples = flow(torch.randn(SHOWN, 2, generator=generator))[0]
        density = log_prob(flow, torch.cartesian_prod(line, line)).view(PLANE_CELLS, PLANE_CELLS)
    curve = torch.tensor(objectives).reshape(-1, 25).mean(-1)
    arrays = {
        "objective": curve,
        "steps": torch.arange(1, len(curve) + 1) * 25,
        "samples": samples.nan_to_num(0.0).clamp(-1e6, 1e6),
        "data": two_moons(SHOWN, 0.05, generator),
        "log density": density.clamp(-6e4, 6e4).half(),
    }
    recipe = f"six affine couplings of 32 × 2 units on two moons, one bug, {STEPS} steps of Adam, batches of 256, learning rate 0.003"
    figures = {
        "objective as trained (nats)": curve[-1].item(),
        "median |x| of samples": samples.abs().median().item(),
    }
    made = shipped.Shipped(arrays, recipe, SEED, time.monotonic() - began, figures)
    print(name, made, flush=True)
    return made


if __name__ == "__main__":
    torch.set_num_threads(1)
    shipped.save(FLOW_PATIENTS_FILE, {name: patient(name) for name in BROKEN})
    print(f"wrote {FLOW_PATIENTS_FILE.stat().st_size / 1e3:.0f} kB")
