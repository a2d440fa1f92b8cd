"""The policy gradient of discrete latents."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.policy_gradient_vs_reparameterization.probes import SURROGATE, gradients_of
from course_lib.gradients import categorical_policy_gradient


def _categorical_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    categories = sizes.components + 1
    z = torch.tensor([[draw.integer(categories) for _ in range(sizes.batch)] for _ in range(sizes.samples)])
    return (
        draw.normal(sizes.batch, categories),
        draw.normal(sizes.samples, sizes.batch, scale=2.0),
        z.to(draw.device),
    )


def _log_q(logits: Tensor, z: Tensor) -> Tensor:
    return Categorical(logits=logits, validate_args=False).log_prob(z)


def _pick(table: Tensor, z: Tensor) -> Tensor:
    return table.expand(len(z), -1, -1).gather(-1, z.unsqueeze(-1)).squeeze(-1)


EXERCISE = Exercise(
    reference=categorical_policy_gradient,
    points=2,
    returns={"gradient of logits": "(batch, categories)", "gradient of reward": "(samples, batch)"},
    convention=SURROGATE + "log q(z) = log_softmax(logits) over the categories, at the sampled z.",
    probe=_categorical_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "reward not detached",
            "A gradient flows into the reward: detach it.",
            lambda logits, reward, z: (_log_q(logits, z) * reward).mean(),
        ),
        Misconception(
            "logits not normalised",
            "You take the logit at z for log q(z): logits are normalised by log_softmax first. Raising one category must "
            "lower the others.",
            lambda logits, reward, z: (_pick(logits, z) * reward.detach()).mean(),
        ),
        Misconception(
            "probability instead of its logarithm",
            "You weight the reward with q(z): the policy gradient has log q(z).",
            lambda logits, reward, z: (_log_q(logits, z).exp() * reward.detach()).mean(),
        ),
        Misconception(
            "logits taken for probabilities",
            "You take the logarithm of softmax twice, or of something that is a logarithm already: log q = "
            "log_softmax(logits), once.",
            lambda logits, reward, z: (_log_q(logits.softmax(-1), z) * reward.detach()).mean(),
        ),
        Misconception(
            "normalised over the batch",
            "You normalise over the data points: the softmax runs over the categories, the last dimension.",
            lambda logits, reward, z: (_pick(logits.log_softmax(0), z) * reward.detach()).mean(),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda logits, reward, z: -(_log_q(logits, z) * reward.detach()).mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: average over them.",
            lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).sum(0).mean(),
        ),
        Misconception(
            "the sampled category ignored",
            "Every category gets the reward, whichever was sampled: pick log q at z.",
            lambda logits, reward, z: (logits.log_softmax(-1).mean(-1) * reward.detach()).mean(),
        ),
        Misconception(
            "most likely category",
            "You take log q at the most likely category: at the sampled z.",
            lambda logits, reward, z: (logits.log_softmax(-1).max(-1).values * reward.detach()).mean(),
        ),
        Misconception(
            "log_q detached",
            "No gradient reaches the logits: it is the reward that is detached.",
            lambda logits, reward, z: (_log_q(logits, z).detach() * reward).mean(),
        ),
        Misconception(
            "baseline that contains its own sample",
            "You subtract the mean reward of all samples, the own one included: that shortens the gradient. Take the reward "
            "as it is given.",
            lambda logits, reward, z: (_log_q(logits, z) * (reward - reward.mean(0)).detach()).mean(),
        ),
    ),
    alternatives=(
        lambda logits, reward, z: (_log_q(logits, z) * reward.detach()).mean(),
        lambda logits, reward, z: (
            -torch.nn.functional.cross_entropy(logits.repeat(len(z), 1), z.flatten(), reduction="none")
            * reward.detach().flatten()
        ).mean(),
        lambda logits, reward, z: (
            (torch.nn.functional.one_hot(z, logits.shape[-1]) * logits.log_softmax(-1)).sum(-1) * reward.detach()
        ).mean(),
    ),
)
