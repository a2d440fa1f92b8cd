"""Train one model of each kind on MNIST and write samples of each, course_lib/assets/gallery.npz.

Contract: `python scripts/make_gallery.py ROOT [MINUTES]` reads the full MNIST below ROOT (torchvision's
layout), trains every model for MINUTES (default 8) on the best device, and writes 40 samples of each
(uint8, drawn from the model with a fixed seed) for the picture in notebook 00. It prints what each
model reached. Nothing is selected by hand.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import GALLERY_FILE, load_images
from course_lib.devices import best_device
from course_lib.distributions import LOG_2PI, gaussian_log_prob, log_mean_exp

NUM_SAMPLES = 40
DIM = 784
DEVICE = best_device()


def mlp(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class VAE(nn.Module):
    """Bernoulli VAE with MLPs; Kingma and Welling, 2014."""

    def __init__(self, latent_dim: int = 20, hidden_dim: int = 500) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = mlp([DIM, hidden_dim, hidden_dim, 2 * latent_dim])
        self.decoder = mlp([latent_dim, hidden_dim, hidden_dim, DIM])

    def log_prob(self, pixels: Tensor) -> Tensor:
        """The ELBO, in nats, of grey values read as probabilities."""
        x = pixels / 255
        mu, log_sigma = self.encoder(x).chunk(2, -1)
        z = mu + log_sigma.exp() * torch.randn_like(mu)
        log_likelihood = -F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(-1)
        return log_likelihood - (0.5 * (mu**2 + (2 * log_sigma).exp() - 1) - log_sigma).sum(-1)

    def sample(self, n: int) -> Tensor:
        return self.decoder(torch.randn(n, self.latent_dim, device=DEVICE)).sigmoid()


class Flow(nn.Module):
    """NICE (Dinh et al., 2015), or Real-NVP (Dinh et al., 2017) when affine: couplings of alternating pixels."""

    def __init__(self, couplings: int, hidden_dim: int, affine: bool) -> None:
        super().__init__()
        self.affine = affine
        sizes = [DIM // 2, hidden_dim, hidden_dim, hidden_dim, DIM // 2 * (1 + affine)]
        self.nets = nn.ModuleList(mlp(sizes) for _ in range(couplings))
        for net in self.nets:  # couplings start as the identity, which keeps the first steps stable
            nn.init.zeros_(net[-1].weight)
            nn.init.zeros_(net[-1].bias)
        self.log_scale = nn.Parameter(torch.zeros(DIM))

    def shift_and_log_scale(self, net: nn.Module, kept: Tensor) -> tuple[Tensor, Tensor]:
        out = net(kept)
        if not self.affine:
            return out, torch.zeros_like(out)
        shift, raw = out.chunk(2, -1)
        return shift, 1.5 * torch.tanh(raw)

    def log_prob(self, pixels: Tensor) -> Tensor:
        """Exact log-likelihood of uniformly dequantised pixels in [0, 1], nats; add DIM·log(1/256) for discrete."""
        x = (pixels + torch.rand_like(pixels)) / 256
        log_det = torch.zeros(len(x), device=x.device)
        if self.affine:
            alpha = 0.05
            squeezed = alpha + (1 - 2 * alpha) * x
            log_det = (math.log(1 - 2 * alpha) - squeezed.log() - (1 - squeezed).log()).sum(-1)
            x = squeezed.logit()
        even, odd = x[:, ::2], x[:, 1::2]
        for net in self.nets:
            shift, log_scale = self.shift_and_log_scale(net, even)
            odd = (odd - shift) * (-log_scale).exp()
            log_det = log_det - log_scale.sum(-1)
            even, odd = odd, even
        z = torch.cat([even, odd], -1) * self.log_scale.exp()
        log_p = -0.5 * (z**2 + LOG_2PI) if self.affine else -F.softplus(z) - F.softplus(-z)
        return log_p.sum(-1) + self.log_scale.sum() + log_det

    def sample(self, n: int) -> Tensor:
        if self.affine:
            z = torch.randn(n, DIM, device=DEVICE)
        else:
            z = torch.rand(n, DIM, device=DEVICE).clamp(1e-6, 1 - 1e-6).logit()
        even, odd = (z * (-self.log_scale).exp()).chunk(2, -1)
        for net in reversed(self.nets):
            even, odd = odd, even
            shift, log_scale = self.shift_and_log_scale(net, even)
            odd = odd * log_scale.exp() + shift
        x = torch.stack([even, odd], -1).flatten(1)
        return (x.sigmoid() - 0.05) / 0.9 if self.affine else x


class Mixture(nn.Module):
    """Mixture of diagonal Gaussians on pixels: notebook 01's model, fitted by expectation-maximisation."""

    def __init__(self, pixels: Tensor, components: int = 60, floor: float = 0.03) -> None:
        super().__init__()
        x = pixels / 255
        mu = x[torch.randperm(len(x), device=x.device)[:components]].clone()
        sigma = torch.full_like(mu, 0.3)
        weights = torch.full((components,), 1 / components, device=x.device)
        for _ in range(40):
            log_joint = weights.log() + torch.stack(
                [gaussian_log_prob(x, m, s) for m, s in zip(mu, sigma, strict=True)], -1
            )
            posterior = log_joint.softmax(-1)
            mass = posterior.sum(0) + 1e-6
            weights = mass / mass.sum()
            mu = posterior.T @ x / mass[:, None]
            sigma = (posterior.T @ x**2 / mass[:, None] - mu**2).clamp(min=0).sqrt() + floor
        self.mu, self.sigma, self.weights = mu, sigma, weights
        self.log_likelihood = (log_mean_exp(log_joint, -1) + math.log(components)).mean().item()

    def sample(self, n: int) -> Tensor:
        z = torch.multinomial(self.weights, n, replacement=True)
        return self.mu[z] + self.sigma[z] * torch.randn(n, DIM, device=DEVICE)


