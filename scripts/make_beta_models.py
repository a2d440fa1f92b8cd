"""Train the models of notebook 08 and write them to course_lib/assets: beta_models.npz and patients_08.npz.

Contract: `python scripts/make_beta_models.py [sweep] [seeds] [strong] [patients]` takes the embedded digits alone, so that
anybody can run it, and writes the parts that are named, all of them by default; the others stay as they are. Nothing is
selected by hand. What is told of a patient are the symptoms, never the bug: students can print it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from course_lib import shipped
from course_lib.beta import (
    BetaObjective,
    NeighbourVAE,
    active_units,
    beta_schedule,
    kl_per_dimension,
    next_beta,
    rate_distortion,
    reconstruction_gap,
    sample_gap,
)
from course_lib.beta_models import BETAS, MODELS_FILE, PATIENTS_FILE, SIZES, WITH_WEIGHTS, model_name
from course_lib.data import load_images
from course_lib.distributions import kl_to_standard_normal
from course_lib.shipped import Shipped
from course_lib.training import train
from course_lib.vae import VAE

Weight = float | Callable[[int, float], float]
BATCH, RATE, DRAWS, ACTIVE = 100, 2e-3, 5, 0.01
STEPS = 100  # of a pass over the 10,000 embedded digits
DIGITS = f"the 10,000 embedded digits, batches of {BATCH}, Adam at a learning rate of {RATE}, pixels drawn anew"


def as_bytes(images: Tensor) -> Tensor:
    return (images.detach().clamp(0, 1) * 255).round().byte().reshape(-1, 28, 28)


def binary_test() -> Tensor:
    return torch.bernoulli(load_images("test").flat(), generator=torch.Generator().manual_seed(8))


def trained(model: torch.nn.Module, beta: Weight, epochs: int, seed: int) -> BetaObjective:
    objective = BetaObjective(model, beta)
    train(
        model,
        load_images("train").images,
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=RATE,
        objective=objective,
        binarize=True,
        seed=seed,
        device="cpu",
        progress=False,
    )
    return objective


@torch.no_grad()
def measured(model: VAE | NeighbourVAE) -> tuple[float, float, int]:
    """Rate, distortion (five draws of z) and active units on the test digits, pixels drawn once."""
    x, generator = binary_test(), torch.Generator().manual_seed(9)
    mu, log_sigma = model.encoder(x)
    log_likelihood = torch.stack(
        [
            model.log_likelihood(x, mu + log_sigma.exp() * torch.randn(mu.shape, generator=generator))
            for _ in range(DRAWS)
        ]
    ).mean(0)
    rate, distortion = rate_distortion(log_likelihood, kl_to_standard_normal(mu, log_sigma))
    return rate.item(), distortion.item(), active_units(mu, ACTIVE)


def one_of_the_sweep(beta: float, seed: int) -> dict[str, Shipped]:
    torch.manual_seed(seed)
    start, vae, epochs = time.monotonic(), VAE(*SIZES), 20
    trained(vae, beta, epochs, seed)
    seconds = time.monotonic() - start
    if beta in WITH_WEIGHTS:  # measured as it ships
        vae.load_state_dict({name: value.half().float() for name, value in vae.state_dict().items()})
    images, test = load_images("train").flat(), load_images("test").flat()
    with torch.no_grad():
        rate, distortion, active = measured(vae)
        reconstructed = vae.reconstruct(test)
        samples = vae.sample(500, torch.Generator().manual_seed(2))
        arrays = {
            "kl_per_dimension": kl_per_dimension(*vae.encoder(binary_test())),
            "reconstructions": as_bytes(reconstructed[:8]),
            "samples": as_bytes(samples[:16]),
        }
    figures = {
        "rate (nats a test digit)": rate,
        "distortion (nats a test digit)": distortion,
        "active units": float(active),
        "reconstruction gap": reconstruction_gap(test, reconstructed, images.mean(0)),
        "sample gap": sample_gap(samples, test[:500], images, torch.Generator().manual_seed(3)),
    }
    recipe = f"VAE{SIZES} with β = {beta:g}, {epochs} passes over {DIGITS}"
    models = {model_name(beta): Shipped(arrays, recipe, seed, seconds, figures)}
    print(models[model_name(beta)], flush=True)
    if beta in WITH_WEIGHTS:
        weights = {name: value.half() for name, value in vae.state_dict().items()}
        models[f"weights {beta:g}"] = Shipped(weights, recipe, seed, seconds, figures)
    return models


def sweep() -> dict[str, Shipped]:
    models: dict[str, Shipped] = {}
    for beta in BETAS:
        models |= one_of_the_sweep(beta, 0)
    return models


def seeds() -> dict[str, Shipped]:
    """A schedule and a fixed weight at equal cost: rate, distortion, active units of every seed."""
    epochs, start = 10, time.monotonic()
    arrays = {}
    for beta_max in (1.0, 4.0):
        for share in (0.0, 0.1, 0.5):
            warmup = round(share * epochs * STEPS)
            rows = []
            for seed in range(5):
                torch.manual_seed(seed)
                vae = VAE(*SIZES)
                trained(vae, lambda step, _, w=warmup, b=beta_max: beta_schedule(step, w, b), epochs, seed)
                rows.append(measured(vae))
                print("seeds", beta_max, share, seed, rows[-1], flush=True)
            arrays[f"{beta_max:g} {share:g}"] = torch.tensor(rows)
    recipe = (
        f"VAE{SIZES}, {epochs} passes over {DIGITS}; β_max 1 or 4, reached at once, after a tenth or half of the steps"
    )
    return {"seeds": Shipped(arrays, recipe, 0, time.monotonic() - start, {"seeds": 5.0})}


def controller(target: float, factor: float, turned: bool = False) -> Callable[[int, float], float]:
    """Return a weight that follows the KL of the last step; turned round, it is a bug."""
    beta = 1.0

    def weight(step: int, kl: float) -> float:
        nonlocal beta
        if step:
            beta = next_beta(beta, kl, target, 1 / factor if turned else factor)
        return beta

    return weight


STRONG: dict[str, tuple[bool, bool, Callable[[int], Weight]]] = {
    "z": (False, False, lambda steps: 1.0),
    "z, upper half": (True, False, lambda steps: 1.0),
    "z, upper half, neighbours": (True, True, lambda steps: 1.0),
    "schedule": (True, True, lambda steps: lambda step, _: beta_schedule(step, steps // 2, 1.0)),
    "β = 0.3": (True, True, lambda steps: 0.3),
    "controller": (True, True, lambda steps: controller(5.0, 1.02)),
}


def completions(model: NeighbourVAE, seed: int) -> Tensor:
    """The lower half of one test digit for eight codes of the prior, the chance in the pixels being the same."""
    whole = binary_test()[2:3].expand(8, -1)
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(8, model.latent_dim, generator=generator)
    uniform = torch.rand(1, 392, generator=generator).expand(8, -1)
    return as_bytes(model.complete(whole, z, uniform))


def strong() -> dict[str, Shipped]:
    """Decoders that see more and more, and cures of the one that sees most: KL over steps, rate and distortion."""
    epochs, start, number = 6, time.monotonic(), 3
    arrays = {}
    for name, (given, neighbours, weight) in STRONG.items():
        rows, curves = [], []
        for seed in range(number):
            torch.manual_seed(seed)
            model = NeighbourVAE(SIZES[1], SIZES[2], given, neighbours)
            objective = trained(model, weight(epochs * STEPS), epochs, seed)
            rows.append(measured(model))
            curves.append(torch.tensor(objective.kls).view(-1, 20).mean(1))
            print("strong", name, seed, rows[-1], objective.betas[-1], flush=True)
            if seed == 0:
                arrays[f"{name}: images"] = completions(model, 4)
        arrays[f"{name}: numbers"], arrays[f"{name}: kl"] = torch.tensor(rows), torch.stack(curves)
    recipe = f"NeighbourVAE({SIZES[1]}, {SIZES[2]}) of lower halves, {epochs} passes over {DIGITS}"
    return {"strong": Shipped(arrays, recipe, 0, time.monotonic() - start, {"seeds": float(number)})}


def patient(build: Callable[[], VAE | NeighbourVAE], beta: Weight, with_beta: bool = False) -> Callable[[int], Shipped]:
    def make(seed: int) -> Shipped:
        torch.manual_seed(seed)
        start, epochs, model = time.monotonic(), 10, build()
        objective = trained(model, beta, epochs, seed)
        terms = torch.tensor([[-d for d in objective.distortions], objective.kls]).view(2, -1, 20).mean(-1)
        curves = {"likelihood": terms[0], "kl": terms[1]}
        if with_beta:
            curves["log_beta"] = torch.tensor(objective.betas).log10().view(-1, 20).mean(-1)
        test = load_images("test").flat()[:8]
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            if isinstance(model, NeighbourVAE):
                whole, uniform = torch.bernoulli(test, generator=generator), torch.rand(8, 392, generator=generator)
                mu, log_sigma = model.encoder(whole)
                eps = torch.randn(8, model.latent_dim, generator=generator)
                images = {
                    "originals": whole,
                    "z ~ q(z|x, y)": model.complete(whole, mu + log_sigma.exp() * eps, uniform),
                    "z ~ p(z)": model.complete(whole, torch.randn(eps.shape, generator=generator), uniform),
                }
            else:
                images = {
                    "originals": test,
                    "reconstructions": model.reconstruct(test),
                    "samples": model.sample(8, generator),
                }
        steps = torch.arange(1, terms.shape[1] + 1) * 20
        arrays = {**curves, "steps": steps, **{name: as_bytes(rows) for name, rows in images.items()}}
        recipe = f"A VAE with 16 latent dimensions, {epochs} passes over {DIGITS}"
        figures = {"KL at the end (nats)": terms[1, -1].item(), "E[log p(x|z)] at the end (nats)": terms[0, -1].item()}
        return Shipped(arrays, recipe, seed, time.monotonic() - start, figures)

    return make


def plain() -> VAE:
    return VAE(*SIZES)


def begun_at_the_average() -> VAE:
    """A decoder whose biases give the average image: ten passes then do what takes thirty otherwise."""
    vae = plain()
    with torch.no_grad():
        vae.decoder[-1].bias.copy_(load_images("train").flat().mean(0).clamp(1e-3, 1 - 1e-3).logit())
    return vae


def patients() -> dict[str, Shipped]:
    made = {
        "08_a": patient(plain, 0.02),
        "08_b": patient(lambda: NeighbourVAE(SIZES[1], SIZES[2], True, True), 1.0),
        "08_c": patient(plain, lambda step, _: 20 * 1e-3 ** (step / (10 * STEPS))),
        "08_d": patient(plain, controller(20.0, 1.01, turned=True), with_beta=True),
        "08_e": patient(begun_at_the_average, lambda step, _: beta_schedule(step, 100, 1.0)),
    }
    models = {}
    for name, make in made.items():
        models[name] = make(8)
        print(name, models[name], flush=True)
    return models


PARTS: dict[str, tuple[Callable[[], dict[str, Shipped]], Path]] = {
    "sweep": (sweep, MODELS_FILE),
    "seeds": (seeds, MODELS_FILE),
    "strong": (strong, MODELS_FILE),
    "patients": (patients, PATIENTS_FILE),
}


def main(parts: list[str]) -> None:
    for part in parts or list(PARTS):
        make, path = PARTS[part]
        models = make()
        there = shipped.load(path) if path.exists() else {}
        shipped.save(path, {**there, **models})
        print(f"{part}: {path.name} has {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}\n{__doc__}")
    main(sys.argv[1:])
