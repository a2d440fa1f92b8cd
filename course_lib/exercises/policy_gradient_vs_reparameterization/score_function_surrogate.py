"""The policy gradient, as the gradient of a surrogate."""

from __future__ import annotations

from typing import Any

import torch

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.exercises.policy_gradient_vs_reparameterization.probes import SURROGATE, gradients_of
from course_lib.gradients import score_function_surrogate


def _reward_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return draw.normal(sizes.samples, sizes.batch, shift=-2.0), draw.normal(sizes.samples, sizes.batch, scale=2.0)


EXERCISE = Exercise(
    reference=score_function_surrogate,
    points=3,
    returns={"gradient of log_q": "(samples, batch)", "gradient of reward": "(samples, batch)"},
    convention=SURROGATE + "Its gradient is (1/M) Σ_j ∇log q(z_j|x) · r(x, z_j), averaged over the batch.",
    probe=_reward_probe,
    observe=lambda answer, args: gradients_of(answer, args, (0, 1)),
    misconceptions=(
        Misconception(
            "reward not detached",
            "A gradient flows into the reward: detach it. The policy gradient follows log q only; how r itself depends on "
            "the parameters is another term.",
            lambda log_q, reward: (log_q * reward).mean(),
        ),
        Misconception(
            "minus sign",
            "The sign is flipped: the surrogate is maximised. The minus belongs to the loss of an optimizer.",
            lambda log_q, reward: -(log_q * reward.detach()).mean(),
        ),
        Misconception(
            "log_q detached",
            "No gradient reaches log_q: it is the reward that is detached.",
            lambda log_q, reward: (log_q.detach() * reward).mean(),
        ),
        Misconception(
            "everything detached",
            "No gradient flows at all: only the reward is detached, log_q is not.",
            lambda log_q, reward: (log_q.detach() * reward.detach()).mean(),
        ),
        Misconception(
            "reward alone",
            "That is the mean reward: without log q its gradient knows nothing of how q chooses z.",
            lambda log_q, reward: reward.mean() + 0 * log_q.sum(),
        ),
        Misconception(
            "reward left out",
            "The reward is missing: each ∇log q is weighted by what its sample has earned.",
            lambda log_q, reward: log_q.mean(),
        ),
        Misconception(
            "sum over samples and batch",
            "You sum over samples and batch: average over both.",
            lambda log_q, reward: (log_q * reward.detach()).sum(),
        ),
        Misconception(
            "sum over samples",
            "You sum over the samples: the estimate is their mean, (1/M) Σ_j.",
            lambda log_q, reward: (log_q * reward.detach()).sum(0).mean(),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch: average over it.",
            lambda log_q, reward: (log_q * reward.detach()).mean(0).sum(),
        ),
        Misconception(
            "density instead of its logarithm",
            "You weight the reward with q instead of log q: samples of q come as often as q says already.",
            lambda log_q, reward: (log_q.exp() * reward.detach()).mean(),
        ),
        Misconception(
            "product of the means",
            "You multiply the mean of log q with the mean reward: multiply sample by sample, then average.",
            lambda log_q, reward: log_q.mean() * reward.detach().mean(),
        ),
        Misconception(
            "baseline that contains its own sample",
            "You subtract the mean reward of all samples: it contains the sample's own reward, which shortens the gradient "
            "by (M - 1)/M on average. The surrogate takes the reward as it is given; baselines come next.",
            lambda log_q, reward: (log_q * (reward - reward.mean(0)).detach()).mean(),
        ),
        Misconception(
            "mean of all rewards subtracted",
            "You subtract the mean of all rewards: the surrogate takes the reward as it is given. This mean contains the "
            "sample's own reward, and those of other data points; a better baseline comes next.",
            lambda log_q, reward: (log_q * (reward - reward.mean()).detach()).mean(),
        ),
        Misconception(
            "reward standardised",
            "You standardise the reward: the gradient is then no longer that of the expected reward. Take it as given.",
            lambda log_q, reward: (log_q * ((reward - reward.mean()) / reward.std()).detach()).mean(),
        ),
        Misconception(
            "entropy added",
            "You add a term in log q of your own: the surrogate is the mean of log q · reward, no more.",
            lambda log_q, reward: (log_q * reward.detach() - log_q).mean(),
        ),
    ),
    alternatives=(
        lambda log_q, reward: torch.mean(reward.detach() * log_q),
        lambda log_q, reward: (log_q * reward.detach()).sum() / log_q.numel(),
        # exp(log_q - log_q.detach()) is 1, with the gradient of log_q.
        lambda log_q, reward: ((log_q - log_q.detach()).exp() * reward.detach()).mean(),
        lambda log_q, reward: torch.einsum("sb,sb->", log_q, reward.data) / reward.shape[0] / reward.shape[1],
    ),
)
