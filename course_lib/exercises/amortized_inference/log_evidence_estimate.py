"""log p(x) by importance sampling, with q as the proposal; held against the exact evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.amortized import log_evidence_estimate
from course_lib.answers import Answer, tensors_from
from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checker.probes import Draw, Sizes
from course_lib.distributions import gaussian_log_prob, kl_to_standard_normal, log_mean_exp
from course_lib.exercises.variational_inference.probes import elbo_probe, standard_normal
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior

LARGE = 300  # dimensions, as many as make a product of densities underflow


def _like_images(draw: Draw) -> tuple[Any, ...]:
    sizes = Sizes(draw.sizes.batch, LARGE, draw.sizes.latent, draw.sizes.samples, draw.sizes.components)
    return elbo_probe(_with_sizes(draw, sizes))


def _with_sizes(draw: Draw, sizes: Sizes) -> Draw:
    return Draw(draw.integer(1000), sizes, draw.dtype, draw.device)


def _exact_at_the_posterior(answer: Answer, draw: Draw) -> str | None:
    """With the posterior itself as q every weight is p(x), so that any number of samples gives it exactly."""
    W, b, sigma = draw.normal(3, 1), draw.normal(3), draw.positive(1).squeeze()
    x = draw.normal(2, 3)
    mu, covariance = linear_gaussian_posterior(x, W, b, sigma)
    log_sigma = 0.5 * covariance.diagonal(dim1=-2, dim2=-1).log().expand_as(mu)
    eps = draw.normal(5, 2, 1)
    (value,) = tensors_from(answer.call(x, mu, log_sigma, eps, lambda z: z @ W.mT + b, sigma))
    exact = linear_gaussian_evidence(x, W, b, sigma)
    if value.shape == exact.shape and not torch.allclose(value, exact, atol=1e-6):
        return (
            f"Where q is the exact posterior every weight is p(x), and log p(x) = {exact[0].item():.4f} comes out whatever the "
            f"samples are; yours gives {value[0].item():.4f}."
        )
    return None


def _estimate(
    z: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps,
    prior: Callable[[Tensor], Tensor] = standard_normal,
    log_q: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, mu, s: gaussian_log_prob(z, mu, s.exp()),
    likelihood: Callable[[Tensor, Tensor, Tensor], Tensor] = gaussian_log_prob,
    average: Callable[[Tensor], Tensor] = lambda log_w: log_mean_exp(log_w, 0),
) -> Callable[..., Tensor]:
    """The estimate with one of its parts replaced."""

    def estimate(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
        sample = z(mu, log_sigma, eps)
        sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
        log_w = likelihood(x, decoder(sample), sigma_x) + prior(sample) - log_q(sample, mu, log_sigma)
        return average(log_w)

    return estimate


def _closed_form_kl(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    log_likelihood = gaussian_log_prob(x, decoder(mu + log_sigma.exp() * eps), torch.as_tensor(sigma_x).to(x))
    return log_mean_exp(log_likelihood, 0) - kl_to_standard_normal(mu, log_sigma)


def _with_distributions(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    q = Normal(mu, log_sigma.exp())
    z = q.mean + q.stddev * eps
    log_joint = Normal(decoder(z), sigma_x).log_prob(x).sum(-1) + Normal(0.0, 1.0).log_prob(z).sum(-1)
    return torch.logsumexp(log_joint - q.log_prob(z).sum(-1), dim=0) - math.log(eps.shape[0])


def _largest_taken_out(*args: Any) -> Tensor:
    return _estimate(average=lambda w: (w - w.max(0).values).exp().mean(0).log() + w.max(0).values)(*args)


EXERCISE = Exercise(
    reference=log_evidence_estimate,
    points=2,
    returns={"log_evidence": "(batch,)"},
    convention="log (1/S) Σ_s p(x|z_s) p(z_s) / q(z_s) with z = mu + exp(log_sigma) · eps, from the logarithms of the weights; "
    "one value per data point, (batch,), in nats.",
    probe=elbo_probe,
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average the logarithms of the weights: that is a bound, with q's entropy from the samples. Average the "
            "weights, then take the logarithm.",
            _estimate(average=lambda log_w: log_w.mean(0)),
        ),
        Misconception(
            "the bound",
            "That is the bound of q: log p(x) lies above it, and importance weights say by how much.",
            per_point_elbo,
        ),
        Misconception(
            "log S forgotten",
            "log S is missing: logsumexp gives the logarithm of the sum, the mean is log S less.",
            _estimate(average=lambda log_w: log_w.logsumexp(0)),
        ),
        Misconception(
            "log q missing",
            "log q(z) is missing: samples of q come where q likes to be, and each is weighted with 1/q(z) to make up for it.",
            _estimate(log_q=lambda z, mu, s: 0 * z.sum(-1)),
        ),
        Misconception(
            "log q added",
            "log q(z) has the wrong sign: q stands below the fraction, p(x|z) p(z) / q(z).",
            _estimate(log_q=lambda z, mu, s: -gaussian_log_prob(z, mu, s.exp())),
        ),
        Misconception(
            "prior missing",
            "log p(z) is missing: above the fraction stands the joint, p(x|z) p(z).",
            _estimate(prior=lambda z: 0 * z.sum(-1)),
        ),
        Misconception(
            "samples taken for the prior's",
            "You average p(x|z) alone, which is right for samples of the prior (notebook 01). These come from q: weigh "
            "each with p(z)/q(z).",
            _estimate(prior=lambda z: 0 * z.sum(-1), log_q=lambda z, mu, s: 0 * z.sum(-1)),
        ),
        Misconception(
            "closed-form KL",
            "You subtract the closed-form KL, the mean of log q(z) - log p(z): each weight needs both at its own sample, "
            "inside the mean.",
            _closed_form_kl,
        ),
        Misconception(
            "log variance",
            "You read log_sigma as a log-variance: sigma = exp(log_sigma), in z and in log q(z).",
            lambda x, mu, log_sigma, *rest: log_evidence_estimate(x, mu, log_sigma / 2, *rest),
        ),
        Misconception(
            "noise decoded",
            "You decode eps: samples of q are z = mu + exp(log_sigma) · eps.",
            _estimate(z=lambda mu, log_sigma, eps: eps),
        ),
        Misconception(
            "over the batch",
            "You average over the data points: over the samples, dimension 0.",
            _estimate(average=lambda log_w: log_mean_exp(log_w, 1)),
        ),
        Misconception(
            "mean over pixels",
            "You average log p(x|z) over the dimensions of x: log-densities sum over the last dimension.",
            _estimate(likelihood=lambda x, mean, sigma: gaussian_log_prob(x, mean, sigma) / x.shape[-1]),
        ),
        Misconception(
            "no logarithm",
            "You return the mean weight: its logarithm is wanted.",
            _estimate(average=lambda log_w: log_w.exp().mean(0)),
        ),
        Misconception(
            "unstable",
            "For images the weights underflow, and log(mean(exp(...))) gives -inf: use torch.logsumexp, or log_mean_exp from "
            "notebook 00.",
            _estimate(average=lambda log_w: log_w.exp().mean(0).log()),
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            lambda x, mu, log_sigma, eps, *rest: log_evidence_estimate(x, mu, log_sigma, torch.randn_like(eps), *rest),
        ),
    ),
    alternatives=(_with_distributions, _largest_taken_out),
    properties=(
        Property("own noise", draws_its_own_noise(elbo_probe)),
        Property("exact at the posterior", _exact_at_the_posterior),
    ),
    edge_cases=(
        EdgeCase(
            "as many dimensions as an image",
            "Right for a few dimensions, but not for hundreds, where the weights are too small for a float.",
            _like_images,
        ),
    ),
)
