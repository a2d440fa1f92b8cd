"""Train the small models that explorers and diagnosis exercises show, and write them to course_lib/assets.

Contract: `python scripts/make_models.py ROOT` reads the full MNIST below ROOT (torchvision's layout) and writes
digit_model.npz (a VAE with two latent dimensions, weights in float16), patients.npz and, for notebook 10, patients_10.npz
(curves, reconstructions and samples of models that have one bug each), with recipe, seed, seconds and figures. Nothing is selected by hand.
What is told of a patient are the symptoms, never the bug: students can print it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.amortized import Encoder
from course_lib.bounds import per_point_elbo
from course_lib.data import load_images
from course_lib.digit_model import HIDDEN_DIM, MODEL_FILE, PIXELS
from course_lib.distributions import (
    bernoulli_log_likelihood,
    gaussian_entropy,
    gaussian_log_prob,
    kl_to_standard_normal,
)
from course_lib.flows import change_of_variables
from course_lib.gradients import gaussian_score
from course_lib.nice import NICE, AdditiveCoupling, dequantize, logistic_log_prob
from course_lib.patients import FLOWS_FILE, PATIENTS_FILE
from course_lib.training import elbo_objective, mean_bound, train
from course_lib.vae import VAE

SHOWN = 10
Made = tuple[dict[str, Tensor], dict[str, float]]  # arrays, and the figures that are told with them


def recorded(recipe: str, seed: int, make: Callable[[int], Made]) -> shipped.Shipped:
    """Make a model from its seed, and take the time."""
    torch.manual_seed(seed)
    start = time.monotonic()
    arrays, figures = make(seed)
    model = shipped.Shipped(arrays, recipe, seed, time.monotonic() - start, figures)
    print(model, flush=True)
    return model


def digit_model(images: Tensor, test: Tensor, seed: int) -> Made:
    vae = VAE(PIXELS, HIDDEN_DIM, 2)
    train(vae, images, epochs=40, batch_size=200, learning_rate=2e-3, seed=seed)
    weights = {name: value.cpu().half() for name, value in vae.state_dict().items()}
    return weights, digit_model_figures(weights, test)


def digit_model_figures(weights: dict[str, Tensor], test: Tensor) -> dict[str, float]:
    """What the model reaches as it is shipped, with weights of 16 bits."""
    vae = VAE(PIXELS, HIDDEN_DIM, 2)
    vae.load_state_dict({name: value.float() for name, value in weights.items()})
    return {"ELBO, grey values as probabilities (nats a test digit)": mean_bound(elbo_objective(vae), test)}


def as_bytes(images: Tensor) -> Tensor:
    return (images.detach().clamp(0, 1) * 255).round().byte().reshape(-1, 28, 28)


class Broken(VAE):
    """A VAE that keeps what its two terms are, so that a curve of each can be shown."""

    def __init__(
        self, likelihood: Callable[[Tensor, Tensor], Tensor], kl_weight: float, shown: Callable[[Tensor], Tensor]
    ):
        super().__init__(PIXELS, 200, 16)
        self.terms: list[tuple[float, float]] = []
        self.broken_likelihood, self.kl_weight, self.shown = likelihood, kl_weight, shown

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encoder(x)
        expected = self.broken_likelihood(x, self.decoder(mu + log_sigma.exp() * eps))
        kl = kl_to_standard_normal(mu, log_sigma)
        self.terms.append((expected.mean().item(), kl.mean().item()))
        return expected - self.kl_weight * kl

    def mean(self, z: Tensor) -> Tensor:
        return self.shown(self.decoder(z))


BROKEN: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, Callable[[Tensor], Tensor]]] = {
    "06_a": (lambda x, logits: bernoulli_log_likelihood(x, logits) / PIXELS, 1.0, torch.sigmoid),
    "06_b": (bernoulli_log_likelihood, 0.0, torch.sigmoid),
    "06_c": (
        lambda x, logits: bernoulli_log_likelihood(x, logits.sigmoid()),
        1.0,
        lambda logits: logits.sigmoid().sigmoid(),
    ),
}


def vae_patient(name: str, images: Tensor, test: Tensor, seed: int) -> Made:
    model = Broken(*BROKEN[name])
    train(model, images, epochs=12, batch_size=100, learning_rate=2e-3, seed=seed, device="cpu")
    terms = torch.tensor(model.terms).reshape(-1, 20, 2).mean(1)
    with torch.no_grad():
        reconstructions = model.reconstruct(test)
        samples = model.sample(SHOWN, torch.Generator().manual_seed(2))
    likelihood, kl = terms.T
    return {
        "likelihood": likelihood,
        "kl": kl,
        "steps": torch.arange(1, len(terms) + 1) * 20,
        "originals": as_bytes(test),
        "reconstructions": as_bytes(reconstructions),
        "samples": as_bytes(samples),
    }, {"E[log p(x|z)] as trained (nats)": likelihood[-1].item(), "KL to the prior (nats)": kl[-1].item()}


def amortized_patient(images: Tensor, test: Tensor) -> Made:
    """z is detached: the encoder feels the entropy and the prior only."""
    x, latent, sigma_x = images.flatten(1).float() / 255, 8, 0.3
    encoder = Encoder(PIXELS, 200, latent)
    decoder = nn.Sequential(nn.Linear(latent, 200), nn.Tanh(), nn.Linear(200, PIXELS), nn.Sigmoid())
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    bounds, spread = [], []
    for _ in range(600):
        batch = x[torch.randint(len(x), (100,))]
        mu, log_sigma = encoder(batch)
        z = mu + log_sigma.exp() * torch.randn_like(mu)
        elbo = (
            gaussian_log_prob(batch, decoder(z.detach()), torch.tensor(sigma_x))
            + gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))
            + gaussian_entropy(log_sigma.exp())
        )
        optimizer.zero_grad()
        (-elbo.mean()).backward()
        optimizer.step()
        bounds.append(elbo.mean().item())
        spread.append(mu.std(0).mean().item())
    curves = torch.tensor([bounds, spread]).reshape(2, -1, 10).mean(-1)
    with torch.no_grad():
        reconstructions = decoder(encoder(test)[0])
    bound, spread = curves
    return {
        "bound": bound,
        "spread": spread,
        "steps": torch.arange(1, 61) * 10,
        "originals": as_bytes(test),
        "reconstructions": as_bytes(reconstructions),
    }, {"bound as trained (nats)": bound[-1].item(), "spread of mu": spread[-1].item()}


def per_point_patient(images: Tensor) -> Made:
    """The entropy is missing from the bound by which q is stepped."""
    x, latent, sigma_x = images[:200].flatten(1).float() / 255, 4, torch.tensor(0.3)
    decoder = nn.Sequential(nn.Linear(latent, 200), nn.Tanh(), nn.Linear(200, PIXELS), nn.Sigmoid())
    mu = torch.zeros(len(x), latent, requires_grad=True)
    log_sigma = torch.zeros(len(x), latent, requires_grad=True)
    of_theta, of_q = torch.optim.Adam(decoder.parameters(), lr=2e-3), torch.optim.Adam([mu, log_sigma], lr=0.05)
    objectives, widths, kls = [], [], []
    for _ in range(500):
        z = mu + log_sigma.exp() * torch.randn(len(x), latent)
        objective = gaussian_log_prob(x, decoder(z), sigma_x) + gaussian_log_prob(
            z, torch.zeros_like(z), torch.ones_like(z)
        )
        of_theta.zero_grad()
        of_q.zero_grad()
        (-objective.mean()).backward()
        mu.grad, log_sigma.grad = mu.grad * len(x), log_sigma.grad * len(x)
        of_theta.step()
        of_q.step()
        objectives.append(objective.mean().item())
        widths.append(log_sigma.exp().mean().item())
        kls.append(kl_to_standard_normal(mu, log_sigma).mean().item())
    with torch.no_grad():
        bound = per_point_elbo(x, mu, log_sigma, torch.randn(20, len(x), latent), decoder, sigma_x).mean()
    print(f"03: true bound {bound:.1f}, objective {objectives[-1]:.1f}, width {widths[-1]:.2g}")
    curves = torch.tensor([objectives, widths, kls]).reshape(3, -1, 10).mean(-1)
    objective, sigma, kl = curves
    return {
        "objective": objective,
        "sigma": sigma,
        "kl": kl,
        "steps": torch.arange(1, 51) * 10,
        "originals": as_bytes(x[:SHOWN]),
        "reconstructions": as_bytes(decoder(mu)[:SHOWN]),
    }, {"objective as trained (nats)": objective[-1].item(), "mean sigma": sigma[-1].item(), "KL (nats)": kl[-1].item()}


def estimator_patient(seed: int) -> Made:
    """The baseline is the mean over all samples: the mean gradient, over 20,000 repeats, for each M."""
    generator = torch.Generator().manual_seed(seed)
    mu, sigma, target = 0.5, 0.8, 2.0
    numbers, means, errors = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), [], []
    for number in numbers:
        z = mu + sigma * torch.randn(number, 20_000, 1, generator=generator, dtype=torch.float64)
        reward = -((z - target) ** 2).squeeze(-1)
        score, _ = gaussian_score(z, torch.tensor([[mu]]), torch.tensor([[sigma]]))
        estimates = (score.squeeze(-1) * (reward - reward.mean(0))).mean(0)
        means.append(estimates.mean().item())
        errors.append(estimates.std().item() / 20_000**0.5)
    true = -2 * (mu - target)
    return {
        "samples": torch.tensor(numbers),
        "mean": torch.tensor(means),
        "error": torch.tensor(errors),
        "true": torch.tensor([true] * len(numbers)),
    }, {f"mean estimate at M = {numbers[-1]}": means[-1], "true gradient": true}


class NeverSwaps(NICE):
    """Every coupling keeps the even entries."""

    def __init__(self) -> None:
        super().__init__(PIXELS, 200, 4)
        for i in range(1, len(self.layers)):
            self.layers[i] = AdditiveCoupling(PIXELS, 200, swap=False)


class WrongSign(NICE):
    """The log-determinant is added where it is subtracted."""

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_det = self.inverse(x)
        return change_of_variables(logistic_log_prob(z), log_det)


class InverseForwards(NICE):
    """On the way back to z the layers come in the order of the way to x."""

    def log_prob(self, x: Tensor) -> Tensor:
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, change = layer.inverse(x)
            log_det = log_det + change
        return logistic_log_prob(x) + log_det


FLOWS: dict[str, Callable[[], NICE]] = {
    "10_a": NeverSwaps,
    "10_b": lambda: WrongSign(PIXELS, 200, 4),
    "10_c": lambda: InverseForwards(PIXELS, 200, 4),
}


def flow_patient(name: str, images: Tensor, test: Tensor, seed: int) -> Made:
    generator = torch.Generator().manual_seed(seed)
    pixels, flow = images.flatten(1), FLOWS[name]()

    def spread_out(batch: Tensor) -> Tensor:
        return dequantize(batch, torch.rand(batch.shape, generator=generator), 256)[0]

    scaling = flow.layers[0].log_scale
    with torch.no_grad():  # where z has the logistic's spread; the margin would begin with gradients too steep
        scaling.copy_((spread_out(pixels).std(0).clamp(min=0.1) * 3**0.5 / math.pi).log())
    networks = [parameter for parameter in flow.parameters() if parameter is not scaling]
    optimizer = torch.optim.Adam([{"params": networks, "lr": 1e-3}, {"params": [scaling], "lr": 2e-2}])
    objectives, sizes = [], []
    for _ in range(600):
        batch = spread_out(pixels[torch.randint(len(pixels), (200,), generator=generator)])
        objective = flow.log_prob(batch).mean()
        optimizer.zero_grad()
        (-objective).backward()
        optimizer.step()
        objectives.append(objective.item())
        with torch.no_grad():
            sizes.append(flow.sample(50, generator).abs().mean().item())
    with torch.no_grad():
        samples = flow.sample(16, torch.Generator().manual_seed(2))
    curves = torch.tensor([objectives, sizes]).reshape(2, -1, 10).mean(-1)
    objective, size = curves
    return {
        "objective": objective,
        "size": size,
        "steps": torch.arange(1, len(size) + 1) * 10,
        "digits": as_bytes(test[:8]),
        "samples": as_bytes(samples[:8]),
        "more samples": as_bytes(samples[8:]),
    }, {"objective as trained (nats)": objective[-1].item(), "mean |x| of samples": size[-1].item()}


def flow_patients(images: Tensor, test: Tensor) -> dict[str, shipped.Shipped]:
    recipe = "NICE(784, 200, 4) with one bug, 600 steps of Adam, batches of 200 embedded digits, learning rates 0.001 and 0.02"
    return {name: recorded(recipe, 6, lambda seed, name=name: flow_patient(name, images, test, seed)) for name in FLOWS}


def main(root: str) -> None:
    images = load_images("train", full=True, root=root).images
    subset, test = load_images("train").images, load_images("test")
    shown = test.flat()[:SHOWN]
    recipe = f"VAE({PIXELS}, {HIDDEN_DIM}, 2) on the 60,000 training digits of MNIST, 40 epochs of Adam, batches of 200, learning rate 0.002"
    digits = recorded(recipe, 0, lambda seed: digit_model(images, test.images, seed))
    shipped.save(MODEL_FILE, {"digit_model": digits})

    recipe = f"VAE({PIXELS}, 200, 16) with one bug, 12 epochs of Adam on the embedded digits, batches of 100, learning rate 0.002"
    patients = {
        name: recorded(recipe, 1, lambda seed, name=name: vae_patient(name, subset, shown, seed)) for name in BROKEN
    }
    recipe = "Encoder and decoder with 8 latents and one bug, 600 steps of Adam, batches of 100 embedded digits, learning rate 0.002"
    patients["04"] = recorded(recipe, 3, lambda seed: amortized_patient(subset, shown))
    recipe = "One q with 4 latents for each of 200 embedded digits, and one bug, 500 steps of Adam, learning rates 0.002 and 0.05"
    patients["03"] = recorded(recipe, 4, lambda seed: per_point_patient(subset))
    recipe = "A policy gradient estimator with one bug, 20,000 times for each number of samples M"
    patients["05"] = recorded(recipe, 5, estimator_patient)
    shipped.save(PATIENTS_FILE, patients)
    shipped.save(FLOWS_FILE, flow_patients(subset, shown))
    for path in (MODEL_FILE, PATIENTS_FILE, FLOWS_FILE):
        print(f"wrote {path.name}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
