"""A density of images, seen as one of points: what is asked of densities can then be asked of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, Instance
from course_lib.checker.densities import ERRORS, Density, dtype_of_log_prob
from course_lib.checker.flows import Lacking, Make
from course_lib.checker.probes import Draw

Shape = tuple[int, int, int]
PROPOSED, COVERING, WIDER, OFF = 3000, 800, 1.35, 0.1
STEIN_DRAWN = 1500
QUIETER = (
    0.4  # each number of a convolution is a sum over nine pixels: what moves a linear layer a little is much for it
)


class FlatInstance:
    """An instance whose ``log_prob`` is given points and whose samples are read as points."""

    def __init__(self, instance: Instance, shape: Shape) -> None:
        self._instance, self._shape = instance, shape

    def call(self, method: str, *args: Any) -> Any:
        if method == "log_prob":
            (points,) = args
            return self._instance.call(method, points.unflatten(-1, self._shape))
        result = self._instance.call(method, *args)
        if method == "sample":
            if not isinstance(result, Tensor) or result.shape != (args[0], *self._shape):
                shape = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
                raise AnswerFailed(
                    "type", f"sample should have shape {(args[0], *self._shape)} here; yours has {shape}."
                )
            return result.flatten(1)
        return result

    def parameters(self) -> dict[str, Tensor]:
        return self._instance.parameters()

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        old = self._instance.parameters()
        self._instance.set_parameters(
            {name: old[name].detach() + QUIETER * (value - old[name].detach()) for name, value in values.items()}
        )


class FlatAnswer:
    """An answer that is constructed with ``(dim, (channels, height, width), ...)`` and sees the image's sizes alone."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def construct(self, dim: int, shape: Shape, *args: Any) -> Any:
        return FlatInstance(self._answer.construct(*shape, *args), shape)


def flat(lacking: Lacking) -> Lacking:
    """Ask something of a density of images that is asked of densities of points."""
    return lambda answer, draw: lacking(FlatAnswer(answer), draw)  # type: ignore[arg-type]


def follows_dtype(make: Make) -> Lacking:
    """Float32 in, float32 out; float64 after ``.double()``; shapes are looked at elsewhere."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        try:
            return flat(dtype_of_log_prob(make))(answer, draw)
        except AnswerFailed as failed:
            if failed.kind == "type":
                return None
            raise

    return lacking


def once(lacking: Lacking) -> Lacking:
    """Ask what takes long in one of the settings that are looked at."""
    return lambda answer, draw: lacking(answer, draw) if draw.sizes.batch == 2 else None


def has_parameters(make: Make) -> Lacking:
    """Something is learned."""
    return lambda answer, draw: None if FlatAnswer(answer).construct(*make(draw)).parameters() else ""


def density(answer: Answer, draw: Draw, args: tuple[Any, ...], scale: float = 0.25) -> Density:
    """Return a density of images whose parameters have been moved, as one of points."""
    return Density(FlatAnswer(answer), draw, args, scale)  # type: ignore[arg-type]


def does_not_integrate(make: Make) -> Lacking:
    """The mean of p(x) / q(x) over draws of a Gaussian q, a little wider than the samples, is 1."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        of = density(answer, draw, make(draw), scale=0.2)
        own = of.sample(COVERING, 1)
        cover = WIDER * torch.cov(own.T) + 1e-6 * torch.eye(of.dim, dtype=own.dtype)
        proposal = torch.distributions.MultivariateNormal(own.mean(0), cover)
        torch.manual_seed(0)
        x = proposal.sample((PROPOSED,))
        with torch.no_grad():
            ratios = (of.log_prob(x) - proposal.log_prob(x)).exp()
        total, error = ratios.mean().item(), ratios.std().item() / math.sqrt(PROPOSED)
        if math.isnan(total) or abs(total - 1) < max(OFF, ERRORS * error):
            return None
        return f"For images of {of.dim} entries in all, yours integrates to about {total:.3g}."

    return lacking


def samples_from_elsewhere(make: Make) -> Lacking:
    """E[∂ᵢ log p · h(xⱼ) + ∂ᵢ h(xⱼ)] = 0 for samples of p (Stein), with h = tanh."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        of = density(answer, draw, make(draw))
        x = of.sample(STEIN_DRAWN, 6).requires_grad_()
        (slope,) = torch.autograd.grad(of.log_prob(x).sum(), x)
        bounded = x.detach().tanh()
        terms = slope.unsqueeze(-1) * bounded.unsqueeze(-2) + torch.diag_embed(1 - bounded**2)
        off = terms.mean(0).abs() / (terms.std(0) / math.sqrt(STEIN_DRAWN) + 1e-6)
        if bool((off < ERRORS).all()):
            return None
        i, j = divmod(int(off.argmax()), of.dim)
        return f"Stein's identity fails for entries {i} and {j} of an image: {terms.mean(0)[i, j]:.3f} where 0 is expected."

    return lacking
