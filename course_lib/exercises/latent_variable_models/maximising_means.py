"""The means that maximise the expected log-joint: the last line of a derivation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.mixtures import maximising_means


def _probe(draw: Draw) -> tuple[Any, ...]:
    n = draw.sizes.batch + 4
    return draw.normal(n, draw.sizes.dim, scale=1.5), draw.simplex(n, draw.sizes.components)


def _class_means(answer: Answer, draw: Draw) -> str | None:
    """A posterior that is sure is a label: the formula must give the mean of each class."""
    classes = draw.sizes.components
    labels = torch.arange(3 * classes) % classes
    x = draw.normal(3 * classes, draw.sizes.dim)
    (means,) = tensors_from(answer.call(x, torch.nn.functional.one_hot(labels).to(x.dtype)))
    wanted = torch.stack([x[labels == k].mean(0) for k in range(classes)])
    if means.shape != wanted.shape or torch.allclose(means, wanted):
        return None
    return (
        "With a posterior of zeros and ones, which is a label, the formula must give the mean of each class: "
        f"{wanted[0, 0]:.4f} for the first entry of one class, where you return {means[0, 0]:.4f}."
    )


def _each_weighted(x: Tensor, posterior: Tensor) -> Tensor:
    return posterior.T @ x


EXERCISE = Exercise(
    reference=maximising_means,
    points=1,
    returns={"mu": "(components, dim)"},
    convention="x is (batch, dim); posterior (batch, components) holds p(z=k|x_i), each row sums to one; one mean for "
    "each component, (components, dim).",
    probe=_probe,
    # No gradients: in expectation-maximisation the posterior is held fixed.
    misconceptions=(
        Misconception(
            "divided by the number of points",
            "You divide by N, the number of all points. The derivation divides by what stands beside mu_k: the sum of "
            "the posterior of component k.",
            lambda x, r: _each_weighted(x, r) / len(x),
        ),
        Misconception(
            "not divided",
            "You sum r_ik x_i and leave it there: the derivation goes on, mu_k is multiplied by the sum of r_ik.",
            _each_weighted,
        ),
        Misconception(
            "divided by the number of components",
            "You divide by the number of components: divide by the sum over i of r_ik.",
            lambda x, r: _each_weighted(x, r) / r.shape[-1],
        ),
        Misconception(
            "the same mean for all",
            "You give every component the mean of all points: point i counts for component k with the weight r_ik.",
            lambda x, r: x.mean(0).expand(r.shape[-1], -1),
        ),
        Misconception(
            "most likely z only",
            "You average the points whose most likely z is k: the lecture's first guess. Here every point counts, with "
            "the weight r_ik.",
            lambda x, r: maximising_means(
                x, torch.nn.functional.one_hot(r.argmax(-1), r.shape[-1]).to(x.dtype) + 1e-12
            ),
        ),
        Misconception(
            "softmax of the posterior",
            "You put the posterior through a softmax over the points: it holds probabilities already. Divide by their sum.",
            lambda x, r: torch.softmax(r, 0).T @ x,
        ),
        Misconception(
            "upside down",
            "You divide the sum of the weights by the weighted sum of the points: the other way round.",
            lambda x, r: r.sum(0).unsqueeze(-1) / _each_weighted(x, r),
        ),
        Misconception(
            "transposed",
            "Your means are (dim, components): one row for each component, (components, dim).",
            lambda x, r: maximising_means(x, r).T,
        ),
    ),
    alternatives=(
        lambda x, r: (r.unsqueeze(-1) * x.unsqueeze(1)).sum(0) / r.sum(0).unsqueeze(-1),
        lambda x, r: (r / r.sum(0, keepdim=True)).T @ x,
        lambda x, r: torch.einsum("bk,bd->kd", r, x) / r.mean(0)[:, None] / len(x),
        lambda x, r: torch.stack([torch.einsum("b,bd->d", w, x) / w.sum() for w in r.T]),
    ),
    properties=(Property("class means", _class_means),),
)
