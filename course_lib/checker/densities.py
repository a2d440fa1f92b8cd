"""Densities seen from outside: ``log_prob(x)`` and ``sample(n, generator)`` of a flow must belong to each other.

Oracles: quadrature in the plane, Stein's identity in more dimensions, statistics of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.checker.flows import Lacking, Make, moved, unreached
from course_lib.checker.probes import Draw

POINTS, DRAWN, SETTINGS = 7, 6000, 6
REACH, CELLS = 60.0, 320  # the plane as far as a logistic's tails matter, after moderate shifts and scales
# The variance of log p(z) for each dimension: of the standard normal, and of the standard logistic.
OF_PRIORS, CLOSE = (0.5, 4 - math.pi**2 / 3), 0.15
ERRORS = 5.5  # standard errors beyond which a mean is called another one; some 50 means are looked at


class Density:
    """A student's density whose parameters have been moved, and points to look at."""

    def __init__(self, answer: Answer, draw: Draw, args: tuple[Any, ...], scale: float = 0.2) -> None:
        self.draw, self.dim = draw, int(args[0])
        self.instance: Instance = moved(answer, draw, args, scale)
        self.x = draw.normal(POINTS, self.dim)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), ``(batch,)``; raises :class:`AnswerFailed` for another shape."""
        return self._one("log_prob", x.shape[:1], x).double()

    def sample(self, n: int, seed: int) -> Tensor:
        """Return samples ``(n, dim)``; raises :class:`AnswerFailed` for another shape."""
        return self._one("sample", (n, self.dim), n, torch.Generator().manual_seed(seed)).detach().double()

    def _one(self, method: str, shape: tuple[int, ...], *args: Any) -> Tensor:
        parts = tensors_from(self.instance.call(method, *args))
        if len(parts) != 1:
            raise AnswerFailed("type", f"{method} returns one tensor, {len(parts)} came.")
        if parts[0].shape != shape:
            raise AnswerFailed(
                "type", f"{method} should have shape {tuple(shape)} here; yours has {tuple(parts[0].shape)}."
            )
        return parts[0]


def log_prob_shape(make: Make) -> Lacking:
    def look(density: Density) -> None:
        density.log_prob(density.x)
        density.log_prob(density.x[:1])

    return _shape(make, look)


def sample_shape(make: Make) -> Lacking:
    def look(density: Density) -> None:
        density.sample(POINTS, 1)
        density.sample(1, 1)

    return _shape(make, look)


def _shape(make: Make, look: Callable[[Density], None]) -> Lacking:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        try:
            look(Density(answer, draw, make(draw)))
        except AnswerFailed as failed:
            if failed.kind != "type":
                raise
            return failed.says
        return None

    return lacking


def is_random(make: Make) -> Lacking:
    """log_prob of the same points is the same."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        first, second = (density.log_prob(density.x) for _ in range(2))
        return None if torch.equal(first, second) else f"Twice for one point: {first[0]:.4f} and {second[0]:.4f}."

    return lacking


def mixes_points(make: Make) -> Lacking:
    """log_prob of a point depends on no other."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        together, alone = density.log_prob(density.x), density.log_prob(density.x[:1])
        same = torch.allclose(together[:1], alone, rtol=1e-8, atol=1e-8)
        return None if same else f"In a batch it is {together[0]:.4f}, alone {alone[0]:.4f}."

    return lacking


def not_finite(make: Make) -> Lacking:
    """log_prob of points far out is a number."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        values = density.log_prob(density.x.sign() * 400.0)
        return None if bool(values.isfinite().all()) else f"At |x| = 400 yours is {values[~values.isfinite()][0]}."

    return lacking


def integral(make: Make) -> Lacking:
    """In the plane the density integrates to one."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, (2, *make(draw)[1:]))
        _, weights = _on_grid(density)
        total = weights.sum().item()
        return None if abs(total - 1) < 0.01 else f"In two dimensions, yours integrates to {total:.4g} over the plane."

    return lacking


def _on_grid(density: Density) -> tuple[Tensor, Tensor]:
    """Return points of the plane, close together in the middle, and the probability that a density has around each."""
    even = torch.linspace(-1, 1, CELLS + 1, dtype=torch.float64)
    line = REACH * even.abs() ** 2.5 * even.sign()
    middle, width = (line[1:] + line[:-1]) / 2, line.diff()
    points = torch.cartesian_prod(middle, middle)
    areas = torch.cartesian_prod(width, width).prod(-1)
    with torch.no_grad():
        log_prob = torch.cat([density.log_prob(part) for part in points.split(50_000)])
    return points, log_prob.exp() * areas


def generator_ignored(make: Make) -> Lacking:
    """The same state gives the same samples, whatever the global seed; another state gives others."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        torch.manual_seed(1)
        first = density.sample(POINTS, 3)
        torch.manual_seed(2)
        again = density.sample(POINTS, 3)
        return None if torch.equal(first, again) else ""

    return lacking


