"""One step of gradient ascent on every point's own q."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import Exercise, Misconception
from course_lib.exercises.variational_inference.probes import (
    CLOSED_FORM_KL,
    ascend_probe,
    ascend_variant,
    closed_form_kl_elbo,
    through_wrong_bounds,
)
from course_lib.per_point import ascend_q


def _one_after_the_other(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    new_mu, _ = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    _, new_log_sigma = ascend_q(x, new_mu, log_sigma, eps, decoder, sigma_x, step_size)
    return new_mu, new_log_sigma


def _in_place(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    new = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    with torch.no_grad():
        return mu.copy_(new[0]), log_sigma.copy_(new[1])


def _two_steps(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    first = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, step_size)
    return ascend_q(x, *first, eps, decoder, sigma_x, step_size)


def _in_sigma(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    """Steps sigma, and returns its logarithm."""
    mu, sigma = mu.detach().clone().requires_grad_(), log_sigma.detach().exp().requires_grad_()
    elbo = per_point_elbo(x, mu, sigma.log(), eps, decoder, sigma_x)
    d_mu, d_sigma = torch.autograd.grad(elbo.sum(), (mu, sigma))
    return (mu + step_size * d_mu).detach(), (sigma + step_size * d_sigma).clamp(min=1e-3).log().detach()


def _ascend_with_backward(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    parameters = [torch.nn.Parameter(mu.detach().clone()), torch.nn.Parameter(log_sigma.detach().clone())]
    optimizer = torch.optim.SGD(parameters, lr=step_size)
    loss = -per_point_elbo(x, parameters[0], parameters[1], eps, decoder, sigma_x).sum()
    loss.backward()
    optimizer.step()
    return parameters[0].detach(), parameters[1].detach()


def _ascend_point_by_point(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
) -> tuple[Tensor, Tensor]:
    mu, log_sigma = mu.clone().requires_grad_(True), log_sigma.clone().requires_grad_(True)
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    elbo.backward(torch.ones_like(elbo))
    assert mu.grad is not None
    assert log_sigma.grad is not None
    return mu + step_size * mu.grad, log_sigma + step_size * log_sigma.grad


ASCEND_STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "descent",
        "You step downhill: L_i is maximised, so the gradient is added.",
        {"step": lambda a, d_mu, d_ls, _: (-a * d_mu, -a * d_ls)},
    ),
    (
        "only mu moves",
        "log_sigma stays where it was: both parameters of q_i climb.",
        {"step": lambda a, d_mu, d_ls, _: (a * d_mu, 0 * d_ls)},
    ),
    (
        "only log_sigma moves",
        "mu stays where it was: both parameters of q_i climb.",
        {"step": lambda a, d_mu, d_ls, _: (0 * d_mu, a * d_ls)},
    ),
    (
        "nothing moves",
        "Nothing has moved: add step_size times the gradient.",
        {"step": lambda a, d_mu, d_ls, _: (0 * d_mu, 0 * d_ls)},
    ),
    (
        "mean over the batch",
        "Each point moves by its own gradient divided by the batch size: you took the gradient of the mean over the "
        "batch. How far q_i goes must not depend on who else is in the batch; differentiate the sum.",
        {"objective": torch.mean},
    ),
    (
        "one gradient for all",
        "All points move by the same step, the batch's mean gradient: each q_i climbs its own L_i.",
        {"step": lambda a, d_mu, d_ls, _: (a * d_mu.mean(0).expand_as(d_mu), a * d_ls.mean(0).expand_as(d_ls))},
    ),
    (
        "step size ignored",
        "You add the whole gradient: multiply it by step_size.",
        {"step": lambda a, d_mu, d_ls, _: (d_mu, d_ls)},
    ),
    (
        "gradient of sigma on log sigma",
        "Your log_sigma moves by the gradient with respect to sigma. By the chain rule the one for log_sigma is sigma "
        "times that; differentiate with respect to log_sigma itself.",
        {"step": lambda a, d_mu, d_ls, ls: (a * d_mu, a * d_ls / ls.exp())},
    ),
    (
        "sign of the gradient only",
        "You step by the sign of the gradient: by the gradient itself, times step_size.",
        {"step": lambda a, d_mu, d_ls, _: (a * d_mu.sign(), a * d_ls.sign())},
    ),
)


ASCEND_BOUNDS = (
    "entropy missing",
    "entropy subtracted",
    "prior missing",
    "log sigma taken for sigma",
    "log variance in the noise",
    "log variance throughout",
    "mu decoded instead of z",
    "noise shared across the batch",
    "only the first sample",
    "sum over samples",
    "mean over pixels",
    "z detached",
    "sigma detached",
)


EXERCISE = Exercise(
    reference=ascend_q,
    points=3,
    returns={"mu": "(batch, latent_dim)", "log_sigma": "(batch, latent_dim)"},
    convention="mu_i + step_size · ∇L_i with respect to mu_i, and the same for log_sigma_i; each point along its own "
    "gradient, both gradients at the old values; new tensors are returned.",
    probe=ascend_probe,
    misconceptions=(
        *(Misconception(name, says, ascend_variant(**change)) for name, says, change in ASCEND_STEPS),
        *through_wrong_bounds(ASCEND_BOUNDS, lambda elbo: ascend_variant(elbo=elbo)),
        Misconception("KL in closed form", CLOSED_FORM_KL, ascend_variant(elbo=closed_form_kl_elbo)),
        Misconception(
            "one after the other",
            "log_sigma's gradient is taken at the new mu: take both gradients at the old values, then step both.",
            _one_after_the_other,
        ),
        Misconception("two steps", "You take two steps: one is wanted.", _two_steps),
        Misconception(
            "step in sigma",
            "You step sigma and take the logarithm after: the parameter is log_sigma, step that. Its steps can never make "
            "sigma negative.",
            _in_sigma,
        ),
        Misconception(
            "gradients returned",
            "You return the gradients: return the new mu and log_sigma.",
            lambda x, mu, log_sigma, *rest: tuple(
                (new - old) / rest[-1]
                for new, old in zip(ascend_q(x, mu, log_sigma, *rest), (mu, log_sigma), strict=True)
            ),
        ),
        Misconception(
            "sigma returned",
            "Your second result is sigma: return log_sigma.",
            lambda *args: (ascend_q(*args)[0], ascend_q(*args)[1].exp()),
        ),
        Misconception(
            "results exchanged",
            "mu and log_sigma are exchanged: return mu first.",
            lambda *args: ascend_q(*args)[::-1],
        ),
        Misconception(
            "changed in place",
            "The values are right, but the input `mu` has changed: avoid in-place operations such as += or .clamp_() on the "
            "inputs.",
            _in_place,
        ),
    ),
    alternatives=(_ascend_with_backward, _ascend_point_by_point, ascend_variant()),
)
