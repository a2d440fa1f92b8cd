"""Exercises of notebook 01: p(x) = ∫ p(x|z) p(z) dz, and estimating the log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import monte_carlo_log_likelihood
from course_lib.checks.exercise import Draw, EdgeCase, Exercise, Misconception, Property, Question
from course_lib.distributions import LOG_2PI, gaussian_log_prob
from course_lib.mixtures import (
    expected_log_joint,
    mixture_log_joint,
    mixture_log_prob,
    mixture_posterior,
    sample_mixture,
)

SUM_OVER_DIMENSIONS = (
    "Gaussians are diagonal, given by mean mu and standard deviation sigma. Log-densities sum over the event (last) "
    "dimension and return one value per data point, (batch,), in nats."
)
MIXTURE_SHAPES = (
    "x is (batch, dim); weights (components,) are probabilities; mu and sigma (components, dim) are means and "
    "standard deviations. Log-densities sum over the event dimension, in nats."
)


# --- gaussian_log_prob ---------------------------------------------------------------------------


def _gaussian_probe(draw: Draw) -> tuple[Any, ...]:
    shape = (draw.sizes.batch, draw.sizes.dim)
    return draw.normal(*shape, scale=1.5), draw.normal(*shape), draw.positive(*shape)


def _gaussian_variant(
    half: float = 0.5,
    square: bool = True,
    log_sigma: float = 1.0,
    constant: float = 0.5 * LOG_2PI,
    constant_per_dimension: bool = True,
    reduce: Callable[[Tensor], Tensor] = lambda terms: terms.sum(-1),
) -> Callable[..., Tensor]:
    def wrong(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
        standardised = (x - mu) / sigma
        terms = -half * (standardised**2 if square else standardised) - log_sigma * sigma.log()
        if constant_per_dimension:
            return reduce(terms - constant)
        return reduce(terms) - constant

    return wrong


def _does_not_integrate(answer: Answer, grid: Tensor, *parameters: Tensor) -> str | None:
    """Say so if exp of the answer, a log-density on a grid ``(points, 1)``, does not integrate to one."""
    (log_p,) = tensors_from(answer.call(grid, *parameters))
    if log_p.shape != grid.shape[:1]:
        return None  # the shape is judged elsewhere
    total = torch.trapezoid(log_p.exp(), grid.squeeze(-1)).item()
    if abs(total - 1) < 1e-6:
        return None
    return f"A density integrates to 1. In one dimension, exp of your result integrates to {total:.4f}."


def _integrates_to_one(answer: Answer, draw: Draw) -> str | None:
    mu, sigma = draw.normal(1, 1), draw.positive(1, 1)
    grid = torch.linspace(-12, 12, 2001, dtype=mu.dtype).unsqueeze(-1) * sigma + mu
    return _does_not_integrate(answer, grid, mu.expand_as(grid).clone(), sigma.expand_as(grid).clone())


GAUSSIAN_LOG_PROB = Exercise(
    reference=gaussian_log_prob,
    points=3,
    returns={"log_prob": "(batch,)"},
    convention=SUM_OVER_DIMENSIONS,
    probe=_gaussian_probe,
    gradients=("x", "mu", "sigma"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "missing ½ in the square",
            "The ½ in front of the squared distance is missing.",
            _gaussian_variant(half=1.0),
        ),
        Misconception(
            "missing normalising constant",
            "The normalising constant -½ log 2π is missing, once for every dimension.",
            _gaussian_variant(constant=0.0),
        ),
        Misconception(
            "constant counted once",
            "You subtract ½ log 2π once; every dimension has its own.",
            _gaussian_variant(constant_per_dimension=False),
        ),
        Misconception(
            "log 2π without the ½",
            "The constant is ½ log 2π, not log 2π: it comes from log of a square root.",
            _gaussian_variant(constant=LOG_2PI),
        ),
        Misconception(
            "missing -log sigma",
            "The term -log sigma is missing: a wider Gaussian is lower everywhere, so that it still integrates to 1.",
            _gaussian_variant(log_sigma=0.0),
        ),
        Misconception(
            "+log sigma",
            "The sign of log sigma is flipped: a wider Gaussian has a lower density at its mean.",
            _gaussian_variant(log_sigma=-1.0),
        ),
        Misconception(
            "half of log sigma",
            "You take ½ log sigma. That belongs to the variance: ½ log sigma² = log sigma.",
            _gaussian_variant(log_sigma=0.5),
        ),
        Misconception(
            "two log sigma",
            "You take log sigma² where log sigma belongs: ½ log sigma² = log sigma.",
            _gaussian_variant(log_sigma=2.0),
        ),
        Misconception(
            "variance for standard deviation in the square",
            "You divide the squared distance by sigma; it is divided by sigma², since sigma is a standard deviation.",
            lambda x, mu, sigma: (-0.5 * (x - mu) ** 2 / sigma - sigma.log() - 0.5 * LOG_2PI).sum(-1),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma as the variance. It is the standard deviation: divide by sigma² and subtract log sigma.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma.sqrt()),
        ),
        Misconception(
            "variance handed to a function that wants the standard deviation",
            "You use sigma² as the standard deviation: Normal(mu, sigma) expects sigma itself.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma**2),
        ),
        Misconception(
            "sigma read as log sigma",
            "You read sigma as its logarithm: it is the standard deviation itself.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma.exp()),
        ),
        Misconception(
            "not squared",
            "The distance is not squared.",
            _gaussian_variant(square=False),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions; the log-density of independent dimensions is their sum.",
            _gaussian_variant(reduce=lambda terms: terms.mean(-1)),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0); sum over the last dimension, and keep one value per data point.",
            _gaussian_variant(reduce=lambda terms: terms.sum(0)),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension to get one value per data point.",
            _gaussian_variant(reduce=lambda terms: terms),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            _gaussian_variant(reduce=lambda terms: terms.sum()),
        ),
        Misconception(
            "density instead of log-density",
            "You return the density: its logarithm is wanted.",
            _gaussian_variant(reduce=lambda terms: terms.sum(-1).exp()),
        ),
        Misconception(
            "sum of densities",
            "You take the logarithm of a sum of densities: the densities of independent dimensions multiply, "
            "so their logarithms add.",
            _gaussian_variant(reduce=lambda terms: terms.exp().sum(-1).log()),
        ),
        Misconception(
            "exp before log",
            "You compute the density first and take its logarithm after: far from the mean, or in many dimensions, "
            "the density underflows to 0. Write the logarithm down directly.",
            _gaussian_variant(reduce=lambda terms: terms.exp().prod(-1).log()),
        ),
        Misconception(
            "sign",
            "The sign is flipped: that is the negative log-density, a loss. The log-density itself is wanted.",
            _gaussian_variant(reduce=lambda terms: -terms.sum(-1)),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches mu and sigma: leave out .detach(), .item(), .data and "
            "torch.no_grad(), or no model can be trained with it.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu.detach(), sigma.detach()),
        ),
    ),
    alternatives=(
        lambda x, mu, sigma: Normal(mu, sigma).log_prob(x).sum(-1),
        lambda x, mu, sigma: Independent(Normal(mu, sigma), 1).log_prob(x),
        lambda x, mu, sigma: MultivariateNormal(mu, torch.diag_embed(sigma**2)).log_prob(x),
        lambda x, mu, sigma: (
            -torch.sum((x - mu) ** 2 / (2 * sigma**2), dim=1)
            - torch.sum(torch.log(sigma), dim=1)
            - x.shape[1] / 2 * math.log(2 * math.pi)
        ),
        lambda x, mu, sigma: -0.5 * (torch.log(2 * torch.pi * sigma**2) + (x - mu).pow(2) / sigma.pow(2)).sum(dim=-1),
    ),
    properties=(Property("integrates to one", _integrates_to_one),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds: a product of densities underflows to 0 there.",
            lambda draw: (
                draw.normal(draw.sizes.batch, 784, scale=2.0),
                draw.normal(draw.sizes.batch, 784),
                draw.positive(draw.sizes.batch, 784),
            ),
        ),
        EdgeCase(
            "far from the mean",
            "Right near the mean, but not far from it: the density underflows to 0 there.",
            lambda draw: (
                draw.normal(draw.sizes.batch, draw.sizes.dim, scale=5.0, shift=70.0),
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                draw.positive(draw.sizes.batch, draw.sizes.dim),
            ),
        ),
    ),
)


# --- sample_mixture ------------------------------------------------------------------------------

NUM_DRAWN = 8_000  # a right answer that draws point by point in a loop stays within the time limit


def _mixture_parameters(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    components, dim = draw.sizes.components, draw.sizes.dim
    return draw.simplex(components), draw.normal(components, dim, scale=2.0), draw.positive(components, dim)


def _sampler_probe(draw: Draw) -> tuple[Any, ...]:
    # The generator is made inside the observation, from this seed: it has a state that must not be shared.
    return NUM_DRAWN, *_mixture_parameters(draw), draw.integer(10_000)


def _sampler_call(answer: Answer, n: int, weights: Tensor, mu: Tensor, sigma: Tensor, seed: int) -> Any:
    generator = torch.Generator(device=mu.device).manual_seed(seed)
    result = tensors_from(answer.call(n, weights, mu, sigma, generator))
    if len(result) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, (z, x); {len(result)} came.")
    z, x = result
    if z.is_floating_point() and not x.is_floating_point():
        raise AnswerFailed("type", "z and x are exchanged: return (z, x), the components first.")
    if z.shape != (n,):
        raise AnswerFailed("type", f"z should have shape (n,) = ({n},); yours has {tuple(z.shape)}.")
    if x.shape != (n, mu.shape[-1]):
        raise AnswerFailed("type", f"x should have shape (n, dim) = ({n}, {mu.shape[-1]}); yours has {tuple(x.shape)}.")
    if z.dtype != torch.int64:
        raise AnswerFailed("type", f"z should be int64, so that it can index; yours is {z.dtype}.")
    if x.dtype != mu.dtype:
        raise AnswerFailed("type", f"x should have the dtype of mu, {mu.dtype}; yours is {x.dtype}.")
    if z.min() < 0 or z.max() >= len(weights):
        raise AnswerFailed("type", f"z should lie between 0 and {len(weights) - 1}; yours has {z.min()} to {z.max()}.")
    return z, x


def _sampler_statistics(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe a sampler by statistics in units of their standard error: about N(0, 1) if it is right."""
    n, weights, mu, sigma, seed = args
    z, x = _sampler_call(answer, n, weights, mu, sigma, seed)
    z, x, weights, mu, sigma = (
        z.cpu(),
        x.double().cpu(),
        weights.double().cpu(),
        mu.double().cpu(),
        sigma.double().cpu(),
    )
    counts = torch.bincount(z, minlength=len(weights)).double()
    frequency = (counts - n * weights) / (n * weights * (1 - weights)).sqrt()
    e = (x - mu[z]) / sigma[z]  # standard Gaussian noise, if x was drawn from the component z names
    one_hot = torch.nn.functional.one_hot(z, len(weights)).double()
    present = counts.clamp(min=1).unsqueeze(-1)
    mean = (one_hot.T @ e) / present.sqrt()
    spread = (one_hot.T @ (e**2 - 1)) / (2 * present).sqrt()
    across_dims = (e[:, :1] * e[:, 1:]).sum(0) / math.sqrt(n)
    across_draws = (e[1:] * e[:-1]).sum(0) / math.sqrt(n)
    same_as_before = (weights**2).sum()
    repeats = ((z[1:] == z[:-1]).double() - same_as_before).sum() / (n * same_as_before * (1 - same_as_before)).sqrt()
    fourth = ((e**4).mean(0) - 3) / math.sqrt(96 / n)
    statistics = frequency, mean, spread, across_dims, across_draws, repeats.reshape(1), fourth
    return tuple(statistic.to(args[2].dtype) for statistic in statistics)


