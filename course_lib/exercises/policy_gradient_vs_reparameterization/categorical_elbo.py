"""The bound with discrete latents, summed exactly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from course_lib.answers import Answer, tensors_from
from course_lib.bounds import categorical_elbo
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def _categorical_elbo_probe(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.components + 1
    return draw.normal(*shape, scale=2.0, shift=-6.0), draw.normal(*shape)


def _categorical_bound(answer: Answer, draw: Draw) -> str | None:
    log_joint, logits = _categorical_elbo_probe(draw)
    (value,) = tensors_from(answer.call(log_joint, logits))
    exact = log_joint.logsumexp(-1)
    if value.shape == exact.shape and bool((value > exact + 1e-6).any()):
        return "A bound lies below log p(x) = log Σ_k p(x, z=k); yours lies above it."
    return None


def _tight_at_the_posterior(answer: Answer, draw: Draw) -> str | None:
    log_joint, _ = _categorical_elbo_probe(draw)
    (value,) = tensors_from(answer.call(log_joint, log_joint - 3.0))
    exact = log_joint.logsumexp(-1)
    if value.shape == exact.shape and not torch.allclose(value, exact, atol=1e-6):
        return (
            f"Where q is the exact posterior the bound is tight: log p(x) = {exact[0].item():.4f}; yours is "
            f"{value[0].item():.4f}."
        )
    return None


def _far_logits(draw: Draw) -> tuple[Tensor, Tensor]:
    log_joint, logits = _categorical_elbo_probe(draw)
    return log_joint, 300 * logits


EXERCISE = Exercise(
    reference=categorical_elbo,
    points=2,
    returns={"elbo": "(batch,)"},
    convention="Σ_k q_k [log p(x, z=k) - log q_k] with q = softmax(logits) over the last dimension; (batch,), in nats.",
    probe=_categorical_elbo_probe,
    gradients=("log_joint", "logits"),
    misconceptions=(
        Misconception(
            "entropy missing",
            "The entropy is missing: subtract log q_k from each term.",
            lambda log_joint, logits: (logits.softmax(-1) * log_joint).sum(-1),
        ),
        Misconception(
            "entropy subtracted",
            "The entropy has the wrong sign: log q_k is subtracted.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint + logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "not weighted by q",
            "You average over the categories with equal weights: weight each by q_k.",
            lambda log_joint, logits: (log_joint - logits.log_softmax(-1)).mean(-1),
        ),
        Misconception(
            "not weighted",
            "You sum over the categories without weights: weight each by q_k.",
            lambda log_joint, logits: (log_joint - logits.log_softmax(-1)).sum(-1),
        ),
        Misconception(
            "logits not normalised",
            "You subtract the logits themselves: log q is log_softmax(logits).",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint - logits)).sum(-1),
        ),
        Misconception(
            "log p(x) itself",
            "That is log p(x), the sum over all z: the bound depends on q.",
            lambda log_joint, logits: log_joint.logsumexp(-1) + 0 * logits.sum(-1),
        ),
        Misconception(
            "most likely category",
            "You take the term of q's most likely category: the expectation runs over all of them.",
            lambda log_joint, logits: (
                (log_joint - logits.log_softmax(-1)).gather(-1, logits.argmax(-1, keepdim=True)).squeeze(-1)
            ),
        ),
        Misconception(
            "posterior instead of q",
            "You weight with the posterior p(z|x): the bound weights with q.",
            lambda log_joint, logits: (log_joint.softmax(-1) * (log_joint - logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "softmax over the batch",
            "Your softmax runs over the data points: over the categories, the last dimension.",
            lambda log_joint, logits: (logits.softmax(0) * (log_joint - logits.log_softmax(0))).sum(-1),
        ),
        Misconception(
            "KL returned",
            "You return the KL from q to the posterior: the bound is log p(x) minus that.",
            lambda log_joint, logits: log_joint.logsumexp(-1) - categorical_elbo(log_joint, logits),
        ),
        Misconception(
            "joint read as a probability",
            "You take the logarithm of log_joint, or its exponential: it is a log-probability already.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint.exp() - logits.log_softmax(-1))).sum(-1),
        ),
        Misconception(
            "0 log 0",
            "Where q_k is zero you get NaN or infinity: log(softmax(...)) underflows. Use log_softmax.",
            lambda log_joint, logits: (logits.softmax(-1) * (log_joint - logits.softmax(-1).log())).sum(-1),
        ),
    ),
    alternatives=(
        lambda log_joint, logits: (logits.softmax(-1) * log_joint).sum(-1) + Categorical(logits=logits).entropy(),
        lambda log_joint, logits: (
            log_joint.logsumexp(-1) - kl_divergence(Categorical(logits=logits), Categorical(logits=log_joint))
        ),
        lambda log_joint, logits: torch.einsum(
            "bk,bk->b", torch.softmax(logits, 1), log_joint - torch.log_softmax(logits, 1)
        ),
    ),
    properties=(
        Property("is a bound", _categorical_bound),
        Property("tight at the posterior", _tight_at_the_posterior),
    ),
    edge_cases=(
        EdgeCase(
            "a q that is sure",
            "Right for a moderate q, but not for one that is nearly certain: its small probabilities underflow.",
            _far_logits,
        ),
    ),
)
