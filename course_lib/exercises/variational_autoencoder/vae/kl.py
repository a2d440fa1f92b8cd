"""What can be wrong with the KL in the bound, and with the sigma by which noise is scaled."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.probes import Draw
from course_lib.distributions import kl_to_standard_normal
from course_lib.exercises.variational_autoencoder.vae.by_data import MANY, Seen, seen, told
from course_lib.exercises.variational_autoencoder.vae.model import (
    POINTS,
    Model,
    close,
    kl_is,
    measured_kl,
    readings,
    settings_of,
)


def _without_heads(answer: Answer, draw: Draw) -> Tensor | None:
    """Return the KL as reconstruct shows it, log p(x|mu) minus the bound at eps = 0, where heads have no biases."""
    model = Model(answer, draw)
    if readings(model):
        return None
    model.randomised()
    p = model.reconstruct().double()
    return (model.x * p.log() + (1 - model.x) * (1 - p).log()).sum(-1) - model.elbo(torch.zeros_like(model.eps))


def kl_sampled(answer: Answer, draw: Draw) -> str | None:
    """Whether the KL is estimated from the one sample, wholly or with the entropy in closed form (notebook 03's bound)."""
    if told(answer, draw, lambda shown: bool((shown.kl[0] - shown.kl[1]).abs().max() > 1e-3)):
        return "With a decoder that ignores z, yours changes with eps."
    model = Model(answer, draw)
    settings = settings_of(model)
    for heads in readings(model):
        for says, estimate in ESTIMATES.items():
            pairs = (
                (measured_kl(model, heads.values(mu, width)), estimate(mu, heads.log_sigma(width), model.eps))
                for mu, width in settings
            )
            if all(close(mine, estimated.sum(-1)) for mine, estimated in pairs):
                return says
    return None


def _log_ratio(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    return 0.5 * (mu + log_sigma.exp() * eps) ** 2 - 0.5 * eps**2 - log_sigma


def _with_entropy(mu: Tensor, log_sigma: Tensor, eps: Tensor) -> Tensor:
    return 0.5 * (mu + log_sigma.exp() * eps) ** 2 - 0.5 - log_sigma


ESTIMATES = {
    "Yours is log q(z|x) - log p(z) at the sample.": _log_ratio,
    "Yours is -log p(z) at the sample, less the entropy of q in closed form, as in notebook 03.": _with_entropy,
}


def kl_added(answer: Answer, draw: Draw) -> str | None:
    shown = _without_heads(answer, draw)
    if shown is not None:
        return "" if bool((shown < -0.05).all()) else None
    return None if kl_is(Model(answer, draw), lambda kl, latent: -kl) is None else ""


def kl_missing(answer: Answer, draw: Draw) -> str | None:
    shown = _without_heads(answer, draw)
    if shown is not None:
        return "" if bool((shown.abs() < 1e-3).all()) else None
    return None if kl_is(Model(answer, draw), lambda kl, latent: 0 * kl) is None else ""


def kl_averaged(answer: Answer, draw: Draw) -> str | None:
    if told(answer, draw, lambda shown: _is(shown, 1 / MANY)):
        return ""
    # Seven dimensions, so that a weight of one half or one third is not taken for it.
    return None if kl_is(Model(answer, draw, latent_dim=7), lambda kl, latent: kl / latent) is None else ""


def _is(shown: Seen, weight: float) -> bool:
    ratio = shown.ratio()
    return ratio is not None and bool((ratio / weight - 1).abs().max() < 1e-3)


def kl_weighted(answer: Answer, draw: Draw) -> str | None:
    shown = seen(answer, draw)
    if isinstance(shown, Seen):
        ratio = shown.ratio()
        weight = math.nan if ratio is None else ratio.mean().item()
        return f"Yours is {weight:.3g} times the KL." if abs(weight - 1) > 1e-2 and _is(shown, weight) else None
    model = Model(answer, draw)
    settings = settings_of(model)
    for heads in readings(model)[:2]:
        ratios = [
            (measured_kl(model, heads.values(mu, width)) / kl_to_standard_normal(mu, width)).mean().item()
            for mu, width in settings
        ]
        if abs(ratios[0] - ratios[1]) < 1e-3 * abs(ratios[0]) and abs(ratios[0] - 1) > 1e-2:
            return f"Yours is {ratios[0]:.3g} times the KL."
    return None


def kl_wrong(answer: Answer, draw: Draw) -> str | None:
    shown = seen(answer, draw)
    if isinstance(shown, Seen):
        if shown.drawn_as_log or _other_width(shown):
            return None
        along = seen(answer, draw, 1)
        lost = isinstance(along, Seen) and along.mu_found is False
        return "" if lost or (shown.ratio() is not None and not shown.fits()) else None
    model = Model(answer, draw)
    if not readings(model) or kl_is(model, lambda kl, latent: kl):
        return None
    return ""


def _recoded(answer: Answer, draw: Draw, scale: Callable[[Tensor], Tensor] | None) -> bool | None:
    """Whether log p(x|z) at mu + scale·eps is that at a mu which lies there already; None if it cannot be told.

    Args:
        scale: of the width's bias; None for the sigma that stands in the KL.
    """
    model = Model(answer, draw)
    heads = kl_is(model, lambda kl, latent: kl)
    if heads is None:
        return None
    decoder = model.decoder_parameters()
    drawn = {name: model.drawn(p) for name, p in model.instance.parameters().items()}
    mu, width = settings_of(model)[0]
    eps = model.eps[:1]
    sigma = heads.log_sigma(width).exp() if scale is None else scale(width)
    results = []
    for centre, noise in ((mu, eps), (mu + sigma * eps[0], 0 * eps)):
        model.set_each(lambda name, old: drawn[name] if name in decoder else torch.zeros_like(old))
        model.instance.set_parameters(heads.values(centre, width))
        kl = kl_to_standard_normal(centre, heads.log_sigma(width))
        results.append(model.elbo(noise.expand(POINTS, -1).contiguous()) + kl)
    return close(results[0], results[1], scale=model.data_dim / 10)


def _other_width(shown: Seen) -> bool:
    return not shown.fits() and (shown.fits(2.0) or shown.fits(0.5))


def drawn_as_log(answer: Answer, draw: Draw) -> str | None:
    if told(answer, draw, lambda shown: shown.drawn_as_log):
        return ""
    right = _recoded(answer, draw, None)
    return "" if right is False and _recoded(answer, draw, lambda width: width) else None


def other_width(answer: Answer, draw: Draw) -> str | None:
    if told(answer, draw, _other_width):
        return ""
    return "" if _recoded(answer, draw, None) is False else None
