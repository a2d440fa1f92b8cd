"""log p(x) estimated from the prior's samples; held against quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import monte_carlo_log_likelihood
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob


def _decoder(draw: Draw, latent: int, dim: int) -> Callable[[Tensor], Tensor]:
    weight, bias = draw.normal(latent, dim), draw.normal(dim)

    def decoder(z: Tensor) -> Tensor:
        return torch.tanh(z @ weight.to(z)) + bias.to(z)

    return decoder


def _monte_carlo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent, shift=0.0)
    x = draw.normal(sizes.batch, sizes.dim)
    decoder = _decoder(draw, sizes.latent, sizes.dim)
    return x, z, decoder, draw.positive(sizes.dim)


def _monte_carlo_float_sigma(draw: Draw) -> tuple[Any, ...]:
    x, z, decoder, sigma = _monte_carlo_probe(draw)
    return x, z, decoder, float(sigma[0])


def _monte_carlo_far(draw: Draw) -> tuple[Any, ...]:
    x, z, decoder, sigma = _monte_carlo_probe(draw)
    return x + 80.0, z, decoder, sigma


def _monte_carlo_image(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent, shift=0.0)
    return draw.normal(sizes.batch, 784), z, _decoder(draw, sizes.latent, 784), draw.positive(784)


def _likelihoods(x: Tensor, z: Tensor, decoder: Callable[[Tensor], Tensor], sigma: Any) -> Tensor:
    return gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma, dtype=x.dtype, device=x.device))


def _approaches_quadrature(answer: Answer, draw: Draw) -> str | None:
    """With quantiles of the prior for samples, the estimate is a quadrature of p(x) = ∫ p(x|z) p(z) dz."""
    quantiles = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    z = torch.special.ndtri(quantiles).reshape(-1, 1, 1)
    x = draw.normal(1, 1)
    sigma = draw.positive(1)
    (value,) = tensors_from(answer.call(x, z, lambda z: 1.3 * z + 0.4, sigma))
    exact = Normal(0.4, (1.3**2 + sigma**2).sqrt()).log_prob(x).squeeze()  # x = 1.3 z + 0.4 + sigma·noise
    if value.numel() != 1 or abs(value.item() - exact.item()) < 5e-3:
        return None
    return (
        "For a linear decoder p(x) is known exactly. With many samples the estimate must come near "
        f"log p(x) = {exact.item():.3f}; yours is {value.item():.3f}."
    )


EXERCISE = Exercise(
    reference=monte_carlo_log_likelihood,
    points=3,
    returns={"log_likelihood": "(batch,)"},
    convention="Monte Carlo samples come in front, z is (samples, batch, latent_dim). sigma is the standard deviation "
    "of p(x|z). The result is in nats, one value per data point.",
    probe=_monte_carlo_probe,
    gradients=("x", "z"),
    sums_over=None,
    misconceptions=(
        Misconception(
            "mean of the logs",
            "You average log p(x|z) over the samples. The mean stands inside the logarithm: log of the mean of "
            "p(x|z). Yours is a lower bound of it, by Jensen's inequality.",
            lambda x, z, d, s: _likelihoods(x, z, d, s).mean(0),
        ),
        Misconception(
            "sum of the samples instead of their mean",
            "That is the log of the sum over samples: subtract the log of the number of samples.",
            lambda x, z, d, s: torch.logsumexp(_likelihoods(x, z, d, s), 0),
        ),
        Misconception(
            "average over the batch",
            "You average over the batch instead of the samples: Monte Carlo samples come in front, dimension 0.",
            lambda x, z, d, s: torch.logsumexp(_likelihoods(x, z, d, s), 1) - math.log(z.shape[1]),
        ),
        Misconception(
            "divided by the number of data points",
            "You divide by the batch size; divide by the number of samples.",
            lambda x, z, d, s: torch.logsumexp(_likelihoods(x, z, d, s), 0) - math.log(z.shape[1]),
        ),
        Misconception(
            "samples averaged before decoding",
            "You average the samples z before the decoder: the decoder of the mean is not the mean over z of p(x|z).",
            lambda x, z, d, s: _likelihoods(x, z.mean(0), d, s),
        ),
        Misconception(
            "decoded means averaged",
            "You average the decoded means, then evaluate one Gaussian: average the likelihoods p(x|z) instead.",
            lambda x, z, d, s: gaussian_log_prob(x, d(z).mean(0), torch.as_tensor(s, dtype=x.dtype)),
        ),
        Misconception(
            "best sample only",
            "You keep only the best sample (max): average p(x|z) over all of them.",
            lambda x, z, d, s: _likelihoods(x, z, d, s).amax(0),
        ),
        Misconception(
            "prior counted twice",
            "You add log p(z). The samples are drawn from the prior already, which is how p(z) enters.",
            lambda x, z, d, s: (
                torch.logsumexp(_likelihoods(x, z, d, s) + Normal(0.0, 1.0).log_prob(z).sum(-1), 0) - math.log(len(z))
            ),
        ),
        Misconception(
            "mean over dimensions",
            "You average the log-density over the dimensions of x: it is their sum.",
            lambda x, z, d, s: torch.logsumexp(_likelihoods(x, z, d, s) / x.shape[-1], 0) - math.log(len(z)),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma as the variance of p(x|z): it is the standard deviation.",
            lambda x, z, d, s: monte_carlo_log_likelihood(x, z, d, s**0.5),
        ),
        Misconception(
            "missing normaliser",
            "The normaliser of p(x|z), -log sigma - ½ log 2π for each dimension, is missing.",
            lambda x, z, d, s: torch.logsumexp(-0.5 * (((x - d(z)) / s) ** 2).sum(-1), 0) - math.log(len(z)),
        ),
        Misconception(
            "exp before log",
            "You average densities and take the logarithm after: for images they underflow to 0. Use your "
            "log_mean_exp on log p(x|z).",
            lambda x, z, d, s: _likelihoods(x, z, d, s).exp().mean(0).log(),
        ),
        Misconception(
            "samples not averaged",
            "You return one value per sample: average over the samples, inside the logarithm.",
            _likelihoods,
        ),
        Misconception(
            "averaged over the data too",
            "You average over the samples and the data points together: keep one value per data point.",
            lambda x, z, d, s: (
                torch.logsumexp(_likelihoods(x, z, d, s).flatten(), 0) - math.log(z.shape[0] * z.shape[1])
            ),
        ),
    ),
    alternatives=(
        lambda x, z, d, s: torch.logsumexp(Normal(d(z), s).log_prob(x).sum(-1), dim=0) - math.log(z.shape[0]),
        lambda x, z, d, s: torch.stack(
            [Independent(Normal(d(one), s), 1).log_prob(x) - math.log(len(z)) for one in z]
        ).logsumexp(0),
    ),
    properties=(Property("approaches the exact value", _approaches_quadrature),),
    edge_cases=(
        EdgeCase(
            "sigma a plain number",
            "Right where sigma is a tensor, but it may be a plain float too: torch.as_tensor(sigma) makes both alike.",
            _monte_carlo_float_sigma,
        ),
        EdgeCase(
            "far from every decoded mean",
            "Right near the decoded means, but not far from them: p(x|z) underflows to 0 there. Stay with logarithms.",
            _monte_carlo_far,
        ),
        EdgeCase(
            "images",
            "Right in a few dimensions, but not for 784 pixels: p(x|z) underflows to 0 there. Stay with logarithms.",
            _monte_carlo_image,
        ),
    ),
)
