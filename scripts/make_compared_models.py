"""Train the VAE and the NICE that notebook 12 compares, and write them to course_lib/assets/compared_models.npz.

Contract: `python scripts/make_compared_models.py ROOT` reads the full MNIST below ROOT (torchvision's layout) and writes weights in
float16 with recipe, seed, seconds and figures; and beside them what all three models, the Real-NVP of scripts/make_real_nvp.py among
them, say of the same images, for figures and the explorer. Nothing is selected by hand. Without ROOT the models that are there are
measured anew.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import shipped
from course_lib.compared_models import (
    FLOWS,
    MEASURED,
    MODELS_FILE,
    NICE_NAME,
    VAE_NAME,
    kinds_of_images,
    load_vae,
    new_nice,
    new_vae,
    noise_for,
)
from course_lib.comparing import LogitVAE, flow_bits_per_dim, vae_bits_per_dim
from course_lib.data import load_images
from course_lib.digit_flow import ALPHA, LEVELS, PIXELS
from course_lib.nice import NICE, dequantize
from course_lib.real_nvp import bits_per_dim, logit_transform, logit_transform_inverse

BATCH, WARM_UP, SEED, TESTED, SAMPLES, SHOWN = 200, 100, 0, 2000, 50, 16
VAE_STEPS, VAE_RATE = 18_000, 2e-3
NICE_STEPS, NICE_RATE, SCALING_RATE = 9_000, 2e-3, 1e-2
LogProb = Callable[[Tensor, torch.Generator], Tensor]


def to_logits(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x, _ = dequantize(pixels, torch.rand(pixels.shape, generator=generator), LEVELS)
    return logit_transform(x, ALPHA)


def fit(model: nn.Module, pixels: Tensor, log_prob: LogProb, groups: list[dict[str, object]], steps: int) -> float:
    """Raise log_prob (a density's, or a bound) of logits by Adam, at rates that rise and then fall to 0; return the seconds."""
    generator, start = torch.Generator().manual_seed(SEED), time.monotonic()
    optimizer = torch.optim.Adam(groups, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2
    )
    bar = tqdm(range(steps), mininterval=20)
    for step in bar:
        y, log_det = to_logits(pixels[torch.randint(len(pixels), (BATCH,), generator=generator)], generator)
        objective = (log_prob(y, generator) + log_det).mean()
        optimizer.zero_grad(set_to_none=True)
        (-objective).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            bar.set_postfix_str(f"{8 - objective.item() / PIXELS / math.log(2):.3f} bits/dim", refresh=False)
    return time.monotonic() - start


def in_half(model: nn.Module) -> dict[str, Tensor]:
    """Round the weights to float16, in the model as well, and return them."""
    weights = {name: value.detach().half() for name, value in model.state_dict().items()}
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return weights


@torch.no_grad()
def vae_figures(vae: LogitVAE, test: Tensor) -> dict[str, float]:
    generator, bits = torch.Generator().manual_seed(1), []
    for part in test.split(100):
        y, log_det = to_logits(part, generator)
        eps = torch.randn(SAMPLES, len(part), vae.latent_dim, generator=generator)
        bits.append(torch.stack(vae_bits_per_dim(vae.log_weights(y, eps) + log_det, PIXELS, LEVELS)))
    elbo, iwae = torch.cat(bits, -1).mean(-1).tolist()
    return {"test ELBO (bits/dim)": elbo, f"test bound, {SAMPLES} samples (bits/dim)": iwae}


@torch.no_grad()
def nice_figures(nice: NICE, test: Tensor) -> dict[str, float]:
    noise = torch.rand(test.shape, generator=torch.Generator().manual_seed(1))
    return {"test digits (bits/dim)": flow_bits_per_dim(nice, test, noise, LEVELS, ALPHA).mean().item()}


def made_vae(pixels: Tensor, test: Tensor) -> shipped.Shipped:
    torch.manual_seed(SEED)
    vae = new_vae()

    def bound(y: Tensor, generator: torch.Generator) -> Tensor:
        return vae.elbo(y, torch.randn(len(y), vae.latent_dim, generator=generator))

    seconds = fit(vae, pixels, bound, [{"params": list(vae.parameters()), "lr": VAE_RATE}], VAE_STEPS)
    weights = in_half(vae)
    count = sum(parameter.numel() for parameter in vae.parameters())
    recipe = (
        f"LogitVAE({PIXELS}, {vae.encoder.mu.in_features}, {vae.latent_dim}) with {count:,} parameters on the logits of the "
        f"{len(pixels):,} training digits of MNIST, {VAE_STEPS:,} steps of Adam, batches of {BATCH}, learning rate {VAE_RATE} falling to 0"
    )
    return shipped.Shipped(weights, recipe, SEED, seconds, {**vae_figures(vae, test), "parameters": float(count)})


def made_nice(pixels: Tensor, test: Tensor) -> shipped.Shipped:
    torch.manual_seed(SEED)
    nice = new_nice()
    scaling = nice.layers[0].log_scale
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():  # in units of each pixel's spread, as in notebook 10
        y, _ = to_logits(pixels[:10_000], generator)
        scaling.copy_((y.std(0).clamp(min=0.1) * 3**0.5 / math.pi).log())
    networks = [parameter for parameter in nice.parameters() if parameter is not scaling]
    groups: list[dict[str, object]] = [
        {"params": networks, "lr": NICE_RATE},
        {"params": [scaling], "lr": SCALING_RATE},
    ]
    seconds = fit(nice, pixels, lambda y, _: nice.log_prob(y), groups, NICE_STEPS)
    weights = in_half(nice)
    count = sum(parameter.numel() for parameter in nice.parameters())
    recipe = (
        f"NICE({PIXELS}, {nice.layers[1].network[1].in_features}, {len(nice.layers) - 1}) with {count:,} parameters on the logits of the "
        f"{len(pixels):,} training digits of MNIST, {NICE_STEPS:,} steps of Adam, batches of {BATCH}, learning rates {NICE_RATE} and, for the "
        f"scaling, {SCALING_RATE}, falling to 0"
    )
    return shipped.Shipped(weights, recipe, SEED, seconds, {**nice_figures(nice, test), "parameters": float(count)})


@torch.no_grad()
def vae_bits(vae: LogitVAE, pixels: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return ELBO and importance-weighted bound in bits/dim, each ``(n,)``."""
    x, _ = dequantize(pixels, noise_for(pixels), LEVELS)
    y, log_det = logit_transform(x, ALPHA)
    generator, bits = torch.Generator().manual_seed(2), []
    for one, its in zip(y.split(1), log_det.split(1), strict=True):
        weights = vae.log_weights(one, torch.randn(samples, 1, vae.latent_dim, generator=generator)) + its
        bits.append(torch.stack(vae_bits_per_dim(weights, PIXELS, LEVELS)))
    elbo, iwae = torch.cat(bits, -1)
    return elbo, iwae


class Everything:
    """Every image equally likely, as a density of logits."""

    def log_prob(self, y: Tensor) -> Tensor:
        return logit_transform_inverse(y, ALPHA)[1]


def reports(pixels: Tensor) -> dict[str, Tensor]:
    """Return mean bits/dim as three pipelines with one bug each give them: of the Real-NVP, and where every image is equally likely."""
    noise, told = noise_for(pixels), {}
    for model, flow in (("Real-NVP", FLOWS["Real-NVP"]()), ("uniform", Everything())):
        x, _ = dequantize(pixels, noise, LEVELS)
        y, _ = logit_transform(x, ALPHA)
        right = flow_bits_per_dim(flow, pixels, noise, LEVELS, ALPHA).mean()
        levels_twice = right + math.log2(LEVELS)
        without_logit = bits_per_dim(flow.log_prob(y), PIXELS, LEVELS).mean()
        same_noise = flow_bits_per_dim(flow, pixels, torch.full_like(noise, 0.5), LEVELS, ALPHA).mean()
        told[f"reports/{model}"] = torch.stack([without_logit, same_noise, levels_twice])
    return told


@torch.no_grad()
def made_measurements() -> shipped.Shipped:
    start, arrays = time.monotonic(), {}
    vae, kinds = load_vae(), kinds_of_images()
    for kind, pixels in kinds.items():
        elbo, iwae = vae_bits(vae, pixels, 5000 if kind == "digits" else 500)
        arrays[f"VAE/{kind}"] = iwae
        if kind == "digits":
            arrays["VAE/ELBO"] = elbo
    for name, load in FLOWS.items():
        flow = load()
        for kind, pixels in kinds.items():
            arrays[f"{name}/{kind}"] = flow_bits_per_dim(flow, pixels, noise_for(pixels), LEVELS, ALPHA)
    for name, model in {"VAE": vae, **{name: load() for name, load in FLOWS.items()}}.items():
        drawn = model.sample(SHOWN, torch.Generator().manual_seed(3))
        grey = logit_transform_inverse(drawn, ALPHA)[0].clamp(0, 1)
        arrays[f"{name}/samples"] = (255 * grey).round().byte()
    arrays |= reports(kinds["digits"])
    averaged = [name for name in arrays if "samples" not in name and "reports" not in name]
    figures = {f"{name} (bits/dim)": arrays[name].mean().item() for name in averaged}
    recipe = "bits/dim of the first 500 test digits, and of images unlike them, under the VAE, NICE and the Real-NVP of notebook 11"
    return shipped.Shipped(arrays, recipe, 2, time.monotonic() - start, figures)


def main(root: str | None) -> None:
    if root is not None:
        pixels = load_images("train", full=True, root=root).images.flatten(1)
        test = load_images("test").images.flatten(1)[:TESTED]
        made = {}
        for name, make in ((VAE_NAME, made_vae), (NICE_NAME, made_nice)):
            made[name] = make(pixels, test)
            print(name, made[name], flush=True)
        shipped.save(MODELS_FILE, made)
    models = {name: model for name, model in shipped.load(MODELS_FILE).items() if name != MEASURED}
    measurements = made_measurements()
    print(measurements, flush=True)
    shipped.save(MODELS_FILE, {**models, MEASURED: measurements})
    print(f"wrote {MODELS_FILE.name}, {MODELS_FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(sys.argv[1] if len(sys.argv) == 2 else None)
