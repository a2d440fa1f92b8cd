"""Answers at test time: z from the learned prior, then probabilities of ink."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.checker.probes import Draw
from course_lib.conditional import predict
from course_lib.exercises.conditional_and_convolutional_vaes.probes import (
    NETWORKS,
    SIGMA,
    drawn_from,
    predict_probe,
    sample_of,
)


def _one_each(draw: Draw) -> tuple[Any, ...]:
    x, prior, decoder, eps = predict_probe(draw)
    return x, prior, decoder, eps[0]


def _variant(z: Any = sample_of, shown: Any = lambda logits: logits.sigmoid(), given: Any = lambda x: x) -> Any:
    def wrong(x: Tensor, prior: Any, decoder: Any, eps: Tensor) -> Tensor:
        mu, log_sigma = prior(x)
        return shown(decoder(given(x), z(mu, log_sigma, eps)))

    return wrong


def _by_distribution(x: Tensor, prior: Any, decoder: Any, eps: Tensor) -> Tensor:
    mu, log_sigma = prior(x)
    p = Normal(mu, log_sigma.exp())
    with torch.no_grad():
        return 1 / (1 + torch.exp(-decoder(x, p.loc + p.scale * eps)))


def _flattened(x: Tensor, prior: Any, decoder: Any, eps: Tensor) -> Tensor:
    z = drawn_from(prior(x), eps)
    rows = decoder(x.expand(*z.shape[:-1], -1).reshape(-1, x.shape[-1]), z.reshape(-1, z.shape[-1]))
    return torch.sigmoid(rows).reshape(*z.shape[:-1], -1)


def _expanded(x: Tensor, prior: Any, decoder: Any, eps: Tensor) -> Tensor:
    z = drawn_from(prior(x), eps)
    return decoder(x.expand(*z.shape[:-1], -1), z).sigmoid()


EXERCISE = Exercise(
    reference=predict,
    points=2,
    returns={"answers": "(samples, batch, y_dim)"},
    convention="z = mu + sigma · eps with mu, sigma of prior(x); sigmoid(decoder(x, z)), one answer for each row of eps, neither "
    "averaged, nor rounded, nor drawn. " + NETWORKS,
    probe=predict_probe,
    misconceptions=(
        Misconception(
            "logits returned",
            "You return the decoder's logits: probabilities are wanted, their sigmoid.",
            _variant(shown=lambda logits: logits),
        ),
        Misconception(
            "noise decoded",
            "You decode eps itself, a sample of N(0, I): z = mu + sigma · eps with mu and sigma of prior(x).",
            _variant(z=lambda mu, ls, eps: eps + 0 * mu),
        ),
        Misconception(
            "mu decoded instead of z",
            "You decode mu, so that all answers are the same: z = mu + sigma · eps.",
            _variant(z=lambda mu, ls, eps: mu.expand(eps.shape) + 0 * eps),
        ),
        Misconception(
            "log sigma taken for sigma",
            "You scale the noise by log_sigma itself. " + SIGMA,
            _variant(z=lambda mu, ls, eps: mu + ls * eps),
        ),
        Misconception(
            "log variance",
            "You scale the noise by exp(log_sigma / 2), as for a log-variance. " + SIGMA,
            _variant(z=lambda mu, ls, eps: mu + (ls / 2).exp() * eps),
        ),
        Misconception(
            "noise around zero",
            "You scale eps by sigma, but leave out mu: the prior of x lies around prior(x)'s mu.",
            _variant(z=lambda mu, ls, eps: ls.exp() * eps + 0 * mu),
        ),
        Misconception(
            "answers averaged",
            "You average over the samples: that is the one blurry mean again. Return every answer.",
            _variant(shown=lambda logits: logits.sigmoid().mean(0)),
        ),
        Misconception(
            "samples averaged before the decoder",
            "You average z over the samples before decoding: every sample has an answer of its own.",
            _variant(z=lambda mu, ls, eps: sample_of(mu, ls, eps).mean(0)),
        ),
        Misconception(
            "rounded",
            "You round to ink or paper: return the probabilities.",
            _variant(shown=lambda logits: (logits > 0).to(logits)),
        ),
        Misconception(
            "sigmoid twice",
            "The sigmoid is taken twice: once, of the logits.",
            _variant(shown=lambda logits: logits.sigmoid().sigmoid()),
        ),
        Misconception(
            "softmax over the pixels",
            "You take a softmax over the pixels: each pixel is a coin of its own, sigmoid(logit).",
            _variant(shown=lambda logits: logits.softmax(-1)),
        ),
        Misconception(
            "noise shared across the batch",
            "All questions get the noise of the first: eps has its own for each.",
            _variant(z=lambda mu, ls, eps: mu + ls.exp() * eps[..., :1, :]),
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            lambda x, prior, decoder, eps: predict(x, prior, decoder, torch.randn_like(eps)),
        ),
    ),
    alternatives=(_by_distribution, _flattened, _expanded),
    properties=(Property("own noise", draws_its_own_noise(predict_probe)),),
    edge_cases=(
        EdgeCase(
            "one answer each",
            "Right for eps (samples, batch, latent_dim), but not for (batch, latent_dim), which asks for one answer each.",
            _one_each,
        ),
    ),
)