def samples_alike(make: Make) -> Lacking:
    """Samples differ, within a call and between seeds."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        one, other = density.sample(POINTS, 3), density.sample(POINTS, 4)
        if torch.equal(one, other):
            return "Two seeds give the same samples."
        return "In one call all are the same." if bool((one == one[:1]).all()) else None

    return lacking


def samples_from_elsewhere(make: Make) -> Lacking:
    """Samples have the density's own moments: by quadrature in the plane, by Stein's identity in more dimensions."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        plane = Density(answer, draw, (2, *make(draw)[1:]))
        points, weights = _on_grid(plane)
        drawn = plane.sample(DRAWN, 5)
        for name, of in _TESTS.items():
            exact, mine = weights @ of(points), of(drawn)
            off = (mine.mean(0) - exact).abs() / (mine.std(0) / math.sqrt(DRAWN) + 1e-4)
            if bool((off > ERRORS).any()):
                i = int(off.argmax())
                return (
                    f"In two dimensions the mean of {name} over {DRAWN:,} samples, entry {i}, is {mine.mean(0)[i]:.3f}; under "
                    f"your log_prob it is {exact[i]:.3f}."
                )
        return _stein(Density(answer, draw, make(draw)))

    return lacking


_TESTS: dict[str, Callable[[Tensor], Tensor]] = {
    "x": lambda x: x.clamp(-30, 30),
    "|x|": lambda x: x.abs().clamp(max=30),
    "sin x": torch.sin,
    "x₁·x₂ (both cut at 3)": lambda x: x.clamp(-3, 3).prod(-1, keepdim=True),
}


def _stein(density: Density) -> str | None:
    """E[∂ᵢ log p · h(xⱼ) + ∂ᵢ h(xⱼ)] = 0 for samples of p and any bounded smooth h, here tanh."""
    x = density.sample(DRAWN, 6).requires_grad_()
    (slope,) = torch.autograd.grad(density.log_prob(x).sum(), x)  # it reaches x: that was looked at before
    bounded = x.detach().tanh()
    terms = slope.unsqueeze(-1) * bounded.unsqueeze(-2) + torch.diag_embed(1 - bounded**2)
    off = terms.mean(0).abs() / (terms.std(0) / math.sqrt(DRAWN) + 1e-6)
    if bool((off < ERRORS).all()):
        return None
    i, j = divmod(int(off.argmax()), density.dim)
    return f"In {density.dim} dimensions Stein's identity fails for entries {i} and {j}: {terms.mean(0)[i, j]:.3f} where 0 is expected."


def untouched_entry(make: Make) -> Lacking:
    """Every entry of a sample is shifted: its mean lies away from 0 for some setting of the parameters."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        for dim in (2, 3, 5):
            still = torch.ones(dim, dtype=torch.bool)
            for setting in range(SETTINGS):
                drawn = Density(answer, draw, (dim, *make(draw)[1:]), scale=0.4).sample(2000, setting)
                still &= drawn.mean(0).abs() < 4 * drawn.std(0) / math.sqrt(2000)
            if bool(still.any()):
                names = ", ".join(str(i) for i in still.nonzero().flatten().tolist())
                return (
                    f"With dim = {dim} the mean of entry {names} of your samples stays at 0, whatever the parameters."
                )
        return None

    return lacking


def gradient_cut(make: Make) -> Lacking:
    """The gradients of log_prob are those of its values, and reach every parameter."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        density = Density(answer, draw, make(draw))
        x = draw.normal(64, density.dim).requires_grad_()
        if missing := unreached(density.instance, density.log_prob(x).sum()):
            return missing
        (slope,) = torch.autograd.grad(density.log_prob(x).sum(), x, allow_unused=True)
        if slope is None:
            return "None reaches x."
        way, step = draw.normal(64, density.dim, shift=0.0), 1e-6
        with torch.no_grad():
            real = (density.log_prob(x + step * way) - density.log_prob(x - step * way)) / (2 * step)
        said = (slope * way).sum(-1)
        # At the kink of a relu one point may differ by chance.
        wrong = (real - said).abs() > 1e-3 * (1 + real.abs())
        if int(wrong.sum()) <= 6:
            return None
        i = int(wrong.nonzero()[0])
        return f"Along one direction log p(x) changes by {real[i]:.3f}, its gradient says {said[i]:.3f}."

    return lacking


def dtype_of_log_prob(make: Make) -> Lacking:
    """Float32 in, float32 out; float64 after ``.double()``, samples too."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        x = draw.normal(POINTS, args[0])
        for instance, points in ((answer.construct(*args), x.float()), (moved(answer, draw, args), x)):
            generator = torch.Generator().manual_seed(0)
            for method, given in (("log_prob", (points,)), ("sample", (2, generator))):
                try:
                    (value, *_) = tensors_from(instance.call(method, *given))
                except AnswerFailed as failed:
                    if failed.kind == "raised" and ("dtype" in failed.says or "Input type" in failed.says):
                        return failed.says
                    raise
                if value.dtype != points.dtype:
                    return f"With parameters in {points.dtype}, {method} gives {value.dtype}."
        return None

    return lacking


def same_volume_everywhere(make: Make, drawn: int = 4000, scale: float = 0.5) -> Lacking:
    """Where the log-det is one constant, log p(x) of samples varies exactly as log p(z) does."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        for setting in range(SETTINGS):
            density = Density(answer, draw, make(draw), scale)
            spread = density.log_prob(density.sample(drawn, setting)).var().item()
            if all(abs(spread / (each * density.dim) - 1) > CLOSE for each in OF_PRIORS):
                return None
        return ""

    return lacking
