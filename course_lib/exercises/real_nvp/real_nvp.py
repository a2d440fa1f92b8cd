"""Real-NVP on points: a class, judged by its density and its samples, which must belong to each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.checker import densities, density_traits
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.flows import ElementwiseAffine, standard_normal_log_prob
from course_lib.nice import AdditiveCoupling
from course_lib.real_nvp import AffineCoupling, RealNVP, affine_coupling_inverse

HIDDEN_DIM, COUPLINGS, FAR = 8, 4, 20


def _args(draw: Draw) -> tuple[int, int, int]:
    return draw.sizes.dim + 2, HIDDEN_DIM, COUPLINGS


class _Plain(nn.Module):
    """A Real-NVP of our own, to be made wrong in one place."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(self.build(dim, hidden_dim, num_couplings))

    def build(self, dim: int, hidden_dim: int, num_couplings: int) -> list[Any]:
        return [AffineCoupling(dim, hidden_dim, bool(i % 2)) for i in range(num_couplings)]

    def back(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for layer in reversed(self.layers):
            x, log_det = layer.inverse(x)  # type: ignore[operator]
            total = total + log_det
        return x, total

    def prior(self, z: Tensor) -> Tensor:
        return standard_normal_log_prob(z)

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_det = self.back(x)
        return self.prior(z) + log_det

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator, dtype=next(self.parameters()).dtype)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = self.noise(n, generator)
        for layer in self.layers:
            z, _ = layer(z)
        return z


def _changed(base: type = _Plain, **methods: Any) -> type:
    return type("RealNVP", (base,), methods)


class _Own(nn.Module):
    """Written from the ground up: halves, two networks each, h by a tanh with a trained bound."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        super().__init__()
        self.dim, self.d = dim, dim // 2
        sizes = [(self.d, dim - self.d) if i % 2 == 0 else (dim - self.d, self.d) for i in range(num_couplings)]
        self.g, self.h = (
            nn.ModuleList(
                nn.Sequential(nn.Linear(a, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, b)) for a, b in sizes
            )
            for _ in range(2)
        )
        self.bounds = nn.ParameterList(nn.Parameter(torch.ones(b)) for _, b in sizes)

    def _scales(self, i: int, kept: Tensor) -> Tensor:
        return self.bounds[i] * self.h[i](kept).tanh()

    def log_prob(self, x: Tensor) -> Tensor:
        first, last = x[:, : self.d], x[:, self.d :]
        total = torch.zeros_like(x[:, 0])
        for i in reversed(range(len(self.g))):
            kept, other = (first, last) if i % 2 == 0 else (last, first)
            h = self._scales(i, kept)
            other, total = (other - self.g[i](kept)) / h.exp(), total - h.sum(1)
            first, last = (kept, other) if i % 2 == 0 else (other, kept)
        z = torch.cat([first, last], 1)
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + total

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, self.dim, generator=generator).to(self.bounds[0])
        first, last = z[:, : self.d], z[:, self.d :]
        for i in range(len(self.g)):
            kept, other = (first, last) if i % 2 == 0 else (last, first)
            other = other * self._scales(i, kept).exp() + self.g[i](kept)
            first, last = (kept, other) if i % 2 == 0 else (other, kept)
        return torch.cat([first, last], 1)


class _Unbounded(_Plain):
    """h as the network gives it, and an affine layer at the end."""

    def build(self, dim: int, hidden_dim: int, num_couplings: int) -> list[Any]:
        class Free(AffineCoupling):
            def _shift_and_log_scale(self, kept_first: Tensor) -> tuple[Tensor, Tensor]:
                shift, raw = self.network(kept_first[..., : self.d]).chunk(2, -1)
                return shift, raw

        return [*(Free(dim, hidden_dim, i % 2 == 0) for i in range(num_couplings)), ElementwiseAffine(dim)]


class _Hidden(_Plain):
    """Its layers in a list, where nothing finds their parameters."""

    def __init__(self, dim: int, hidden_dim: int, num_couplings: int) -> None:
        nn.Module.__init__(self)
        self.dim = dim
        self.layers = self.build(dim, hidden_dim, num_couplings)  # type: ignore[assignment]


class _ScaleUnpaid(AffineCoupling):
    """Scales, and says nothing of it in the log-det."""

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super().inverse(x)
        return z, 0 * log_det


class _ForwardsLogDet(AffineCoupling):
    """The log-det of inverse is forward's."""

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super().inverse(x)
        return z, -log_det


class _SeesAll(AffineCoupling):
    """On the way back the networks see x whole, of which half has been changed."""

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.kept_first(x)
        mixed = x[..., : self.d] + 0.3 * x[..., -1:]
        shift, raw = self.network(mixed).chunk(2, -1)
        z, log_det = affine_coupling_inverse(x, self.d, lambda _: shift, lambda _: raw.tanh())
        return self.in_place(z), log_det


