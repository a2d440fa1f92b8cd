"""NICE itself: a class, judged by its density and its samples, which must belong to each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from course_lib.checker import densities, density_traits
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.nice import NICE, AdditiveCoupling, Scaling, logistic_log_prob, logistic_sample

HIDDEN_DIM, COUPLINGS = 8, 4


def _args(draw: Draw) -> tuple[int, int, int]:
    return draw.sizes.dim + 2, HIDDEN_DIM, COUPLINGS


class _Plain(nn.Module):
    """A NICE of our own, to be made wrong in one place: couplings, then the scaling, on the way from z to x."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        super().__init__()
        self.dim = dim
        self.layers = self.build(dim, hidden_dim, num_couplings)

    def build(self, dim: int, hidden_dim: int, num_couplings: int) -> nn.ModuleList:
        couplings = [AdditiveCoupling(dim, hidden_dim, bool(i % 2)) for i in range(num_couplings)]
        return nn.ModuleList([*couplings, Scaling(dim)])

    def back(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for layer in reversed(self.layers):
            x, log_det = layer.inverse(x)  # type: ignore[operator]
            total = total + log_det
        return x, total

    def prior(self, z: Tensor) -> Tensor:
        return logistic_log_prob(z)

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_det = self.back(x)
        return self.prior(z) + log_det

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        like = next(self.parameters())
        uniform = torch.rand(n, self.dim, generator=generator, dtype=like.dtype).clamp(1e-7, 1 - 1e-7)
        return logistic_sample(uniform)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = self.noise(n, generator)
        for layer in self.layers:
            z, _ = layer(z)
        return z


def _changed(base: type = _Plain, **methods: Any) -> type:
    return type("NICE", (base,), methods)


class _Normal(_Plain):
    """A standard normal prior, used in both places; the scaling at the other end."""

    def build(self, dim: int, hidden_dim: int, num_couplings: int) -> nn.ModuleList:
        couplings = [AdditiveCoupling(dim, hidden_dim, i % 2 == 0, hidden_layers=1) for i in range(num_couplings)]
        return nn.ModuleList([Scaling(dim), *couplings])

    def prior(self, z: Tensor) -> Tensor:
        return torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator, dtype=next(self.parameters()).dtype)


class _Own(nn.Module):
    """Written from the ground up: halves, relu, networks that act from x to z, factors by softplus."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        super().__init__()
        self.dim, self.d = dim, dim // 2
        sizes = [(self.d, dim - self.d) if i % 2 == 0 else (dim - self.d, self.d) for i in range(num_couplings)]
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(a, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, b)) for a, b in sizes
        )
        self.raw = nn.Parameter(torch.zeros(1, dim))

    def _scale(self) -> Tensor:
        return nn.functional.softplus(self.raw) + 0.1

    def log_prob(self, x: Tensor) -> Tensor:
        first, last = x[:, : self.d], x[:, self.d :]
        for i, net in enumerate(self.nets):
            if i % 2 == 0:
                last = last + net(first)
            else:
                first = first + net(last)
        z = torch.cat([first, last], 1) * self._scale()
        return (logsigmoid(z) + logsigmoid(-z)).sum(1) + self._scale().log().sum()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        u = torch.rand(n, self.dim, generator=generator, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
        z = torch.logit(u).to(self.raw.dtype) / self._scale()
        first, last = z[:, : self.d], z[:, self.d :]
        for i in reversed(range(len(self.nets))):
            if i % 2 == 0:
                last = last - self.nets[i](first)
            else:
                first = first - self.nets[i](last)
        return torch.cat([first, last], 1)


class _Hidden(_Plain):
    """Its layers in a list, where nothing finds their parameters."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        nn.Module.__init__(self)
        self.dim = dim
        self.layers = list(self.build(dim, hidden_dim, num_couplings))  # type: ignore[assignment]


def _build(couplings: Any) -> Any:
    def build(self: Any, dim: int, hidden_dim: int, num_couplings: int) -> nn.ModuleList:
        return nn.ModuleList([*couplings(dim, hidden_dim, num_couplings), Scaling(dim)])

    return build


def _log_prob(combine: Any) -> Any:
    """Return a method that puts prior and log_det together otherwise."""

    def log_prob(self: Any, x: Tensor) -> Tensor:
        z, log_det = self.back(x)
        return combine(self, z, log_det)

    return log_prob


def _sampled(drawn: Any) -> Any:
    """Return a method that makes samples otherwise, from noise."""

    def sample(self: Any, n: int, generator: torch.Generator) -> Tensor:
        return drawn(self, self.noise(n, generator))

    return sample


