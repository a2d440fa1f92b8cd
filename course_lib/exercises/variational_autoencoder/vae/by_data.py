r"""Where an encoder's last layers have no biases that could be set: mu, sigma and the KL from what the class computes.

Three identities, whatever the layers are. With a decoder of zeros every pixel has p = ½, and the bound shows the KL of each
image. Where what only the width depends on is zero, sigma is 1. And eps moves the bound through sigma · eps alone, so that
sigma is what its gradient has become since sigma was 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.probes import Draw
from course_lib.exercises.variational_autoencoder.vae.model import POINTS, SAMPLES, Model, readings

MANY, GRID = 7, 121  # latent dimensions, so that no weight is taken for their mean; points of a latent axis
SMALL = 1e-6

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Seen:
    """What a class without biases shows of itself; one row for each image.

    Attributes:
        kl, kl_at_one: the KL in the bound, and where sigma is 1; at two draws of the noise.
        slopes, slopes_at_one: how the bound changes with eps, and where sigma is 1, ``(batch, latent_dim)``.
        likelihood, shown: log p(x|mu), in the bound and of the probabilities that reconstruct shows.
        mu_found: whether mu is where the KL says; with one latent dimension, else None.
        prior: differences between the moments of samples and of z ~ N(0, 1), in standard errors; with one dimension.
    """

    kl: tuple[Tensor, Tensor]
    kl_at_one: Tensor
    slopes: Tensor
    slopes_at_one: Tensor
    likelihood: Tensor
    shown: Tensor
    mu_found: bool | None
    prior: float | None

    def ratio(self, power: float = 1.0) -> Tensor | None:
        """Return the KL that sigma costs over what it should, for a sigma that is a power of the noise's; None if unclear.

        It is unclear for an image for which the decoder is flat.
        """
        sigma = (self.slopes / self.slopes_at_one).abs() ** power
        right = (0.5 * (sigma**2 - 1) - sigma.log()).sum(-1)
        ratio = (self.kl[0] - self.kl_at_one) / right
        clear = ratio[ratio.isfinite()]
        return clear if len(clear) else None

    @property
    def drawn_as_log(self) -> bool:
        """Whether noise has no say where the width is zero, and sigma should be 1."""
        return bool((self.slopes_at_one.abs() < 1e-9).all()) and bool((self.slopes.abs() > SMALL).any())

    def fits(self, power: float = 1.0) -> bool:
        ratio = self.ratio(power)
        return ratio is not None and bool(((ratio - 1).abs() < 1e-3).all())


_seen: WeakKeyDictionary[Answer, dict[tuple[int, int, int], Seen | str]] = WeakKeyDictionary()


def seen(answer: Answer, draw: Draw, latent_dim: int = MANY) -> Seen | str | None:
    """Return what a class shows, a sentence where it shows too little, None where its biases tell more.

    Found out once for an answer, its sizes and a draw.
    """
    model = Model(answer, draw, latent_dim)
    if readings(model):
        return None
    known = _seen.setdefault(answer, {})
    key = model.data_dim, latent_dim, int(model.eps.double().sum().mul(1e6))
    if key not in known:
        known[key] = _look(model)
    return known[key]


def _look(model: Model) -> Seen | str:
    decoder = model.decoder_parameters()
    samples = model.randomised().sample(SAMPLES, 5).double() if model.latent_dim == 1 else None
    model.instance.call("double")
    drawn = {name: p.detach().clone() for name, p in model.instance.parameters().items()}
    width = _width_of(model, drawn)
    without = {name: torch.zeros_like(p) for name, p in drawn.items() if name in decoder}
    x = model.x.double()
    noise = model.eps.double(), -1.5 * model.eps.double()
    kl = tuple(-model.data_dim * math.log(2) - _elbo(model, {**drawn, **without}, x, eps) for eps in noise)
    one = {**drawn, **width}
    kl_at_one = -model.data_dim * math.log(2) - _elbo(model, {**one, **without}, x, noise[0])
    if torch.equal(kl[0], kl_at_one):
        return "No parameter belongs to sigma alone."
    if bool((kl[0] - kl[0][0]).abs().max() < SMALL) and bool(kl[0].abs().max() > SMALL):
        return "Encoder and decoder share parameters."
    slopes, at_mean = _slopes(model, drawn, x)
    slopes_at_one, _ = _slopes(model, one, x)
    model.instance.set_parameters(drawn)
    shown = _log_likelihood(x, _one(model, "reconstruct", x))
    found, prior = None, None
    if samples is not None:
        found, prior = _along_the_axis(model, one, decoder, kl_at_one, samples)
    return Seen(
        (kl[0], kl[1]),
        kl_at_one,
        slopes,
        slopes_at_one,
        at_mean + _at_mean_kl(model, drawn, without, x),
        shown,
        found,
        prior,
    )


def _at_mean_kl(model: Model, drawn: Values, without: Values, x: Tensor) -> Tensor:
    eps = torch.zeros(POINTS, model.latent_dim, dtype=x.dtype)
    return -model.data_dim * math.log(2) - _elbo(model, {**drawn, **without}, x, eps)


def _width_of(model: Model, drawn: Values) -> Values:
    """Return what parameters become where the width is zero: those, or those rows of them, that reconstruct ignores."""
    x, decoder = model.x.double(), model.decoder_parameters()
    model.instance.set_parameters(drawn)
    before = _one(model, "reconstruct", x)

    def ignored(name: str, changed: Tensor) -> bool:
        model.instance.set_parameters({name: changed})
        same = torch.equal(_one(model, "reconstruct", x), before)
        model.instance.set_parameters({name: drawn[name]})
        return same

    width: Values = {}
    for name, old in drawn.items():
        if name in decoder:
            continue
        if ignored(name, 2 * old + 0.3):
            width[name] = torch.zeros_like(old)
        elif old.shape[0] == 2 * model.latent_dim:
            kept = old.clone()
            for row in range(len(old)):
                moved = old.clone()
                moved[row] = 2 * moved[row] + 0.3
                if ignored(name, moved):
                    kept[row] = 0.0
            width[name] = kept
    return width


def _one(model: Model, method: str, *args: Tensor) -> Tensor:
    (value,) = tensors_from(model.instance.call(method, *args))
    return value.detach().double()


def _elbo(model: Model, values: Values, x: Tensor, eps: Tensor) -> Tensor:
    model.instance.set_parameters(values)
    return _one(model, "elbo", x, eps)


def _slopes(model: Model, values: Values, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of the bounds with respect to eps at eps = 0, and the bounds there."""
    model.instance.set_parameters(values)
    eps = torch.zeros(POINTS, model.latent_dim, dtype=x.dtype, requires_grad=True)
    (value,) = tensors_from(model.instance.call("elbo", x, eps))
    if not value.requires_grad:
        return torch.full_like(eps, math.nan).detach(), value.detach().double()
    (slopes,) = torch.autograd.grad(value.sum(), eps, allow_unused=True)
    return torch.zeros_like(eps) if slopes is None else slopes.double(), value.detach().double()


