"""What every right fully convolutional VAE has, in the order in which it is looked for.

Its bound is compared with the one composed of its own encode and decode, whatever layers they are made of.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed
from course_lib.checker.exercise import Trait
from course_lib.checker.networks import OWN_NOISE
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob
from course_lib.exercises.conditional_and_convolutional_vaes.fully_conv_vae.model import (
    SAMPLES,
    Model,
    N,
    close,
    composed,
    kl_of_maps,
)
from course_lib.exercises.conditional_and_convolutional_vaes.probes import (
    FLOAT32,
    NEVER_LEARNS,
    NO_PARAMETERS,
    WIDTH_IGNORED,
    everything_learns,
    has_parameters,
    one,
    sizes,
    two,
    width_counts,
)

OTHER_SIZES = ((8, 20), (36, 12))
FAR = 8  # standard errors, the largest of some hundred moments
BOUND_GAIN = 0.8  # with larger parameters one term would drown the other


def _encode_shape(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, size=(28, 28))
    wanted = (N, model.latent, 7, 7)
    got = [tuple(part.shape) for part in model.encode()]
    return (
        None
        if got == [wanted, wanted]
        else f"Of 28 × 28 images {wanted} twice is expected, yours: {got[0]} and {got[1]}."
    )


def _decode_shape(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, size=(28, 28))
    wanted, got = tuple(model.x.shape), tuple(model.decode().shape)
    return None if got == wanted else f"Of a 7 × 7 code {wanted} is expected, yours: {got}."


def _other_size(answer: Answer, draw: Draw, method: str) -> str | None:
    for size in OTHER_SIZES:
        model = Model(answer, draw, size=size)
        height, width = size
        try:
            got = [part.shape[-2:] for part in (model.encode() if method == "encode" else (model.decode(),))]
        except AnswerFailed as failed:
            if failed.kind != "raised":
                raise
            return f"At {height} × {width}: {failed.says}"
        wanted = model.map if method == "encode" else size
        if any(tuple(shape) != wanted for shape in got):
            return f"At {height} × {width} it gives {got[0][0]} × {got[0][1]}, {wanted[0]} × {wanted[1]} is expected."
    return None


def _shape(what: Callable[[Model], tuple[Tensor, tuple[int, ...]]]) -> Callable[[Answer, Draw], str | None]:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        got, wanted = what(Model(answer, draw))
        return None if got.shape == wanted else f"Expected {wanted}, yours: {tuple(got.shape)}."

    return lacking


def _twice(method: Callable[[Model], Tensor]) -> Callable[[Answer, Draw], str | None]:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        model = Model(answer, draw, 2.0)
        return None if torch.equal(method(model), method(model)) else ""

    return lacking


def _never_leaves(answer: Answer, draw: Draw) -> str | None:
    logits = torch.cat([Model(answer, draw, 4.0).decode().detach().flatten() for _ in range(3)])
    low, high = logits.min().item(), logits.max().item()
    return f"Yours lie between {low:.2f} and {high:.2f}." if low >= 0 and high <= 1 else None


def _leaves(values: Callable[[Model], Tensor]) -> Callable[[Answer, Draw], str | None]:
    def lacking(answer: Answer, draw: Draw) -> str | None:
        shown = values(Model(answer, draw, 4.0))
        low, high = shown.min().item(), shown.max().item()
        return None if low >= 0 and high <= 1 else f"Yours lie between {low:.2f} and {high:.2f}."

    return lacking


def _binary(answer: Answer, draw: Draw) -> str | None:
    samples = Model(answer, draw, 1.5).sample(20, 1)
    return "" if bool(((samples == 0) | (samples == 1)).all()) else None


def _mixed(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 2.0)
    other = model.x.clone()
    other[2:] = 1 - other[2:]
    parts = zip((*model.encode(), model.elbo()), (*model.encode(other), model.elbo(other)), strict=True)
    return None if all(torch.allclose(a[:2], b[:2], rtol=1e-3, atol=1e-3) for a, b in parts) else ""


def _bound(candidate: Callable[[Model, Tensor, Tensor], Tensor]) -> Callable[[Answer, Draw], str | None]:
    """Return what is lacking where the bound is not the composed one, but ``candidate`` of mu and log_sigma."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        model = Model(answer, draw, BOUND_GAIN)
        mine = model.elbo()
        if close(mine, composed(model)):
            return None
        return "" if close(mine, candidate(model, *model.encode())) else None

    return lacking


def _z(model: Model, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return mu + log_sigma.exp() * model.eps


def _right_likelihood(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Answer, Draw], str | None]:
    """As above, where the likelihood is right and the KL is changed."""
    return _bound(lambda model, mu, ls: model.likelihood(_z(model, mu, ls)) - change(kl_of_maps(mu, ls), mu))


