"""The bound of log p(y|x); the KL in closed form, or the lecture's log p(z|x) and entropy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn import functional

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise, only_tensor
from course_lib.conditional import conditional_elbo
from course_lib.distributions import bernoulli_log_likelihood, gaussian_entropy, gaussian_kl, gaussian_log_prob
from course_lib.exercises.conditional_and_convolutional_vaes.probes import (
    NETWORKS,
    SIGMA,
    drawn_from,
    elbo_probe,
    elbo_variant,
    kl_of,
    sample_of,
    sure,
)


def lecture_form(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    mu, log_sigma = encoder(x, y)
    z = sample_of(mu, log_sigma, eps)
    return _joint(x, y, z, prior, decoder).mean(0) + gaussian_entropy(log_sigma.exp())


def all_sampled(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    mu, log_sigma = encoder(x, y)
    z = sample_of(mu, log_sigma, eps)
    return (_joint(x, y, z, prior, decoder) - gaussian_log_prob(z, mu, log_sigma.exp())).mean(0)


def _joint(x: Tensor, y: Tensor, z: Tensor, prior: Any, decoder: Any) -> Tensor:
    mu_p, log_sigma_p = prior(x)
    return bernoulli_log_likelihood(y, decoder(x, z)) + gaussian_log_prob(z, mu_p, log_sigma_p.exp())


def _observe(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Take any of the right forms for the canonical one, gradients included."""
    value = only_tensor(tensors_from(answer.call(*args)))
    canonical = conditional_elbo(*args)
    for form in (lecture_form, all_sampled):
        other = form(*args)
        if value.shape == other.shape and torch.allclose(value.double(), other.double(), rtol=1e-4, atol=1e-4):
            return (value - (other - canonical).to(value),)
    return (value,)


