"""Train the small models that explorers and diagnosis exercises show, and write them to course_lib/assets.

Contract: `python scripts/make_models.py ROOT` reads the full MNIST below ROOT (torchvision's layout) and writes
digit_model.npz (a VAE with two latent dimensions, weights in float16) and patients.npz (curves, reconstructions
and samples of models that have one bug each). Seeds are fixed, nothing is selected by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

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
from course_lib.gradients import gaussian_score
from course_lib.patients import PATIENTS_FILE
from course_lib.training import train
from course_lib.vae import VAE

SHOWN = 10


def make_digit_model(images: Tensor) -> None:
    torch.manual_seed(0)
    vae = VAE(PIXELS, HIDDEN_DIM, 2)
    history = train(vae, images, epochs=40, batch_size=200, learning_rate=2e-3, seed=0)
    print(f"digit model: {history.bounds[-1]:.1f} nats after {history.epochs} epochs, {history.seconds:.0f} s")
    weights = {name: value.numpy().astype(np.float16) for name, value in vae.state_dict().items()}
    np.savez_compressed(MODEL_FILE, **weights)


def as_bytes(images: Tensor) -> np.ndarray:
    return (images.detach().clamp(0, 1) * 255).round().byte().reshape(-1, 28, 28).numpy()


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


def make_vae_patient(name: str, images: Tensor, test: Tensor) -> dict[str, np.ndarray]:
    torch.manual_seed(1)
    model = Broken(*BROKEN[name])
    train(model, images, epochs=12, batch_size=100, learning_rate=2e-3, seed=1)
    terms = torch.tensor(model.terms).reshape(-1, 20, 2).mean(1)
    with torch.no_grad():
        reconstructions = model.reconstruct(test)
        samples = model.sample(SHOWN, torch.Generator().manual_seed(2))
    return {
        "likelihood": terms[:, 0].numpy(),
        "kl": terms[:, 1].numpy(),
        "steps": np.arange(1, len(terms) + 1) * 20,
        "originals": as_bytes(test),
        "reconstructions": as_bytes(reconstructions),
        "samples": as_bytes(samples),
    }


def make_amortized_patient(images: Tensor, test: Tensor) -> dict[str, np.ndarray]:
    """z is detached: the encoder feels the entropy and the prior only."""
    torch.manual_seed(3)
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
    return {
        "bound": curves[0].numpy(),
        "spread": curves[1].numpy(),
        "steps": np.arange(1, 61) * 10,
        "originals": as_bytes(test),
        "reconstructions": as_bytes(reconstructions),
    }


def make_per_point_patient(images: Tensor) -> dict[str, np.ndarray]:
    """The entropy is missing from the bound by which q is stepped."""
    torch.manual_seed(4)
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
    return {
        "objective": curves[0].numpy(),
        "sigma": curves[1].numpy(),
        "kl": curves[2].numpy(),
        "steps": np.arange(1, 51) * 10,
        "originals": as_bytes(x[:SHOWN]),
        "reconstructions": as_bytes(decoder(mu)[:SHOWN]),
    }


def make_estimator_patient() -> dict[str, np.ndarray]:
    """The baseline is the mean over all samples: the mean gradient, over 20,000 repeats, for each M."""
    generator = torch.Generator().manual_seed(5)
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
        "samples": np.array(numbers),
        "mean": np.array(means, dtype=np.float32),
        "error": np.array(errors, dtype=np.float32),
        "true": np.array([true] * len(numbers), dtype=np.float32),
    }


def main(root: str) -> None:
    images = load_images("train", full=True, root=root).images
    subset, test = load_images("train").images, load_images("test").flat()[:SHOWN]
    make_digit_model(images)
    patients = {name: make_vae_patient(name, subset, test) for name in BROKEN}
    patients["04"] = make_amortized_patient(subset, test)
    patients["03"] = make_per_point_patient(subset)
    patients["05"] = make_estimator_patient()
    arrays = {f"{name}/{key}": values for name, patient in patients.items() for key, values in patient.items()}
    np.savez_compressed(PATIENTS_FILE, **arrays)
    print(f"wrote {MODEL_FILE.stat().st_size / 1e3:.0f} kB and {PATIENTS_FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