def _forward(self: Any, z: Tensor, layers: Any) -> Tensor:
    for layer in layers:
        z, _ = layer(z)
    return z


def _dequantizing(self: Any, x: Tensor) -> Tensor:
    return _Plain.log_prob(self, x + torch.rand_like(x) / 256)


def _global_noise(self: Any, n: int, generator: torch.Generator) -> Tensor:
    return logistic_sample(torch.rand(n, self.dim, dtype=next(self.parameters()).dtype).clamp(1e-7, 1 - 1e-7))


def _normalised(self: Any, x: Tensor) -> Tensor:
    return _Plain.log_prob(self, x - 0.1 * (x.mean(0) if len(x) > 1 else 0))


def _unstable(self: Any, z: Tensor) -> Tensor:
    return (z.sigmoid() * (1 - z.sigmoid())).log().sum(-1)


WRONG: dict[str, type] = {
    "no parameters": _Hidden,
    "hidden_dim ignored": _changed(
        build=_build(lambda dim, hidden, n: [AdditiveCoupling(dim, 8, bool(i % 2)) for i in range(n)])
    ),
    "num_couplings ignored": _changed(
        build=_build(lambda dim, hidden, n: [AdditiveCoupling(dim, hidden, bool(i % 2)) for i in range(2)])
    ),
    "shape of log_prob": _changed(log_prob=lambda self, x: _Plain.log_prob(self, x).mean()),
    "shape of samples": _changed(sample=lambda self, n, generator: _Plain.sample(self, n, generator)[0]),
    "dtype": _changed(noise=lambda self, n, generator: _Plain.noise(self, n, generator).float()),
    "random log_prob": _changed(log_prob=_dequantizing),
    "points mixed": _changed(log_prob=_normalised),
    "loss returned": _changed(log_prob=lambda self, x: -_Plain.log_prob(self, x)),
    "not finite far out": _changed(prior=_unstable),
    "log_det twice off": _changed(log_prob=_log_prob(lambda self, z, log_det: self.prior(z) - log_det)),
    "generator ignored": _changed(noise=_global_noise),
    "samples all alike": _changed(sample=_sampled(lambda self, z: _forward(self, 0 * z, self.layers))),
    "samples of another density": _changed(sample=_sampled(lambda self, z: _forward(self, z, self.layers[::-1]))),
    "an entry untouched": _changed(
        build=_build(lambda dim, hidden, n: [AdditiveCoupling(dim, hidden, False) for _ in range(n)])
    ),
    "gradient cut": _changed(log_prob=_log_prob(lambda self, z, log_det: self.prior(z.detach()) + log_det)),
}


NICE_TRAITS = (
    *density_traits.of_form(_args, "couplings"),
    Trait(
        "random log_prob",
        "log_prob of the same x is another number each time: nothing is drawn in it. Dequantize outside, before the model sees x.",
        densities.is_random(_args),
    ),
    Trait(
        "points mixed",
        "log p of one point changes with the others in the batch: each has its own density.",
        densities.mixes_points(_args),
    ),
    Trait(
        "loss returned",
        "log_prob grows without end far from the data: is it the loss? Leave the minus to the training loop.",
        density_traits.grows_far_out(_args, 200),
    ),
    Trait(
        "not finite far out",
        "log_prob is not finite far out: the logistic's log-density needs logsigmoid or softplus.",
        densities.not_finite(_args),
    ),
    Trait(
        "log_det twice off",
        "Your density does not integrate to 1. Look at the log_det of the scaling first: log p(x) = log p(z) plus the log_det that "
        "*inverse* returns, or minus that of forward. Then at the prior: summed over the dimensions, with its constant.",
        densities.integral(_args),
    ),
    *density_traits.of_gradient_and_samples(_args),
    Trait(
        "samples of another density",
        "Your samples do not come from your density: z from the same prior that log_prob uses (logistic in both), through forward of "
        "every layer, in the order opposite to log_prob's.",
        densities.samples_from_elsewhere(_args),
    ),
    Trait(
        "an entry untouched",
        "An entry is never shifted: couplings take turns, swap=False, swap=True, ..., so that each part is moved by the other.",
        densities.untouched_entry(_args),
    ),
)

EXERCISE = ClassExercise(
    reference=NICE,
    points=4,
    convention="log_prob(x) -> (batch,), nats, of x as it is; sample(n, generator) -> (n, dim). z from the standard logistic, "
    "couplings that take turns, one scaling at either end.",
    traits=NICE_TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in NICE_TRAITS),
    alternatives=(_Plain, _Normal, _Own),
)
