"""What every right VAE has, whatever its layers are, in the order in which it is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Trait
from course_lib.checker.networks import OWN_NOISE
from course_lib.checker.probes import Draw
from course_lib.distributions import kl_to_standard_normal
from course_lib.exercises.variational_autoencoder.vae.by_data import Seen, seen
from course_lib.exercises.variational_autoencoder.vae.kl import (
    drawn_as_log,
    kl_added,
    kl_averaged,
    kl_missing,
    kl_sampled,
    kl_weighted,
    kl_wrong,
    other_width,
)
from course_lib.exercises.variational_autoencoder.vae.model import (
    CURVE_POINTS,
    POINTS,
    SAMPLES,
    Model,
    close,
    kl_is,
    settings_of,
    sizes,
)


def _parameters(answer: Answer, draw: Draw) -> str | None:
    return None if Model(answer, draw).instance.parameters() else ""


def _shape(what: Callable[[Model], tuple[Tensor, tuple[int, ...]]]) -> Callable[[Answer, Draw], str | None]:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        got, wanted = what(Model(answer, draw))
        return None if got.shape == wanted else f"Expected {wanted}, yours: {tuple(got.shape)}."

    return lacking


def _own_noise(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    return None if torch.equal(model.elbo(), model.elbo()) else ""


def _random_reconstruction(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    return None if torch.equal(model.reconstruct(), model.reconstruct()) else ""


def _in_unit_interval(what: Callable[[Model], Tensor]) -> Callable[[Answer, Draw], str | None]:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        values = what(Model(answer, draw).randomised(3.0))
        low, high = values.min().item(), values.max().item()
        return None if low >= 0 and high <= 1 else f"Yours lie between {low:.2f} and {high:.2f}."

    return lacking


def _binary_samples(answer: Answer, draw: Draw) -> str | None:
    samples = Model(answer, draw).randomised().sample(40, 1)
    return "" if bool(((samples == 0) | (samples == 1)).all()) else None


def _sigmoid_twice(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised(3.0)
    for name, values in (("reconstruct", model.reconstruct()), ("sample", model.sample(50, 1))):
        low, high = values.min().item(), values.max().item()
        if low > 0.49 and high < 0.74:
            return f"Yours, from {name}, lie between {low:.2f} and {high:.2f}."
    return None


def _ignores_eps(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    return "" if torch.allclose(model.elbo(), model.elbo(model.eps + 1.0), rtol=1e-5) else None


def _shares_noise(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    other = model.eps.clone()
    other[0] += 1.0
    return None if close(model.elbo()[1:], model.elbo(other)[1:]) else ""


def _mixes_points(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    other = model.x.clone()
    other[2:] = 1 - other[2:]
    return None if close(model.elbo()[:2], model.elbo(x=other)[:2]) else ""


def _positive(answer: Answer, draw: Draw) -> str | None:
    mean = Model(answer, draw).elbo().mean().item()
    return f"Yours is {mean:.2f} on average." if mean > 0 else None


def _at_zero(answer: Answer, draw: Draw) -> tuple[Tensor, float]:
    model = Model(answer, draw).zeroed()
    return model.elbo(), -model.data_dim * math.log(2)


def _mean_over_pixels(answer: Answer, draw: Draw) -> str | None:
    value, _ = _at_zero(answer, draw)
    return "" if close(value, torch.full_like(value, -math.log(2))) else None


def _bound_at_zero(answer: Answer, draw: Draw) -> str | None:
    value, right = _at_zero(answer, draw)
    if not bool(value.isfinite().all()) or close(value, torch.full_like(value, right)):
        return None  # a normalisation of weights cannot be set to zero
    return f"There it is -{sizes(draw)[0]}·log 2 = {right:.3f}; yours is {value[0].item():.3f}."


def _generator_ignored(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    return None if torch.equal(model.sample(5, 3), model.sample(5, 3)) else ""


def _samples_alike(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw).randomised()
    one, other = model.sample(40, 3), model.sample(40, 4)
    return "" if bool((one == one[:1]).all()) or torch.equal(one, other) else None


def _reconstruction_term(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw)
    at_zero = model.zeroed().elbo()
    if bool(at_zero.isfinite().all()) and not close(at_zero, at_zero[:1].expand(POINTS)):
        return (
            "With all parameters zero every pixel has p = ½, and no image is likelier than another: in elbo some are."
        )
    known = seen(answer, draw)
    if isinstance(known, Seen):
        mine, shown = known.likelihood, known.shown
        fits = (mine - shown).abs().max().item() < 1e-4 * model.data_dim
        return None if fits else f"At eps = 0 they are {mine[0].item():.3f} and {shown[0].item():.3f}."
    heads = kl_is(model, lambda kl, latent: kl)
    if heads is None:
        return None
    decoder = model.decoder_parameters()
    mu, width = settings_of(model)[0]
    model.set_each(lambda name, old: model.drawn(old) if name in decoder else torch.zeros_like(old))
    model.instance.set_parameters(heads.values(mu, width))
    mine = model.elbo(torch.zeros_like(model.eps)) + kl_to_standard_normal(mu, heads.log_sigma(width))
    p = model.reconstruct().double()
    shown = (model.x * p.log() + (1 - model.x) * (1 - p).log()).sum(-1).float()
    if close(mine, shown, scale=model.data_dim / 10):
        return None
    return f"At eps = 0 they are {mine[0].item():.3f} and {shown[0].item():.3f}."


def _gradient_cut(answer: Answer, draw: Draw) -> str | None:
    """Compare gradients twice: at the kink of a relu they may differ by chance, at two places they do not."""
    first = _gradient_off(answer, draw)
    return first and _gradient_off(answer, draw)


def _gradient_off(answer: Answer, draw: Draw) -> str | None:
    """Compare the gradient that flows with how the bound really changes, along a random direction."""
    model = Model(answer, draw)
    model.instance.call("double")
    model.randomised()
    x, eps = model.x.double(), model.eps.double()
    parameters = {name: p for name, p in model.instance.parameters().items() if p.requires_grad}
    start = {name: p.detach().clone() for name, p in parameters.items()}
    (value,) = tensors_from(model.instance.call("elbo", x, eps))
    if not value.requires_grad:
        return "No parameter gets one."
    grads = torch.autograd.grad(value.sum(), list(parameters.values()), allow_unused=True)
    way = {name: model.draw.normal(*p.shape, shift=0.0).to(p) for name, p in start.items()}
    along = sum((grad * way[name]).sum().item() for name, grad in zip(start, grads, strict=True) if grad is not None)
    step, ends = 1e-7, []
    for sign in (1, -1):
        model.instance.set_parameters({name: p + sign * step * way[name] for name, p in start.items()})
        ends.append(model.elbo(eps, x).sum().item())
    real = (ends[0] - ends[1]) / (2 * step)
    if abs(real - along) < 1e-3 * (abs(real) + 1):
        return None
    return f"Along one direction the bound changes by {real:.3f}, its gradient says {along:.3f}."


def _not_the_prior(answer: Answer, draw: Draw) -> str | None:
    """With one latent dimension, compare the moments of samples with those of z ~ N(0, 1), decoded on a grid."""
    shown = seen(answer, draw, 1)
    if isinstance(shown, Seen):
        return None if shown.prior is None or shown.prior < 6 else ""
    model = Model(answer, draw, latent_dim=1)
    heads = kl_is(model, lambda kl, latent: kl)
    if heads is None:
        return None
    decoder = model.decoder_parameters()
    model.set_each(lambda name, old: model.drawn(old, 2.0) if name in decoder else torch.zeros_like(old))
    grid, curve = torch.linspace(-4.5, 4.5, CURVE_POINTS), []
    for z in grid:
        model.instance.set_parameters(heads.values(z.view(1), torch.zeros(1)))
        curve.append(model.reconstruct()[0])
    weights = (-0.5 * grid**2).softmax(0).unsqueeze(-1)
    decoded, samples = torch.stack(curve), model.sample(SAMPLES, 5)
    for power in (1, 2):
        mean, spread = (samples**power).mean(0), (samples**power).std(0)
        off = (mean - (weights * decoded**power).sum(0)).abs()
        if bool((off > 6 * spread / SAMPLES**0.5 + 0.02).any()):
            return f"Pixels differ from those of z ~ N(0, 1) by up to {off.max().item():.2f} on average."
    return None


def _untold(answer: Answer, draw: Draw) -> str | None:
    shown = seen(answer, draw)
    if isinstance(shown, str):
        return shown
    return "" if shown is not None and shown.ratio() is None else None


def _elbo_shape(model: Model) -> tuple[Tensor, tuple[int, ...]]:
    return model.elbo(), (POINTS,)


def _reconstruct_shape(model: Model) -> tuple[Tensor, tuple[int, ...]]:
    return model.reconstruct(), (POINTS, model.data_dim)


def _sample_shape(model: Model) -> tuple[Tensor, tuple[int, ...]]:
    return model.sample(5, 1), (5, model.data_dim)


VAE_TRAITS = (
    Trait(
        "no parameters",
        "Your class has no parameters to learn: derive it from nn.Module, call super().__init__() first, and keep its "
        "networks as attributes.",
        _parameters,
    ),
    Trait("elbo's shape", "elbo(x, eps) gives one bound for each data point, (batch,).", _shape(_elbo_shape)),
    Trait(
        "reconstruct's shape", "reconstruct(x) gives (batch, data_dim): images, not codes.", _shape(_reconstruct_shape)
    ),
    Trait("sample's shape", "sample(n, generator) gives n images, (n, data_dim).", _shape(_sample_shape)),
    Trait("own noise", OWN_NOISE, _own_noise),
    Trait(
        "reconstruct is random",
        "reconstruct(x) gives something else each time: decode mu, the mean of q(z|x), without noise.",
        _random_reconstruction,
    ),
    Trait(
        "logits returned",
        "reconstruct(x) leaves [0, 1]: it returns probabilities, the sigmoid of the decoder's logits.",
        _in_unit_interval(lambda model: model.reconstruct()),
    ),
    Trait(
        "logits sampled",
        "sample(n, generator) leaves [0, 1]: it returns probabilities, the sigmoid of the decoder's logits.",
        _in_unit_interval(lambda model: model.sample(40, 1)),
    ),
    Trait(
        "ink sampled",
        "sample(n, generator) returns zeros and ones, pixels drawn as ink or paper: return the probabilities of ink themselves.",
        _binary_samples,
    ),
    Trait(
        "sigmoid twice",
        "Whatever the weights are, no pixel falls below ½: the sigmoid is taken twice, in the decoder and after it.",
        _sigmoid_twice,
    ),
    Trait(
        "mu decoded instead of z",
        "The bound does not change with eps: decode z = mu + sigma · eps, not mu.",
        _ignores_eps,
    ),
    Trait(
        "noise shared across the batch",
        "Other noise for the first data point changes the bound of the others: each row of eps belongs to its own point.",
        _shares_noise,
    ),
    Trait(
        "data points mixed",
        "The bound of one data point changes with the others in the batch: each has its own likelihood and its own KL.",
        _mixes_points,
    ),
    Trait(
        "loss returned",
        "The bound of a binary image is positive: a log-probability is not. Is it the loss? Leave the minus to the training "
        "loop.",
        _positive,
    ),
    Trait(
        "mean over pixels",
        "log p(x|z) is averaged over the pixels: it sums over them. With a mean, the KL counts far too much and z is ignored.",
        _mean_over_pixels,
    ),
    Trait(
        "sampled KL",
        "The KL is estimated from the sample of z. That is right in expectation, and noisier: the closed form is asked for, as in "
        "`kl_to_standard_normal`.",
        kl_sampled,
    ),
    Trait(
        "reconstruction term",
        "log p(x|z) in elbo is not that of the probabilities which reconstruct shows. Is the sigmoid taken twice, or are x and "
        "the logits exchanged in the loss function?",
        _reconstruction_term,
    ),
    Trait(
        "bound at zero",
        "With all parameters zero the decoder gives p = ½ for every pixel and q is the prior, so the bound is the number of "
        "pixels times -log 2.",
        _bound_at_zero,
    ),
    Trait(
        "generator ignored",
        "The same generator state gives other samples: draw z with the generator that is given, generator=generator.",
        _generator_ignored,
    ),
    Trait("samples all alike", "All samples are alike: draw z ~ N(0, I) anew for each of them.", _samples_alike),
    Trait("KL added", "The KL has the wrong sign: the bound is log p(x|z) minus the KL.", kl_added),
    Trait(
        "KL missing",
        "The KL is missing: nothing keeps the codes where the prior is, and samples will be garbage.",
        kl_missing,
    ),
    Trait(
        "KL averaged over latents",
        "The KL is averaged over the latent dimensions: it sums over them.",
        kl_averaged,
    ),
    Trait(
        "weighted KL",
        "The KL is weighted, as in a β-VAE: that may be a good thing to train, but elbo is the bound itself, with weight 1.",
        kl_weighted,
    ),
    Trait(
        "another KL",
        "The KL is not that of N(mu, sigma) to N(0, I), ½ Σ (mu² + sigma² - 1 - log sigma²).",
        kl_wrong,
    ),
    Trait(
        "log sigma drawn as sigma",
        "The noise is scaled by log_sigma itself: z = mu + exp(log_sigma) · eps.",
        drawn_as_log,
    ),
    Trait(
        "log variance in one place",
        "The noise is scaled by another sigma than the one in the KL: in one of the two you read log_sigma as a log-variance.",
        other_width,
    ),
    Trait(
        "z detached",
        "The gradient of elbo is not that of its values: something is cut off on the way (.detach(), .sample(), .data, "
        "torch.no_grad()), most likely z.",
        _gradient_cut,
    ),
    Trait(
        "z not from the prior",
        "Samples do not decode z ~ N(0, I): torch.randn, not torch.rand, without any mu or sigma.",
        _not_the_prior,
    ),
    Trait(
        "sigma cannot be told",
        "The check cannot tell mu and sigma of your encoder apart. Give each its own last layer with a bias, as nn.Linear "
        "has by default, or one layer for both that is split in two.",
        _untold,
    ),
)
