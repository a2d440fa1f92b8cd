"""Ancestral sampling from a mixture, seen through the statistics of what is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.mixtures import sample_mixture

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


EXERCISE = Exercise(
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
