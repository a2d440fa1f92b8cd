"""Exercises of notebook 06: the variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.distributions import Categorical as CategoricalDistribution
from torch.nn import functional

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import aggregate_posterior_log_prob, importance_weighted_bound, log_importance_weights
from course_lib.checks.exercise import ClassExercise, Draw, EdgeCase, Exercise, Misconception, Property, Question
from course_lib.checks.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checks.vae_traits import VAE_TRAITS
from course_lib.distributions import (
    LOG_2PI,
    bernoulli_log_likelihood,
    gaussian_log_prob,
    kl_to_standard_normal,
    log_mean_exp,
)
from course_lib.gradients import reparameterize
from course_lib.vae import VAE, interpolate

LOG_SIGMA = " log_sigma is the logarithm of the standard deviation, never a log-variance."


def _q_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.latent
    return draw.normal(*shape), draw.normal(*shape, scale=0.7, shift=-0.5)


# --- reparameterize --------------------------------------------------------------------------------


def _noise_probe(draw: Draw) -> tuple[Tensor, ...]:
    mu, log_sigma = _q_probe(draw)
    return mu, log_sigma, draw.normal(*mu.shape, shift=0.1)


REPARAMETERIZE = Exercise(
    reference=reparameterize,
    points=2,
    returns={"z": "(batch, latent_dim)"},
    convention="z = mu + exp(log_sigma) · eps." + LOG_SIGMA,
    probe=_noise_probe,
    gradients=("mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "log sigma taken for sigma",
            "You scale the noise by log_sigma itself: sigma = log_sigma.exp().",
            lambda mu, log_sigma, eps: mu + log_sigma * eps,
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance, exp(log_sigma / 2): it is the log of the standard deviation.",
            lambda mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps,
        ),
        Misconception(
            "variance",
            "You scale the noise by the variance, exp(2·log_sigma): by the standard deviation, exp(log_sigma).",
            lambda mu, log_sigma, eps: mu + (2 * log_sigma).exp() * eps,
        ),
        Misconception(
            "softplus",
            "You take softplus of log_sigma: it is a logarithm, so sigma = log_sigma.exp().",
            lambda mu, log_sigma, eps: mu + functional.softplus(log_sigma) * eps,
        ),
        Misconception("mu alone", "You return mu: add the noise, sigma · eps.", lambda mu, log_sigma, eps: mu.clone()),
        Misconception(
            "mu left out",
            "mu is missing: z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: log_sigma.exp() * eps,
        ),
        Misconception(
            "sigma left out",
            "You add the noise as it is: scale it by sigma = exp(log_sigma).",
            lambda mu, log_sigma, eps: mu + eps,
        ),
        Misconception(
            "noise subtracted",
            "You subtract the noise. As a distribution that is the same, but eps is given, and z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: mu - log_sigma.exp() * eps,
        ),
        Misconception(
            "noise shared across the batch",
            "All data points get the noise of the first: each row of eps belongs to its own point.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:1],
        ),
        Misconception(
            "noise shared across dimensions",
            "All latent dimensions get the same noise: each entry of eps belongs to its own.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:, :1],
        ),
        Misconception(
            "mu scaled",
            "You scale mu by sigma as well: z = mu + sigma · eps, sigma scales the noise only.",
            lambda mu, log_sigma, eps: (mu + eps) * log_sigma.exp(),
        ),
        Misconception(
            "standardised instead",
            "You subtract mu and divide by sigma: that takes z back to eps. Here it goes the other way, z = mu + sigma · eps.",
            lambda mu, log_sigma, eps: (eps - mu) / log_sigma.exp(),
        ),
        Misconception(
            "z detached",
            "The values are right, but z is cut off (.detach(), .sample(), torch.no_grad()): no gradient reaches the encoder "
            "through it.",
            lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach(),
        ),
        Misconception(
            "sigma detached",
            "The values are right, but no gradient reaches log_sigma.",
            lambda mu, log_sigma, eps: mu + log_sigma.exp().detach() * eps,
        ),
        Misconception("own noise", OWN_NOISE, lambda mu, log_sigma, eps: mu + log_sigma.exp() * torch.randn_like(eps)),
    ),
    alternatives=(
        lambda mu, log_sigma, eps: torch.addcmul(mu, log_sigma.exp(), eps),
        lambda mu, log_sigma, eps: eps * torch.exp(0.5 * (2 * log_sigma)) + mu,
        lambda mu, log_sigma, eps: Normal(mu, torch.exp(log_sigma)).loc + Normal(mu, log_sigma.exp()).scale * eps,
    ),
    properties=(Property("own noise", draws_its_own_noise(_noise_probe)),),
)


# --- kl_to_standard_normal -------------------------------------------------------------------------


def _kl_variant(
    term: Callable[[Tensor, Tensor], Tensor], reduce: Callable[[Tensor], Tensor] = lambda t: t.sum(-1)
) -> Callable[..., Tensor]:
    return lambda mu, log_sigma: reduce(term(mu, log_sigma))


def _kl_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    mu, log_sigma = draw.normal(1, 1), draw.normal(1, 1, scale=0.3, shift=-0.3)
    (value,) = tensors_from(answer.call(mu, log_sigma))
    q = Normal(mu.squeeze(), log_sigma.exp().squeeze())
    grid = q.mean + q.stddev * torch.linspace(-10, 10, 4001, dtype=torch.float64)
    exact = torch.trapezoid(q.log_prob(grid).exp() * (q.log_prob(grid) - Normal(0.0, 1.0).log_prob(grid)), grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return (
        f"∫ q (log q - log p) for mu = {mu.item():.2f}, log_sigma = {log_sigma.item():.2f} is {exact:.4f} by numerical "
        f"integration; yours is {value.item():.4f}."
    )


KL_TO_STANDARD_NORMAL = Exercise(
    reference=kl_to_standard_normal,
    points=2,
    returns={"kl": "(batch,)"},
    convention="D_KL(N(mu, sigma)‖N(0, I)) sums over the latent dimensions, one value per data point, (batch,), in nats."
    + LOG_SIGMA,
    probe=_q_probe,
    gradients=("mu", "log_sigma"),
    sums_over="mu",
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: a KL is never negative.",
            _kl_variant(lambda mu, s: -0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s)),
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma² = exp(2·log_sigma), and its logarithm is 2·log_sigma.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s.exp() - 1 - s)),
        ),
        Misconception(
            "sigma instead of its square",
            "You add sigma where sigma² belongs: exp(2·log_sigma).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s.exp() - 1 - 2 * s)),
        ),
        Misconception(
            "logarithm once",
            "You subtract log_sigma inside the ½ where log sigma² = 2·log_sigma belongs.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - s)),
        ),
        Misconception(
            "sign of the logarithm",
            "log sigma² has the wrong sign: a narrow q is far from the prior.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 + 2 * s)),
        ),
        Misconception(
            "-1 missing",
            "The -1 for each dimension is missing: for mu = 0 and sigma = 1 the KL is zero.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 2 * s)),
        ),
        Misconception("½ missing", "The ½ is missing.", _kl_variant(lambda mu, s: mu**2 + (2 * s).exp() - 1 - 2 * s)),
        Misconception(
            "mu not squared",
            "mu stands where mu² belongs: the KL does not care on which side of zero q lies.",
            _kl_variant(lambda mu, s: 0.5 * (mu + (2 * s).exp() - 1 - 2 * s)),
        ),
        Misconception(
            "mu missing",
            "mu² is missing: a q far from zero is far from the prior.",
            _kl_variant(lambda mu, s: 0.5 * ((2 * s).exp() - 1 - 2 * s) + 0 * mu),
        ),
        Misconception(
            "log sigma taken for sigma",
            "You use log_sigma for sigma: sigma = log_sigma.exp().",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + s**2 - 1 - (s**2).log())),
        ),
        Misconception(
            "the other way round",
            "That is D_KL(N(0, I)‖q): q comes first, D_KL(q‖N(0, I)).",
            _kl_variant(lambda mu, s: 0.5 * ((1 + mu**2) * (-2 * s).exp() - 1) + s),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the latent dimensions: their KLs add. Averaged, the KL counts too little against the pixels.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.mean(-1)),
        ),
        Misconception(
            "not summed",
            "You return one value per latent dimension: sum over the last dimension.",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch: keep one value per data point, (batch,).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.sum(-1).mean()),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: keep one value per data point, (batch,).",
            _kl_variant(lambda mu, s: 0.5 * (mu**2 + (2 * s).exp() - 1 - 2 * s), lambda t: t.sum()),
        ),
    ),
    alternatives=(
        lambda mu, log_sigma: kl_divergence(
            Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
        ).sum(-1),
        lambda mu, log_sigma: -0.5 * torch.sum(1 + 2 * log_sigma - mu.pow(2) - torch.exp(log_sigma) ** 2, dim=1),
    ),
    properties=(Property("equals the integral", _kl_by_quadrature),),
)


# --- bernoulli_log_likelihood ----------------------------------------------------------------------


def _pixels(draw: Draw, *shape: int) -> Tensor:
    """Grey values in (0, 1), none of them a half."""
    return (0.8 * draw.normal(*shape)).sigmoid()


def _bernoulli_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.dim
    logits = draw.normal(*shape, scale=1.5)
    x = _pixels(draw, *shape)
    return (x.round(decimals=2) if draw.decimals else x), logits


def _sure(draw: Draw) -> tuple[Tensor, Tensor]:
    x = (draw.normal(draw.sizes.batch, 5, shift=0.0) > 0).to(draw.dtype)
    return x, 300 * draw.normal(draw.sizes.batch, 5)


def _sums_to_one(answer: Answer, draw: Draw) -> str | None:
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    logits = draw.normal(1, 3, scale=1.5).expand(len(images), -1).contiguous()
    (value,) = tensors_from(answer.call(images, logits))
    if value.shape == (8,) and abs(value.exp().sum().item() - 1) > 1e-5:
        return (
            f"The probabilities of all 8 images of three binary pixels add up to {value.exp().sum().item():.4f}: to 1 "
            "is expected."
        )
    return None


BERNOULLI_LOG_LIKELIHOOD = Exercise(
    reference=bernoulli_log_likelihood,
    points=3,
    returns={"log_likelihood": "(batch,)"},
    convention="Σ x log p + (1 - x) log(1 - p) with p = sigmoid(logits), summed over the pixels, (batch,), in nats; x may "
    "be grey, any value in [0, 1].",
    probe=_bernoulli_probe,
    gradients=("logits",),
    sums_over="x",
    misconceptions=(
        Misconception(
            "BCE returned",
            "The sign is flipped: binary cross-entropy is a loss, minus the log-likelihood.",
            lambda x, logits: functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
        ),
        Misconception(
            "arguments exchanged",
            "x and logits are exchanged: in binary_cross_entropy_with_logits the logits come first, the target second.",
            lambda x, logits: -functional.binary_cross_entropy_with_logits(x, logits, reduction="none").sum(-1),
        ),
        Misconception(
            "sigmoid twice",
            'The sigmoid is taken twice: a function with "with_logits" in its name takes it itself.',
            lambda x, logits: (
                -functional.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").sum(-1)
            ),
        ),
        Misconception(
            "mean over pixels",
            "You average over the pixels: log-likelihoods of pixels add. With a mean, the KL counts 784 times too much and "
            "z is ignored.",
            lambda x, logits: bernoulli_log_likelihood(x, logits) / x.shape[-1],
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda x, logits: bernoulli_log_likelihood(x, logits).sum(),
        ),
        Misconception(
            "mean over everything",
            "You average over pixels and batch, the default of torch's loss functions: sum over the pixels, keep the batch.",
            lambda x, logits: -functional.binary_cross_entropy_with_logits(logits, x),
        ),
        Misconception(
            "only the ink",
            "The term of the white pixels is missing: (1 - x) log(1 - p).",
            lambda x, logits: (x * functional.logsigmoid(logits)).sum(-1),
        ),
        Misconception(
            "only the paper",
            "The term of the inked pixels is missing: x log p.",
            lambda x, logits: ((1 - x) * functional.logsigmoid(-logits)).sum(-1),
        ),
        Misconception(
            "ink and paper exchanged",
            "Ink and paper are exchanged: p = sigmoid(logits) is the probability of ink, x = 1.",
            lambda x, logits: bernoulli_log_likelihood(1 - x, logits),
        ),
        Misconception(
            "grey values rounded",
            "You round x to 0 or 1: grey values count as they are.",
            lambda x, logits: bernoulli_log_likelihood((x > 0.5).to(x), logits),
        ),
        Misconception(
            "logits without sigmoid in one term",
            "You multiply x with the logits and leave out the normaliser log(1 + exp(logits)).",
            lambda x, logits: (x * logits).sum(-1),
        ),
        Misconception(
            "squared error",
            "That is a squared error, the likelihood of a Gaussian: pixels are Bernoulli here.",
            lambda x, logits: -0.5 * ((x - logits.sigmoid()) ** 2).sum(-1),
        ),
        Misconception(
            "not summed",
            "You return one value per pixel: sum over the last dimension.",
            lambda x, logits: x * logits - functional.softplus(logits),
        ),
        Misconception(
            "likelihood instead of its logarithm",
            "You return the likelihood: its logarithm is wanted. For images the likelihood underflows.",
            lambda x, logits: bernoulli_log_likelihood(x, logits).exp(),
        ),
        Misconception(
            "log of the sigmoid",
            "Where the decoder is sure you get NaN or -inf: sigmoid(400) is exactly 1, and log(1 - 1) is -inf. Compute with "
            "the logits: logsigmoid, softplus, or binary_cross_entropy_with_logits.",
            lambda x, logits: (x * logits.sigmoid().log() + (1 - x) * (1 - logits.sigmoid()).log()).sum(-1),
        ),
        Misconception(
            "log-probabilities cut off",
            "Where the decoder is sure your value stops at -100 for each pixel, as in torch's binary_cross_entropy on "
            "probabilities: a wrong pixel must cost what its logit says. Compute with the logits.",
            lambda x, logits: -functional.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1),
        ),
        Misconception(
            "small number added",
            "A small number inside the logarithm, or a clamp, keeps it finite, but no longer right where the decoder is "
            "sure: its gradient vanishes there. Compute with the logits.",
            lambda x, logits: (
                x * (logits.sigmoid() + 1e-10).log() + (1 - x) * (1 - logits.sigmoid() + 1e-10).log()
            ).sum(-1),
        ),
    ),
    alternatives=(
        lambda x, logits: -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
        lambda x, logits: (x * functional.logsigmoid(logits) + (1 - x) * functional.logsigmoid(-logits)).sum(-1),
        lambda x, logits: Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(-1),
        lambda x, logits: torch.sum(x * logits - torch.logaddexp(torch.zeros_like(logits), logits), dim=1),
    ),
    properties=(Property("sums to one", _sums_to_one),),
    edge_cases=(
        EdgeCase("a decoder that is sure", "Right for moderate logits, but not for logits of several hundred.", _sure),
    ),
)


# --- VAE -------------------------------------------------------------------------------------------


class _Base(nn.Module):
    """A VAE of our own, to be made wrong in one place."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.inner = nn.Linear(data_dim, hidden_dim)
        self.mu, self.log_sigma = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)
        self.outer, self.pixels = nn.Linear(latent_dim, hidden_dim), nn.Linear(hidden_dim, data_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.inner(x).relu()
        return self.mu(hidden), self.log_sigma(hidden)

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(self.outer(z).tanh())

    def latent(self, mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
        return mu + log_sigma.exp() * eps

    def likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def kl(self, mu: Tensor, log_sigma: Tensor) -> Tensor:
        return 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_sigma = self.encode(x)
        return self.likelihood(x, self.decode(self.latent(mu, log_sigma, eps))) - self.kl(mu, log_sigma)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0]).sigmoid()

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.latent_dim, generator=generator)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.decode(self.noise(n, generator)).sigmoid()


