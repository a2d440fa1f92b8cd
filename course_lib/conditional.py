r"""Conditional VAEs: several answers y to one question x, every part conditioned on x.

.. math:: \log p(y|x) \ge E_{z \sim q_\phi(z|x, y)}[\log p_\theta(y|x, z)] - D_{KL}(q_\phi(z|x, y)\,\|\,p_\theta(z|x))

Lecture part "Conditional models"; Sohn, Lee and Yan 2015; notebook 07. An encoder maps x and y to ``(mu, log_sigma)`` of q, a
prior maps x to those of p(z|x), a decoder maps x and z to the logits of y, for z of any leading shape. Everything is in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.amortized import Encoder, hidden_stack
from course_lib.distributions import bernoulli_log_likelihood, gaussian_kl, log_mean_exp
from course_lib.gradients import reparameterize

EncoderOfTwo = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Prior = Callable[[Tensor], tuple[Tensor, Tensor]]
DecoderOfTwo = Callable[[Tensor, Tensor], Tensor]


def conditional_elbo(
    x: Tensor, y: Tensor, eps: Tensor, encoder: EncoderOfTwo, prior: Prior, decoder: DecoderOfTwo
) -> Tensor:
    r"""Return a lower bound of log p(y|x), the KL to the learned prior in closed form.

    Args:
        x: what is given, ``(batch, x_dim)``.
        y: what is modelled, in [0, 1], ``(batch, y_dim)``; its pixels are Bernoulli.
        eps: standard Gaussian noise, ``(samples, batch, latent_dim)``, averaged, or ``(batch, latent_dim)``.
        encoder, prior, decoder: as the module says.

    Returns:
        ``(batch,)``, nats.
    """
    mu, log_sigma = encoder(x, y)
    mu_p, log_sigma_p = prior(x)
    log_likelihood = bernoulli_log_likelihood(y, decoder(x, reparameterize(mu, log_sigma, eps)))
    expected = log_likelihood.mean(0) if eps.dim() == 3 else log_likelihood
    return expected - gaussian_kl(mu, log_sigma.exp(), mu_p, log_sigma_p.exp())


def predict(x: Tensor, prior: Prior, decoder: DecoderOfTwo, eps: Tensor) -> Tensor:
    r"""Answer x as at test time: :math:`z \sim p(z|x)`, then the mean of p(y|x, z), one answer for each sample.

    Args:
        x: ``(batch, x_dim)``.
        eps: ``(samples, batch, latent_dim)`` or ``(batch, latent_dim)``.

    Returns:
        Probabilities of ink, ``(samples, batch, y_dim)`` or ``(batch, y_dim)``.
    """
    mu, log_sigma = prior(x)
    return decoder(x, reparameterize(mu, log_sigma, eps)).sigmoid()


def conditional_log_likelihood(x: Tensor, y: Tensor, eps: Tensor, prior: Prior, decoder: DecoderOfTwo) -> Tensor:
    r"""Estimate :math:`\log p(y|x) \approx \log\frac1S\sum_s p(y|x, z_s)` with :math:`z_s \sim p(z|x)`.

    Its expectation lies below log p(y|x) and rises with S.

    Args:
        x, y: ``(batch, x_dim)`` and ``(batch, y_dim)``.
        eps: ``(samples, batch, latent_dim)``.

    Returns:
        ``(batch,)``, nats.
    """
    mu, log_sigma = prior(x)
    return log_mean_exp(bernoulli_log_likelihood(y, decoder(x, reparameterize(mu, log_sigma, eps))), 0)


def best_of_samples(y: Tensor, predictions: Tensor) -> Tensor:
    """Return the mean squared error of the best of several answers.

    Args:
        y: ``(batch, y_dim)``.
        predictions: ``(samples, batch, y_dim)``.

    Returns:
        ``(batch,)``.
    """
    return ((predictions - y) ** 2).mean(-1).min(0).values


def missing_divergence(q: Tensor, prior: Tensor, likelihood: Tensor) -> Tensor:
    r"""Return what the conditional bound lacks to log p(y|x), :math:`D_{KL}(q\,\|\,p(z|x, y))`, where z takes finitely many values.

    Args:
        q, prior: probabilities q(z|x, y) and p(z|x) of the values of z, ``(values,)``.
        likelihood: p(y|x, z) for each of them, ``(values,)``.

    Returns:
        A scalar, nats, never negative.
    """
    joint = likelihood * prior
    return (q * (q.log() - (joint / joint.sum()).log())).sum()


class EncoderOfPair(nn.Module):
    """A network for q(z|x, y): x and y side by side into one :class:`course_lib.amortized.Encoder`.

    Args:
        x_dim, y_dim, hidden_dim, latent_dim: sizes, positive.
    """

    def __init__(self, x_dim: int, y_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.both = Encoder(x_dim + y_dim, hidden_dim, latent_dim)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``mu`` and ``log_sigma``, each ``(batch, latent_dim)``."""
        mu, log_sigma = self.both(torch.cat([x, y], -1))
        return mu, log_sigma