def _standard(prior: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    mu, log_sigma = prior(x)
    return torch.zeros_like(mu), torch.zeros_like(log_sigma)


def _entropy_missing(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    return _joint(x, y, drawn_from(encoder(x, y), eps), prior, decoder).mean(0)


def _from_prior(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    log_likelihood = bernoulli_log_likelihood(y, decoder(x, drawn_from(prior(x), eps))).mean(0)
    return log_likelihood - kl_of(*encoder(x, y), *prior(x))


def _no_encoder(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    return bernoulli_log_likelihood(y, decoder(x, drawn_from(prior(x), eps))).mean(0)


def _own_noise(x: Tensor, y: Tensor, eps: Tensor, *networks: Any) -> Tensor:
    return conditional_elbo(x, y, torch.randn_like(eps), *networks)


def _by_distributions(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    (mu, log_sigma), (mu_p, log_sigma_p) = encoder(x, y), prior(x)
    q, p = Independent(Normal(mu, log_sigma.exp()), 1), Independent(Normal(mu_p, log_sigma_p.exp()), 1)
    z = (q.mean + q.stddev * eps).flatten(0, 1)
    rows = x.repeat(len(eps), 1)
    pixels = Bernoulli(logits=decoder(rows, z), validate_args=False).log_prob(y.repeat(len(eps), 1)).sum(-1)
    return pixels.view(len(eps), -1).mean(0) - kl_divergence(q, p)


def _by_loop(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    (mu, log_sigma), (mu_p, log_sigma_p) = encoder(x, y), prior(x)
    total = torch.zeros_like(mu[:, 0])
    for noise in eps:
        logits = decoder(x, mu + log_sigma.exp() * noise)
        total = total - functional.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(1)
    kl = log_sigma_p - log_sigma + ((2 * log_sigma).exp() + (mu - mu_p) ** 2) / (2 * (2 * log_sigma_p).exp()) - 0.5
    return total / len(eps) - kl.sum(1)


def _expanded(x: Tensor, y: Tensor, eps: Tensor, encoder: Any, prior: Any, decoder: Any) -> Tensor:
    z = drawn_from(encoder(x, y), eps)
    logits = decoder(x.unsqueeze(0).expand(len(eps), -1, -1), z)
    return bernoulli_log_likelihood(y, logits).mean(0) - kl_of(*encoder(x, y), *prior(x))


def _wrong(name: str, says: str, **change: Any) -> Misconception:
    return Misconception(name, says, elbo_variant(**change))


EXERCISE = Exercise(
    reference=conditional_elbo,
    points=3,
    returns={"elbo": "(batch,)"},
    convention="E[log p(y|x, z)] - D_KL(q(z|x, y) ‖ p(z|x)), or log p(z|x) at the samples plus the entropy of q; z = mu + "
    "sigma · eps with mu, sigma of q, averaged over the samples, summed over the pixels of y; (batch,), in nats. "
    + NETWORKS,
    probe=elbo_probe,
    observe=_observe,
    gradients=("x",),
    misconceptions=(
        _wrong(
            "KL to N(0, I)",
            "Your KL is to N(0, I): here the prior is learned too, D_KL(q(z|x, y) ‖ p(z|x)) with mu and log_sigma of prior(x).",
            p=_standard,
        ),
        Misconception(
            "z from the prior",
            "You decode samples of p(z|x): in the bound z ~ q(z|x, y). The prior is drawn from at test time.",
            _from_prior,
        ),
        Misconception(
            "no encoder",
            "You decode samples of p(z|x) and have no KL: that averages log p(y|x, z) over the prior. The bound has z ~ q(z|x, y).",
            _no_encoder,
        ),
        _wrong(
            "KL missing",
            "The KL is missing: nothing keeps q(z|x, y) near the prior from which answers are drawn.",
            kl=lambda *_: 0,
        ),
        _wrong("KL added", "The KL has the wrong sign: it is subtracted.", kl=lambda *args: -kl_of(*args)),
        _wrong(
            "KL the other way round",
            "You take D_KL(p(z|x) ‖ q(z|x, y)): q comes first, samples are drawn from it.",
            kl=lambda mu, ls, mu_p, ls_p: gaussian_kl(mu_p, ls_p.exp(), mu, ls.exp()),
        ),
        _wrong(
            "KL averaged",
            "The KL is averaged over the latent dimensions: it sums over them.",
            kl=lambda mu, *rest: kl_of(mu, *rest) / mu.shape[-1],
        ),
        _wrong(
            "log variance in the KL",
            "In the KL you read log_sigma as a log-variance. " + SIGMA,
            kl=lambda mu, ls, mu_p, ls_p: gaussian_kl(mu, (ls / 2).exp(), mu_p, (ls_p / 2).exp()),
        ),
        Misconception(
            "entropy missing",
            "The entropy of q is missing: log p(y|x, z) + log p(z|x) alone would shrink q to a point.",
            _entropy_missing,
        ),
        _wrong(
            "x and y exchanged",
            "You call encoder(y, x): its arguments come in the order encoder(x, y).",
            q=lambda encoder, x, y: encoder(y, x),
        ),
        _wrong(
            "the encoder sees x twice",
            "Your encoder sees x twice and y never: q(z|x, y) must know the answer that it encodes.",
            q=lambda encoder, x, y: encoder(x, x),
        ),
        _wrong(
            "the decoder sees y",
            "You give y to the decoder: at test time there is none. It sees x and z.",
            logits=lambda decoder, x, y, z: decoder(y, z),
        ),
        _wrong(
            "x modelled",
            "You take the likelihood of x: x is given, y is modelled.",
            likelihood=lambda x, y, logits: bernoulli_log_likelihood(x, logits),
        ),
        _wrong(
            "sigmoid twice",
            "The sigmoid is taken twice: the decoder returns logits, and the likelihood takes them.",
            likelihood=lambda x, y, logits: bernoulli_log_likelihood(y, logits.sigmoid()),
        ),
        _wrong(
            "mean over pixels",
            "You average log p(y|x, z) over the pixels: it sums over them. With a mean the KL counts far too much.",
            likelihood=lambda x, y, logits: bernoulli_log_likelihood(y, logits) / y.shape[-1],
        ),
        _wrong(
            "likelihood subtracted",
            "log p(y|x, z) has the wrong sign: binary cross-entropy is a loss, the bound is maximised.",
            likelihood=lambda x, y, logits: -bernoulli_log_likelihood(y, logits),
        ),
        _wrong(
            "mu decoded instead of z",
            "You decode mu: decode the samples z = mu + sigma · eps.",
            z=lambda mu, ls, eps: mu.expand(eps.shape) + 0 * eps,
        ),
        _wrong(
            "log sigma taken for sigma",
            "You scale the noise by log_sigma itself. " + SIGMA,
            z=lambda mu, ls, eps: mu + ls * eps,
        ),
        _wrong(
            "log variance in the noise",
            "You scale the noise by exp(log_sigma / 2), as for a log-variance. " + SIGMA,
            z=lambda mu, ls, eps: mu + (ls / 2).exp() * eps,
        ),
        _wrong(
            "noise shared across the batch",
            "All data points get the noise of the first: eps has its own for every point.",
            z=lambda mu, ls, eps: mu + ls.exp() * eps[:, :1],
        ),
        _wrong(
            "sum over samples",
            "You sum log p(y|x, z) over the samples: average over them, dimension 0.",
            average=lambda v: v.sum(0),
        ),
        _wrong(
            "only the first sample", "You use the first sample only: average over all of them.", average=lambda v: v[0]
        ),
        _wrong(
            "logarithm of the mean",
            "You take the logarithm of the mean of p(y|x, z): the bound is the mean of the logarithms.",
            average=lambda v: v.logsumexp(0) - torch.tensor(float(len(v))).log().to(v),
        ),
        _wrong(
            "probabilities from the sigmoid",
            "Where the decoder is sure you get NaN or -inf: log(1 - sigmoid(400)) is -inf. Compute with the logits: softplus, "
            "logsigmoid, or binary_cross_entropy_with_logits.",
            likelihood=lambda x, y, logits: (y * logits.sigmoid().log() + (1 - y) * (1 - logits.sigmoid()).log()).sum(
                -1
            ),
        ),
        _wrong(
            "prior cut off",
            "The values are right, but no gradient reaches the prior (.detach(), torch.no_grad()): it is learned with the rest.",
            p=lambda prior, x: tuple(part.detach() for part in prior(x)),
        ),
        _wrong(
            "encoder cut off",
            "The values are right, but no gradient reaches the encoder: mu or log_sigma is detached.",
            q=lambda encoder, x, y: tuple(part.detach() for part in encoder(x, y)),
        ),
        _wrong(
            "z detached",
            "The values are right, but z is cut off from the encoder: the likelihood cannot move q.",
            z=lambda mu, ls, eps: sample_of(mu, ls, eps).detach(),
        ),
        Misconception("own noise", OWN_NOISE, _own_noise),
    ),
    alternatives=(lecture_form, all_sampled, _by_distributions, _by_loop, _expanded),
    properties=(Property("own noise", draws_its_own_noise(elbo_probe)),),
    edge_cases=(
        EdgeCase(
            "a decoder that is sure",
            "Right for moderate logits, but not for logits of several hundred.",
            sure(elbo_probe),
        ),
    ),
)
