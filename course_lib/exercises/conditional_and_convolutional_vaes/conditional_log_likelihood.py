"""log p(y|x), estimated with samples of the prior."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn import functional

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.networks import OWN_NOISE, draws_its_own_noise
from course_lib.conditional import conditional_log_likelihood
from course_lib.distributions import bernoulli_log_likelihood, log_mean_exp
from course_lib.exercises.conditional_and_convolutional_vaes.probes import (
    NETWORKS,
    SIGMA,
    drawn_from,
    likelihood_probe,
    sample_of,
    sure,
)


def _variant(
    z: Any = sample_of,
    likelihood: Any = lambda x, y, logits: bernoulli_log_likelihood(y, logits),
    average: Any = lambda values: log_mean_exp(values, 0),
) -> Any:
    def wrong(x: Tensor, y: Tensor, eps: Tensor, prior: Any, decoder: Any) -> Tensor:
        return average(likelihood(x, y, decoder(x, z(*prior(x), eps))))

    return wrong


def _flattened(x: Tensor, y: Tensor, eps: Tensor, prior: Any, decoder: Any) -> Tensor:
    z = drawn_from(prior(x), eps).flatten(0, 1)
    logits = decoder(x.repeat(len(eps), 1), z)
    terms = -functional.binary_cross_entropy_with_logits(logits, y.repeat(len(eps), 1), reduction="none").sum(-1)
    return terms.view(len(eps), -1).logsumexp(0) - math.log(len(eps))


def _by_hand(x: Tensor, y: Tensor, eps: Tensor, prior: Any, decoder: Any) -> Tensor:
    mu, log_sigma = prior(x)
    terms = torch.stack(
        [Bernoulli(logits=decoder(x, mu + log_sigma.exp() * e), validate_args=False).log_prob(y).sum(-1) for e in eps]
    )
    top = terms.max(0).values
    return top + (terms - top).exp().mean(0).log()


EXERCISE = Exercise(
    reference=conditional_log_likelihood,
    points=2,
    returns={"log_likelihood": "(batch,)"},
    convention="log of the mean over samples of p(y|x, z_s), z_s = mu + sigma · eps_s with mu, sigma of prior(x); log p(y|x, z) sums "
    "over the pixels of y; (batch,), in nats, stable. " + NETWORKS,
    probe=likelihood_probe,
    gradients=("x",),
    misconceptions=(
        Misconception(
            "logarithms averaged",
            "You average the logarithms: average the probabilities p(y|x, z), then take the logarithm. The difference is Jensen's gap.",
            _variant(average=lambda v: v.mean(0)),
        ),
        Misconception(
            "number of samples forgotten",
            "log S is missing: logsumexp gives the sum over the samples, divide by their number.",
            _variant(average=lambda v: v.logsumexp(0)),
        ),
        Misconception(
            "the best sample",
            "You take the likeliest sample: the mean over all of them is wanted.",
            _variant(average=lambda v: v.max(0).values),
        ),
        Misconception(
            "over the batch",
            "You average over the data points: over the samples, dimension 0.",
            _variant(average=lambda v: log_mean_exp(v, 1)),
        ),
        Misconception(
            "one number",
            "You average over the batch as well: keep one value for each data point.",
            _variant(average=lambda v: log_mean_exp(v, 0).mean()),
        ),
        Misconception(
            "not averaged",
            "You return one value for each sample: average the probabilities over the samples.",
            _variant(average=lambda v: v),
        ),
        Misconception(
            "noise decoded",
            "You decode eps itself, a sample of N(0, I): z comes from the learned prior, mu + sigma · eps.",
            _variant(z=lambda mu, ls, eps: eps + 0 * mu),
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
            "mu decoded instead of z",
            "You decode mu, so that every sample says the same: z = mu + sigma · eps.",
            _variant(z=lambda mu, ls, eps: mu.expand(eps.shape) + 0 * eps),
        ),
        Misconception(
            "mean over pixels",
            "You average log p(y|x, z) over the pixels: it sums over them.",
            _variant(likelihood=lambda x, y, logits: bernoulli_log_likelihood(y, logits) / y.shape[-1]),
        ),
        Misconception(
            "x modelled",
            "You take the likelihood of x: x is given, y is modelled.",
            _variant(likelihood=lambda x, y, logits: bernoulli_log_likelihood(x, logits)),
        ),
        Misconception(
            "sigmoid twice",
            "The sigmoid is taken twice: the decoder returns logits, and the likelihood takes them.",
            _variant(likelihood=lambda x, y, logits: bernoulli_log_likelihood(y, logits.sigmoid())),
        ),
        Misconception(
            "pixels averaged first",
            "You average over the samples pixel by pixel, before the pixels are multiplied: that is the likelihood of the blurry mean. "
            "Sum the logarithms over the pixels of each sample first.",
            _variant(
                likelihood=lambda x, y, logits: (
                    y * functional.logsigmoid(logits) + (1 - y) * functional.logsigmoid(-logits)
                ),
                average=lambda v: log_mean_exp(v, 0).sum(-1),
            ),
        ),
        Misconception(
            "probability returned",
            "You return the probability: its logarithm is wanted.",
            _variant(average=lambda v: log_mean_exp(v, 0).exp()),
        ),
        Misconception(
            "unstable",
            "For unlikely y you get -inf: exp underflows before the mean. Use logsumexp.",
            _variant(average=lambda v: v.exp().mean(0).log()),
        ),
        Misconception(
            "own noise",
            OWN_NOISE,
            lambda x, y, eps, prior, decoder: conditional_log_likelihood(x, y, torch.randn_like(eps), prior, decoder),
        ),
    ),
    alternatives=(_flattened, _by_hand),
    properties=(Property("own noise", draws_its_own_noise(likelihood_probe)),),
    edge_cases=(
        EdgeCase(
            "a decoder that is sure",
            "Right for moderate logits, but not where the decoder is sure and every sample is unlikely.",
            sure(likelihood_probe),
        ),
    ),
)
