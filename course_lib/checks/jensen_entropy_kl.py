"""Exercises of notebook 02: Jensen's inequality, entropy, KL divergence, and why the bound is tight."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MultivariateNormal, Normal, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import jensen_gap, monte_carlo_elbo
from course_lib.checks.exercise import Draw, EdgeCase, Exercise, Misconception, Property, Question
from course_lib.distributions import (
    LOG_2PI,
    categorical_entropy,
    gaussian_entropy,
    gaussian_kl,
    gaussian_log_prob,
    monte_carlo_kl,
)
from course_lib.linear_gaussian import linear_gaussian_evidence, linear_gaussian_posterior

PER_POINT = (
    "Entropies and KLs sum over the event (last) dimension and return one value per data point, (batch,), in nats."
)
STANDARD_DEVIATION = " Gaussians are given by mean mu and standard deviation sigma."


# --- jensen_gap ----------------------------------------------------------------------------------


def _gap_of_equal_values(answer: Answer, draw: Draw) -> str | None:
    y = draw.positive(1).expand(6).clone()
    (gap,) = tensors_from(answer.call(y))
    if gap.numel() == 1 and abs(gap.item()) > 1e-6:
        return f"Where all values are equal, log E[y] = E[log y] and the gap is 0. Yours is {gap.item():.4f}."
    return None


def _gap_is_positive(answer: Answer, draw: Draw) -> str | None:
    (gap,) = tensors_from(answer.call(draw.positive(50)))
    if gap.numel() == 1 and gap.item() < 0:
        return f"By Jensen's inequality log E[y] ≥ E[log y]: the gap is never negative. Yours is {gap.item():.4f}."
    return None


JENSEN_GAP = Exercise(
    reference=jensen_gap,
    points=2,
    returns={"gap": "()"},
    convention="The gap is log E[y] - E[log y], natural logarithms, the expectation the plain mean of the n values.",
    probe=lambda draw: (draw.positive(draw.sizes.batch + 4),),
    number_accepted=True,
    misconceptions=(
        Misconception(
            "log and mean exchanged",
            "The two terms are exchanged: the gap is log E[y] - E[log y], which is never negative.",
            lambda y: y.log().mean() - y.mean().log(),
        ),
        Misconception(
            "only log of the mean",
            "That is log E[y] alone: subtract E[log y].",
            lambda y: y.mean().log(),
        ),
        Misconception(
            "only mean of the log",
            "That is E[log y] alone: subtract it from log E[y].",
            lambda y: y.log().mean(),
        ),
        Misconception(
            "log inside on both sides",
            "Your two terms are the same: in the first the logarithm is taken of the mean, in the second the mean of "
            "the logarithm.",
            lambda y: y.log().mean() - y.log().mean(),
        ),
        Misconception(
            "sum instead of mean",
            "You sum where the expectation is: divide by n.",
            lambda y: y.sum().log() - y.log().sum(),
        ),
        Misconception(
            "log of the sum",
            "In the first term you take the log of the sum: of the mean.",
            lambda y: y.sum().log() - y.log().mean(),
        ),
        Misconception(
            "sum of the logs",
            "In the second term you sum the logarithms: average them.",
            lambda y: y.mean().log() - y.log().sum(),
        ),
        Misconception(
            "log base 2 or 10",
            "Your logarithm has base 2: the course uses natural logarithms, torch.log.",
            lambda y: y.mean().log2() - y.log2().mean(),
        ),
        Misconception(
            "log base 10",
            "Your logarithm has base 10: the course uses natural logarithms, torch.log.",
            lambda y: y.mean().log10() - y.log10().mean(),
        ),
        Misconception(
            "no logarithm of the mean",
            "The logarithm of E[y] is missing in the first term.",
            lambda y: y.mean() - y.log().mean(),
        ),
        Misconception(
            "one gap per value",
            "You return one value per y: E[log y] averages over all of them, the gap is a single number.",
            lambda y: y.mean().log() - y.log(),
        ),
        Misconception(
            "exponential of the gap",
            "exp is taken of the gap: return log E[y] - E[log y] itself, in nats.",
            lambda y: y.mean() / y.log().mean().exp(),
        ),
    ),
    alternatives=(
        lambda y: torch.logsumexp(y.log(), 0) - math.log(len(y)) - y.log().mean(),
        lambda y: torch.log(y.sum() / y.numel()) - torch.log(y).sum() / y.numel(),
        lambda y: -(y / y.mean()).log().mean(),
        lambda y: float(y.mean().log() - y.log().mean()),
    ),
    properties=(
        Property("zero for equal values", _gap_of_equal_values),
        Property("never negative", _gap_is_positive),
    ),
)


# --- gaussian_entropy ----------------------------------------------------------------------------


def _entropy_variant(constant: float, log_sigma: float = 1.0, per_dimension: bool = True) -> Callable[..., Tensor]:
    def wrong(sigma: Tensor) -> Tensor:
        total = log_sigma * sigma.log().sum(-1)
        return total + constant * (sigma.shape[-1] if per_dimension else 1)

    return wrong


def _entropy_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    sigma = draw.positive(1, 1)
    (value,) = tensors_from(answer.call(sigma))
    grid = torch.linspace(-12, 12, 4001, dtype=sigma.dtype) * sigma.squeeze()
    log_p = Normal(0.0, sigma.squeeze()).log_prob(grid)
    exact = -torch.trapezoid(log_p.exp() * log_p, grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return f"-∫ p log p for sigma = {sigma.item():.3f} is {exact:.4f} by numerical integration; yours is {value.item():.4f}."


HALF_LOG_2PI_E = 0.5 * (LOG_2PI + 1)

GAUSSIAN_ENTROPY = Exercise(
    reference=gaussian_entropy,
    points=2,
    returns={"entropy": "(batch,)"},
    convention=PER_POINT + STANDARD_DEVIATION,
    probe=lambda draw: (draw.positive(draw.sizes.batch, draw.sizes.dim),),
    gradients=("sigma",),
    sums_over="sigma",
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: H(p) = -E[log p], and a wider distribution has the larger entropy.",
            lambda sigma: -gaussian_entropy(sigma),
        ),
        Misconception(
            "e forgotten",
            "You have ½ log 2π for each dimension; the ½ from E[(x-μ)²]/2σ² is missing: ½ log 2πe.",
            _entropy_variant(0.5 * LOG_2PI),
        ),
        Misconception(
            "constant missing", "The constant ½ log 2πe for each dimension is missing.", _entropy_variant(0.0)
        ),
        Misconception(
            "constant counted once",
            "The constant ½ log 2πe is added once; every dimension has its own.",
            _entropy_variant(HALF_LOG_2PI_E, per_dimension=False),
        ),
        Misconception(
            "½ missing",
            "The ½ is missing: the constant is ½ log 2πe for each dimension.",
            _entropy_variant(2 * HALF_LOG_2PI_E),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma as the variance (½ log 2πe·sigma): it is the standard deviation, ½ log 2πe·sigma².",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=0.5),
        ),
        Misconception(
            "two log sigma",
            "You add log sigma² where log sigma belongs: ½ log sigma² = log sigma.",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=2.0),
        ),
        Misconception(
            "sigma read as log sigma",
            "You add sigma itself: its logarithm is wanted.",
            lambda sigma: (sigma + HALF_LOG_2PI_E).sum(-1),
        ),
        Misconception(
            "-log sigma",
            "The sign of log sigma is flipped: a wider distribution is more random, its entropy is larger.",
            _entropy_variant(HALF_LOG_2PI_E, log_sigma=-1.0),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions: the entropies of independent dimensions add.",
            lambda sigma: gaussian_entropy(sigma) / sigma.shape[-1],
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): keep one value per data point.",
            lambda sigma: (sigma.log() + HALF_LOG_2PI_E).sum(0),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda sigma: gaussian_entropy(sigma).sum(),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension.",
            lambda sigma: sigma.log() + HALF_LOG_2PI_E,
        ),
        Misconception(
            "log of the summed sigmas",
            "You take the log of the sum of the sigmas: sum their logarithms.",
            lambda sigma: sigma.sum(-1).log() + HALF_LOG_2PI_E * sigma.shape[-1],
        ),
        Misconception(
            "product before the logarithm",
            "You multiply the sigmas first: in hundreds of dimensions the product under- or overflows. Sum the "
            "logarithms.",
            lambda sigma: sigma.prod(-1).log() + HALF_LOG_2PI_E * sigma.shape[-1],
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches sigma: leave out .detach(), .item() and torch.no_grad(). "
            "The entropy's gradient is what keeps q wide.",
            lambda sigma: gaussian_entropy(sigma.detach()),
        ),
    ),
    alternatives=(
        lambda sigma: Normal(torch.zeros_like(sigma), sigma).entropy().sum(-1),
        lambda sigma: 0.5 * torch.log(2 * math.pi * math.e * sigma**2).sum(dim=1),
        lambda sigma: MultivariateNormal(torch.zeros_like(sigma), scale_tril=torch.diag_embed(sigma)).entropy(),
        lambda sigma: 0.5 * torch.logdet(2 * math.pi * math.e * torch.diag_embed(sigma**2)),
    ),
    properties=(Property("equals the integral", _entropy_by_quadrature),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds: a product of sigmas under- or overflows there.",
            lambda draw: (0.1 * draw.positive(draw.sizes.batch, 600),),
        ),
    ),
)


# --- categorical_entropy -------------------------------------------------------------------------


def _with_zeros(draw: Draw) -> tuple[Tensor]:
    probs = draw.simplex(draw.sizes.batch, draw.sizes.components + 2)
    probs[:, 1] = 0
    probs[0, :] = 0
    probs[0, 2] = 1  # a certain outcome: entropy 0
    return (probs / probs.sum(-1, keepdim=True),)


def _uniform_is_log_k(answer: Answer, draw: Draw) -> str | None:
    k = draw.sizes.components + 3
    (value,) = tensors_from(answer.call(torch.full((1, k), 1 / k, dtype=torch.float64)))
    if value.numel() != 1 or abs(value.item() - math.log(k)) < 1e-6:
        return None
    return f"{k} equally likely outcomes have entropy log {k} = {math.log(k):.4f}; yours is {value.item():.4f}."


CATEGORICAL_ENTROPY = Exercise(
    reference=categorical_entropy,
    points=2,
    returns={"entropy": "(batch,)"},
    convention="H(p) = -Σ p log p over the last dimension, one value per data point, (batch,), in nats, with 0 log 0 = 0.",
    probe=lambda draw: (draw.simplex(draw.sizes.batch, draw.sizes.components + 1),),
    gradients=("probs",),
    misconceptions=(
        Misconception(
            "sign",
            "The minus sign is missing: H(p) = -Σ p log p, which is never negative.",
            lambda probs: (probs * probs.log()).sum(-1),
        ),
        Misconception(
            "probabilities not used as weights",
            "You sum -log p without weights: each term is weighted by its probability p.",
            lambda probs: -probs.log().sum(-1),
        ),
        Misconception(
            "mean over categories",
            "You average over the categories: weighted by p already, the terms are summed.",
            lambda probs: -(probs * probs.log()).mean(-1),
        ),
        Misconception(
            "bits",
            "Your value is in bits (log2): the course counts in nats, with the natural logarithm.",
            lambda probs: -(probs * probs.log2()).sum(-1),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): sum over the categories, the last dimension.",
            lambda probs: -(probs * probs.log()).sum(0),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            lambda probs: torch.special.entr(probs).sum(),
        ),
        Misconception(
            "not summed",
            "You return one term per category: sum over the last dimension.",
            lambda probs: torch.special.entr(probs),
        ),
        Misconception(
            "log of the sum",
            "You take the logarithm after the sum: -Σ p log p has it inside.",
            lambda probs: -(probs * probs).sum(-1).log(),
        ),
        Misconception(
            "softmax of probabilities",
            "You treat the probabilities as logits: they sum to one already.",
            lambda probs: categorical_entropy(probs.softmax(-1)),
        ),
        Misconception(
            "0 log 0 = NaN",
            "A probability of 0 gives NaN: 0 · log 0 is 0 · (-inf) = NaN in floating point, but counts 0 in an entropy "
            "(p log p → 0). torch.special.entr and torch.xlogy know that; torch.where can do it too.",
            lambda probs: -(probs * probs.log()).sum(-1),
        ),
        Misconception(
            "renormalised after a shift",
            "You change the probabilities to avoid log 0 (for instance by adding a small number): that changes the "
            "entropy. Leave p as it is and count 0 · log 0 as 0.",
            lambda probs: -((probs + 1e-3) * (probs + 1e-3).log()).sum(-1),
        ),
    ),
    alternatives=(
        lambda probs: -torch.xlogy(probs, probs).sum(-1),
        lambda probs: -(probs * torch.where(probs > 0, probs, torch.ones_like(probs)).log()).sum(dim=1),
        lambda probs: -(probs * probs.clamp(min=1e-38 if probs.dtype == torch.float32 else 1e-300).log()).sum(-1),
        lambda probs: -torch.nansum(probs * probs.log(), dim=-1),
        lambda probs: -(probs * (probs + 1e-12).log()).sum(-1),
        lambda probs: Categorical(probs=probs, validate_args=False).entropy(),
    ),
    # Adding 1e-12 inside the logarithm is a common, harmless guard, which this lets pass.
    atol=1e-6,
    rtol=1e-5,
    properties=(Property("log k for k equal outcomes", _uniform_is_log_k),),
    edge_cases=(
        EdgeCase(
            "probabilities of zero",
            "Right for positive probabilities, but not where one is 0: 0 · log 0 counts 0 in an entropy.",
            _with_zeros,
        ),
    ),
)


# --- gaussian_kl ---------------------------------------------------------------------------------


def _kl_probe(draw: Draw) -> tuple[Any, ...]:
    shape = (draw.sizes.batch, draw.sizes.dim)
    return draw.normal(*shape), draw.positive(*shape), draw.normal(*shape, shift=-0.6), draw.positive(*shape)


def _kl_variant(
    minus_one: float = 0.5,
    squares: float = 0.5,
    log_ratio: float = 1.0,
    cross: float = 1.0,
    minus_one_once: bool = False,
    reduce: Callable[[Tensor], Tensor] = lambda terms: terms.sum(-1),
) -> Callable[..., Tensor]:
    def wrong(mu_q: Tensor, sigma_q: Tensor, mu_p: Tensor, sigma_p: Tensor) -> Tensor:
        terms = log_ratio * (sigma_p.log() - sigma_q.log())
        terms = terms + squares * (sigma_q**2 + cross * (mu_q - mu_p) ** 2) / sigma_p**2
        if minus_one_once:
            return reduce(terms) - minus_one
        return reduce(terms - minus_one)

    return wrong


def _kl_with_itself(answer: Answer, draw: Draw) -> str | None:
    mu, sigma, _, _ = _kl_probe(draw)
    (value,) = tensors_from(answer.call(mu, sigma, mu.clone(), sigma.clone()))
    if torch.allclose(value, torch.zeros_like(value), atol=1e-6):
        return None
    return f"The KL of a distribution with itself is 0; yours is {value.flatten()[0]:.4f}."


def _kl_by_monte_carlo(answer: Answer, draw: Draw) -> str | None:
    mu_q, sigma_q, mu_p, sigma_p = (
        draw.normal(1, 1),
        draw.positive(1, 1),
        draw.normal(1, 1),
        draw.positive(1, 1),
    )
    (value,) = tensors_from(answer.call(mu_q, sigma_q, mu_p, sigma_p))
    grid = mu_q.squeeze() + sigma_q.squeeze() * torch.linspace(-12, 12, 4001, dtype=mu_q.dtype)
    q, p = Normal(mu_q.squeeze(), sigma_q.squeeze()), Normal(mu_p.squeeze(), sigma_p.squeeze())
    exact = torch.trapezoid(q.log_prob(grid).exp() * (q.log_prob(grid) - p.log_prob(grid)), grid).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return (
        f"∫ q log(q/p) is {exact:.4f} by numerical integration for one pair of Gaussians; yours is {value.item():.4f}."
    )


GAUSSIAN_KL = Exercise(
    reference=gaussian_kl,
    points=3,
    returns={"kl": "(batch,)"},
    convention="D_KL(q‖p) is an expectation under q. " + PER_POINT + STANDARD_DEVIATION,
    probe=_kl_probe,
    gradients=("mu_q", "sigma_q", "mu_p", "sigma_p"),
    sums_over="mu_q",
    misconceptions=(
        Misconception(
            "q and p swapped",
            "Your value is the KL with q and p swapped, D_KL(p‖q). The expectation is under q, the first pair of "
            "arguments.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_p, sigma_p, mu_q, sigma_q),
        ),
        Misconception(
            "sign",
            "The sign is flipped: a KL divergence is never negative.",
            lambda *args: -gaussian_kl(*args),
        ),
        Misconception(
            "-1 missing",
            "The -½ for each dimension is missing: the KL of a distribution with itself must be 0.",
            _kl_variant(minus_one=0.0),
        ),
        Misconception(
            "-1 not per dimension",
            "You subtract ½ once: it belongs to every dimension.",
            _kl_variant(minus_one_once=True),
        ),
        Misconception(
            "-1 instead of -½",
            "You subtract 1 for each dimension where ½ belongs.",
            _kl_variant(minus_one=1.0),
        ),
        Misconception(
            "½ missing",
            "The ½ in front of the quadratic terms is missing.",
            _kl_variant(minus_one=1.0, squares=1.0),
        ),
        Misconception(
            "½ missing in the quadratic terms only",
            "The ½ in front of (sigma_q² + (mu_q - mu_p)²) / sigma_p² is missing.",
            _kl_variant(squares=1.0),
        ),
        Misconception(
            "½ on the log as well",
            "The ½ also stands before log(sigma_p / sigma_q), where it does not belong: it does for variances, "
            "½ log(sigma_p²/sigma_q²).",
            _kl_variant(log_ratio=0.5),
        ),
        Misconception(
            "two log ratio",
            "You take log(sigma_p²/sigma_q²) without the ½: it is log(sigma_p/sigma_q).",
            _kl_variant(log_ratio=2.0),
        ),
        Misconception(
            "log ratio upside down",
            "The logarithm is upside down: it is log(sigma_p / sigma_q).",
            _kl_variant(log_ratio=-1.0),
        ),
        Misconception(
            "log ratio missing",
            "The term log(sigma_p / sigma_q) is missing.",
            _kl_variant(log_ratio=0.0),
        ),
        Misconception(
            "distance of the means missing",
            "The term (mu_q - mu_p)² is missing.",
            _kl_variant(cross=0.0),
        ),
        Misconception(
            "divided by the variance of q",
            "You divide by sigma_q²: the quadratic terms are measured on the scale of p, divide by sigma_p².",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                (sigma_p / sigma_q).log() + (sigma_p**2 + (mu_q - mu_p) ** 2) / (2 * sigma_q**2) - 0.5
            ).sum(-1),
        ),
        Misconception(
            "p taken for the standard normal",
            "You ignore mu_p and sigma_p: that is the KL to N(0, I), which notebook 06 will need. Here p is general.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                gaussian_kl(mu_q, sigma_q, torch.zeros_like(mu_p), torch.ones_like(sigma_p))
                + 0 * (mu_p + sigma_p).sum()
            ),
        ),
        Misconception(
            "variance not squared",
            "You use sigma where sigma² belongs: sigma is the standard deviation.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                sigma_p.log() - sigma_q.log() + (sigma_q + (mu_q - mu_p) ** 2) / (2 * sigma_p) - 0.5
            ).sum(-1),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma_q and sigma_p as variances: they are standard deviations.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q.sqrt(), mu_p, sigma_p.sqrt()),
        ),
        Misconception(
            "variance handed to a function that wants the standard deviation",
            "You use sigma² as the standard deviation: Normal(mu, sigma) expects sigma itself.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q**2, mu_p, sigma_p**2),
        ),
        Misconception(
            "sigma read as log sigma",
            "You take exp of sigma_q and sigma_p: they are standard deviations, not logarithms.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q.exp(), mu_p, sigma_p.exp()),
        ),
        Misconception(
            "sigma read as a log-variance",
            "You read sigma as the logarithm of a variance: it is the standard deviation itself.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, (sigma_q / 2).exp(), mu_p, (sigma_p / 2).exp()),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions: the KLs of independent dimensions add.",
            _kl_variant(reduce=lambda terms: terms.mean(-1)),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension.",
            _kl_variant(reduce=lambda terms: terms),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): sum over the last dimension, one value per data point.",
            _kl_variant(reduce=lambda terms: terms.sum(0)),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            _kl_variant(reduce=lambda terms: terms.sum()),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch as well: the mean over data points belongs in the loss, not in the KL.",
            _kl_variant(reduce=lambda terms: terms.sum(-1).mean()),
        ),
        Misconception(
            "cross-entropy",
            "That is the cross-entropy -E_q[log p]: subtract the entropy of q.",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q, sigma_q, mu_p, sigma_p) + gaussian_entropy(sigma_q),
        ),
        Misconception(
            "symmetric KL",
            "You add or average both directions: D_KL(q‖p) is one of them, it is not symmetric.",
            lambda mu_q, sigma_q, mu_p, sigma_p: (
                (gaussian_kl(mu_q, sigma_q, mu_p, sigma_p) + gaussian_kl(mu_p, sigma_p, mu_q, sigma_q)) / 2
            ),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches mu_q and sigma_q: leave out .detach(), .item() and "
            "torch.no_grad().",
            lambda mu_q, sigma_q, mu_p, sigma_p: gaussian_kl(mu_q.detach(), sigma_q.detach(), mu_p, sigma_p),
        ),
    ),
    alternatives=(
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(Normal(mu_q, sigma_q), Normal(mu_p, sigma_p)).sum(-1),
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(
            Independent(Normal(mu_q, sigma_q), 1), Independent(Normal(mu_p, sigma_p), 1)
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: kl_divergence(
            MultivariateNormal(mu_q, torch.diag_embed(sigma_q**2)),
            MultivariateNormal(mu_p, torch.diag_embed(sigma_p**2)),
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: torch.sum(
            torch.log(sigma_p / sigma_q) + (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p**2) - 1 / 2, dim=1
        ),
        lambda mu_q, sigma_q, mu_p, sigma_p: (
            -gaussian_entropy(sigma_q)
            - (gaussian_log_prob(mu_q, mu_p, sigma_p) - 0.5 * ((sigma_q / sigma_p) ** 2).sum(-1))
        ),
    ),
    properties=(
        Property("zero with itself", _kl_with_itself),
        Property("equals the integral", _kl_by_monte_carlo),
    ),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds.",
            lambda draw: (
                draw.normal(draw.sizes.batch, 500),
                draw.positive(draw.sizes.batch, 500),
                draw.normal(draw.sizes.batch, 500),
                draw.positive(draw.sizes.batch, 500),
            ),
        ),
        EdgeCase(
            "very different widths",
            "Right for similar widths, but not where q is thousands of times narrower or wider than p.",
            lambda draw: (
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                1e-4 * draw.positive(draw.sizes.batch, draw.sizes.dim),
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                30 * draw.positive(draw.sizes.batch, draw.sizes.dim),
            ),
        ),
    ),
)


# --- monte_carlo_kl and monte_carlo_elbo ---------------------------------------------------------


def _log_density(draw: Draw, dim: int, shift: float = 0.0) -> Callable[[Tensor], Tensor]:
    mu, sigma = draw.normal(dim, shift=shift), draw.positive(dim)

    def log_prob(z: Tensor) -> Tensor:
        return gaussian_log_prob(z, mu.to(z), sigma.to(z))

    return log_prob


def _monte_carlo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    return z, _log_density(draw, sizes.latent), _log_density(draw, sizes.latent, shift=0.9)


def _one_density_each(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.samples, sizes.latent),
        _log_density(draw, sizes.latent),
        _log_density(draw, sizes.latent, shift=0.9),
    )


def _ratio(z: Tensor, log_q: Callable[[Tensor], Tensor], log_p: Callable[[Tensor], Tensor]) -> Tensor:
    return log_q(z) - log_p(z)


def _kl_approaches_exact(answer: Answer, draw: Draw) -> str | None:
    """Quantiles of q for samples make the estimate a quadrature of ∫ q log(q/p)."""
    quantiles = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    mu_q, sigma_q, mu_p, sigma_p = draw.normal(1), draw.positive(1), draw.normal(1), draw.positive(1)
    z = (mu_q + sigma_q * torch.special.ndtri(quantiles)).unsqueeze(-1)
    (value,) = tensors_from(
        answer.call(z, lambda z: gaussian_log_prob(z, mu_q, sigma_q), lambda z: gaussian_log_prob(z, mu_p, sigma_p))
    )
    exact = gaussian_kl(mu_q, sigma_q, mu_p, sigma_p).item()
    if value.numel() != 1 or abs(value.item() - exact) < 2e-2 * (1 + exact):
        return None
    return f"With many samples of q the estimate must come near D_KL(q‖p) = {exact:.3f}; yours is {value.item():.3f}."


MONTE_CARLO_KL = Exercise(
    reference=monte_carlo_kl,
    points=2,
    returns={"kl": "()"},
    convention="z is drawn from q, samples in front. The estimate is the plain mean of log q(z) - log p(z): a scalar tensor.",
    probe=_monte_carlo_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "q and p swapped",
            "The two log-densities are exchanged: with z drawn from q, D_KL(q‖p) is the mean of log q(z) - log p(z).",
            lambda z, log_q, log_p: -_ratio(z, log_q, log_p).mean(),
        ),
        Misconception(
            "sum instead of mean",
            "You sum over the samples: an expectation is estimated by their mean.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).sum(),
        ),
        Misconception(
            "log of the mean ratio",
            "You average the ratios and take the logarithm after: average the logarithms of the ratios.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).exp().mean().log(),
        ),
        Misconception(
            "mean ratio without logarithm",
            "You average the ratio q/p: its logarithm is wanted.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).exp().mean(),
        ),
        Misconception(
            "weighted by q again",
            "You weight each sample by q(z), as torch.nn.functional.kl_div does for densities on a grid. The samples come "
            "from q already: a plain mean is the expectation.",
            lambda z, log_q, log_p: (log_q(z).exp() * _ratio(z, log_q, log_p)).mean(),
        ),
        Misconception(
            "weighted by q and summed",
            "You weight each sample by q(z) and sum, as over a grid. The samples come from q already: a plain mean is "
            "the expectation.",
            lambda z, log_q, log_p: (log_q(z).exp() * _ratio(z, log_q, log_p)).sum(),
        ),
        Misconception(
            "normalised weights",
            "You weight the samples by softmax of log q. They come from q already: a plain mean is the expectation.",
            lambda z, log_q, log_p: (log_q(z).flatten().softmax(0) * _ratio(z, log_q, log_p).flatten()).sum(),
        ),
        Misconception(
            "clamped at zero",
            "You clamp or take absolute values to keep the terms positive: single terms may be negative, only their "
            "expectation is not. That makes the estimate too large.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).abs().mean(),
        ),
        Misconception(
            "negative terms cut off",
            "You set negative terms to zero: single terms may be negative, only their expectation is not.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).clamp(min=0).mean(),
        ),
        Misconception(
            "estimate cut off at zero",
            "You set a negative estimate to zero: an estimate of a KL may be negative, and cutting it off makes it biased.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).mean().clamp(min=0),
        ),
        Misconception(
            "cross-entropy",
            "That is -E_q[log p], the cross-entropy: the term E_q[log q] is missing.",
            lambda z, log_q, log_p: -log_p(z).mean(),
        ),
        Misconception(
            "mean over samples only",
            "You average over the first dimension only: a single number is wanted, the mean over everything.",
            lambda z, log_q, log_p: _ratio(z, log_q, log_p).mean(0),
        ),
        Misconception(
            "one value per sample",
            "You return one value per sample: average them.",
            _ratio,
        ),
        Misconception(
            "samples detached",
            "The value is right, but no gradient flows through z: do not detach it. Notebook 05 lives on that gradient.",
            lambda z, log_q, log_p: _ratio(z.detach(), log_q, log_p).mean(),
        ),
    ),
    alternatives=(
        lambda z, log_q, log_p: log_q(z).mean() - log_p(z).mean(),
        lambda z, log_q, log_p: torch.mean(-(log_p(z) - log_q(z))),
        lambda z, log_q, log_p: _ratio(z, log_q, log_p).sum() / _ratio(z, log_q, log_p).numel(),
    ),
    properties=(Property("approaches the exact value", _kl_approaches_exact),),
    edge_cases=(
        EdgeCase(
            "one pair of densities",
            "Right for z of shape (samples, batch, dim), but log_q(z) may also be (samples,): the mean is over "
            "everything.",
            _one_density_each,
        ),
        EdgeCase(
            "a negative estimate",
            "Right as long as the estimate is positive; an estimate from a few samples may be negative, leave it so.",
            lambda draw: _swapped_if_positive(_monte_carlo_probe(draw)),
        ),
    ),
)


def _swapped_if_positive(probe: tuple[Any, ...]) -> tuple[Any, ...]:
    z, log_q, log_p = probe
    return (z, log_q, log_p) if (log_q(z) - log_p(z)).mean() < 0 else (z, log_p, log_q)


def _elbo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    z = draw.normal(sizes.samples, sizes.batch, sizes.latent)
    x = draw.normal(sizes.batch, sizes.dim)
    weight, sigma = draw.normal(sizes.latent, sizes.dim), draw.positive(sizes.dim)
    mu, scale = draw.normal(sizes.batch, sizes.latent), draw.positive(sizes.batch, sizes.latent)

    def log_joint(z: Tensor) -> Tensor:
        prior = gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))
        return prior + gaussian_log_prob(x.to(z), torch.tanh(z @ weight.to(z)), sigma.to(z))

    def log_q(z: Tensor) -> Tensor:
        return gaussian_log_prob(z, mu.to(z), scale.to(z))

    return z, log_joint, log_q


def _tight_at_the_posterior(answer: Answer, draw: Draw) -> str | None:
    """With q the exact posterior every sample gives log p(x): the bound is tight, without any variance."""
    W, b, sigma = draw.normal(4, 2), draw.normal(4), draw.positive(1).squeeze()
    x = draw.normal(3, 4)
    mean, covariance = linear_gaussian_posterior(x, W, b, sigma)
    exact = linear_gaussian_evidence(x, W, b, sigma)
    posterior = MultivariateNormal(mean, covariance)

    def log_joint(z: Tensor) -> Tensor:
        return Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)

    (value,) = tensors_from(answer.call(draw.normal(5, 3, 2), log_joint, posterior.log_prob))
    if value.shape != exact.shape or torch.allclose(value, exact, rtol=1e-5):
        return None
    return (
        "With q the exact posterior the bound is tight: every sample gives log p(x) = "
        f"{exact[0]:.4f}; yours is {value[0]:.4f}."
    )


MONTE_CARLO_ELBO = Exercise(
    reference=monte_carlo_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="z is (samples, batch, latent_dim), drawn from q. The ELBO is averaged over samples and keeps one value "
    "per data point, (batch,), in nats. It is maximised: no minus sign in front.",
    probe=_elbo_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "entropy term with the wrong sign",
            "You add log q(z): that is the misprint in the lecture, `+ E[log q]`. The entropy is H(q) = -E[log q], so "
            "log q(z) is subtracted.",
            lambda z, log_joint, log_q: (log_joint(z) + log_q(z)).mean(0),
        ),
        Misconception(
            "negative ELBO",
            "The sign is flipped: that is the loss. The ELBO itself is wanted, log p(x, z) - log q(z).",
            lambda z, log_joint, log_q: (log_q(z) - log_joint(z)).mean(0),
        ),
        Misconception(
            "entropy term missing",
            "The entropy term -log q(z) is missing: without it q shrinks to a point.",
            lambda z, log_joint, log_q: log_joint(z).mean(0),
        ),
        Misconception(
            "log of the mean",
            "You average the ratios and take the logarithm after. That is another, tighter bound (notebook 06, IWAE); "
            "the ELBO averages the logarithms.",
            lambda z, log_joint, log_q: torch.logsumexp(log_joint(z) - log_q(z), 0) - math.log(len(z)),
        ),
        Misconception(
            "mean over the batch",
            "You average over the batch (dimension 1) instead of the samples (dimension 0): samples come in front.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).mean(1),
        ),
        Misconception(
            "one number for the whole batch",
            "You average over the data points too: keep one value per data point, (batch,).",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).mean(),
        ),
        Misconception(
            "sum over the samples",
            "You sum over the samples: an expectation is estimated by their mean.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z)).sum(0),
        ),
        Misconception(
            "not averaged",
            "You return one value per sample: average over the samples, dimension 0.",
            lambda z, log_joint, log_q: log_joint(z) - log_q(z),
        ),
        Misconception(
            "weighted by q again",
            "You weight each sample by q(z). The samples come from q already: a plain mean is the expectation.",
            lambda z, log_joint, log_q: (log_q(z).exp() * (log_joint(z) - log_q(z))).mean(0),
        ),
        Misconception(
            "density of q instead of its logarithm",
            "You subtract q(z): its logarithm is wanted.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z).exp()).mean(0),
        ),
        Misconception(
            "samples averaged first",
            "You average the samples z first and evaluate there: evaluate at every sample, then average.",
            lambda z, log_joint, log_q: log_joint(z.mean(0)) - log_q(z.mean(0)),
        ),
        Misconception(
            "samples detached",
            "The values are right, but no gradient flows through z: do not detach it.",
            lambda z, log_joint, log_q: (log_joint(z.detach()) - log_q(z.detach())).mean(0),
        ),
        Misconception(
            "log q detached",
            "The values are right, but not the gradient: log q(z) depends on z too, do not detach it.",
            lambda z, log_joint, log_q: (log_joint(z) - log_q(z).detach()).mean(0),
        ),
    ),
    alternatives=(
        lambda z, log_joint, log_q: log_joint(z).mean(dim=0) - log_q(z).mean(dim=0),
        lambda z, log_joint, log_q: torch.stack([log_joint(s) - log_q(s) for s in z]).mean(0),
        lambda z, log_joint, log_q: (-log_q(z) + log_joint(z)).sum(0) / z.shape[0],
    ),
    properties=(Property("tight at the exact posterior", _tight_at_the_posterior),),
    edge_cases=(
        EdgeCase(
            "log-joints of images",
            "Right for moderate values, but not for log-densities in the hundreds: exp of them overflows or underflows.",
            lambda draw: _scaled_elbo(draw),
        ),
    ),
)


def _scaled_elbo(draw: Draw) -> tuple[Any, ...]:
    z, log_joint, log_q = _elbo_probe(draw)
    return z, lambda z: 150 * log_joint(z), log_q


# --- the linear-Gaussian model -------------------------------------------------------------------


def _linear_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(sizes.dim, sizes.latent),
        draw.normal(sizes.dim),
        draw.positive(1).squeeze(),
    )


def _linear_image(draw: Draw) -> tuple[Any, ...]:
    # With so little noise, the determinant of the covariance underflows in float64 for every draw.
    return (
        draw.normal(draw.sizes.batch, 400),
        draw.normal(400, draw.sizes.latent, scale=0.3),
        draw.normal(400),
        0.1 * draw.positive(1).squeeze(),
    )


def _posterior_variant(
    prior: float = 1.0, power: int = 2, covariance_power: int | None = None, shift: bool = True
) -> Callable[..., Any]:
    def wrong(x: Tensor, W: Tensor, b: Tensor, sigma: Tensor) -> Any:
        identity = prior * torch.eye(W.shape[1], dtype=W.dtype)
        covariance = torch.linalg.inv(identity + W.mT @ W / sigma ** (covariance_power or power))
        centred = x - b if shift else x
        return centred @ W @ covariance / sigma**power, covariance

    return wrong


def _bayes_rule_holds(answer: Answer, draw: Draw) -> str | None:
    """log p(x|z) + log p(z) - log p(z|x) = log p(x) must not depend on z."""
    x, W, b, sigma = (draw.normal(1, 4), draw.normal(4, 2), draw.normal(4), draw.positive(1).squeeze())
    result = tensors_from(answer.call(x, W, b, sigma))
    if len(result) != 2 or result[0].shape != (1, 2) or result[1].shape != (2, 2):
        return None  # the shapes are judged elsewhere
    mean, covariance = result
    z = draw.normal(6, 2)
    joint = Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(z @ W.mT + b, sigma).log_prob(x).sum(-1)
    try:
        posterior = MultivariateNormal(mean[0], covariance).log_prob(z)
    except ValueError:
        return "Your covariance is not symmetric and positive definite."
    spread = (joint - posterior).max() - (joint - posterior).min()
    if spread < 1e-6:
        return None
    return (
        "By Bayes' rule log p(x|z) + log p(z) - log p(z|x) is log p(x), the same for every z. With your posterior it "
        f"varies by {spread:.3f} nats over six values of z."
    )


LINEAR_GAUSSIAN_POSTERIOR = Exercise(
    reference=linear_gaussian_posterior,
    points=4,
    returns={"mean": "(batch, latent)", "covariance": "(latent, latent)"},
    convention="z ~ N(0, I), x = W z + b + noise, W is (dim, latent), sigma is the standard deviation of the noise. "
    "The mean has one row per data point; the covariance is the same for all.",
    probe=_linear_probe,
    gradients=("x", "W", "b"),
    misconceptions=(
        Misconception(
            "prior precision forgotten",
            "The identity is missing: precisions add, the prior N(0, I) contributes I and the data WᵀW/sigma².",
            lambda x, W, b, sigma: (
                (x - b) @ W @ torch.linalg.pinv(W.mT @ W),
                sigma**2 * torch.linalg.pinv(W.mT @ W),
            ),
        ),
        Misconception(
            "b not subtracted",
            "b is not subtracted: what z has to explain is x - b.",
            _posterior_variant(shift=False),
        ),
        Misconception(
            "sigma read as the variance",
            "You divide by sigma: it is the standard deviation of the noise, divide by sigma².",
            _posterior_variant(power=1),
        ),
        Misconception(
            "sigma read as the variance in the mean only",
            "In the mean you divide by sigma: divide by sigma², as in the covariance.",
            lambda x, W, b, sigma: _posterior_variant(power=1, covariance_power=2)(x, W, b, sigma),
        ),
        Misconception(
            "noise left out of the mean",
            "The mean is not divided by sigma²: m = C Wᵀ(x - b) / sigma².",
            lambda x, W, b, sigma: (
                (x - b) @ W @ linear_gaussian_posterior(x, W, b, sigma)[1],
                linear_gaussian_posterior(x, W, b, sigma)[1],
            ),
        ),
        Misconception(
            "precision returned as covariance",
            "You return the precision I + WᵀW/sigma²: its inverse is the covariance.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                torch.linalg.inv(linear_gaussian_posterior(x, W, b, sigma)[1]),
            ),
        ),
        Misconception(
            "standard deviations returned",
            "You return the square root of the covariance: the covariance itself is wanted.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].abs().sqrt(),
            ),
        ),
        Misconception(
            "only the diagonal",
            "You return only the diagonal of the covariance: the exact posterior's dimensions are correlated.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].diagonal(),
            ),
        ),
        Misconception(
            "correlations dropped",
            "The entries off the diagonal are zero: the exact posterior's dimensions are correlated.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                torch.diag(linear_gaussian_posterior(x, W, b, sigma)[1].diagonal()),
            ),
        ),
        Misconception(
            "one covariance for every data point",
            "You return the covariance once per data point, (batch, latent, latent): it is the same for every x, "
            "return it once.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1].expand(len(x), -1, -1),
            ),
        ),
        Misconception(
            "mean with latent first",
            "Your mean is (latent, batch): the batch comes first.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0].T,
                linear_gaussian_posterior(x, W, b, sigma)[1],
            ),
        ),
        Misconception(
            "order of the two",
            "You return (covariance, mean): the mean comes first.",
            lambda x, W, b, sigma: linear_gaussian_posterior(x, W, b, sigma)[::-1],
        ),
        Misconception(
            "sign of the shift",
            "You add b to x: what z has to explain is x - b.",
            lambda x, W, b, sigma: linear_gaussian_posterior(x, W, -b, sigma),
        ),
        Misconception(
            "covariance of x",
            "You return the covariance of x, WWᵀ + sigma² I: the covariance of z given x is wanted.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype),
            ),
        ),
        Misconception(
            "covariance times the noise variance",
            "You return M⁻¹ of Tipping and Bishop, with M = WᵀW + sigma² I: the covariance is sigma² M⁻¹.",
            lambda x, W, b, sigma: (
                linear_gaussian_posterior(x, W, b, sigma)[0],
                linear_gaussian_posterior(x, W, b, sigma)[1] / sigma**2,
            ),
        ),
    ),
    alternatives=(
        lambda x, W, b, sigma: (
            (x - b) @ torch.linalg.solve(W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype), W),
            torch.eye(W.shape[1], dtype=W.dtype)
            - W.mT @ torch.linalg.solve(W @ W.mT + sigma**2 * torch.eye(len(W), dtype=W.dtype), W),
        ),
        lambda x, W, b, sigma: (
            torch.linalg.solve(W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype), W.T @ (x - b).T).T,
            sigma**2 * torch.inverse(W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)),
        ),
        lambda x, W, b, sigma: list(linear_gaussian_posterior(x, W, b, sigma)),
    ),
    properties=(Property("Bayes' rule", _bayes_rule_holds),),
    edge_cases=(EdgeCase("hundreds of dimensions", "Right in a few dimensions, but not in 400.", _linear_image),),
)


def _evidence_variant(
    covariance: Callable[[Tensor, Tensor], Tensor], shift: Callable[[Tensor, Tensor], Tensor] = torch.sub
) -> Callable[..., Tensor]:
    def wrong(x: Tensor, W: Tensor, b: Tensor, sigma: Tensor) -> Tensor:
        centred = shift(x, b)
        return MultivariateNormal(torch.zeros_like(centred), covariance(W, sigma)).log_prob(centred)

    return wrong


def _identity(W: Tensor) -> Tensor:
    return torch.eye(len(W), dtype=W.dtype)


def _evidence_by_quadrature(answer: Answer, draw: Draw) -> str | None:
    x, W, b, sigma = draw.normal(1, 3), draw.normal(3, 1), draw.normal(3), draw.positive(1).squeeze()
    (value,) = tensors_from(answer.call(x, W, b, sigma))
    grid = torch.linspace(-10, 10, 8001, dtype=torch.float64).unsqueeze(-1)
    log_joint = Normal(0.0, 1.0).log_prob(grid).sum(-1) + Normal(grid @ W.mT + b, sigma).log_prob(x).sum(-1)
    exact = torch.trapezoid(log_joint.exp(), grid.squeeze(-1)).log().item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5:
        return None
    return f"log ∫ p(x|z) p(z) dz is {exact:.4f} by numerical integration for one x; yours is {value.item():.4f}."


LINEAR_GAUSSIAN_EVIDENCE = Exercise(
    reference=linear_gaussian_evidence,
    points=3,
    returns={"log_evidence": "(batch,)"},
    convention="z ~ N(0, I), x = W z + b + noise, W is (dim, latent), sigma is the standard deviation of the noise. "
    "log p(x) is one value per data point, (batch,), in nats.",
    probe=_linear_probe,
    gradients=("x", "W", "b"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "latent variance forgotten",
            "Your covariance is sigma² I: what z adds, WWᵀ, is missing.",
            _evidence_variant(lambda W, sigma: sigma**2 * _identity(W) + 0 * W @ W.mT),
        ),
        Misconception(
            "sigma read as the variance",
            "You add sigma to the diagonal: it is the standard deviation of the noise, add sigma².",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma * _identity(W)),
        ),
        Misconception(
            "b ignored",
            "The mean of x is b: evaluate the Gaussian at x - b.",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W), shift=lambda x, b: x + 0 * b),
        ),
        Misconception(
            "sign of the shift",
            "You add b to x: the mean of x is b, evaluate the Gaussian at x - b.",
            _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W), shift=torch.add),
        ),
        Misconception(
            "only the variances of x",
            "You keep only the diagonal of WWᵀ + sigma² I: sharing z makes the dimensions of x correlated.",
            _evidence_variant(lambda W, sigma: torch.diag((W @ W.mT).diagonal()) + sigma**2 * _identity(W)),
        ),
        Misconception(
            "determinant without the ½",
            "The log-determinant has a factor ½: log N = -½ (…)ᵀC⁻¹(…) - ½ log det C - ½ dim log 2π.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) - 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
            ),
        ),
        Misconception(
            "determinant missing",
            "The term -½ log det C is missing.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) + 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
            ),
        ),
        Misconception(
            "constant missing",
            "The constant -½ log 2π for each dimension of x is missing.",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma) + 0.5 * LOG_2PI * x.shape[-1],
        ),
        Misconception(
            "constant of the latent dimension",
            "You count ½ log 2π once per latent dimension: it is once per dimension of x.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma) + 0.5 * LOG_2PI * (x.shape[-1] - W.shape[-1])
            ),
        ),
        Misconception(
            "likelihood at the posterior mean",
            "That is log p(x|z) at the posterior mean of z: integrate over z, which gives a Gaussian with covariance "
            "WWᵀ + sigma² I.",
            lambda x, W, b, sigma: (
                Normal(linear_gaussian_posterior(x, W, b, sigma)[0] @ W.mT + b, sigma).log_prob(x).sum(-1)
            ),
        ),
        Misconception(
            "joint at the posterior mean",
            "That is log p(x, z) at the most likely z: integrate over all z instead.",
            lambda x, W, b, sigma: (
                Normal(linear_gaussian_posterior(x, W, b, sigma)[0] @ W.mT + b, sigma).log_prob(x).sum(-1)
                + Normal(0.0, 1.0).log_prob(linear_gaussian_posterior(x, W, b, sigma)[0]).sum(-1)
            ),
        ),
        Misconception(
            "density instead of its logarithm",
            "You return p(x): its logarithm is wanted.",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma).exp(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: keep one value per data point, (batch,).",
            lambda x, W, b, sigma: linear_gaussian_evidence(x, W, b, sigma).sum(),
        ),
        Misconception(
            "all pairs of data points",
            "Your result is (batch, batch), or was before you reduced it: the quadratic form pairs each data point "
            "with itself only (the diagonal of (x-b) C⁻¹ (x-b)ᵀ).",
            lambda x, W, b, sigma: (
                -0.5 * (x - b) @ torch.linalg.inv(W @ W.mT + sigma**2 * _identity(W)) @ (x - b).mT
                - 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
                - 0.5 * x.shape[-1] * LOG_2PI
            ),
        ),
        Misconception(
            "determinant before the logarithm",
            "You compute det C and take its logarithm after: for images it under- or overflows. Use torch.logdet, "
            "slogdet, or a Cholesky factor.",
            lambda x, W, b, sigma: (
                linear_gaussian_evidence(x, W, b, sigma)
                + 0.5 * torch.logdet(W @ W.mT + sigma**2 * _identity(W))
                - 0.5 * torch.det(W @ W.mT + sigma**2 * _identity(W)).log()
            ),
        ),
    ),
    alternatives=(
        _evidence_variant(lambda W, sigma: W @ W.mT + sigma**2 * _identity(W)),
        lambda x, W, b, sigma: torch.distributions.LowRankMultivariateNormal(b, W, (sigma**2).expand(len(W))).log_prob(
            x
        ),
        lambda x, W, b, sigma: (
            -0.5
            * (
                ((x - b) @ torch.linalg.inv(W @ W.T + sigma**2 * _identity(W)) * (x - b)).sum(-1)
                + torch.slogdet(W @ W.T + sigma**2 * _identity(W))[1]
                + W.shape[0] * math.log(2 * math.pi)
            )
        ),
    ),
    properties=(Property("equals the integral", _evidence_by_quadrature),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in 400: the determinant of a 400×400 covariance underflows.",
            _linear_image,
        ),
    ),
)


# --- questions -----------------------------------------------------------------------------------

NEGATIVE_KL = Question(
    name="negative_kl_prediction",
    points=1,
    text="Can a single term log q(z) - log p(z), with z drawn from q, be negative?",
    options={
        "yes": "Wherever p is larger than q the term is negative. Only the expectation under q is guaranteed not to be: "
        "q draws such places too seldom to win.",
        "no": "The KL is never negative, but it is an expectation. At a z where p(z) > q(z) the single term is negative.",
        "only if the KL is zero": "If the KL is zero then q = p and every term is exactly zero. Negative terms come up "
        "when the two differ.",
    },
    correct="yes",
)

JENSEN_SPREAD = Question(
    name="spread_prediction",
    points=1,
    text="The values y spread further around the same mean. What happens to the gap log E[y] - E[log y]?",
    options={
        "it grows": "log E[y] stays where it is, while small values pull E[log y] down without limit: the logarithm "
        "falls faster than it rises.",
        "it shrinks": "It would if the logarithm were convex. It is concave: small values pull E[log y] down more than "
        "large values pull it up.",
        "it stays": "That would hold if the logarithm were a straight line. It is curved, and the spread is what "
        "feels the curve.",
    },
    correct="it grows",
)

ENTROPY_SIGN = Question(
    name="entropy_sign",
    points=2,
    text="The lecture prints the bound once as E[log p(x|z) + log p(z)] + E[log q(z)]. Which term completes the bound?",
    options={
        "plus E[log q]": "With + E[log q] the right side is not a bound that becomes tight: at the exact posterior your "
        "numbers miss log p(x) by twice the entropy.",
        "minus E[log q]": "Jensen's inequality gives E[log(p(x|z) p(z) / q(z))]: log q is subtracted, and -E[log q] = H(q) "
        "is the entropy. At the exact posterior the numbers meet log p(x).",
        "minus H(q)": "-H(q) = +E[log q] is the misprint itself. The entropy is added: it rewards a wide q.",
    },
    correct="minus E[log q]",
)

TIGHTNESS = Question(
    name="tightness_prediction",
    points=1,
    text="q changes while the model stays fixed, and the ELBO rises by 2 nats. What happens to D_KL(q‖p(z|x))?",
    options={
        "rises by 2": "ELBO + KL = log p(x), which does not depend on q: what the one gains the other loses.",
        "falls by 2": "ELBO + KL = log p(x), and log p(x) does not depend on q: maximising the ELBO over q is minimising "
        "the KL.",
        "stays": "The KL compares q with the posterior: when q changes, it changes. Their sum, log p(x), stays.",
    },
    correct="falls by 2",
)

EXERCISES: tuple[Exercise | Question, ...] = (
    JENSEN_SPREAD,
    JENSEN_GAP,
    GAUSSIAN_ENTROPY,
    CATEGORICAL_ENTROPY,
    GAUSSIAN_KL,
    NEGATIVE_KL,
    MONTE_CARLO_KL,
    MONTE_CARLO_ELBO,
    LINEAR_GAUSSIAN_POSTERIOR,
    LINEAR_GAUSSIAN_EVIDENCE,
    ENTROPY_SIGN,
    TIGHTNESS,
)