def batches(pixels: Tensor, size: int) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(len(pixels), device=pixels.device)
        for start in range(0, len(order) - size + 1, size):
            yield pixels[order[start : start + size]].float()


def train(model: Flow | VAE, pixels: Tensor, seconds: float) -> float:
    """Maximise the mean log-likelihood (or bound) for a given time; return the last hundred steps' mean."""
    model.to(DEVICE)
    learning_rate = 1e-3
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    recent: list[Tensor] = []
    start = time.monotonic()
    for x in batches(pixels, 200):
        passed = (time.monotonic() - start) / seconds
        if passed >= 1:
            break
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - passed) + 1e-5
        loss = -model.log_prob(x).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        recent = [*recent[-99:], loss.detach()]
    return -torch.stack(recent).mean().item()


def main(root: Path, minutes: float) -> None:
    torch.manual_seed(0)
    pixels = load_images("train", full=True, root=root).images.flatten(1).to(DEVICE)
    samples: dict[str, np.ndarray] = {}

    def keep(name: str, sample: Callable[[int], Tensor], reached: float) -> None:
        with torch.no_grad():
            drawn = sample(NUM_SAMPLES).clamp(0, 1).mul(255).round().byte().reshape(-1, 28, 28)
        samples[name] = drawn.cpu().numpy()
        print(f"{name}: {reached:.1f} nats per image", flush=True)

    mixture = Mixture(pixels[:20000].float())
    keep("Gaussian mixture", mixture.sample, mixture.log_likelihood)
    for name, model in (
        ("VAE", VAE()),
        ("NICE", Flow(couplings=4, hidden_dim=700, affine=False)),
        ("Real-NVP", Flow(couplings=8, hidden_dim=500, affine=True)),
    ):
        reached = train(model, pixels, 60 * minutes)
        keep(name, model.sample, reached)
    np.savez_compressed(GALLERY_FILE, **samples)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 8.0)