class DecoderOfPair(nn.Module):
    """A network for p(y|x, z): x and z side by side.

    Args:
        x_dim, latent_dim, hidden_dim, y_dim: sizes, positive.
    """

    def __init__(self, x_dim: int, latent_dim: int, hidden_dim: int, y_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(hidden_stack(x_dim + latent_dim, hidden_dim, 1), nn.Linear(hidden_dim, y_dim))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return logits ``(..., batch, y_dim)`` for ``x (batch, x_dim)`` and ``z (..., batch, latent_dim)``."""
        logits: Tensor = self.layers(torch.cat([x.expand(*z.shape[:-1], x.shape[-1]), z], -1))
        return logits


class ConditionalVAE(nn.Module):
    """A conditional VAE with a learned prior p(z|x) and Bernoulli pixels.

    >>> model = ConditionalVAE(x_dim=392, y_dim=392, hidden_dim=200, latent_dim=8)
    >>> x, y = torch.rand(5, 392), torch.rand(5, 392)
    >>> model.elbo(x, y, torch.randn(5, 8)).shape
    torch.Size([5])
    >>> model.predict(x, torch.randn(12, 5, 8)).shape
    torch.Size([12, 5, 392])

    Args:
        x_dim, y_dim, hidden_dim, latent_dim: sizes, positive.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, x_dim: int, y_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        if x_dim < 1 or y_dim < 1 or latent_dim < 1:
            raise ValueError(f"x_dim, y_dim and latent_dim are at least 1, not {x_dim}, {y_dim} and {latent_dim}")
        self.x_dim, self.y_dim, self.latent_dim = x_dim, y_dim, latent_dim
        self.encoder = EncoderOfPair(x_dim, y_dim, hidden_dim, latent_dim)
        self.prior = Encoder(x_dim, hidden_dim, latent_dim)
        self.decoder = DecoderOfPair(x_dim, latent_dim, hidden_dim, y_dim)

    def elbo(self, x: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        """Return the bound, ``(batch,)``, nats; see :func:`conditional_elbo`.

        Raises:
            ValueError: x, y or eps has another shape or dtype.
        """
        self._check(eps, x=x, y=y)
        return conditional_elbo(x, y, eps, self.encoder, self.prior, self.decoder)

    def predict(self, x: Tensor, eps: Tensor) -> Tensor:
        """Return answers ``(..., batch, y_dim)``, probabilities; see :func:`predict`.

        Raises:
            ValueError: x or eps has another shape or dtype.
        """
        self._check(eps, x=x)
        return predict(x, self.prior, self.decoder, eps)

    def log_likelihood(self, x: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        """Return the estimate of log p(y|x), ``(batch,)``, nats; see :func:`conditional_log_likelihood`.

        Raises:
            ValueError: x, y or eps has another shape or dtype.
        """
        self._check(eps, x=x, y=y)
        return conditional_log_likelihood(x, y, eps, self.prior, self.decoder)

    def _check(self, eps: Tensor, **given: Tensor) -> None:
        for name, values in given.items():
            wanted = {"x": self.x_dim, "y": self.y_dim}[name]
            if values.dim() != 2 or values.shape[-1] != wanted:
                raise ValueError(f"{name} is {tuple(values.shape)}; (batch, {wanted}) is expected")
            if not values.is_floating_point():
                raise ValueError(f"{name} is {values.dtype}: pixels are given as floats in [0, 1]")
            if len(values) != len(given["x"]):
                raise ValueError(
                    f"x has {len(given['x'])} rows, {name} has {len(values)}: one answer for each question"
                )
        wanted_eps = (len(given["x"]), self.latent_dim)
        if eps.dim() not in (2, 3) or eps.shape[-2:] != wanted_eps:
            raise ValueError(f"eps is {tuple(eps.shape)}; {wanted_eps} is expected, samples in front")


def conditional_objective(model: Any, x_dim: int) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return the objective with which :func:`course_lib.training.train` trains a model of y given x.

    Args:
        model: has ``elbo(x, y, eps)`` and ``latent_dim``.
        x_dim: so many entries of a data point are x, those behind them y; of an image, its upper pixels.

    Returns:
        A function of a batch ``(batch, x_dim + y_dim)`` and a generator that gives the bounds, ``(batch,)``.
    """

    def objective(batch: Tensor, generator: torch.Generator) -> Tensor:
        eps = torch.randn(len(batch), model.latent_dim, generator=generator, device=batch.device, dtype=batch.dtype)
        bounds: Tensor = model.elbo(batch[:, :x_dim], batch[:, x_dim:], eps)
        return bounds

    return objective


COLUMNS, QUESTIONS, OFTEN = 24, 10, 0.7  # pixels of a row, questions, and how often the stroke lies on the right


def branching_world() -> tuple[Tensor, Tensor, Tensor]:
    """Return questions with two answers each, and how likely each answer is: a conditional distribution that is known.

    Question k, one of ten, has for its answer a row of pixels with a stroke four pixels wide, k pixels from the middle:
    on the right with probability 0.7, else on the left. For k = 0 the two are the same row.

    Returns:
        ``x (20, 10)``, which question, as a one among zeros; ``y (20, 24)``, zeros and ones; and p(y|x), ``(20,)``. First
        all answers on the right, then all on the left.
    """
    side = torch.tensor([1.0, -1.0]).repeat_interleave(QUESTIONS)
    offset = torch.arange(QUESTIONS).repeat(2)
    middle = COLUMNS / 2 - 0.5 + side * offset
    y = ((torch.arange(COLUMNS) - middle.unsqueeze(-1)).abs() < 2).float()
    likely = torch.where(side > 0, OFTEN, 1 - OFTEN)
    return torch.eye(QUESTIONS).repeat(2, 1), y, torch.where(offset == 0, torch.ones_like(likely), likely)
