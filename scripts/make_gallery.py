"""Train one model of each kind on MNIST and write samples of each, course_lib/assets/gallery.npz.

Contract: `python scripts/make_gallery.py ROOT [MINUTES]` reads the full MNIST below ROOT (torchvision's layout), trains
every model but the mixture for MINUTES of the processor (default 8) on the best device, and writes 40 samples of each (uint8, drawn with a
fixed seed), with recipe, seconds and figures, for the picture in notebook 00. Nothing is selected by hand.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.data import GALLERY_FILE, load_images
from course_lib.devices import best_device
from course_lib.mixtures import mixture_log_prob, mixture_posterior, sample_mixture
from course_lib.nice import NICE, dequantize
from course_lib.real_nvp import RealNVP, bits_per_dim, logit_transform, logit_transform_inverse
from course_lib.training import Objective, as_pixels, elbo_objective, mean_bound
from course_lib.vae import VAE

SEED, NUM_SAMPLES, DIM, LEVELS, ALPHA = 0, 40, 784, 256, 0.05
BATCH, LEARNING_RATE, MAX_NORM = 200, 2e-3, 100.0
TRAINING = (
    f"Adam on the 60,000 training digits of MNIST, batches of {BATCH}, learning rate from {LEARNING_RATE} down to 0, "
    f"gradients clipped at {MAX_NORM:.0f}"
)


def dequantized(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return grey values k / 255 as (k + noise) / 256, and so a density can be told of them."""
    noise = torch.rand(x.shape, generator=generator, device=x.device)
    return dequantize((255 * x).round(), noise, LEVELS)[0]


def density(log_prob: Callable[[Tensor], Tensor]) -> Objective:
    return lambda x, generator: log_prob(dequantized(x, generator))


