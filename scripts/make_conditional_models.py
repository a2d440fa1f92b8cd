"""Train the models of notebook 07 that are too long for it, and write them to course_lib/assets.

Contract: `python scripts/make_conditional_models.py ROOT` reads the full MNIST below ROOT (torchvision's layout) and writes
completion_model.npz (prior and decoder of a model that completes digits, weights in float16) and patients_07.npz (three
broken conditional models: curves and pictures), with recipe, seed, seconds and figures. Nothing is selected by hand. What is
told of a patient are the symptoms, never the bug: students can print it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from course_lib import shipped
from course_lib.amortized import Encoder
from course_lib.conditional import ConditionalVAE, DecoderOfPair, conditional_objective, predict
from course_lib.data import ASSETS, load_images
from course_lib.distributions import bernoulli_log_likelihood, gaussian_kl
from course_lib.explorers.conditional_and_convolutional_vaes import (
    COMPLETION_FILE,
    GIVEN,
    HIDDEN_DIM,
    PIXELS,
    SIDE,
    given_rows,
)
from course_lib.training import mean_bound, train

PATIENTS_07_FILE = ASSETS / "patients_07.npz"
HALF = PIXELS // 2
Made = tuple[dict[str, Tensor], dict[str, float]]


def recorded(recipe: str, seed: int, make: Callable[[int], Made]) -> shipped.Shipped:
    """Make a model from its seed, and take the time."""
    torch.manual_seed(seed)
    start = time.monotonic()
    arrays, figures = make(seed)
    model = shipped.Shipped(arrays, recipe, seed, time.monotonic() - start, figures)
    print(model, flush=True)
    return model


def unseen_bound(model: ConditionalVAE) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return the bound of the rows that are not given; how many are given is drawn for each image, 2 to 26."""

    def objective(batch: Tensor, generator: torch.Generator) -> Tensor:
        rows = torch.randint(2, 27, (len(batch),), generator=generator, device=batch.device)
        x = given_rows(batch, rows)
        hidden = 1 - x[:, PIXELS:].repeat_interleave(SIDE, -1)
        mu, log_sigma = model.encoder(x, batch)
        mu_p, log_sigma_p = model.prior(x)
        eps = torch.randn(mu.shape, generator=generator, device=mu.device)
        logits = model.decoder(x, mu + log_sigma.exp() * eps)
        log_likelihood = ((batch * logits - nn.functional.softplus(logits)) * hidden).sum(-1)
        return log_likelihood - gaussian_kl(mu, log_sigma.exp(), mu_p, log_sigma_p.exp())

    return objective


def standardise(prior: Encoder, decoder: DecoderOfPair, images: Tensor) -> None:
    """Shift and scale z so that over all that is given it has mean 0 and variance 1: the same model, in units that can be read."""
    rows = torch.arange(len(images)) % 25 + 2
    with torch.no_grad():
        mu, log_sigma = prior(given_rows(images, rows))
        mean, spread = mu.mean(0), ((2 * log_sigma).exp().mean(0) + mu.var(0)).sqrt()
        prior.mu.weight.div_(spread.unsqueeze(-1))
        prior.mu.bias.sub_(mean).div_(spread)
        prior.log_sigma.bias.sub_(spread.log())
        first = next(layer for layer in decoder.modules() if isinstance(layer, nn.Linear))
        first.bias.add_(first.weight[:, GIVEN:] @ mean)
        first.weight[:, GIVEN:].mul_(spread)


def completion(images: Tensor, test: Tensor, seed: int) -> Made:
    model = ConditionalVAE(GIVEN, PIXELS, HIDDEN_DIM, 2)
    train(
        model,
        images,
        epochs=20,
        batch_size=200,
        learning_rate=2e-3,
        objective=unseen_bound(model),
        seed=seed,
        device="cpu",
        progress=False,
    )
    bound = mean_bound(unseen_bound(model), test)
    standardise(model.prior, model.decoder, images[:5000].flatten(1) / 255)
    weights = {name: value.half() for name, value in model.state_dict().items() if not name.startswith("encoder")}
    return weights, {"bound of the rows not given, 2 to 26 given (nats a test digit)": bound}


