"""Train the broken flows of notebook 11, and write what they showed to course_lib/assets/patients_11.npz.

Contract: `python scripts/make_real_nvp_patients.py` reads the embedded digits and writes curves, digits and samples of four Real-NVP of digits
with one bug each, with recipe, seed, seconds and figures. Nothing is selected by hand. What is told of a patient are the symptoms, never the
bug: students can print it. Where the bug is in the number alone, the training is a healthy one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.data import load_images
from course_lib.digit_flow import LEVELS, PIXELS, new_digit_flow, to_grey, to_logits
from course_lib.flows import standard_normal_log_prob
from course_lib.image_flows import ImageRealNVP
from course_lib.patients import IMAGE_FLOWS_FILE
from course_lib.real_nvp import bits_per_dim

STEPS, BATCH, RATE, TOLD, SHOWN, SEED = 300, 50, 5e-3, 10, 8, 11


@dataclass
class Bug:
    """What is wrong: in the flow, in log p of logits, or in the number that is made of it and of the logit's log-det."""

    flow: Callable[[], ImageRealNVP] = new_digit_flow
    log_prob: Callable[[ImageRealNVP, Tensor], Tensor] = ImageRealNVP.log_prob
    number: Callable[[Tensor, Tensor], Tensor] = lambda log_prob, log_det: bits_per_dim(
        log_prob + log_det, PIXELS, LEVELS
    )


def never_alternates() -> ImageRealNVP:
    """Within a scale every coupling keeps what the first one keeps."""
    flow = new_digit_flow()
    for scale in flow.scales:
        for layers in (scale.checkerboards, scale.channel_wise):
            for layer in layers:
                layer.mask = layers[0].mask
    return flow


def scale_left_out(flow: ImageRealNVP, y: Tensor) -> Tensor:
    return standard_normal_log_prob(flow.inverse(y)[0])


BUGS = {
    "11_a": Bug(flow=never_alternates),
    "11_b": Bug(log_prob=scale_left_out),
    "11_c": Bug(number=lambda log_prob, log_det: bits_per_dim(log_prob, PIXELS, LEVELS)),
    "11_d": Bug(number=lambda log_prob, log_det: bits_per_dim(log_prob + log_det, PIXELS, 64)),
}


def patient(bug: Bug, images: Tensor, test: Tensor) -> shipped.Shipped:
    torch.manual_seed(SEED)
    generator, began = torch.Generator().manual_seed(SEED), time.process_time()
    flow = bug.flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 20))
    shown, _ = to_logits(test[:SHOWN], torch.rand(test[:SHOWN].shape, generator=generator))
    numbers, spreads = [], []
    for _ in range(STEPS):
        batch = images[torch.randint(len(images), (BATCH,), generator=generator)]
        y, log_det = to_logits(batch, torch.rand(batch.shape, generator=generator))
        bits = bug.number(bug.log_prob(flow, y), log_det).mean()
        optimizer.zero_grad()
        bits.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        numbers.append(bits.item())
        with torch.no_grad():
            spreads.append(flow.inverse(shown)[0].std().item())
    with torch.no_grad():
        samples = to_grey(flow.sample(2 * SHOWN, torch.Generator().manual_seed(2), temperature=0.8))
    # A uniform model of x has log p(y) = -log|det dy/dx|.
    y, log_det = to_logits(test, torch.rand(test.shape, generator=generator))
    uniform = bug.number(-log_det, log_det).mean().expand(STEPS)
    curves = torch.stack([torch.tensor(numbers), torch.tensor(spreads), uniform]).reshape(3, -1, TOLD).mean(-1)
    arrays = {
        "bits": curves[0],
        "spread_of_z": curves[1],
        "uniform": curves[2],
        "steps": torch.arange(1, STEPS // TOLD + 1) * TOLD,
        "digits": test[:SHOWN].squeeze(1),
        "samples": (samples[:SHOWN].nan_to_num(0.5) * 255).round().byte(),
        "more samples": (samples[SHOWN:].nan_to_num(0.5) * 255).round().byte(),
    }
    recipe = (
        f"Real-NVP of the logits of the embedded digits, 73,293 parameters, one bug, {STEPS} steps of Adam, batches of {BATCH}, learning rate {RATE}; "
        "seconds of one core"
    )
    figures = {
        "bits/dim as trained": numbers[-1],
        "spread of z": spreads[-1],
        "bits/dim of a uniform model": uniform[0].item(),
    }
    return shipped.Shipped(arrays, recipe, SEED, time.process_time() - began, figures)


def main() -> None:
    torch.set_num_threads(1)
    images, test = load_images("train").images, load_images("test").images[:200]
    made = {}
    for name, bug in BUGS.items():
        made[name] = patient(bug, images, test)
        print(name, made[name], flush=True)
        if not all(math.isfinite(value) for value in made[name].figures.values()):
            raise RuntimeError(f"{name} shows a number that is none")
    shipped.save(IMAGE_FLOWS_FILE, made)
    print(f"wrote {IMAGE_FLOWS_FILE.name}, {IMAGE_FLOWS_FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
