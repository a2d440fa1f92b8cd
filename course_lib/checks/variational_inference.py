"""Exercises of notebook 03: a q of its own for every data point, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from course_lib.answers import Answer, AnswerFailed, tensors_from
from course_lib.bounds import per_point_elbo
from course_lib.checks.exercise import Draw, Exercise, Misconception, Property, Question
from course_lib.checks.networks import (
    OWN_NOISE,
    decoder_network,
    draws_its_own_noise,
    one_of,
    only_tensor,
    sgd,
    weights_of,
    with_old_gradients,
)
from course_lib.distributions import LOG_2PI, gaussian_entropy, gaussian_log_prob
from course_lib.linear_gaussian import linear_gaussian_evidence
from course_lib.per_point import ascend_q, count_parameters, infer_q, train_step

ELBO_CONVENTION = (
    "L_i = mean over samples of [log p(x|z) + log p(z)] + H(q_i), with z = mu + exp(log_sigma) · eps and the entropy in "
    "closed form; log-densities sum over the last dimension; one value per data point, (batch,), in nats. "
)


# --- per_point_elbo --------------------------------------------------------------------------------


def standard_normal(z: Tensor) -> Tensor:
    return gaussian_log_prob(z, torch.zeros_like(z), torch.ones_like(z))


def elbo_variant(
    z: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps,
    likelihood: Callable[[Tensor, Tensor, Tensor], Tensor] = gaussian_log_prob,
    prior: Callable[[Tensor], Tensor] = standard_normal,
    entropy: Callable[[Tensor], Tensor | float] = lambda log_sigma: gaussian_entropy(log_sigma.exp()),
    average: Callable[[Tensor], Tensor] = lambda values: values.mean(0),
) -> Callable[..., Tensor]:
    """The bound with one of its parts replaced."""

    def elbo(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
        sample = z(mu, log_sigma, eps)
        sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
        return average(likelihood(x, decoder(sample), sigma_x) + prior(sample)) + entropy(log_sigma)

    return elbo


def _elbo_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(sizes.batch, sizes.latent),
        draw.normal(sizes.batch, sizes.latent, scale=0.7, shift=-0.5),
        draw.normal(sizes.samples, sizes.batch, sizes.latent, shift=0.1),
        decoder_network(draw, sizes.latent, sizes.dim),
        sigma_probe(draw),
    )


def sigma_probe(draw: Draw) -> Tensor:
    """Standard deviations ``(dim,)``, no two of them equal."""
    sigma = draw.positive(draw.sizes.dim)
    return sigma * (1 + 0.1 * torch.arange(len(sigma)).to(sigma) / len(sigma))


def _is_a_bound(answer: Answer, draw: Draw) -> str | None:
    """In the linear-Gaussian model log p(x) is known, and the bound lies below it."""
    W, b, sigma = draw.normal(3, 2), draw.normal(3), draw.positive(1).squeeze()
    x = draw.normal(2, 3)
    mu, log_sigma = draw.normal(2, 2, scale=0.3), draw.normal(2, 2, scale=0.1, shift=-0.3)
    # Eight samples whose mean is zero and whose covariance is the identity: for a quadratic that is the expectation.
    eps = draw.normal(8, 2, 2, shift=0.0).transpose(0, 1)
    eps = eps - eps.mean(1, keepdim=True)
    eps = (torch.linalg.qr(eps).Q * 8**0.5).transpose(0, 1).contiguous()
    (value,) = tensors_from(answer.call(x, mu, log_sigma, eps, lambda z: z @ W.mT + b, sigma))
    exact = linear_gaussian_evidence(x, W, b, sigma)
    if value.shape == exact.shape and bool((value > exact + 1e-6).any()):
        worst = (value - exact).argmax()
        return (
            f"A bound lies below log p(x). In the linear-Gaussian model, where log p(x) is known, yours lies above it: "
            f"{value[worst].item():.3f} against {exact[worst].item():.3f}."
        )
    return None


def _log_of_mean(values: Tensor) -> Tensor:
    return values.exp().mean(0).log()


SIGMA_FROM_LOG = "log_sigma is the logarithm of the standard deviation: "
ELBO_MISCONCEPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "log sigma taken for sigma",
        "You scale the noise by log_sigma itself: " + SIGMA_FROM_LOG + "sigma = log_sigma.exp().",
        {"z": lambda mu, log_sigma, eps: mu + log_sigma * eps},
    ),
    (
        "log variance in the noise",
        "You scale the noise by exp(log_sigma / 2), as for a log-variance: " + SIGMA_FROM_LOG + "exp(log_sigma).",
        {"z": lambda mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps},
    ),
    (
        "log variance in the entropy",
        "In the entropy you read log_sigma as a log-variance: each dimension adds log_sigma, not half of it.",
        {"entropy": lambda log_sigma: gaussian_entropy((log_sigma / 2).exp())},
    ),
    (
        "log variance throughout",
        "You read log_sigma as a log-variance, in the noise and in the entropy: " + SIGMA_FROM_LOG + "exp(log_sigma).",
        {
            "z": lambda mu, log_sigma, eps: mu + (log_sigma / 2).exp() * eps,
            "entropy": lambda log_sigma: gaussian_entropy((log_sigma / 2).exp()),
        },
    ),
    (
        "variance in the noise",
        "You scale the noise by the variance, exp(2·log_sigma): by the standard deviation, exp(log_sigma).",
        {"z": lambda mu, log_sigma, eps: mu + (2 * log_sigma).exp() * eps},
    ),
    (
        "mu decoded instead of z",
        "You decode mu: decode the samples z = mu + sigma · eps. With mu alone the bound does not feel how wide q is.",
        {"z": lambda mu, log_sigma, eps: mu.expand(eps.shape) + 0 * log_sigma * eps},
    ),
    (
        "noise shared across the batch",
        "All data points get the noise of the first: eps has its own for every point, (samples, batch, latent_dim).",
        {"z": lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:, :1]},
    ),
    (
        "only the first sample",
        "You use the first sample only: average over all of them, dimension 0 of eps.",
        {"z": lambda mu, log_sigma, eps: mu + log_sigma.exp() * eps[:1]},
    ),
    (
        "samples averaged before the decoder",
        "You average the samples before the decoder: average the log-densities, after it.",
        {"z": lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).mean(0, keepdim=True)},
    ),
    (
        "entropy missing",
        "The entropy H(q_i) is missing: without it q shrinks to a point.",
        {"entropy": lambda log_sigma: 0 * log_sigma.sum(-1)},
    ),
    (
        "entropy subtracted",
        "The entropy has the wrong sign: it is added, and rewards a wide q.",
        {"entropy": lambda log_sigma: -gaussian_entropy(log_sigma.exp())},
    ),
    (
        "constant of the entropy missing",
        "In the entropy the constant ½ log 2πe for each latent dimension is missing.",
        {"entropy": lambda log_sigma: log_sigma.sum(-1)},
    ),
    (
        "entropy averaged over dimensions",
        "You average the entropy over the latent dimensions: the entropies of independent dimensions add.",
        {"entropy": lambda log_sigma: gaussian_entropy(log_sigma.exp()) / log_sigma.shape[-1]},
    ),
    (
        "prior missing",
        "The prior log p(z) is missing: the bound holds for the joint, log p(x|z) + log p(z).",
        {"prior": lambda z: 0 * z.sum(-1)},
    ),
    (
        "prior subtracted",
        "log p(z) has the wrong sign: it belongs to the joint, log p(x|z) + log p(z).",
        {"prior": lambda z: -standard_normal(z)},
    ),
    (
        "constant of the prior missing",
        "In log p(z) the constant -½ log 2π for each latent dimension is missing.",
        {"prior": lambda z: -0.5 * (z**2).sum(-1)},
    ),
    (
        "mean over pixels",
        "You average log p(x|z) over the dimensions of x, but sum the rest: log-densities sum over the last dimension. "
        "With a mean, prior and entropy count too much, and z is ignored.",
        {"likelihood": lambda x, mean, sigma: gaussian_log_prob(x, mean, sigma) / x.shape[-1]},
    ),
    (
        "squared error for the likelihood",
        "You take -½(x - mean)² for log p(x|z): divide by sigma_x², and add the normalising constant.",
        {"likelihood": lambda x, mean, sigma: -0.5 * ((x - mean) ** 2).sum(-1) + 0 * sigma.sum()},
    ),
    (
        "likelihood without its constant",
        "In log p(x|z) the terms -log sigma_x - ½ log 2π are missing.",
        {"likelihood": lambda x, mean, sigma: -0.5 * (((x - mean) / sigma) ** 2).sum(-1)},
    ),
    (
        "likelihood without log 2π",
        "In log p(x|z) the constant -½ log 2π for each dimension of x is missing.",
        {"likelihood": lambda x, mean, sigma: gaussian_log_prob(x, mean, sigma) + 0.5 * LOG_2PI * x.shape[-1]},
    ),
    (
        "likelihood subtracted",
        "log p(x|z) has the wrong sign: the bound is maximised, a good reconstruction makes it larger.",
        {"likelihood": lambda x, mean, sigma: -gaussian_log_prob(x, mean, sigma)},
    ),
    (
        "sum over samples",
        "You sum over the samples: average over them, dimension 0.",
        {"average": lambda values: values.sum(0)},
    ),
    (
        "logarithm of the mean",
        "You take the logarithm of a mean of exponentials: the ELBO is the mean of the logarithms.",
        {"average": _log_of_mean},
    ),
    (
        "z detached",
        "The values are right, but z is cut off from mu and log_sigma (.detach(), torch.no_grad(), or .sample() instead of "
        ".rsample()): the likelihood cannot move q.",
        {"z": lambda mu, log_sigma, eps: (mu + log_sigma.exp() * eps).detach()},
    ),
    (
        "sigma detached",
        "The values are right, but in z sigma is cut off from log_sigma: q's width does not feel the likelihood.",
        {"z": lambda mu, log_sigma, eps: mu + log_sigma.exp().detach() * eps},
    ),
)


def _entropy_from_samples(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    z = mu + log_sigma.exp() * eps
    log_joint = gaussian_log_prob(x, decoder(z), torch.as_tensor(sigma_x).to(x)) + standard_normal(z)
    return (log_joint - gaussian_log_prob(z, mu, log_sigma.exp())).mean(0)


def _own_noise_elbo(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    return per_point_elbo(x, mu, log_sigma, torch.randn_like(eps), decoder, sigma_x)


def _elbo_with_distributions(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any
) -> Tensor:
    q = Independent(Normal(mu, log_sigma.exp()), 1)
    z = q.base_dist.loc + q.base_dist.scale * eps
    likelihood = Independent(Normal(decoder(z), sigma_x), 1).log_prob(x)
    prior = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)
    return (likelihood + prior).mean(dim=0) + q.entropy()


def _elbo_in_a_loop(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for noise in eps:
        z = mu + torch.exp(log_sigma) * noise
        total = total + Normal(decoder(z), sigma_x).log_prob(x).sum(1) + Normal(0.0, 1.0).log_prob(z).sum(1)
    return total / eps.shape[0] + Normal(mu, log_sigma.exp()).entropy().sum(1)


PER_POINT_ELBO = Exercise(
    reference=per_point_elbo,
    points=3,
    returns={"elbo": "(batch,)"},
    convention=ELBO_CONVENTION,
    probe=_elbo_probe,
    gradients=("mu", "log_sigma"),
    misconceptions=(
        *(Misconception(name, says, elbo_variant(**change)) for name, says, change in ELBO_MISCONCEPTIONS),
        Misconception(
            "entropy from the samples",
            "You estimate the entropy from the samples, -log q(z): for a Gaussian it is known, gaussian_entropy from "
            "notebook 02. The formula has no noise.",
            _entropy_from_samples,
        ),
        Misconception("own noise", OWN_NOISE, _own_noise_elbo),
    ),
    alternatives=(_elbo_with_distributions, _elbo_in_a_loop, elbo_variant()),
    properties=(Property("own noise", draws_its_own_noise(_elbo_probe)), Property("is a bound", _is_a_bound)),
)


# --- ascend_q --------------------------------------------------------------------------------------


def _ascend_probe(draw: Draw) -> tuple[Any, ...]:
    return (*_elbo_probe(draw), 0.05 + 0.02 * draw.integer(5))


def ascend_variant(
    elbo: Callable[..., Tensor] = per_point_elbo,
    step: Callable[[float, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = lambda a, d_mu, d_ls, _: (
        a * d_mu,
        a * d_ls,
    ),
    objective: Callable[[Tensor], Tensor] = torch.sum,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """An ascent step with one of its parts replaced; ``step`` gets the rate, both gradients and log_sigma."""

    def ascend(
        x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, step_size: float
    ) -> tuple[Tensor, Tensor]:
        mu, log_sigma = mu.detach().clone().requires_grad_(), log_sigma.detach().clone().requires_grad_()
        value = objective(elbo(x, mu, log_sigma, eps, decoder, sigma_x))
        d_mu, d_ls = (
            torch.zeros_like(mu) if g is None else g
            for g in torch.autograd.grad(value, (mu, log_sigma), allow_unused=True)
        )
        by_mu, by_ls = step(step_size, d_mu, d_ls, log_sigma)
        return (mu + by_mu).detach(), (log_sigma + by_ls).detach()

    return ascend


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
THROUGH_THE_BOUND = "The gradient is that of another bound. "


def through_wrong_bounds(
    names: tuple[str, ...], build: Callable[[Callable[..., Tensor]], Any]
) -> tuple[Misconception, ...]:
    """The misconceptions of the bound, as they show in what is computed from it."""
    known = {name: (says, change) for name, says, change in ELBO_MISCONCEPTIONS}
    return tuple(
        Misconception(
            name,
            THROUGH_THE_BOUND + known[name][0].replace("The values are right, but ", "In it "),
            build(elbo_variant(**known[name][1])),
        )
        for name in names
    )


ASCEND_Q = Exercise(
    reference=ascend_q,
    points=3,
    returns={"mu": "(batch, latent_dim)", "log_sigma": "(batch, latent_dim)"},
    convention="mu_i + step_size · ∇L_i with respect to mu_i, and the same for log_sigma_i; each point along its own "
    "gradient, both gradients at the old values; new tensors are returned.",
    probe=_ascend_probe,
    misconceptions=(
        *(Misconception(name, says, ascend_variant(**change)) for name, says, change in ASCEND_STEPS),
        *through_wrong_bounds(ASCEND_BOUNDS, lambda elbo: ascend_variant(elbo=elbo)),
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


# --- train_step ------------------------------------------------------------------------------------


def _train_probe(draw: Draw) -> tuple[Any, ...]:
    x, mu, log_sigma, eps, decoder, sigma_x, step_size = _ascend_probe(draw)
    return x, mu, log_sigma, eps, decoder, sgd(draw), sigma_x, step_size


def observe_train_step(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe what comes back, and theta after the step. The bound may be that before or after the steps."""
    x, mu, log_sigma, eps, decoder, make_optimizer, sigma_x, step_size = args
    own = with_old_gradients(decoder)
    result = answer.call(x, mu, log_sigma, eps, own, make_optimizer(own.parameters()), sigma_x, step_size)
    parts = tensors_from(result)
    if len(parts) != 3:
        raise AnswerFailed("type", f"Three tensors are expected, mu, log_sigma and elbo; {len(parts)} came.")
    new_mu, new_log_sigma, elbo = (part.detach() for part in parts)
    with torch.no_grad():
        before = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
        also = [per_point_elbo(x, mu, log_sigma, eps, own, sigma_x)]
        if new_mu.shape == mu.shape and new_log_sigma.shape == log_sigma.shape:
            also.append(per_point_elbo(x, new_mu, new_log_sigma, eps, own, sigma_x))
    return new_mu, new_log_sigma, one_of(elbo, before, also), weights_of(own)