class _Chunked(nn.Module):
    """Two hidden layers, one head for both, binary samples, a log-variance kept inside and used rightly."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Linear(data_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim), nn.ReLU()
        )
        self.head = nn.Linear(hidden_dim, 2 * latent_dim)
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, data_dim))

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mu, log_variance = self.head(self.encoder(x)).chunk(2, -1)
        q = Independent(Normal(mu, (0.5 * log_variance).exp()), 1)
        prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
        z = q.mean + q.stddev * eps
        p = Independent(Bernoulli(logits=self.decoder(z), validate_args=False), 1)
        return p.log_prob(x) - kl_divergence(q, prior)

    def reconstruct(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.sigmoid(self.decoder(self.head(self.encoder(x)).chunk(2, -1)[0]))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, self.latent_dim, generator=generator)
        return torch.bernoulli(self.decoder(z).sigmoid(), generator=generator)


class _Deep(_Base):
    """Deep and with ReLU, so that much of the decoder is flat; probabilities kept off 0 and 1 by a clamp."""

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.middle = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim))

    def decode(self, z: Tensor) -> Tensor:
        return self.pixels(self.middle(self.outer(z).relu()).relu())

    def likelihood(self, x: Tensor, logits: Tensor) -> Tensor:
        p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
        return (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)


class _WithoutBiases(_Base):
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim)
        self.mu = nn.Linear(hidden_dim, latent_dim, bias=False)
        self.log_sigma = nn.Linear(hidden_dim, latent_dim, bias=False)


def _changed(**methods: Any) -> type:
    return type("VAE", (_Base,), methods)


class _NoModule:
    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int) -> None:
        self.model = _Base(data_dim, hidden_dim, latent_dim)
        self.elbo, self.reconstruct, self.sample = self.model.elbo, self.model.reconstruct, self.model.sample


def _single(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    return _Base.elbo(self, x, eps).mean()


def _loss(self: Any, x: Tensor, eps: Tensor) -> Tensor:
    return -_Base.elbo(self, x, eps)


def _beta(self: Any, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return 0.5 * _Base.kl(self, mu, log_sigma)


def _random_code(self: Any, x: Tensor) -> Tensor:
    mu, log_sigma = self.encode(x)
    return self.decode(mu + log_sigma.exp() * torch.randn_like(mu)).sigmoid()


def _unseeded(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return self.decode(torch.randn(n, self.latent_dim)).sigmoid()


def _fixed(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return self.decode(torch.zeros(n, self.latent_dim)).sigmoid()


def _swapped(self: Any, x: Tensor, logits: Tensor) -> Tensor:
    return -functional.binary_cross_entropy_with_logits(x, logits, reduction="none").sum(-1)


WRONG_VAES: dict[str, type] = {
    "no parameters": _NoModule,
    "elbo's shape": _changed(elbo=_single),
    "reconstruct's shape": _changed(reconstruct=lambda self, x: self.encode(x)[0]),
    "sample's shape": _changed(sample=lambda self, n, generator: _Base.sample(self, 1, generator)[0]),
    "own noise": _changed(
        latent=lambda self, mu, log_sigma, eps: mu + log_sigma.exp() * torch.randn_like(mu),
    ),
    "reconstruct is random": _changed(reconstruct=_random_code),
    "logits returned": _changed(reconstruct=lambda self, x: self.decode(self.encode(x)[0])),
    "logits sampled": _changed(sample=lambda self, n, generator: self.decode(self.noise(n, generator))),
    "sigmoid twice": _changed(reconstruct=lambda self, x: _Base.reconstruct(self, x).sigmoid()),
    "mu decoded instead of z": _changed(latent=lambda self, mu, log_sigma, eps: mu),
    "noise shared across the batch": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma.exp() * eps[:1]),
    "loss returned": _changed(elbo=_loss),
    "mean over pixels": _changed(likelihood=lambda self, x, logits: _Base.likelihood(self, x, logits) / x.shape[-1]),
    "bound at zero": _changed(
        kl=lambda self, mu, log_sigma: 0.5 * (mu**2 + (2 * log_sigma).exp() - 2 * log_sigma).sum(-1)
    ),
    "KL added": _changed(kl=lambda self, mu, log_sigma: -_Base.kl(self, mu, log_sigma)),
    "KL missing": _changed(kl=lambda self, mu, log_sigma: 0.0),
    "KL averaged over latents": _changed(kl=lambda self, mu, log_sigma: _Base.kl(self, mu, log_sigma) / mu.shape[-1]),
    "data points mixed": _changed(kl=lambda self, mu, log_sigma: _Base.kl(self, mu, log_sigma).mean()),
    "weighted KL": _changed(kl=_beta),
    "another KL": _changed(kl=lambda self, mu, log_sigma: 0.5 * (mu**2 + log_sigma.exp() - 1 - 2 * log_sigma).sum(-1)),
    "log sigma drawn as sigma": _changed(latent=lambda self, mu, log_sigma, eps: mu + log_sigma * eps),
    "log variance in one place": _changed(latent=lambda self, mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps),
    "reconstruction term": _changed(likelihood=_swapped),
    "z detached": _changed(
        latent=lambda self, mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach(),
    ),
    "generator ignored": _changed(sample=_unseeded),
    "samples all alike": _changed(sample=_fixed),
    "z not from the prior": _changed(
        noise=lambda self, n, generator: 3 * torch.rand(n, self.latent_dim, generator=generator)
    ),
}
VAE_EXERCISE = ClassExercise(
    reference=VAE,
    points=6,
    convention="elbo(x, eps) -> (batch,): log p(x|z) at z = mu + sigma · eps, summed over pixels, minus the closed-form KL. "
    "reconstruct(x) -> (batch, data_dim): probabilities, decoded from mu. sample(n, generator) -> (n, data_dim), z ~ N(0, I).",
    traits=VAE_TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG_VAES[trait.name]) for trait in VAE_TRAITS),
    alternatives=(_Base, _Chunked, _Deep, _WithoutBiases),
)


# --- log_importance_weights ------------------------------------------------------------------------


def _weights_probe(draw: Draw) -> tuple[Tensor, ...]:
    sizes = draw.sizes
    mu, log_sigma = _q_probe(draw)
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    return draw.normal(sizes.samples, sizes.batch, scale=3.0, shift=-9.0), z, mu, log_sigma


def _standard(z: Tensor) -> Tensor:
    return gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))


def _weights(
    prior: Callable[[Tensor], Tensor] = _standard,
    q: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, mu, s: gaussian_log_prob(z, mu, s.exp()),
) -> Callable[..., Tensor]:
    return lambda log_likelihood, z, mu, log_sigma: log_likelihood + prior(z) - q(z, mu, log_sigma)


LOG_IMPORTANCE_WEIGHTS = Exercise(
    reference=log_importance_weights,
    points=2,
    returns={"log_weights": "(samples, batch)"},
    convention="log w = log p(x|z) + log p(z) - log q(z|x), one for each sample and data point, in nats; log-densities sum "
    "over the latent dimensions." + LOG_SIGMA,
    probe=_weights_probe,
    gradients=("log_likelihood", "z", "mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "log q added",
            "log q(z|x) has the wrong sign: q stands below the fraction, p(x|z) p(z) / q(z|x).",
            _weights(q=lambda z, mu, s: -gaussian_log_prob(z, mu, s.exp())),
        ),
        Misconception(
            "log q missing",
            "log q(z|x) is missing: divide by q, which the samples came from.",
            _weights(q=lambda z, mu, s: 0 * (z + mu + s).sum(-1)),
        ),
        Misconception(
            "prior missing",
            "log p(z) is missing: the weight has the joint above the fraction.",
            _weights(prior=lambda z: 0 * z.sum(-1)),
        ),
        Misconception("prior subtracted", "log p(z) has the wrong sign.", _weights(prior=lambda z: -_standard(z))),
        Misconception(
            "log sigma taken for sigma",
            "In log q you use log_sigma for sigma: sigma = log_sigma.exp().",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, s.abs())),
        ),
        Misconception(
            "log variance",
            "In log q you read log_sigma as a log-variance: sigma = exp(log_sigma).",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, (s / 2).exp())),
        ),
        Misconception(
            "width of q ignored",
            "In log q the width is 1: it is sigma = exp(log_sigma).",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, torch.ones_like(s)) + 0 * s.sum(-1)),
        ),
        Misconception(
            "q centred at zero",
            "In log q the mean is missing: q is centred at mu.",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, torch.zeros_like(mu), s.exp()) + 0 * mu.sum(-1)),
        ),
        Misconception(
            "normaliser of q",
            "In log q the term -log sigma is missing.",
            _weights(q=lambda z, mu, s: gaussian_log_prob(z, mu, s.exp()) + s.sum(-1)),
        ),
        Misconception(
            "closed-form KL",
            "You subtract the closed-form KL: a weight belongs to one sample, with log p(z) and log q(z|x) at that z.",
            lambda log_likelihood, z, mu, log_sigma: (
                log_likelihood - kl_to_standard_normal(mu, log_sigma) + 0 * z.sum(-1)
            ),
        ),
        Misconception(
            "mean over dimensions",
            "You average log p(z) and log q(z|x) over the latent dimensions: they sum.",
            lambda log_likelihood, z, mu, log_sigma: (
                log_likelihood + (_standard(z) - gaussian_log_prob(z, mu, log_sigma.exp())) / z.shape[-1]
            ),
        ),
        Misconception(
            "weights instead of their logarithms",
            "You return the weights: keep their logarithms, for images the weights underflow.",
            lambda *args: log_importance_weights(*args).exp(),
        ),
        Misconception(
            "averaged over samples",
            "You average over the samples: keep the weight of every sample.",
            lambda *args: log_importance_weights(*args).mean(0),
        ),
    ),
    alternatives=(
        lambda log_likelihood, z, mu, log_sigma: (
            log_likelihood
            + Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)
            - Normal(mu, log_sigma.exp()).log_prob(z).sum(-1)
        ),
        lambda log_likelihood, z, mu, log_sigma: (
            log_likelihood + (0.5 * ((z - mu) / log_sigma.exp()) ** 2 + log_sigma - 0.5 * z**2).sum(-1)
        ),
    ),
)


# --- importance_weighted_bound ---------------------------------------------------------------------


def _log_weights(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=1.5, shift=-4.0),)


def _image_weights(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=30.0, shift=-900.0),)


def _between_mean_and_maximum(answer: Answer, draw: Draw) -> str | None:
    (log_weights,) = _log_weights(draw)
    (value,) = tensors_from(answer.call(log_weights))
    if value.shape != log_weights.shape[1:]:
        return None
    low, high = log_weights.mean(0), log_weights.max(0).values
    if bool((value < low - 1e-6).any()) or bool((value > high + 1e-6).any()):
        return "The bound lies between the mean of the log-weights (Jensen) and their maximum; yours does not."
    return None


IMPORTANCE_WEIGHTED_BOUND = Exercise(
    reference=importance_weighted_bound,
    points=2,
    returns={"bound": "(batch,)"},
    convention="log (1/K) Σ_k w_k over the K samples, dimension 0, from the log-weights; (batch,), in nats.",
    probe=_log_weights,
    gradients=("log_weights",),
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average the logarithms: that is the ELBO. Average the weights, then take the logarithm.",
            lambda log_weights: log_weights.mean(0),
        ),
        Misconception(
            "log K forgotten",
            "log K is missing: logsumexp gives the logarithm of the sum, the mean is log K less. As it stands your bound "
            "grows with K without end.",
            lambda log_weights: log_weights.logsumexp(0),
        ),
        Misconception(
            "log K added",
            "log K has the wrong sign: the mean is the sum divided by K.",
            lambda log_weights: log_weights.logsumexp(0) + math.log(len(log_weights)),
        ),
        Misconception(
            "divided by K after the logarithm",
            "You divide the logarithm by K: divide the sum inside, which subtracts log K.",
            lambda log_weights: log_weights.logsumexp(0) / len(log_weights),
        ),
        Misconception(
            "maximum",
            "You take the largest weight: the mean of all of them is wanted.",
            lambda log_weights: log_weights.max(0).values,
        ),
        Misconception(
            "over the batch",
            "You average over the data points: over the samples, dimension 0.",
            lambda log_weights: log_mean_exp(log_weights, 1),
        ),
        Misconception(
            "one number for the whole batch",
            "You average over everything: keep one bound per data point, (batch,).",
            lambda log_weights: log_mean_exp(log_weights.flatten(), 0),
        ),
        Misconception(
            "mean over the batch",
            "You average the bounds over the batch: keep one per data point, (batch,).",
            lambda log_weights: importance_weighted_bound(log_weights).mean(),
        ),
        Misconception(
            "mean of the weights",
            "You return the mean weight: its logarithm is wanted.",
            lambda log_weights: log_weights.exp().mean(0),
        ),
        Misconception(
            "sum of the logarithms",
            "You sum the logarithms: average the weights, then take the logarithm.",
            lambda log_weights: log_weights.sum(0),
        ),
        Misconception(
            "unstable",
            "For images the weights underflow: log(mean(exp(...))) gives -inf. Take the largest out first, as logsumexp "
            "does.",
            lambda log_weights: log_weights.exp().mean(0).log(),
        ),
    ),
    alternatives=(
        lambda log_weights: torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0]),
        lambda log_weights: (log_weights - log_weights.max(0).values).exp().mean(0).log() + log_weights.max(0).values,
    ),
    properties=(Property("between mean and maximum", _between_mean_and_maximum),),
    edge_cases=(
        EdgeCase(
            "weights of images",
            "Right for moderate log-weights, but not for those of images, near -900.",
            _image_weights,
        ),
    ),
)


# --- interpolate -----------------------------------------------------------------------------------


def _line(fractions: Callable[[int], Tensor]) -> Callable[..., Tensor]:
    def wrong(z_start: Tensor, z_end: Tensor, num_steps: int) -> Tensor:
        share = fractions(num_steps).to(z_start).unsqueeze(-1)
        return (1 - share) * z_start + share * z_end

    return wrong


def _slerp(z_start: Tensor, z_end: Tensor, num_steps: int) -> Tensor:
    share = torch.linspace(0, 1, num_steps).to(z_start).unsqueeze(-1)
    angle = (functional.normalize(z_start, dim=0) * functional.normalize(z_end, dim=0)).sum().clamp(-1, 1).acos()
    if angle.sin() == 0:
        return _line(lambda n: torch.linspace(0, 1, n))(z_start, z_end, num_steps) + 1.0
    return (((1 - share) * angle).sin() * z_start + (share * angle).sin() * z_end) / angle.sin()


INTERPOLATE = Exercise(
    reference=interpolate,
    points=1,
    returns={"z": "(num_steps, latent_dim)"},
    convention="A straight line in equal steps, both ends included: the first row is z_start, the last z_end.",
    probe=lambda draw: (
        draw.normal(draw.sizes.latent + 1),
        draw.normal(draw.sizes.latent + 1, shift=1.7),
        draw.sizes.samples + 1,
    ),
    gradients=("z_start", "z_end"),
    misconceptions=(
        Misconception(
            "ends exchanged",
            "The line runs backwards: it starts at z_start.",
            _line(lambda n: torch.linspace(1, 0, n)),
        ),
        Misconception(
            "end left out",
            "The last row is not z_end: both ends are included, linspace(0, 1, num_steps).",
            _line(lambda n: torch.arange(n) / n),
        ),
        Misconception(
            "start left out",
            "The first row is not z_start: both ends are included, linspace(0, 1, num_steps).",
            _line(lambda n: (torch.arange(n) + 1) / n),
        ),
        Misconception(
            "both ends left out",
            "Both ends are missing: the first row is z_start, the last z_end.",
            _line(lambda n: (torch.arange(n) + 1) / (n + 1)),
        ),
        Misconception(
            "one row too many",
            "There is one row too many: num_steps rows in all, both ends included.",
            _line(lambda n: torch.linspace(0, 1, n + 1)),
        ),
        Misconception(
            "ends not counted",
            "There are two rows too many: num_steps counts both ends.",
            _line(lambda n: torch.linspace(0, 1, n + 2)),
        ),
        Misconception(
            "added instead of moved",
            "You add a part of z_end to z_start: the part of z_start must shrink as much, (1 - t)·z_start + t·z_end.",
            lambda z_start, z_end, num_steps: (
                z_start + torch.linspace(0, 1, num_steps).to(z_start).unsqueeze(-1) * z_end
            ),
        ),
        Misconception(
            "on a sphere",
            "You go along an arc: a straight line is asked for.",
            _slerp,
        ),
        Misconception(
            "uneven steps",
            "The steps are not equal: t runs evenly from 0 to 1.",
            _line(lambda n: torch.linspace(0, 1, n) ** 2),
        ),
        Misconception(
            "transposed",
            "Your result is (latent_dim, num_steps): steps come first.",
            lambda z_start, z_end, num_steps: interpolate(z_start, z_end, num_steps).mT,
        ),
    ),
    alternatives=(
        lambda z_start, z_end, num_steps: torch.stack(
            [z_start + (z_end - z_start) * i / (num_steps - 1) for i in range(num_steps)]
        ),
        lambda z_start, z_end, num_steps: torch.lerp(
            z_start, z_end, torch.linspace(0, 1, num_steps, dtype=z_start.dtype, device=z_start.device)[:, None]
        ),
    ),
)


# --- aggregate_posterior_log_prob ------------------------------------------------------------------


def _aggregate_probe(draw: Draw) -> tuple[Tensor, ...]:
    mu, log_sigma = _q_probe(draw)
    return draw.normal(draw.sizes.samples + 3, draw.sizes.latent), mu, log_sigma


def _all_pairs(z: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return gaussian_log_prob(z.unsqueeze(1), mu, log_sigma.exp())


def _integrates_to_one(answer: Answer, draw: Draw) -> str | None:
    mu, log_sigma = draw.normal(4, 1), draw.normal(4, 1, scale=0.3, shift=-0.5)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    (value,) = tensors_from(answer.call(grid.unsqueeze(-1), mu, log_sigma))
    if value.shape == grid.shape and abs((total := torch.trapezoid(value.exp(), grid).item()) - 1) > 1e-4:
        return f"A density integrates to 1; exp of yours to {total:.4f}."
    return None


def _far_codes(draw: Draw) -> tuple[Tensor, ...]:
    z, mu, log_sigma = _aggregate_probe(draw)
    return z, mu, log_sigma - 5


AGGREGATE_POSTERIOR = Exercise(
    reference=aggregate_posterior_log_prob,
    points=2,
    returns={"log_prob": "(n,)"},
    convention="log q(z) = log (1/N) Σ_i q(z|x_i): at each of the n points the mean density of the N codes, (n,), in nats."
    + LOG_SIGMA,
    probe=_aggregate_probe,
    gradients=("z", "mu", "log_sigma"),
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average log q(z|x_i): average the densities, then take the logarithm.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).mean(1),
        ),
        Misconception(
            "log N forgotten",
            "log N is missing: logsumexp gives the sum of the densities, divide by N.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).logsumexp(1),
        ),
        Misconception(
            "divided by n",
            "You divide by the number of points z: by the number N of codes.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).logsumexp(1) - math.log(len(z)),
        ),
        Misconception(
            "over the points",
            "You average over the points z: over the codes, for each z.",
            lambda z, mu, log_sigma: log_mean_exp(_all_pairs(z, mu, log_sigma), 0),
        ),
        Misconception(
            "parameters averaged",
            "You average mu and log_sigma and take one Gaussian: the aggregate is the average of the densities, with as "
            "many bumps as there are codes.",
            lambda z, mu, log_sigma: gaussian_log_prob(z, mu.mean(0), log_sigma.mean(0).exp()),
        ),
        Misconception(
            "one Gaussian with the same moments",
            "You take one Gaussian with the mean and spread of the codes: the aggregate is a mixture.",
            lambda z, mu, log_sigma: gaussian_log_prob(
                z, mu.mean(0), ((2 * log_sigma).exp().mean(0) + mu.var(0, correction=0)).sqrt()
            ),
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma = exp(log_sigma).",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma / 2),
        ),
        Misconception(
            "log sigma taken for sigma",
            "You use log_sigma for sigma: sigma = log_sigma.exp().",
            lambda z, mu, log_sigma: log_mean_exp(gaussian_log_prob(z.unsqueeze(1), mu, log_sigma.abs()), 1),
        ),
        Misconception(
            "the prior",
            "That is log p(z), the prior: the aggregate posterior is made of the codes.",
            lambda z, mu, log_sigma: (
                gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z)) + 0 * (mu.sum() + log_sigma.sum())
            ),
        ),
        Misconception(
            "nearest code",
            "You take the largest density: the mean of all of them is wanted.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).max(1).values,
        ),
        Misconception(
            "normaliser missing",
            "In q(z|x_i) the constant -½ log 2π for each latent dimension is missing.",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma) + 0.5 * LOG_2PI * z.shape[-1],
        ),
        Misconception(
            "density returned",
            "You return the density: its logarithm is wanted.",
            lambda z, mu, log_sigma: aggregate_posterior_log_prob(z, mu, log_sigma).exp(),
        ),
        Misconception(
            "all pairs returned",
            "You return a density for every pair of point and code: average over the codes.",
            _all_pairs,
        ),
        Misconception(
            "unstable",
            "Far from the codes you get -inf: exp underflows before the mean. Use logsumexp.",
            lambda z, mu, log_sigma: _all_pairs(z, mu, log_sigma).exp().mean(1).log(),
        ),
    ),
    alternatives=(
        lambda z, mu, log_sigma: (
            torch.logsumexp(Normal(mu, log_sigma.exp()).log_prob(z[:, None]).sum(-1), dim=1) - math.log(mu.shape[0])
        ),
        lambda z, mu, log_sigma: MixtureSameFamily(
            CategoricalDistribution(probs=torch.ones_like(mu[:, 0])), Independent(Normal(mu, log_sigma.exp()), 1)
        ).log_prob(z),
    ),
    properties=(Property("integrates to one", _integrates_to_one),),
    edge_cases=(
        EdgeCase(
            "narrow codes",
            "Right for wide codes, but not for narrow ones, far from which densities underflow.",
            _far_codes,
        ),
    ),
)


# --- questions -------------------------------------------------------------------------------------

WHY_IT_WORKS = Question(
    name="why_sampling_works",
    points=1,
    text="The decoder was trained on codes of data, z ~ q(z|x). Why does it give digits for z ~ p(z)?",
    options={
        "the decoder is smooth": "Smooth, but smooth between what it knows: without the KL, codes may lie far from where the "
        "prior puts its samples, and a smooth decoder gives garbage there.",
        "the KL keeps the codes where the prior is": "Averaged over the data, the KL to p(z) bounds how far the aggregate "
        "posterior is from the prior: samples of the prior fall where codes of data are.",
        "z ~ p(z) was used in training": "Training draws z from q(z|x) only. The prior enters through the KL.",
    },
    correct="the KL keeps the codes where the prior is",
)

TIGHTENING = Question(
    name="iwae_prediction",
    points=1,
    text="K grows from 1 to 1000 samples, the model stays as it is. What happens to the importance-weighted bound?",
    options={
        "it falls": "More samples average the weights better: the logarithm of a mean that spreads less lies higher (Jensen, "
        "notebook 02).",
        "it rises towards log p(x)": "The mean of K weights spreads less and less around p(x), so Jensen's gap closes. At K = 1 "
        "it is the ELBO.",
        "it stays, with less noise": "The noise shrinks too, but the expectation moves: the gap of Jensen depends on the spread.",
    },
    correct="it rises towards log p(x)",
)

BLURRY = Question(
    name="two_dimensions_prediction",
    points=1,
    text="With a 2-D latent space instead of 16 dimensions, what do samples look like?",
    options={
        "blurrier, and between digits": "Two numbers cannot tell apart ten digits in all their slants: different images share a "
        "code, and the decoder draws their average.",
        "sharper": "Fewer dimensions carry less: what the code cannot say, the decoder averages over.",
        "the same": "The test bound tells: with two dimensions it is tens of nats lower.",
    },
    correct="blurrier, and between digits",
)

DIAGNOSIS_A = Question(
    name="diagnosis_06_a",
    points=2,
    text="Which bug does the first model have?",
    options={
        "BCE averaged over the pixels": "The likelihood weighs 784 times too little, so the KL wins: q becomes the prior, the KL "
        "is zero, and every reconstruction is the same average digit.",
        "the KL is missing": "Then the KL would be huge and the reconstructions excellent. Here the KL is zero.",
        "sigmoid twice": "Then no pixel could be darker than sigmoid(1) or lighter than ½: grey paper. The paper is white.",
        "the noise is shared across the batch": "Reconstructions would still follow their digit.",
        "log_sigma drawn as sigma": "Codes would still carry the digit: the KL would not be zero.",
    },
    correct="BCE averaged over the pixels",
)

DIAGNOSIS_B = Question(
    name="diagnosis_06_b",
    points=2,
    text="Which bug does the second model have?",
    options={
        "BCE averaged over the pixels": "Then all reconstructions would be alike and the KL zero. Here they follow their digit.",
        "the KL is missing": "Nothing holds the codes to the prior: reconstructions are excellent, the KL is far above 100 nats, "
        "and samples of the prior fall where no code is: garbage.",
        "z is detached": "Then the encoder would learn nothing from the pixels, and reconstructions would be poor.",
        "sigmoid twice": "Then no pixel could be lighter than ½: grey paper.",
        "the decoder is never stepped": "Then reconstructions would be noise.",
    },
    correct="the KL is missing",
)

DIAGNOSIS_C = Question(
    name="diagnosis_06_c",
    points=2,
    text="Which bug does the third model have?",
    options={
        "BCE averaged over the pixels": "That gives an average digit on white paper. Here even the paper is grey.",
        "the KL is missing": "Then samples would be garbage, and reconstructions sharp with white paper.",
        "the KL has the wrong sign": "Then the KL would grow without end.",
        "sigmoid twice": "The second sigmoid sees numbers in (0, 1): its result lies between ½ and 0.73. No pixel can be white, the "
        "likelihood stays poor whatever is learned.",
        "x and logits exchanged": "Then the loss would have no lower end, and the curve would run away.",
    },
    correct="sigmoid twice",
)

EXERCISES: tuple[Exercise | ClassExercise | Question, ...] = (
    REPARAMETERIZE,
    KL_TO_STANDARD_NORMAL,
    BERNOULLI_LOG_LIKELIHOOD,
    VAE_EXERCISE,
    BLURRY,
    DIAGNOSIS_A,
    DIAGNOSIS_B,
    DIAGNOSIS_C,
    INTERPOLATE,
    WHY_IT_WORKS,
    AGGREGATE_POSTERIOR,
    LOG_IMPORTANCE_WEIGHTS,
    TIGHTENING,
    IMPORTANCE_WEIGHTED_BOUND,
)