def _log_variance(model: Model, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return model.likelihood(mu + (log_sigma / 2).exp() * model.eps) - kl_of_maps(mu, log_sigma / 2)


def _sampled_kl(model: Model, mu: Tensor, log_sigma: Tensor) -> Tensor:
    z = _z(model, mu, log_sigma)
    flat, width = z.flatten(1), log_sigma.exp().flatten(1)
    log_prior = gaussian_log_prob(flat, torch.zeros_like(flat), torch.ones_like(flat))
    return model.likelihood(z) + log_prior - gaussian_log_prob(flat, mu.flatten(1), width)


def _another_bound(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, BOUND_GAIN)
    mine, right = model.elbo(), composed(model)
    if close(mine, right):
        return None
    return f"Of your own encode and decode it is {right[0].item():.3f}, your elbo gives {mine[0].item():.3f}."


def _another_reconstruction(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 1.5)
    return None if close(model.reconstruct(), model.decode(model.encode()[0]).sigmoid()) else ""


def _generator_ignored(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 1.5)
    return None if torch.equal(model.sample(5, 3), model.sample(5, 3)) else ""


def _alike(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 1.5)
    first, other = model.sample(20, 3), model.sample(20, 4)
    return "" if bool((first == first[:1]).all()) or torch.equal(first, other) else None


def _decoded(model: Model, alike: bool) -> Tensor:
    """Decode z ~ N(0, I), independent at every position, or the same at all of them."""
    generator = torch.Generator().manual_seed(11)
    shape = (SAMPLES, model.latent, *((1, 1) if alike else model.map))
    z = torch.randn(shape, generator=generator).expand(-1, -1, *model.map).contiguous()
    return model.decode(z).detach().sigmoid()


def _moments_differ(one_: Tensor, other: Tensor) -> float:
    """By how many standard errors means, squares and products of pixels differ, at most, beyond a small margin."""
    first, second = (values.flatten(1).double() for values in (one_, other))
    shifted = [torch.cat([v, v**2, v * v.roll(5, 1), v * v.roll(v.shape[1] // 2, 1)], 1) for v in (first, second)]
    (a, b), n = shifted, len(first)
    error = ((a.var(0) + b.var(0)) / n).sqrt() + 1e-4
    return ((a.mean(0) - b.mean(0)).abs() / error).max().item()


def _position_shared(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 2.0, size=(8, 8))
    samples = model.sample(SAMPLES, 5)
    if _moments_differ(samples, _decoded(model, alike=False)) < FAR:
        return None
    return "" if _moments_differ(samples, _decoded(model, alike=True)) < FAR else None


def _not_the_prior(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 2.0, size=(8, 8))
    return None if _moments_differ(model.sample(SAMPLES, 5), _decoded(model, alike=False)) < FAR else ""


def _gradient_cut(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw, 1.5)
    parameters = [p for p in model.instance.parameters().values() if p.requires_grad]
    mine = model.elbo().sum()
    if not mine.requires_grad:
        return "No parameter gets one."
    got = torch.autograd.grad(mine, parameters, allow_unused=True)
    want = torch.autograd.grad(composed(model).sum(), parameters, allow_unused=True)
    for a, b, p in zip(got, want, parameters, strict=True):
        a, b = (torch.zeros_like(p) if part is None else part for part in (a, b))
        if not torch.allclose(a, b, rtol=1e-2, atol=1e-3 * (1 + b.abs().max().item())):
            return ""
    return None


def _float32(answer: Answer, draw: Draw) -> str | None:
    model = Model(answer, draw)
    model.instance.call("double")
    x, eps, z = model.x.double(), model.eps.double(), model.z.double()
    dtypes = {str(part.dtype) for part in (*model.encode(x), model.decode(z), model.elbo(x, eps))}
    return None if dtypes == {"torch.float64"} else f"Yours: {', '.join(sorted(dtypes))}."


def _outputs(instance: object, draw: Draw) -> tuple[Tensor, ...]:
    channels, _, latent = sizes(draw)
    x = draw.normal(N, channels, 12, 20, shift=0.0).sigmoid().float()
    z = draw.normal(N, latent, 3, 5).float()
    return (*two(instance, "encode", x), one(instance, "decode", z))  # type: ignore[arg-type]


TRAITS = (
    Trait("no parameters", NO_PARAMETERS, has_parameters),
    Trait(
        "encode's shape",
        "encode(x) gives mu and log_sigma, each a map (batch, latent_channels, height / 4, width / 4): two strides of 2.",
        _encode_shape,
    ),
    Trait("decode's shape", "decode(z) gives logits of the image, (batch, channels, height, width).", _decode_shape),
    Trait(
        "one size to encode",
        "encode works at 28 × 28 only: without linear layers, and without sizes written down, it takes any height and width "
        "divisible by 4.",
        lambda answer, draw: _other_size(answer, draw, "encode"),
    ),
    Trait(
        "one size to decode",
        "decode works at one size only: without linear layers, and without sizes written down, it takes a code of any height "
        "and width.",
        lambda answer, draw: _other_size(answer, draw, "decode"),
    ),
    Trait("elbo's shape", "elbo(x, eps) gives one bound for each image, (batch,).", _shape(lambda m: (m.elbo(), (N,)))),
    Trait(
        "reconstruct's shape",
        "reconstruct(x) gives images, of the shape of x.",
        _shape(lambda m: (m.reconstruct(), tuple(m.x.shape))),
    ),
    Trait(
        "sample's shape",
        "sample(n, height, width, generator) gives n images of that height and width.",
        _shape(lambda m: (m.sample(3, 1), (3, *m.x.shape[1:]))),
    ),
    Trait("own noise", OWN_NOISE, _twice(lambda m: m.elbo())),
    Trait(
        "reconstruct is random",
        "reconstruct(x) gives something else each time: decode mu, without noise.",
        _twice(lambda m: m.reconstruct()),
    ),
    Trait(
        "probabilities decoded",
        "decode(z) never leaves [0, 1]: it returns logits. The sigmoid comes in reconstruct and sample.",
        _never_leaves,
    ),
    Trait(
        "logits returned",
        "reconstruct(x) leaves [0, 1]: it returns probabilities, the sigmoid of the logits.",
        _leaves(lambda m: m.reconstruct()),
    ),
    Trait(
        "logits sampled",
        "sample leaves [0, 1]: it returns probabilities, the sigmoid of the logits.",
        _leaves(lambda m: m.sample(20, 1)),
    ),
    Trait(
        "ink sampled", "sample returns zeros and ones, pixels drawn as ink or paper: return the probabilities.", _binary
    ),
    Trait(
        "images mixed",
        "What one image gives changes with the others in the batch: is there a mean or a reshape over dimension 0?",
        _mixed,
    ),
    Trait(
        "loss returned",
        "elbo has the wrong sign: it is maximised, leave the minus to the training loop.",
        _bound(lambda m, mu, ls: kl_of_maps(mu, ls) - m.likelihood(_z(m, mu, ls))),
    ),
    Trait(
        "mean over pixels",
        "log p(x|z) is averaged over the pixels: it sums over channels and pixels. With a mean the KL counts far too much.",
        _bound(lambda m, mu, ls: m.likelihood(_z(m, mu, ls)) / m.x[0].numel() - kl_of_maps(mu, ls)),
    ),
    Trait(
        "KL missing",
        "The KL is missing: nothing keeps the codes where the prior is.",
        _right_likelihood(lambda kl, mu: 0 * kl),
    ),
    Trait("KL added", "The KL has the wrong sign: it is subtracted.", _right_likelihood(lambda kl, mu: -kl)),
    Trait(
        "KL averaged",
        "The KL is averaged over channels and positions: it sums over both.",
        _right_likelihood(lambda kl, mu: kl / mu[0].numel()),
    ),
    Trait(
        "KL averaged over positions",
        "The KL is averaged over the positions of the map: it sums over them, as over the channels.",
        _right_likelihood(lambda kl, mu: kl / mu[0, 0].numel()),
    ),
    Trait(
        "mu decoded instead of z",
        "elbo decodes mu: decode z = mu + sigma · eps.",
        _bound(lambda m, mu, ls: m.likelihood(mu) - kl_of_maps(mu, ls)),
    ),
    Trait(
        "log sigma drawn as sigma",
        "The noise is scaled by log_sigma itself: z = mu + exp(log_sigma) · eps.",
        _bound(lambda m, mu, ls: m.likelihood(mu + ls * m.eps) - kl_of_maps(mu, ls)),
    ),
    Trait(
        "log variance",
        "encode's second result is read as a log-variance: networks output log_sigma, sigma = exp(log_sigma).",
        _bound(_log_variance),
    ),
    Trait(
        "sigmoid twice",
        "The sigmoid is taken twice in elbo: the likelihood takes logits.",
        _bound(lambda m, mu, ls: m.likelihood(_z(m, mu, ls), torch.sigmoid) - kl_of_maps(mu, ls)),
    ),
    Trait(
        "sampled KL",
        "The KL is estimated from the sample of z. That is right in expectation, and noisier: the closed form is asked for.",
        _bound(_sampled_kl),
    ),
    Trait(
        "another bound",
        "elbo is not log p(x|z) summed over channels and pixels, minus the KL to N(0, I) summed over channels and positions.",
        _another_bound,
    ),
    Trait(
        "another reconstruction",
        "reconstruct(x) is not the sigmoid of decode(mu).",
        _another_reconstruction,
    ),
    Trait(
        "generator ignored",
        "The same generator state gives other samples: draw z with generator=generator.",
        _generator_ignored,
    ),
    Trait("samples all alike", "All samples are alike: draw z anew for each of them.", _alike),
    Trait(
        "one z for all positions",
        "Every position of a sample has the same z: under p(z) = N(0, I) each position has its own.",
        _position_shared,
    ),
    Trait(
        "z not from the prior",
        "Samples do not decode z ~ N(0, I), independent at every position: torch.randn, without any mu or sigma.",
        _not_the_prior,
    ),
    Trait(
        "z detached",
        "The gradient of elbo is not that of its values: something is cut off on the way (.detach(), .data, torch.no_grad()).",
        _gradient_cut,
    ),
    Trait("width ignored", WIDTH_IGNORED, width_counts),
    Trait("a parameter never learns", NEVER_LEARNS, everything_learns(_outputs)),
    Trait("created in float32", FLOAT32, _float32),
)