def _log_likelihood(x: Tensor, p: Tensor) -> Tensor:
    return (torch.xlogy(x, p) + torch.xlogy(1 - x, 1 - p)).sum(-1)


def _along_the_axis(
    model: Model, one: Values, decoder: set[str], kl: Tensor, samples: Tensor
) -> tuple[bool | None, float | None]:
    """With one latent dimension and sigma 1, look for mu where the KL says that it is, and compare samples with the prior.

    The bound at eps = -mu is that at z = 0, which a class of which only the decoder is not zero reconstructs.
    """
    x = model.x.double()
    centre = {name: value if name in decoder else torch.zeros_like(value) for name, value in one.items()}
    model.instance.set_parameters(centre)
    at_zero = _log_likelihood(x, _one(model, "reconstruct", x))
    if bool((kl < 0).any()):
        return None, None
    size = (2 * kl).sqrt().unsqueeze(-1)
    off = [(_elbo(model, one, x, way * size) + kl - at_zero).abs() for way in (-1.0, 1.0)]
    found = bool((torch.minimum(*off) < 1e-4 * at_zero.abs()).all())
    if not found:
        return False, None
    mu = torch.where(off[0] < off[1], size[:, 0], -size[:, 0])
    grid = torch.linspace(-4.5, 4.5, GRID, dtype=x.dtype)
    along = torch.stack([_elbo(model, one, x, (z - mu).unsqueeze(-1)) + kl for z in grid])
    weights = (-0.5 * grid**2).softmax(0).unsqueeze(-1)
    drawn = _log_likelihood(x.unsqueeze(1), samples.unsqueeze(0)).T
    worst = 0.0
    for power in (1, 2):
        mean, spread = (drawn**power).mean(0), (drawn**power).std(0)
        far = (mean - (weights * along**power).sum(0)).abs() / (spread / SAMPLES**0.5 + 0.002 * mean.abs())
        worst = max(worst, far.max().item())
    return True, worst


def told(answer: Answer, draw: Draw, what: Callable[[Seen], bool], latent_dim: int = MANY) -> bool | None:
    """Whether a class without biases shows something; None where its biases tell, or where it shows too little."""
    shown = seen(answer, draw, latent_dim)
    return what(shown) if isinstance(shown, Seen) else None
