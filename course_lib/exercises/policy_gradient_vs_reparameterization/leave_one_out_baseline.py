"""Each sample's baseline: the mean reward of the others."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.gradients import leave_one_out_baseline


def _few_samples(draw: Draw) -> tuple[Tensor]:
    return (draw.normal(2, draw.sizes.batch + 1, scale=2.0),)


def _ignores_its_own(answer: Answer, draw: Draw) -> str | None:
    reward = draw.normal(5, 3)
    changed = reward.clone()
    changed[2, 1] += 7.0
    (one,), (other,) = tensors_from(answer.call(reward)), tensors_from(answer.call(changed))
    if one.shape != reward.shape or other.shape != reward.shape:
        return None
    moved = (other - one)[2, 1].item()
    if abs(moved) > 1e-6:
        return (
            f"One reward is raised by 7, and its own baseline moves by {moved:.2f}: a baseline that contains its own "
            "sample biases the gradient."
        )
    return None


def _leave_one_out_mask(reward: Tensor) -> Tensor:
    samples = reward.shape[0]
    others = 1 - torch.eye(samples, dtype=reward.dtype, device=reward.device)
    return others @ reward / (samples - 1)


EXERCISE = Exercise(
    reference=leave_one_out_baseline,
    points=2,
    returns={"baseline": "(samples, batch)"},
    convention="For each sample the mean reward of the others of the same data point, (samples, batch).",
    probe=lambda draw: (draw.normal(draw.sizes.samples, draw.sizes.batch, scale=2.0),),
    misconceptions=(
        Misconception(
            "own sample contained",
            "Your baseline contains its own sample: it then depends on what it is subtracted from, and the gradient is "
            "biased. Leave each sample out of its own mean.",
            lambda reward: reward.mean(0).expand_as(reward),
        ),
        Misconception(
            "divided by M",
            "You divide by the number of samples: the others are one fewer, M - 1.",
            lambda reward: (reward.sum(0) - reward) / len(reward),
        ),
        Misconception(
            "sum of the others",
            "You sum the other rewards: take their mean, divide by M - 1.",
            lambda reward: reward.sum(0) - reward,
        ),
        Misconception(
            "advantage returned",
            "You return reward minus baseline: return the baseline itself.",
            lambda reward: reward - leave_one_out_baseline(reward),
        ),
        Misconception(
            "over the batch",
            "You leave one out over the data points (dimension 1): samples come in front, dimension 0.",
            lambda reward: (reward.sum(1, keepdim=True) - reward) / (reward.shape[1] - 1),
        ),
        Misconception(
            "over samples and batch",
            "You average over all other entries, those of other data points too: each data point has a baseline of its own.",
            lambda reward: (reward.sum() - reward) / (reward.numel() - 1),
        ),
        Misconception(
            "one mean for everything",
            "You take one mean for all samples and data points: each sample gets the mean of the others of its data point.",
            lambda reward: reward.mean().expand_as(reward),
        ),
        Misconception(
            "the next sample",
            "Your baseline is the reward of a neighbouring sample: unbiased, but noisy. Take the mean of all the others.",
            lambda reward: reward.roll(-1, 0),
        ),
        Misconception(
            "samples before it",
            "Your baseline averages over the samples before it only: over all the others.",
            lambda reward: (
                (reward.cumsum(0) - reward) / torch.arange(len(reward)).clamp(min=1).to(reward).unsqueeze(-1)
            ),
        ),
        Misconception(
            "sign",
            "The sign is flipped: the baseline is the mean of the others, the caller subtracts it.",
            lambda reward: -leave_one_out_baseline(reward),
        ),
    ),
    alternatives=(
        _leave_one_out_mask,
        lambda reward: torch.stack([torch.cat([reward[:i], reward[i + 1 :]]).mean(0) for i in range(len(reward))]),
        lambda reward: (reward.mean(0, keepdim=True) * len(reward) - reward.detach()) / (len(reward) - 1),
    ),
    properties=(Property("ignores its own sample", _ignores_its_own),),
    edge_cases=(EdgeCase("two samples", "Right for many samples, but not for two.", _few_samples),),
)