def alternation(
    loss: Callable[[Tensor], Tensor] = lambda elbo: -elbo.mean(),
    theta: Callable[[Any, Tensor], None] | None = None,
    elbo: Callable[..., Tensor] = per_point_elbo,
    ascend: Callable[..., tuple[Tensor, Tensor]] = ascend_q,
    order: str = "theta first",
    result: Callable[[Tensor], Tensor] = lambda elbo: elbo,
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The alternation with one of its parts replaced."""

    def step_theta(optimizer: Any, value: Tensor) -> None:
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    def step(
        x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        if order != "theta first":
            new = ascend(x, mu, log_sigma, eps, decoder, sigma_x, size)
            at = new if order == "q first" else (mu, log_sigma)
        else:
            at = (mu, log_sigma)
        value = elbo(x, *at, eps, decoder, sigma_x)
        (theta or step_theta)(optimizer, loss(value))
        if order == "theta first":
            new = ascend(x, mu, log_sigma, eps, decoder, sigma_x, size)
        return *new, result(
            per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x).detach()
            if elbo is not per_point_elbo
            else value.detach()
        )

    return step


def _no_zero_grad(optimizer: Any, loss: Tensor) -> None:
    loss.backward()
    optimizer.step()


def _no_step(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()


def _step_too_early(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()


def _twice(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()


def _cleared_too_late(optimizer: Any, loss: Tensor) -> None:
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


def _q_steps_theta(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The optimiser's second step follows q's loss: theta moves again."""
    _, _, elbo = train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, size)
    new = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, size)
    train_step(x, mu, log_sigma, eps, decoder, optimizer, sigma_x, size)
    return *new, elbo


