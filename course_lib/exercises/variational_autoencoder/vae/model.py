r"""A student's VAE, seen where its bound is known in closed form.

An architecture is the student's own, so values cannot be compared with a reference. But parameters can be set:
with all of them zero, the decoder gives p = ½ and q is the prior; and where an encoder's last biases alone are
not zero, they *are* mu and log_sigma, for every x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.checker.probes import Draw
from course_lib.distributions import kl_to_standard_normal

POINTS, HIDDEN_DIM, CURVE_POINTS, SAMPLES = 6, 17, 41, 4000

_decoders: WeakKeyDictionary[Answer, dict[tuple[int, int], set[str]]] = WeakKeyDictionary()


def sizes(draw: Draw) -> tuple[int, int, int]:
    """Sizes of data, hidden and latent space: a vector's length tells which of them it has."""
    return 2 * draw.sizes.dim + 15, HIDDEN_DIM, draw.sizes.latent + 1


class Model:
    """A student's VAE, in evaluation mode."""

    def __init__(self, answer: Answer, draw: Draw, latent_dim: int | None = None) -> None:
        self.draw, self.answer = draw, answer
        data, hidden, latent = sizes(draw)
        self.data_dim, self.latent_dim = data, latent_dim or latent
        self.instance: Instance = answer.construct(data, hidden, self.latent_dim)
        if self.instance.parameters():
            self.instance.call("eval")
        self.x = (draw.normal(POINTS, data, shift=0.0) > 0).float()
        self.eps = draw.normal(POINTS, self.latent_dim, shift=0.1).float()

    def _one(self, method: str, *args: object) -> Tensor:
        parts = tensors_from(self.instance.call(method, *args))
        if len(parts) != 1:
            raise AnswerFailed("type", f"{method} returns one tensor, {len(parts)} came.")
        return parts[0].detach()

    def elbo(self, eps: Tensor | None = None, x: Tensor | None = None) -> Tensor:
        return self._one("elbo", self.x if x is None else x, self.eps if eps is None else eps)

    def reconstruct(self) -> Tensor:
        return self._one("reconstruct", self.x)

    def sample(self, n: int, seed: int) -> Tensor:
        return self._one("sample", n, torch.Generator().manual_seed(seed))

    def set_each(self, value: Callable[[str, Tensor], Tensor]) -> Model:
        """Give every parameter the value of a function of its name and present value."""
        own = self.instance.parameters()
        self.instance.set_parameters({name: value(name, old.detach()) for name, old in own.items()})
        return self

    def randomised(self, gain: float = 1.5) -> Model:
        return self.set_each(lambda name, old: self.drawn(old, gain))

    def drawn(self, like: Tensor, gain: float = 1.5) -> Tensor:
        """Draw values for a parameter; a layer's outputs are then of the size of its inputs, however deep it lies."""
        fan_in = like.shape[-1] if like.dim() > 1 else 4
        return self.draw.normal(*like.shape, scale=gain / fan_in**0.5, shift=0.0).to(like)

    def zeroed(self) -> Model:
        return self.set_each(lambda name, old: torch.zeros_like(old))

    def decoder_parameters(self) -> set[str]:
        """Return the names of what samples of the prior depend on; found out once for an answer and its sizes."""
        known = _decoders.setdefault(self.answer, {})
        key = self.data_dim, self.latent_dim
        if key not in known:
            known[key] = self._find_decoder()
        return known[key]

    def _find_decoder(self) -> set[str]:
        self.randomised()
        before = self.sample(16, 0)
        found = set()
        for name, old in self.instance.parameters().items():
            kept = old.detach().clone()
            self.instance.set_parameters({name: self.draw.normal(*old.shape, scale=4.0).to(old)})
            if not torch.equal(self.sample(16, 0), before):
                found.add(name)
            self.instance.set_parameters({name: kept})
        return found


@dataclass(frozen=True)
class Heads:
    """Which biases are mu and the width, and how the width is read: log_sigma, or a log-variance used rightly."""

    values: Callable[[Tensor, Tensor], dict[str, Tensor]]
    halved: bool

    def log_sigma(self, width: Tensor) -> Tensor:
        return width / 2 if self.halved else width


def readings(model: Model) -> list[Heads]:
    """Return every way in which an encoder's last biases may be mu and the width."""
    decoder, latent = model.decoder_parameters(), model.latent_dim
    vectors = {name: p.shape[0] for name, p in model.instance.parameters().items() if p.dim() == 1}
    own = [name for name, size in vectors.items() if size == latent and name not in decoder]
    joint = [name for name, size in vectors.items() if size == 2 * latent and name not in decoder]
    ways: list[Callable[[Tensor, Tensor], dict[str, Tensor]]] = []
    if len(own) == 2:
        ways += [lambda a, c: {own[0]: a, own[1]: c}, lambda a, c: {own[1]: a, own[0]: c}]
    elif len(joint) == 1:
        ways += [lambda a, c: {joint[0]: torch.cat([a, c])}, lambda a, c: {joint[0]: torch.cat([c, a])}]
    return [Heads(way, halved) for halved in (False, True) for way in ways]


def measured_kl(model: Model, values: dict[str, Tensor]) -> Tensor:
    """Return the KL in the bound, where the likelihood is known: all is zero but the encoder's last biases."""
    model.zeroed()
    model.instance.set_parameters(values)
    return -model.data_dim * math.log(2) - model.elbo()


def settings_of(model: Model) -> list[tuple[Tensor, Tensor]]:
    draw, latent = model.draw, model.latent_dim
    return [(draw.normal(latent).float(), draw.normal(latent, scale=0.4, shift=-0.5).float()) for _ in range(2)]


def close(one: Tensor, other: Tensor, scale: float = 1.0) -> bool:
    return bool(torch.isfinite(one).all()) and torch.allclose(one, other, rtol=1e-3, atol=2e-3 * scale)


def kl_is(model: Model, change: Callable[[Tensor, int], Tensor]) -> Heads | None:
    """Return the reading under which the measured KL is ``change`` of the right one, if there is one."""
    settings = settings_of(model)
    for heads in readings(model):
        fits = True
        for mu, width in settings:
            right = kl_to_standard_normal(mu, heads.log_sigma(width)).expand(POINTS)
            fits = fits and close(measured_kl(model, heads.values(mu, width)), change(right, model.latent_dim))
        if fits:
            return heads
    return None
