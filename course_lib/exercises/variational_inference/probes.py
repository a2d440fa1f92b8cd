"""What the exercises on the bound share: its convention, probes, and its mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.bounds import per_point_elbo
from course_lib.checker.exercise import Misconception
from course_lib.checker.networks import decoder_network
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI, gaussian_entropy, gaussian_log_prob, kl_to_standard_normal

ELBO_CONVENTION = (
    "L_i = mean over samples of [log p(x|z) + log p(z)] + H(q_i), with z = mu + exp(log_sigma) · eps and the entropy in "
    "closed form; log-densities sum over the last dimension; one value per data point, (batch,), in nats. "
)


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


def closed_form_kl_elbo(x: Tensor, mu: Tensor, log_sigma: Tensor, eps: Tensor, decoder: Any, sigma_x: Any) -> Tensor:
    """The same bound in expectation: prior and entropy taken together, in closed form."""
    sigma_x = torch.as_tensor(sigma_x, dtype=x.dtype, device=x.device)
    log_likelihood = gaussian_log_prob(x, decoder(mu + log_sigma.exp() * eps), sigma_x)
    return log_likelihood.mean(0) - kl_to_standard_normal(mu, log_sigma)


CLOSED_FORM_KL = (
    "You take -D_KL(q‖p(z)) in closed form. That is the same bound in expectation, with less noise, and notebook 05 comes to "
    "it; here log p(z) is taken at the samples, as the lecture writes it, and only H(q_i) in closed form."
)


def elbo_probe(draw: Draw) -> tuple[Any, ...]:
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


def _log_of_mean(values: Tensor) -> Tensor:
    return values.exp().mean(0).log()


SIGMA_FROM_LOG = "log_sigma is the logarithm of the standard deviation: "


OF_A_GAUSSIAN = (
    "of a Gaussian it is -½(x - mean)²/sigma_x², less its normalising constant, summed over the dimensions of x."
)

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
        "squared error without its half",
        "You take -(x - mean)² for log p(x|z): " + OF_A_GAUSSIAN,
        {"likelihood": lambda x, mean, sigma: -((x - mean) ** 2).sum(-1) + 0 * sigma.sum()},
    ),
    (
        "mean squared error",
        "You take minus the mean squared error for log p(x|z): " + OF_A_GAUSSIAN,
        {"likelihood": lambda x, mean, sigma: -((x - mean) ** 2).mean(-1) + 0 * sigma.sum()},
    ),
    (
        "half the mean squared error",
        "You take minus half the mean squared error for log p(x|z): " + OF_A_GAUSSIAN,
        {"likelihood": lambda x, mean, sigma: -0.5 * ((x - mean) ** 2).mean(-1) + 0 * sigma.sum()},
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


def ascend_probe(draw: Draw) -> tuple[Any, ...]:
    return (*elbo_probe(draw), 0.05 + 0.02 * draw.integer(5))


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