def _of(coupling: type) -> Any:
    return lambda self, dim, hidden, n: [coupling(dim, hidden, bool(i % 2)) for i in range(n)]


def _sampled(drawn: Any) -> Any:
    return lambda self, n, generator: drawn(self, self.noise(n, generator))


def _forward(layers: Any, z: Tensor) -> Tensor:
    for layer in layers:
        z, _ = layer(z)
    return z


def _normalised(self: Any, x: Tensor) -> Tensor:
    return _Plain.log_prob(self, x - 0.1 * (x.mean(0) if len(x) > 1 else 0))


def _detached(self: Any, x: Tensor) -> Tensor:
    z, log_det = self.back(x)
    return self.prior(z) + log_det.detach()


WRONG: dict[str, type] = {
    "no parameters": _Hidden,
    "hidden_dim ignored": _changed(
        build=lambda self, dim, hidden, n: [AffineCoupling(dim, 8, bool(i % 2)) for i in range(n)]
    ),
    "num_couplings ignored": _changed(
        build=lambda self, dim, hidden, n: [AffineCoupling(dim, hidden, bool(i % 2)) for i in range(2)]
    ),
    "shape of log_prob": _changed(log_prob=lambda self, x: _Plain.log_prob(self, x).mean()),
    "shape of samples": _changed(sample=lambda self, n, generator: _Plain.sample(self, n, generator)[0]),
    "dtype": _changed(noise=lambda self, n, generator: _Plain.noise(self, n, generator).float()),
    "random log_prob": _changed(log_prob=lambda self, x: _Plain.log_prob(self, x + torch.rand_like(x) / 256)),
    "points mixed": _changed(log_prob=_normalised),
    "loss returned": _changed(log_prob=lambda self, x: -_Plain.log_prob(self, x)),
    "does not integrate to 1": _changed(build=_of(_ForwardsLogDet)),
    "generator ignored": _changed(
        noise=lambda self, n, generator: torch.randn(n, self.dim, dtype=next(self.parameters()).dtype)
    ),
    "samples all alike": _changed(sample=_sampled(lambda self, z: _forward(self.layers, 0 * z))),
    "samples of another density": _changed(sample=_sampled(lambda self, z: _forward(self.layers[::-1], z))),
    "an entry untouched": _changed(
        build=lambda self, dim, hidden, n: [AffineCoupling(dim, hidden, False) for _ in range(n)]
    ),
    "nothing is scaled": _changed(build=_of(AdditiveCoupling)),
    "gradient cut": _changed(log_prob=_detached),
}


TRAITS = (
    *density_traits.of_form(_args, "networks"),
    Trait(
        "random log_prob",
        "log_prob of the same x is another number each time: nothing is drawn in it.",
        densities.is_random(_args),
    ),
    Trait(
        "points mixed",
        "log p of one point changes with the others in the batch: each has its own density. Is there a mean over dimension 0, or a log_det "
        "summed over the batch?",
        densities.mixes_points(_args),
    ),
    Trait(
        "loss returned",
        "log_prob grows far from the data: is it the loss? Leave the minus to the training loop.",
        density_traits.grows_far_out(_args, FAR),
    ),
    Trait(
        "does not integrate to 1",
        "Your density does not integrate to 1. Look at the log_det first: log p(x) = log p(z) plus the log_dets that *inverse* "
        "returns, -Σ h of every coupling. Then at the networks, which may see the kept entries alone, and at the prior with its constant.",
        densities.integral(_args),
    ),
    *density_traits.of_gradient_and_samples(_args),
    Trait(
        "samples of another density",
        "Your samples do not come from your density: z from the prior of log_prob, through forward of every layer, in the order "
        "opposite to log_prob's; forward and inverse of a coupling undo each other.",
        densities.samples_from_elsewhere(_args),
    ),
    Trait(
        "an entry untouched",
        "An entry is never shifted: couplings take turns in which part they keep, so that each part is moved by the other.",
        densities.untouched_entry(_args),
    ),
    Trait(
        "nothing is scaled",
        "The determinant is the same at every point, as in NICE: an affine coupling scales by exp(h) of the kept entries, and its log_det "
        "is the sum of h.",
        densities.same_volume_everywhere(_args),
    ),
)

# Further ways to be wrong in a log-det: they are told by the trait that they break, and tested as such.
UNPAID: tuple[type, ...] = (_changed(build=_of(_ScaleUnpaid)), _changed(build=_of(_SeesAll)))

EXERCISE = ClassExercise(
    reference=RealNVP,
    points=4,
    convention="log_prob(x) -> (batch,), nats, of x as it is; sample(n, generator) -> (n, dim). z ~ N(0, I), affine couplings that take turns.",
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(_Plain, _Own, _Unbounded),
)