def _own_noise_step(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    return train_step(x, mu, log_sigma, torch.randn_like(eps), decoder, optimizer, sigma_x, size)


def _train_with_one_graph(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Steps theta by hand-held gradients, then q by a backward of its own."""
    elbo = per_point_elbo(x, mu, log_sigma, eps, decoder, sigma_x)
    optimizer.zero_grad(set_to_none=False)
    torch.neg(elbo).mean().backward()
    optimizer.step()
    q_mu, q_log_sigma = mu.clone().requires_grad_(), log_sigma.clone().requires_grad_()
    per_point_elbo(x, q_mu, q_log_sigma, eps, decoder, sigma_x).sum().backward()
    assert q_mu.grad is not None
    assert q_log_sigma.grad is not None
    return q_mu.detach() + size * q_mu.grad, q_log_sigma.detach() + size * q_log_sigma.grad, elbo


def _likelihood_alone(
    x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, optimizer: Any, sigma_x: Any, size: float
) -> tuple[Tensor, ...]:
    """The slide's gradient for theta: that of log p(x|z) is all there is."""
    z = (mu + log_sigma.exp() * eps).detach()
    for parameter in decoder.parameters():
        parameter.grad = None
    (-Normal(decoder(z), sigma_x).log_prob(x).sum(-1).mean()).backward()
    optimizer.step()
    new = ascend_q(x, mu, log_sigma, eps, decoder, sigma_x, size)
    return *new, per_point_elbo(x, *new, eps, decoder, sigma_x)


TRAIN_STEP = Exercise(
    reference=train_step,
    points=4,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "elbo": "(batch,)",
        "theta after the step": "(|θ|,)",
    },
    convention="First theta: the optimizer steps on the loss -elbo.mean(). Then q: each q_i of the batch ascends by "
    "step_size, with the decoder as it is after its step, on the same eps. elbo is the bound before the steps.",
    probe=_train_probe,
    observe=observe_train_step,
    misconceptions=(
        Misconception(
            "theta descends",
            "The optimizer makes the bound smaller: an optimizer minimises, so the loss is -elbo.mean().",
            alternation(loss=lambda elbo: elbo.mean()),
        ),
        Misconception(
            "sum over the batch as loss",
            "theta's step is too long by the batch size: the loss is the mean over the batch, -elbo.mean().",
            alternation(loss=lambda elbo: -elbo.sum()),
        ),
        Misconception(
            "gradients not cleared",
            "theta's step still contains the gradients of the step before: call optimizer.zero_grad() before backward().",
            alternation(theta=_no_zero_grad),
        ),
        Misconception(
            "theta not stepped",
            "theta has not moved: call optimizer.step() after backward(), and zero_grad() before it.",
            alternation(theta=_no_step),
        ),
        Misconception(
            "theta stepped twice",
            "theta moves twice for one batch: call optimizer.step() once.",
            alternation(theta=_twice),
        ),
        Misconception(
            "q's step moves theta",
            "theta moves again when q is stepped: q's step changes mu and log_sigma only, the optimizer holds theta.",
            _q_steps_theta,
        ),
        Misconception(
            "q first",
            "You step q before theta: the lecture steps theta with z from the old q_i, then q_i with the new theta.",
            alternation(order="q first"),
        ),
        Misconception(
            "q with the old theta",
            "theta is right, but q_i is stepped with the gradient at the old theta: step theta first, then take q's "
            "gradient with the decoder as it is now.",
            alternation(order="together"),
        ),
        Misconception(
            "q not stepped",
            "q_i has not moved: after theta's step each q_i of the batch climbs, as in ascend_q.",
            alternation(ascend=lambda x, mu, log_sigma, *rest: (mu.clone(), log_sigma.clone())),
        ),
        Misconception(
            "q descends",
            "q_i steps downhill: L_i is maximised over q_i as well.",
            alternation(ascend=ascend_variant(step=lambda a, d_mu, d_ls, _: (-a * d_mu, -a * d_ls))),
        ),
        Misconception(
            "q's gradient averaged over the batch",
            "q_i's step is divided by the batch size: each q_i climbs its own L_i, so differentiate the sum over the batch.",
            alternation(ascend=ascend_variant(objective=torch.mean)),
        ),
        Misconception(
            "only mu moves",
            "log_sigma stays where it was: both parameters of q_i climb.",
            alternation(ascend=ascend_variant(step=lambda a, d_mu, d_ls, _: (a * d_mu, 0 * d_ls))),
        ),
        Misconception(
            "mu decoded instead of z",
            "theta is trained on decoded mu: sample z from q_i first, z = mu + sigma · eps.",
            alternation(elbo=elbo_variant(z=lambda mu, log_sigma, eps: mu.expand(eps.shape))),
        ),
        Misconception(
            "mean over pixels",
            "theta's step is too short: log p(x|z) sums over the dimensions of x, you average over them.",
            alternation(elbo=elbo_variant(likelihood=lambda x, m, s: gaussian_log_prob(x, m, s) / x.shape[-1])),
        ),
        Misconception(
            "loss returned",
            "Your third result is the loss: return the bound itself, with its own sign.",
            alternation(result=lambda elbo: -elbo),
        ),
        Misconception(
            "mean returned",
            "Your third result is one number: return the bound of each data point, (batch,).",
            alternation(result=lambda elbo: elbo.mean()),
        ),
    ),
    alternatives=(_train_with_one_graph, _likelihood_alone, alternation()),
    properties=(),
)


# --- infer_q ---------------------------------------------------------------------------------------


def _infer_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return (
        draw.normal(sizes.batch, sizes.dim),
        draw.normal(4, sizes.samples, sizes.batch, sizes.latent, shift=0.1),
        decoder_network(draw, sizes.latent, sizes.dim),
        draw.positive(sizes.dim),
        0.05 + 0.02 * draw.integer(4),
    )


def observe_infer(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Observe the fitted q, and theta, which must not have moved."""
    x, eps, decoder, sigma_x, rate = args
    own = with_old_gradients(decoder)
    parts = tensors_from(answer.call(x, eps, own, sigma_x, rate))
    if len(parts) != 2:
        raise AnswerFailed("type", f"Two tensors are expected, mu and log_sigma; {len(parts)} came.")
    return parts[0].detach(), parts[1].detach(), weights_of(own)


def inference(
    learns: Callable[[Tensor, Tensor, Any], list[Tensor]] = lambda mu, log_sigma, decoder: [mu, log_sigma],
    elbo: Callable[..., Tensor] = per_point_elbo,
    noise: Callable[[Tensor], Tensor] = lambda eps: eps,
    start: float = 0.0,
    sign: float = 1.0,
    clear: bool = True,
    rate: Callable[[float], float] = lambda rate: rate,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    reduce: Callable[[Tensor], Tensor] = torch.sum,
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Fitting q with one of its parts replaced."""

    def infer(x: Tensor, eps: Tensor, decoder: Any, sigma_x: Any, learning_rate: float) -> tuple[Tensor, Tensor]:
        mu, log_sigma = (torch.zeros_like(eps[0, 0]).requires_grad_() for _ in range(2))
        log_sigma.data += start
        steps = optimizer(learns(mu, log_sigma, decoder), lr=rate(learning_rate))
        for part in noise(eps):
            if clear:
                steps.zero_grad()
            (-sign * reduce(elbo(x, mu, log_sigma, part, decoder, sigma_x))).backward()
            steps.step()
        return mu.detach(), log_sigma.detach()

    return infer


INFER_Q = Exercise(
    reference=infer_q,
    points=4,
    returns={
        "mu": "(batch, latent_dim)",
        "log_sigma": "(batch, latent_dim)",
        "theta, which stays": "(|θ|,)",
    },
    convention="Start at mu = 0 and log_sigma = 0; for each noise in eps, (steps, samples, batch, latent_dim), one step of "
    "torch.optim.Adam([mu, log_sigma], lr=learning_rate) that makes the bound larger; theta stays.",
    probe=_infer_probe,
    observe=observe_infer,
    # Adam divides by the gradient's size plus 1e-8: the scale of the loss shows where a gradient is tiny.
    atol=1e-4,
    rtol=1e-4,
    misconceptions=(
        Misconception(
            "q's optimiser steps theta",
            "theta has moved: q's optimizer holds mu and log_sigma only. A new data point must not change the model.",
            inference(learns=lambda mu, log_sigma, decoder: [mu, log_sigma, *decoder.parameters()]),
        ),
        Misconception(
            "theta stepped instead",
            "theta has moved and q has not: hand mu and log_sigma to the optimizer, not the decoder's parameters.",
            inference(learns=lambda mu, log_sigma, decoder: list(decoder.parameters())),
        ),
        Misconception(
            "log_sigma not handed to the optimiser",
            "log_sigma has stayed at its start: it was not handed to the optimizer, Adam([mu, log_sigma], ...).",
            inference(learns=lambda mu, log_sigma, decoder: [mu]),
        ),
        Misconception(
            "mu not handed to the optimiser",
            "mu has stayed at its start: it was not handed to the optimizer, Adam([mu, log_sigma], ...).",
            inference(learns=lambda mu, log_sigma, decoder: [log_sigma]),
        ),
        Misconception(
            "nothing handed to the optimiser",
            "q has stayed where it began. Does the optimizer hold mu and log_sigma themselves, or copies of them?",
            lambda x, eps, *rest: (torch.zeros_like(eps[0, 0]), torch.zeros_like(eps[0, 0])),
        ),
        Misconception(
            "descent",
            "q climbs down: an optimizer minimises, so the loss is minus the bound.",
            inference(sign=-1.0),
        ),
        Misconception(
            "gradients not cleared",
            "The gradients of all steps pile up: call optimizer.zero_grad() in every step.",
            inference(clear=False),
        ),
        Misconception(
            "the same noise in every step",
            "Every step uses the first noise: step t uses eps[t]. With one fixed noise q fits that noise.",
            inference(noise=lambda eps: eps[:1].expand_as(eps)),
        ),
        Misconception(
            "only the first sample of each step",
            "Each step uses its first sample only: average over all samples of eps[t].",
            inference(noise=lambda eps: eps[:, :1]),
        ),
        Misconception(
            "one step only",
            "q takes one step: take one for each noise, len(eps) in all.",
            inference(noise=lambda eps: eps[:1]),
        ),
        Misconception(
            "last step missing",
            "The last step is missing: take one for each noise, len(eps) in all.",
            inference(noise=lambda eps: eps[:-1]),
        ),
        Misconception(
            "plain gradient descent",
            "You step with plain gradient steps: torch.optim.Adam is asked for.",
            inference(optimizer=torch.optim.SGD),
        ),
        Misconception(
            "learning rate ignored",
            "You leave out the learning rate: Adam([mu, log_sigma], lr=learning_rate).",
            inference(rate=lambda rate: 1e-3),
        ),
        Misconception(
            "sigma starts at zero",
            "log_sigma starts at 1, so sigma at e: start at the prior, mu = 0 and log_sigma = 0, where sigma = 1.",
            inference(start=1.0),
        ),
        *through_wrong_bounds(
            (
                "entropy missing",
                "prior missing",
                "log sigma taken for sigma",
                "log variance throughout",
                "noise shared across the batch",
                "z detached",
            ),
            lambda elbo: inference(elbo=elbo),
        ),
        Misconception(
            "sigma returned",
            "Your second result is sigma: return log_sigma.",
            lambda *args: (infer_q(*args)[0], infer_q(*args)[1].exp()),
        ),
    ),
    alternatives=(
        inference(),
        inference(reduce=torch.mean),  # Adam's steps do not depend on the scale of the loss
        inference(learns=lambda mu, log_sigma, decoder: [log_sigma, mu]),
    ),
)


# --- count_parameters ------------------------------------------------------------------------------


def _count_probe(draw: Draw) -> tuple[Any, ...]:
    sizes = draw.sizes
    return decoder_network(draw, sizes.latent, sizes.dim), sizes.latent + 3, 1000 * sizes.batch + draw.integer(900) + 7


def _count_listed(draw: Draw) -> tuple[Any, ...]:
    theta, latent, number = _count_probe(draw)
    return [parameter.detach() for parameter in theta.parameters()], latent, number


def _tensors(theta: Any) -> list[Tensor]:
    return list(theta.parameters()) if isinstance(theta, nn.Module) else list(theta)


def _theta(theta: Any) -> int:
    return sum(tensor.numel() for tensor in _tensors(theta))


def observe_count(answer: Answer, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    return (only_tensor(tensors_from(answer.call(*args))).double(),)


COUNT_PARAMETERS = Exercise(
    reference=count_parameters,
    points=2,
    returns={"count": "a whole number"},
    convention="|θ| + (|μ_i| + |σ_i|) · N: |θ| counts every number in every tensor of theta, |μ_i| = |σ_i| = latent_dim.",
    probe=_count_probe,
    observe=observe_count,
    number_accepted=True,
    misconceptions=(
        Misconception(
            "sigma not counted",
            "You count mu_i only: each data point has a mu_i and a sigma_i, latent_dim numbers each.",
            lambda theta, latent_dim, num_points: _theta(theta) + latent_dim * num_points,
        ),
        Misconception(
            "theta not counted",
            "theta is missing: |θ| + (|μ_i| + |σ_i|) · N.",
            lambda theta, latent_dim, num_points: 2 * latent_dim * num_points,
        ),
        Misconception(
            "only theta",
            "You count theta only: every data point brings a mu_i and a sigma_i of its own.",
            lambda theta, latent_dim, num_points: _theta(theta),
        ),
        Misconception(
            "one q for all",
            "You count one q: there is one for each of the num_points data points.",
            lambda theta, latent_dim, num_points: _theta(theta) + 2 * latent_dim,
        ),
        Misconception(
            "tensors counted instead of numbers",
            "You count the tensors of theta: count the numbers in them, .numel().",
            lambda theta, latent_dim, num_points: len(_tensors(theta)) + 2 * latent_dim * num_points,
        ),
        Misconception(
            "first dimension counted",
            "You count the rows of theta's tensors (len): count all their numbers, .numel().",
            lambda theta, latent_dim, num_points: sum(len(t) for t in _tensors(theta)) + 2 * latent_dim * num_points,
        ),
        Misconception(
            "biases forgotten",
            "You count the weight matrices of theta only: the biases are parameters too.",
            lambda theta, latent_dim, num_points: (
                sum(t.numel() for t in _tensors(theta) if t.dim() > 1) + 2 * latent_dim * num_points
            ),
        ),
        Misconception(
            "theta for every data point",
            "You count theta once for each data point: the decoder is shared, only mu_i and sigma_i are not.",
            lambda theta, latent_dim, num_points: (_theta(theta) + 2 * latent_dim) * num_points,
        ),
        Misconception(
            "full covariance",
            "You count a full covariance, latent_dim² numbers: sigma_i is diagonal, latent_dim numbers.",
            lambda theta, latent_dim, num_points: _theta(theta) + (latent_dim + latent_dim**2) * num_points,
        ),
        Misconception(
            "one number for sigma",
            "You count one number for sigma_i: it has one for each latent dimension.",
            lambda theta, latent_dim, num_points: _theta(theta) + (latent_dim + 1) * num_points,
        ),
    ),
    alternatives=(
        lambda theta, latent_dim, num_points: _theta(theta) + num_points * (latent_dim + latent_dim),
        lambda theta, latent_dim, num_points: torch.tensor(_theta(theta) + 2 * latent_dim * num_points),
    ),
)


# --- questions -------------------------------------------------------------------------------------

STALE_Q = Question(
    name="stale_q_prediction",
    points=1,
    text="A data point has not been in a batch for an epoch, while theta moved on. What about its q_i?",
    options={
        "it is out of date": "Its posterior p(z|x_i) has moved with theta, q_i has not: the bound has become looser for it. "
        "The next visit must first make good what the others changed.",
        "it followed theta": "mu_i and sigma_i are numbers that lie in memory. They change when their own point is visited, "
        "and at no other time.",
        "it is still optimal": "It was fitted to the posterior under the theta of its last visit. Another theta has "
        "another posterior.",
    },
    correct="it is out of date",
)

GROWTH = Question(
    name="growth_prediction",
    points=1,
    text="From MNIST's 60,000 images to ImageNet's 1,281,167, same decoder, 100 latent dimensions: where do parameters go?",
    options={
        "theta dominates": "theta stays what it was: some hundred thousand numbers. 200 numbers for each of 1.3 million images "
        "are 256 million.",
        "the q_i dominate": "200 numbers for each image: 12 million for MNIST, 256 million for ImageNet. None of them helps "
        "with the next image.",
        "both grow alike": "theta does not depend on N at all; (|μ_i| + |σ_i|) · N grows with every image.",
    },
    correct="the q_i dominate",
)

NEW_IMAGE = Question(
    name="new_image_prediction",
    points=1,
    text="A new image comes after training. What does it take to get its q?",
    options={
        "look it up": "There is no entry for it: a q_i exists for training images only.",
        "one forward pass": "A pass through what? There is no network from x to q here; that is the next notebook's idea.",
        "gradient ascent of its own": "mu and log_sigma are fitted from scratch, many steps through the decoder for every "
        "new image. That is what infer_q does, and what makes it slow.",
    },
    correct="gradient ascent of its own",
)

DIAGNOSIS = Question(
    name="diagnosis_03",
    points=2,
    text="Which bug does the model behind the figure have?",
    options={
        "q is never stepped": "Then q would stay the prior for every digit, with a KL of zero, and no digit's code could differ "
        "from another's. Here the codes differ.",
        "q descends": "Then the bound would fall without end. It rises at first.",
        "the entropy is missing": "The bound without entropy pulls sigma towards zero, and nothing holds against it: the "
        "widths collapse, the KL rises without end, while reconstructions look better and better.",
        "theta is never stepped": "Then the decoder would draw the noise it started with. The reconstructions are digits.",
        "the noise is shared across the batch": "Then estimates would be noisier, but sigma would settle where it belongs.",
    },
    correct="the entropy is missing",
)

EXERCISES: tuple[Exercise | Question, ...] = (
    PER_POINT_ELBO,
    ASCEND_Q,
    STALE_Q,
    TRAIN_STEP,
    DIAGNOSIS,
    NEW_IMAGE,
    INFER_Q,
    GROWTH,
    COUNT_PARAMETERS,
)