class Sick(ConditionalVAE):
    """A conditional VAE that keeps what its two terms are, with one bug in a network or in how it answers."""

    def __init__(self, bug: str) -> None:
        super().__init__(HALF, HALF, 200, 16)
        self.bug = bug
        self.terms: list[tuple[float, float]] = []

    def priors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_sigma = self.prior(0 * x if self.bug == "b" else x)
        return mu, log_sigma

    def logits(self, x: Tensor, z: Tensor) -> Tensor:
        logits: Tensor = self.decoder(0 * x if self.bug == "b" else x, 0 * z if self.bug == "c" else z)
        return logits

    def elbo(self, x: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encoder(x, y)
        mu_p, log_sigma_p = self.priors(x)
        expected = bernoulli_log_likelihood(y, self.logits(x, mu + log_sigma.exp() * eps))
        kl = gaussian_kl(mu, log_sigma.exp(), mu_p, log_sigma_p.exp())
        self.terms.append((expected.mean().item(), kl.mean().item()))
        return expected - kl

    def answer(self, x: Tensor, eps: Tensor) -> Tensor:
        if self.bug == "a":
            return self.logits(x, eps).sigmoid()
        return predict(x, self.priors, self.logits, eps)


def patient(bug: str, images: Tensor, test: Tensor, seed: int) -> Made:
    model = Sick(bug)
    train(
        model,
        images,
        epochs=12,
        batch_size=100,
        learning_rate=2e-3,
        objective=conditional_objective(model, HALF),
        seed=seed,
        device="cpu",
        progress=False,
    )
    likelihood, kl = torch.tensor(model.terms).reshape(-1, 20, 2).mean(1).T
    x, y = test[:, :HALF], test[:, HALF:]
    with torch.no_grad():
        back = model.logits(x, model.encoder(x, y)[0]).sigmoid()
        answers = model.answer(x, torch.randn(2, len(x), 16, generator=torch.Generator().manual_seed(2)))

    def whole(lower: Tensor) -> Tensor:
        return (torch.cat([x, lower], -1) * 255).round().byte().reshape(-1, SIDE, SIDE)

    return {
        "likelihood_of_y": likelihood,
        "kl_given_x": kl,
        "steps": torch.arange(1, len(kl) + 1) * 20,
        "digits": whole(y),
        "z from q": whole(back),
        "an answer": whole(answers[0]),
        "another": whole(answers[1]),
    }, {"E[log p(y|x, z)] as trained (nats)": likelihood[-1].item(), "KL to the prior (nats)": kl[-1].item()}


def main(root: str) -> None:
    torch.set_num_threads(1)
    subset, test = load_images("train").images, load_images("test")
    recipe = (
        "Conditional VAE(392, 392, 200, 16) with one bug, lower halves of the embedded digits from the upper ones, 12 epochs of Adam, "
        "batches of 100, learning rate 0.002"
    )
    shown = test.flat()[:8]
    patients = {f"07_{bug}": recorded(recipe, 7, partial(patient, bug, subset, shown)) for bug in "abc"}
    shipped.save(PATIENTS_07_FILE, patients)
    images = load_images("train", full=True, root=root).images
    recipe = (
        f"ConditionalVAE({GIVEN}, {PIXELS}, {HIDDEN_DIM}, 2), the rows not given from those given, on the 60,000 training digits of MNIST, 20 "
        "epochs of Adam, batches of 200, learning rate 0.002; z shifted and scaled to mean 0 and variance 1 over all that is given"
    )
    shipped.save(
        COMPLETION_FILE, {"completion": recorded(recipe, 0, lambda seed: completion(images, test.images, seed))}
    )
    for path in (PATIENTS_07_FILE, COMPLETION_FILE):
        print(f"wrote {path.name}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
