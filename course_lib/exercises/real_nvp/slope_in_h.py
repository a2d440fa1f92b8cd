r"""How steeply log p(x) depends on the log-scale of one entry: a derivation to complete.

.. math:: \frac{\partial \log p(x)}{\partial h} = (x_2 - g)^2 e^{-2h} - 1
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def slope_in_h(x2: Tensor, g: Tensor, h: Tensor) -> Tensor:
    """Return the derivative of log p(x) by h, all of one shape, where z₂ = (x₂ - g) exp(-h) is standard normal."""
    return (x2 - g) ** 2 * (-2 * h).exp() - 1


def _probe(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    shape = draw.sizes.batch, draw.sizes.dim
    return draw.normal(*shape), draw.normal(*shape, shift=-0.5), draw.normal(*shape, scale=0.7)


def _is_not_the_slope(answer: Answer, draw: Draw) -> str | None:
    """Against automatic differentiation of step 2."""
    x2, g, h = (part.double() for part in _probe(draw))
    value, *_ = tensors_from(answer.call(x2, g, h))
    if value.shape != h.shape:
        return None
    h = h.requires_grad_()
    log_p = -0.5 * ((x2 - g) * (-h).exp()) ** 2 - h
    (slope,) = torch.autograd.grad(log_p.sum(), h)
    if torch.allclose(value.double(), slope, rtol=1e-4, atol=1e-4):
        return None
    return (
        f"At x₂ = {x2[0, 0]:.2f}, g = {g[0, 0]:.2f}, h = {h[0, 0]:.2f} automatic differentiation of step 2 gives {slope[0, 0]:.3f}; "
        f"yours is {value[0, 0]:.3f}."
    )


EXERCISE = Exercise(
    reference=slope_in_h,
    points=2,
    returns={"slope": "the inputs' shape"},
    convention="The derivative by h of log p(x) = -½ ((x₂ - g) exp(-h))² - h + terms without h. One value for each entry.",
    probe=_probe,
    properties=(Property("is not the slope", _is_not_the_slope),),
    misconceptions=(
        Misconception(
            "the log_det forgotten",
            "That is the first term's slope. -h, the log-determinant, has one as well.",
            lambda x2, g, h: (x2 - g) ** 2 * (-2 * h).exp(),
        ),
        Misconception(
            "sign of the log_det",
            "The log-determinant of the way back is -h: its slope is -1.",
            lambda x2, g, h: (x2 - g) ** 2 * (-2 * h).exp() + 1,
        ),
        Misconception(
            "sign of the first term",
            "The first term's sign is turned: where h grows, z₂ comes closer to 0, and log p(z₂) rises.",
            lambda x2, g, h: -((x2 - g) ** 2) * (-2 * h).exp() - 1,
        ),
        Misconception(
            "all turned",
            "That is the slope of the loss, -log p(x): here log p(x) is differentiated.",
            lambda x2, g, h: 1 - (x2 - g) ** 2 * (-2 * h).exp(),
        ),
        Misconception(
            "half of it",
            "A factor of 2 is missing: exp(-h) squared is exp(-2h), whose derivative brings down a 2, which cancels the ½.",
            lambda x2, g, h: 0.5 * (x2 - g) ** 2 * (-2 * h).exp() - 1,
        ),
        Misconception(
            "twice as much",
            "The ½ is lost: it cancels the 2 that the derivative of exp(-2h) brings down.",
            lambda x2, g, h: 2 * (x2 - g) ** 2 * (-2 * h).exp() - 1,
        ),
        Misconception(
            "exp(-h)",
            "Your exponential is exp(-h): z₂ is squared, so exp(-h) is, too.",
            lambda x2, g, h: (x2 - g) ** 2 * (-h).exp() - 1,
        ),
        Misconception(
            "exp(2h)",
            "Your exponential grows with h: on the way back to z the entry is divided by exp(h).",
            lambda x2, g, h: (x2 - g) ** 2 * (2 * h).exp() - 1,
        ),
        Misconception(
            "g added",
            "You have x₂ + g: on the way back g is subtracted.",
            lambda x2, g, h: (x2 + g) ** 2 * (-2 * h).exp() - 1,
        ),
        Misconception(
            "not squared",
            "You have z₂ to the first power, not its square: that is what differentiating by z₂ alone gives. Here it is by h.",
            lambda x2, g, h: (x2 - g) * (-h).exp() - 1,
        ),
        Misconception(
            "shift forgotten",
            "The shift is missing: z₂ = (x₂ - g) exp(-h).",
            lambda x2, g, h: x2**2 * (-2 * h).exp() - 1,
        ),
        Misconception(
            "log p itself",
            "That is log p(x) itself, but for terms without h: differentiate it by h.",
            lambda x2, g, h: -0.5 * (x2 - g) ** 2 * (-2 * h).exp() - h,
        ),
        Misconception(
            "h instead of 1",
            "The derivative of -h by h is -1.",
            lambda x2, g, h: (x2 - g) ** 2 * (-2 * h).exp() - h,
        ),
    ),
    alternatives=(
        lambda x2, g, h: ((x2 - g) / h.exp()) ** 2 - 1,
        lambda x2, g, h: ((x2 - g) * torch.exp(-h)).square() - torch.ones_like(h),
    ),
)