class Gallery:
    """The digits, and the models trained on them so far."""

    def __init__(self, root: Path, seconds: float) -> None:
        device = best_device()
        self.train = load_images("train", full=True, root=root).images.to(device)
        self.test = load_images("test").images.to(device)
        self.generator = torch.Generator(device).manual_seed(SEED)
        self.seconds = seconds
        self.models: dict[str, shipped.Shipped] = {}

    def some(self, n: int) -> Tensor:
        """Return n training digits, dequantized."""
        rows = torch.randperm(len(self.train), generator=self.generator, device=self.train.device)[:n]
        return dequantized(as_pixels(self.train[rows]), self.generator)

    def batches(self) -> Iterator[Tensor]:
        while True:
            order = torch.randperm(len(self.train), generator=self.generator, device=self.train.device)
            for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
                yield as_pixels(self.train[rows])

    def fit(self, model: nn.Module, objective: Objective) -> int:
        """Maximise the mean of an objective for the given time of the processor; return the number of steps.

        A busy machine then trains a model as far as a free one.
        """
        model.to(self.train.device)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        batches, start, steps = self.batches(), time.thread_time(), 0
        while (left := 1 - (time.thread_time() - start) / self.seconds) > 0:
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * left
            optimizer.zero_grad(set_to_none=True)
            (-objective(next(batches), self.generator).mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
            optimizer.step()
            steps += 1
        return steps

    def densities(self, log_prob: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return what a density reaches on the 2,000 test digits."""
        nats = mean_bound(density(log_prob), self.test, seed=SEED)
        bits = bits_per_dim(torch.tensor(nats), DIM, LEVELS).item()
        return {"log p(x) of dequantized pixels (nats a test digit)": nats, "bits/dim": bits}

    @torch.no_grad()
    def keep(
        self, name: str, recipe: str, seconds: float, figures: dict[str, float], sample: Callable[..., Tensor]
    ) -> None:
        """Keep samples of a model with what it reaches."""
        drawn = sample(NUM_SAMPLES, torch.Generator(self.train.device).manual_seed(SEED))
        samples = (255 * drawn.clamp(0, 1)).round().byte().reshape(-1, 28, 28).cpu()
        self.models[name] = shipped.Shipped({"samples": samples}, recipe, SEED, seconds, figures)
        print(f"{name}: {self.models[name]}", flush=True)

    def add_mixture(self, components: int = 60, n: int = 20_000, steps: int = 40, floor: float = 0.03) -> None:
        """Notebook 01's model by expectation-maximisation."""
        start, x = time.thread_time(), self.some(n)
        mu, sigma = x[:components].clone(), torch.full_like(x[:components], 0.3)
        weights = x.new_full((components,), 1 / components)
        for _ in range(steps):
            # In parts: the joint of all digits and components would hold every pixel 60 times.
            posterior = torch.cat([mixture_posterior(part, weights, mu, sigma) for part in x.split(100)])
            mass = posterior.sum(0) + 1e-6
            weights = mass / mass.sum()
            mu = posterior.T @ x / mass[:, None]
            sigma = (posterior.T @ x**2 / mass[:, None] - mu**2).clamp(min=0).sqrt() + floor
        self.keep(
            "Gaussian mixture",
            f"{components} diagonal Gaussians, {steps} steps of EM on {n:,} training digits of MNIST, sigma + {floor}",
            time.thread_time() - start,
            self.densities(lambda x: mixture_log_prob(x, weights, mu, sigma)),
            lambda n, generator: sample_mixture(n, weights, mu, sigma, generator)[1],
        )

    def add_vae(self) -> None:
        vae = VAE(DIM, 500, 20, hidden_layers=2)
        steps = self.fit(vae, elbo_objective(vae))
        recipe = f"VAE({DIM}, 500, 20, hidden_layers=2), {steps:,} steps of {TRAINING}"
        reached = mean_bound(elbo_objective(vae), self.test, seed=SEED)
        figures = {"ELBO, grey values as probabilities (nats a test digit)": reached}
        self.keep("VAE", recipe, self.seconds, figures, vae.sample)

    def add_nice(self) -> None:
        nice = NICE(DIM, 500, 4, hidden_layers=3)
        with torch.no_grad():
            # The scaling starts where z has the logistic's spread, but for the margin, whose narrow densities have
            # gradients so steep that the networks would learn nothing else.
            spread = self.some(10_000).std(0).clamp(min=0.1)
            nice.layers[0].log_scale.copy_((spread * 3**0.5 / math.pi).log())
        steps = self.fit(nice, density(nice.log_prob))
        recipe = f"NICE({DIM}, 500, 4, hidden_layers=3), {steps:,} steps of {TRAINING}"
        self.keep("NICE", recipe, self.seconds, self.densities(nice.log_prob), nice.sample)

    def add_real_nvp(self) -> None:
        real_nvp = RealNVP(DIM, 300, 6, hidden_layers=3)
        with torch.no_grad():  # the last layer starts with the data's own mean and spread
            y, _ = logit_transform(self.some(10_000), ALPHA)
            real_nvp.layers[-1].shift.copy_(y.mean(0))
            real_nvp.layers[-1].log_scale.copy_(y.std(0).log())

        def log_prob(x: Tensor) -> Tensor:
            y, log_det = logit_transform(x, ALPHA)
            return real_nvp.log_prob(y) + log_det

        steps = self.fit(real_nvp, density(log_prob))
        recipe = (
            f"RealNVP({DIM}, 300, 6, hidden_layers=3) after a logit with alpha {ALPHA}, {steps:,} steps of {TRAINING}"
        )
        self.keep(
            "Real-NVP",
            recipe,
            self.seconds,
            self.densities(log_prob),
            lambda n, generator: logit_transform_inverse(real_nvp.sample(n, generator), ALPHA)[0],
        )


def main(root: Path, minutes: float) -> None:
    torch.manual_seed(SEED)
    gallery = Gallery(root, 60 * minutes)
    gallery.add_mixture()
    gallery.add_vae()
    gallery.add_nice()
    gallery.add_real_nvp()
    shipped.save(GALLERY_FILE, gallery.models)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 8.0)