def _repeatable(answer: Answer, draw: Draw) -> str | None:
    parameters, seed = _mixture_parameters(draw), draw.integer(10_000)
    torch.manual_seed(1)
    _sampler_call(answer, 1, *parameters, seed)  # one sample keeps its dimension
    first = _sampler_call(answer, 50, *parameters, seed)
    torch.manual_seed(2)
    again = _sampler_call(answer, 50, *parameters, seed)
    other = _sampler_call(answer, 50, *parameters, seed + 1)
    if not all(torch.equal(a, b) for a, b in zip(first, again, strict=True)):
        return (
            "The same generator state must give the same samples: hand `generator` to every random function "
            "(torch.multinomial and torch.randn take generator=generator)."
        )
    if any(torch.equal(a, b) for a, b in zip(first, other, strict=True)):
        return "Another seed must give other samples: draw z and x with the generator as it comes, without seeding it."
    generator = torch.Generator(device=parameters[1].device).manual_seed(seed)
    (_, x), (_, later) = (tensors_from(answer.call(50, *parameters, generator)) for _ in range(2))
    if torch.equal(x, later):
        return (
            "Drawing twice from the same generator gave the same samples: use it as it comes, without seeding anything."
        )
    return None


def _noise(n: int, mu: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(n, mu.shape[-1], generator=generator, dtype=mu.dtype, device=mu.device)


def _component(n: int, weights: Tensor, generator: torch.Generator) -> Tensor:
    return torch.multinomial(weights, n, replacement=True, generator=generator)


def _sampler_variant(
    change: Callable[[Tensor], Tensor] = lambda sigma: sigma,
    noise: Callable[..., Tensor] = _noise,
    component: Callable[..., Tensor] = _component,
) -> Callable[..., Any]:
    def wrong(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
        z = component(n, weights, generator)
        return z, mu[z] + change(sigma)[z] * noise(n, mu, generator)

    return wrong


def _unrelated(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    _, x = sample_mixture(n, weights, mu, sigma, generator)
    return _component(n, weights, generator), x


def _averaged(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    z = _component(n, weights, generator)
    return z, weights @ mu + (weights @ sigma) * _noise(n, mu, generator)


def _inverse_cdf(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    eps = _noise(n, mu, generator)
    u = torch.rand(n, generator=generator, dtype=mu.dtype, device=mu.device)
    z = torch.searchsorted(weights.cumsum(0), u).clamp(max=len(weights) - 1)
    return z, torch.addcmul(mu[z], sigma[z], eps)


def _torch_normal(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    z = torch.multinomial(weights, n, True, generator=generator)
    return z, torch.normal(mu[z], sigma[z], generator=generator)


def _per_component(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    z = _component(n, weights, generator)
    x = mu.new_empty(n, mu.shape[1])
    for k in range(len(weights)):
        chosen = z == k
        eps = torch.randn(int(chosen.sum()), mu.shape[1], generator=generator, dtype=mu.dtype, device=mu.device)
        x[chosen] = mu[k] + sigma[k] * eps
    return z, x


def _gumbel(n: int, weights: Tensor, mu: Tensor, sigma: Tensor, generator: torch.Generator) -> Any:
    u = torch.rand(n, len(weights), generator=generator, dtype=mu.dtype, device=mu.device)
    z = (weights.log() - (-(u.log())).log()).argmax(-1)
    return z, mu[z] + sigma[z] * _noise(n, mu, generator)


SAMPLE_MIXTURE = Exercise(
    reference=sample_mixture,
    points=3,
    returns={"z": "(n,)", "x": "(n, dim)"},
    convention="Randomness comes from the generator you are given: the same state gives the same samples. z is int64.",
    probe=_sampler_probe,
    observe=_sampler_statistics,
    # Statistics of the answer and of the reference are each about N(0, 1): 8 is 5.6 standard errors of
    # their difference. Those of a wrong sampler are in the tens to thousands.
    atol=8.0,
    rtol=0.2,
    misconceptions=(
        Misconception(
            "weights ignored",
            "Your components come about equally often, whatever the weights are: draw z with probabilities `weights`, "
            "which are no logits (no softmax).",
            _sampler_variant(
                component=lambda n, weights, generator: torch.randint(
                    len(weights), (n,), generator=generator, device=weights.device
                )
            ),
        ),
        Misconception(
            "always the most likely component",
            "z is the same component every time: draw it at random, with probabilities `weights`.",
            _sampler_variant(component=lambda n, weights, generator: weights.argmax().expand(n).clone()),
        ),
        Misconception(
            "sigma read as the variance",
            "Your samples spread like the square root of sigma: sigma is a standard deviation, multiply the noise by it.",
            _sampler_variant(change=torch.sqrt),
        ),
        Misconception(
            "noise times the variance",
            "Your samples spread like sigma²: multiply the noise by sigma itself.",
            _sampler_variant(change=torch.square),
        ),
        Misconception(
            "sigma read as log sigma",
            "Your samples spread like exp(sigma): sigma is the standard deviation itself.",
            _sampler_variant(change=torch.exp),
        ),
        Misconception(
            "sigma ignored",
            "Your noise has standard deviation 1: multiply it by the sigma of the component drawn.",
            _sampler_variant(change=torch.ones_like),
        ),
        Misconception(
            "no noise",
            "Every x is exactly its component's mean: add sigma times Gaussian noise.",
            _sampler_variant(noise=lambda n, mu, generator: torch.zeros(n, mu.shape[-1], dtype=mu.dtype)),
        ),
        Misconception(
            "uniform noise",
            "Your noise is uniform (torch.rand); a Gaussian needs torch.randn.",
            _sampler_variant(
                noise=lambda n, mu, generator: torch.rand(n, mu.shape[-1], generator=generator, dtype=mu.dtype)
            ),
        ),
        Misconception(
            "noise shared by all dimensions",
            "All dimensions of a point get the same noise: draw it of shape (n, dim).",
            _sampler_variant(
                noise=lambda n, mu, generator: torch.randn(n, 1, generator=generator, dtype=mu.dtype).expand(
                    n, mu.shape[-1]
                )
            ),
        ),
        Misconception(
            "noise shared by all points",
            "All points get the same noise: draw it of shape (n, dim).",
            _sampler_variant(
                noise=lambda n, mu, generator: torch.randn(1, mu.shape[-1], generator=generator, dtype=mu.dtype).expand(
                    n, -1
                )
            ),
        ),
        Misconception(
            "x not drawn from the z returned",
            "z and x do not belong together: x must be drawn from the very component z that you return.",
            _unrelated,
        ),
        Misconception(
            "parameters averaged",
            "You average mu and sigma over the components and draw from one Gaussian: draw z first, then x from "
            "component z alone.",
            _averaged,
        ),
        Misconception(
            "components sorted",
            "Your z come in order: the points must be independent draws. Draw each z anew.",
            _sampler_variant(component=lambda n, weights, generator: _component(n, weights, generator).sort().values),
        ),
    ),
    alternatives=(_inverse_cdf, _torch_normal, _per_component, _gumbel),
    properties=(Property("same state, same samples", _repeatable),),
)


# --- mixture_log_prob ----------------------------------------------------------------------------


def _mixture_probe(draw: Draw) -> tuple[Any, ...]:
    x = draw.normal(draw.sizes.batch, draw.sizes.dim, scale=1.5)
    weights = draw.simplex(draw.sizes.components)
    mu = draw.normal(draw.sizes.components, draw.sizes.dim, scale=0.8)
    return x, weights, mu, draw.positive(draw.sizes.components, draw.sizes.dim)


def _far_mixture(draw: Draw) -> tuple[Any, ...]:
    _, *parameters = _mixture_probe(draw)
    return draw.normal(draw.sizes.batch, draw.sizes.dim, scale=4.0, shift=90.0), *parameters


def _wide_mixture(draw: Draw) -> tuple[Any, ...]:
    wide = (draw.sizes.components, 784)
    parameters = draw.simplex(draw.sizes.components), draw.normal(*wide, scale=0.1), draw.positive(*wide)
    return draw.normal(draw.sizes.batch, 784), *parameters


FAR_AWAY = EdgeCase(
    "far from every component",
    "Right near the components, but not far from them: every density underflows to 0 there. Stay with logarithms: "
    "logsumexp for sums, softmax for ratios.",
    _far_mixture,
)
MANY_DIMENSIONS = EdgeCase(
    "hundreds of dimensions",
    "Right in a few dimensions, but not in hundreds: the densities underflow to 0 there. Stay with logarithms: "
    "logsumexp for sums, softmax for ratios.",
    _wide_mixture,
)


def _component_log_prob(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    return gaussian_log_prob(x.unsqueeze(-2), mu, sigma)


def _mixture_integrates(answer: Answer, draw: Draw) -> str | None:
    grid = torch.linspace(-30, 30, 6001, dtype=draw.dtype).unsqueeze(-1)
    return _does_not_integrate(answer, grid, draw.simplex(3), draw.normal(3, 1), draw.positive(3, 1))


MIXTURE_LOG_PROB = Exercise(
    reference=mixture_log_prob,
    points=3,
    returns={"log_prob": "(batch,)"},
    convention=MIXTURE_SHAPES,
    probe=_mixture_probe,
    gradients=("x", "weights", "mu", "sigma"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "mean of the logs",
            "You average log p(x|z) over z. The sum over z stands inside the logarithm: log of a mean, not mean of logs.",
            lambda x, w, mu, sigma: (w * _component_log_prob(x, mu, sigma)).sum(-1),
        ),
        Misconception(
            "weights left out",
            "The weights are missing: p(x) = Σ p(z) p(x|z), so log p(z) is added before the logsumexp.",
            lambda x, w, mu, sigma: torch.logsumexp(_component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "all components weighted equally",
            "You weight all components equally: each has its own weight p(z).",
            lambda x, w, mu, sigma: torch.logsumexp(_component_log_prob(x, mu, sigma), -1) - math.log(len(w)),
        ),
        Misconception(
            "weights not in logarithms",
            "You add the weights to log-densities: it is log p(z) that is added.",
            lambda x, w, mu, sigma: torch.logsumexp(w + _component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "weights times log-densities inside",
            "You multiply log-densities by the weights before the logsumexp: a factor outside a density becomes a "
            "summand of its logarithm.",
            lambda x, w, mu, sigma: torch.logsumexp(w * _component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "most likely component only",
            "You keep only the most likely component (max): log p(x) sums over all of them.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).amax(-1),
        ),
        Misconception(
            "sum of log-joints",
            "You sum log p(x, z) over z. The sum over z stands inside the logarithm: use logsumexp.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).sum(-1),
        ),
        Misconception(
            "softmax of the weights",
            "You treat the weights as logits (softmax or log_softmax): they are probabilities already, take their log.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w.softmax(-1), mu, sigma),
        ),
        Misconception(
            "mixture per dimension",
            "You mix in every dimension separately and add up. One z is drawn for the whole point: first sum the "
            "log-density over dimensions, then logsumexp over components.",
            lambda x, w, mu, sigma: torch.logsumexp(
                w.log().unsqueeze(-1) + Normal(mu, sigma).log_prob(x.unsqueeze(-2)), -2
            ).sum(-1),
        ),
        Misconception(
            "parameters averaged",
            "You average mu and sigma over the components and evaluate one Gaussian: a mixture averages densities.",
            lambda x, w, mu, sigma: gaussian_log_prob(x, w @ mu, w @ sigma),
        ),
        Misconception(
            "joint density returned",
            "You return log p(x, z) for each component: sum over z, inside the logarithm.",
            mixture_log_joint,
        ),
        Misconception(
            "exp before log",
            "You sum densities and take the logarithm after: far from every component, or in many dimensions, the "
            "densities underflow to 0. Use torch.logsumexp on the log-densities.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).exp().sum(-1).log(),
        ),
        Misconception(
            "missing normaliser",
            "The normalising constants of the Gaussians, -½ log 2π for each dimension, are missing.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w, mu, sigma) + 0.5 * LOG_2PI * x.shape[-1],
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): keep one value per data point.",
            lambda x, w, mu, sigma: mixture_log_prob(x, w, mu, sigma).sum(),
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: MixtureSameFamily(
            Categorical(probs=w, validate_args=False), Independent(Normal(mu, sigma), 1)
        ).log_prob(x),
        lambda x, w, mu, sigma: torch.logsumexp(
            torch.stack([torch.log(w[k]) + Normal(mu[k], sigma[k]).log_prob(x).sum(-1) for k in range(len(w))], 1),
            1,
        ),
    ),
    properties=(Property("integrates to one", _mixture_integrates),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)


# --- mixture_posterior ---------------------------------------------------------------------------


def _sums_to_one(answer: Answer, draw: Draw) -> str | None:
    (posterior,) = tensors_from(answer.call(*_mixture_probe(draw)))
    totals = posterior.sum(-1)
    if torch.allclose(totals, torch.ones_like(totals)) and bool((posterior >= 0).all()):
        return None
    return f"p(z|x) is a distribution over z: each row is positive and sums to 1. Yours: {totals.flatten()[0]:.4f}."


MIXTURE_POSTERIOR = Exercise(
    reference=mixture_posterior,
    points=3,
    returns={"posterior": "(batch, components)"},
    convention=MIXTURE_SHAPES + " Each row of the posterior sums to one.",
    probe=_mixture_probe,
    gradients=("x", "weights", "mu", "sigma"),
    misconceptions=(
        Misconception(
            "prior left out",
            "The prior is missing: p(z|x) is proportional to p(z) p(x|z), not to p(x|z) alone.",
            lambda x, w, mu, sigma: torch.softmax(_component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "not normalised",
            "You return the joint density p(x, z): divide by p(x), its sum over z.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).exp(),
        ),
        Misconception(
            "normalised over the batch",
            "You normalise over the batch (dimension 0): for every data point the probabilities of the components "
            "sum to one, so normalise over the last dimension.",
            lambda x, w, mu, sigma: torch.softmax(mixture_log_joint(x, w, mu, sigma), 0),
        ),
        Misconception(
            "normalised over everything",
            "You normalise over all entries: each row sums to one by itself.",
            lambda x, w, mu, sigma: torch.softmax(mixture_log_joint(x, w, mu, sigma).flatten(), 0).reshape(len(x), -1),
        ),
        Misconception(
            "log-posterior returned",
            "You return log p(z|x): the probabilities themselves are wanted.",
            lambda x, w, mu, sigma: torch.log_softmax(mixture_log_joint(x, w, mu, sigma), -1),
        ),
        Misconception(
            "hard assignment",
            "You put all probability on the most likely z. That is the lecture's first guess; the posterior says how "
            "likely each z is.",
            lambda x, w, mu, sigma: torch.nn.functional.one_hot(
                mixture_log_joint(x, w, mu, sigma).argmax(-1), len(w)
            ).to(x.dtype),
        ),
        Misconception(
            "index returned",
            "You return the index of the most likely z: a probability for every component is wanted.",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).argmax(-1),
        ),
        Misconception(
            "log-densities divided by their sum",
            "You divide logarithms by their sum: probabilities are normalised, not their logarithms. Use softmax.",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma) / mixture_log_joint(x, w, mu, sigma).sum(-1, keepdim=True)
            ),
        ),
        Misconception(
            "weights not in logarithms",
            "You add the weights to log-densities, or treat them as logits: they are probabilities, add log p(z).",
            lambda x, w, mu, sigma: torch.softmax(w + _component_log_prob(x, mu, sigma), -1),
        ),
        Misconception(
            "weights after normalising",
            "You multiply by the weights after normalising p(x|z): the rows no longer sum to one. Multiply first, "
            "normalise after.",
            lambda x, w, mu, sigma: torch.softmax(_component_log_prob(x, mu, sigma), -1) * w,
        ),
        Misconception(
            "one dimension forgotten",
            "You normalise in every dimension separately: sum log-densities over the dimensions first.",
            lambda x, w, mu, sigma: torch.softmax(
                w.log().unsqueeze(-1) + Normal(mu, sigma).log_prob(x.unsqueeze(-2)), -2
            ),
        ),
        Misconception(
            "exp before dividing",
            "You divide densities: far from every component, or in many dimensions, they underflow and 0/0 is NaN. "
            "Use softmax on log p(x, z), or subtract log p(x) before exp.",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma).exp()
                / mixture_log_joint(x, w, mu, sigma).exp().sum(-1, keepdim=True)
            ),
        ),
        Misconception(
            "prior returned",
            "You return the prior weights for every x: multiply by the likelihood p(x|z) and normalise.",
            lambda x, w, mu, sigma: w.expand(len(x), -1) + 0 * x.sum() + 0 * mu.sum() + 0 * sigma.sum(),
        ),
        Misconception(
            "transposed",
            "Your posterior is (components, batch): the batch comes first.",
            lambda x, w, mu, sigma: mixture_posterior(x, w, mu, sigma).T,
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: (
            mixture_log_joint(x, w, mu, sigma) - mixture_log_prob(x, w, mu, sigma).unsqueeze(-1)
        ).exp(),
        lambda x, w, mu, sigma: torch.nn.functional.softmax(
            torch.log(w)[None] + Independent(Normal(mu[None], sigma[None]), 1).log_prob(x[:, None]), dim=1
        ),
    ),
    properties=(Property("sums to one", _sums_to_one),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)


# --- expected_log_joint --------------------------------------------------------------------------


def _identity_with_entropy(answer: Answer, draw: Draw) -> str | None:
    """E[log p(x, z)] = log p(x) - H(p(z|x)): an identity that needs neither sum written twice."""
    x, weights, mu, sigma = _mixture_probe(draw)
    (value,) = tensors_from(answer.call(x, weights, mu, sigma))
    log_prob = MixtureSameFamily(
        Categorical(probs=weights, validate_args=False), Independent(Normal(mu, sigma), 1)
    ).log_prob(x)
    entropy = Categorical(probs=mixture_posterior(x, weights, mu, sigma), validate_args=False).entropy()
    wanted = log_prob - entropy
    if value.shape != wanted.shape or torch.allclose(value, wanted, rtol=1e-6):
        return None
    return (
        "E[log p(x, z)] under the posterior equals log p(x) minus the posterior's entropy: "
        f"{wanted[0]:.4f} for one x, where you return {value[0]:.4f}."
    )


EXPECTED_LOG_JOINT = Exercise(
    reference=expected_log_joint,
    points=3,
    returns={"expected": "(batch,)"},
    convention=MIXTURE_SHAPES,
    probe=_mixture_probe,
    # No gradients: whether the posterior moves with the parameters (as in a loss) or is held fixed (as in
    # expectation-maximisation) is open, and both are right.
    misconceptions=(
        Misconception(
            "most likely z only",
            "You take log p(x, z) at the most likely z: the lecture's \"guess the most likely z and pretend it is the "
            'right one". Average over all z, weighted by p(z|x).',
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).amax(-1),
        ),
        Misconception(
            "log-likelihood returned",
            "That is log p(x), a log of a sum over z. Here the logarithm stands inside: the mean of log p(x, z) under "
            "p(z|x).",
            mixture_log_prob,
        ),
        Misconception(
            "expectation under the prior",
            "You average under the prior p(z): the expectation is under the posterior p(z|x).",
            lambda x, w, mu, sigma: (w * mixture_log_joint(x, w, mu, sigma)).sum(-1),
        ),
        Misconception(
            "prior left out of the joint",
            "You average log p(x|z): the joint is log p(x, z) = log p(x|z) + log p(z).",
            lambda x, w, mu, sigma: (mixture_posterior(x, w, mu, sigma) * _component_log_prob(x, mu, sigma)).sum(-1),
        ),
        Misconception(
            "all z weighted equally",
            "You weight all z equally: weight each by how likely it is given x, p(z|x).",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).mean(-1),
        ),
        Misconception(
            "sum over z without weights",
            "You sum log p(x, z) over z without weights: each term is weighted by p(z|x).",
            lambda x, w, mu, sigma: mixture_log_joint(x, w, mu, sigma).sum(-1),
        ),
        Misconception(
            "posterior without the prior",
            "Your weights are proportional to p(x|z): the posterior is proportional to p(z) p(x|z).",
            lambda x, w, mu, sigma: (
                torch.softmax(_component_log_prob(x, mu, sigma), -1) * mixture_log_joint(x, w, mu, sigma)
            ).sum(-1),
        ),
        Misconception(
            "log of the mean",
            "You take the log of the average joint density: average its logarithm.",
            lambda x, w, mu, sigma: torch.logsumexp(
                torch.log_softmax(mixture_log_joint(x, w, mu, sigma), -1) + mixture_log_joint(x, w, mu, sigma),
                -1,
            ),
        ),
        Misconception(
            "expected log-posterior",
            "You average log p(z|x): the joint log p(x, z) is wanted.",
            lambda x, w, mu, sigma: -torch.special.entr(mixture_posterior(x, w, mu, sigma)).sum(-1),
        ),
        Misconception(
            "entropy added",
            "You add the posterior's entropy: that makes it log p(x). E[log p(x, z)] stands without it.",
            lambda x, w, mu, sigma: (
                expected_log_joint(x, w, mu, sigma) + 2 * torch.special.entr(mixture_posterior(x, w, mu, sigma)).sum(-1)
            ),
        ),
        Misconception(
            "not summed over z",
            "You return one term per component: the expectation sums them.",
            lambda x, w, mu, sigma: mixture_posterior(x, w, mu, sigma) * mixture_log_joint(x, w, mu, sigma),
        ),
        Misconception(
            "exp before dividing",
            "You compute the posterior from densities: far from every component, or in many dimensions, they "
            "underflow and 0/0 is NaN. Use softmax on log p(x, z).",
            lambda x, w, mu, sigma: (
                mixture_log_joint(x, w, mu, sigma).exp()
                / mixture_log_joint(x, w, mu, sigma).exp().sum(-1, keepdim=True)
                * mixture_log_joint(x, w, mu, sigma)
            ).sum(-1),
        ),
    ),
    alternatives=(
        lambda x, w, mu, sigma: torch.einsum(
            "bk,bk->b", mixture_posterior(x, w, mu, sigma), mixture_log_joint(x, w, mu, sigma)
        ),
        lambda x, w, mu, sigma: (
            mixture_log_prob(x, w, mu, sigma)
            - Categorical(logits=mixture_log_joint(x, w, mu, sigma), validate_args=False).entropy()
        ),
    ),
    properties=(Property("log p(x) minus entropy", _identity_with_entropy),),
    edge_cases=(FAR_AWAY, MANY_DIMENSIONS),
)


# --- monte_carlo_log_likelihood ------------------------------------------------------------------


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


MONTE_CARLO_LOG_LIKELIHOOD = Exercise(
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


# --- questions -----------------------------------------------------------------------------------

BIAS = Question(
    name="bias_prediction",
    points=1,
    text="With few samples, where does the Monte Carlo estimate of log p(x) lie on average?",
    options={
        "above": "The mean of p(x|z) is unbiased, but the logarithm bends it: by Jensen's inequality the logarithm of a "
        "noisy mean lies below on average, not above.",
        "below": "The mean of p(x|z) is unbiased, and the logarithm is concave: by Jensen's inequality the log of a noisy "
        "mean lies below the log of what it estimates. Notebook 02 makes this a bound.",
        "exactly at": "That holds for the mean of p(x|z) itself, which is unbiased. The logarithm of an unbiased "
        "estimate is not an unbiased estimate of the logarithm.",
    },
    correct="below",
)

DIMENSIONS = Question(
    name="dimension_prediction",
    points=1,
    text="The latent space grows from 1 to 20 dimensions. How many prior samples does an estimate of the same "
    "quality need?",
    options={
        "the same number": "In one dimension a good share of prior samples explains x. The share shrinks with every "
        "dimension, so more samples are needed.",
        "20 times as many": "The share of prior samples that explain x is a product over the dimensions, not a sum: "
        "a third in each of 20 dimensions is a third to the power 20.",
        "exponentially many": "The share of prior samples that explain x is a product over dimensions. If it is a third "
        "in each, 20 dimensions leave one sample in three billion.",
    },
    correct="exponentially many",
)

EXERCISES: tuple[Exercise | Question, ...] = (
    GAUSSIAN_LOG_PROB,
    SAMPLE_MIXTURE,
    MIXTURE_LOG_PROB,
    MIXTURE_POSTERIOR,
    EXPECTED_LOG_JOINT,
    MONTE_CARLO_LOG_LIKELIHOOD,
    BIAS,
    DIMENSIONS,
)
