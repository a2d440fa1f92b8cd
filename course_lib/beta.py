r"""The VAE in practice: a weight on the KL, how it is set, and how the result is judged.

.. math:: \max_{\theta, \phi} \frac1N \sum_i
    \log p_\theta(x_i | \mu_\phi(x_i) + \epsilon \sigma_\phi(x_i)) - \beta D_{KL}(q_\phi(z|x_i) \| p(z))

Lecture part "VAEs in practice"; Higgins et al., *beta-VAE*, 2017; Alemi et al., *Fixing a broken ELBO*, 2018; notebook 08.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.amortized import Encoder
from course_lib.distributions import bernoulli_log_likelihood, kl_to_standard_normal
from course_lib.gradients import reparameterize

IGNORED, NOT_COMPRESSED, HEALTHY = "latent code ignored", "latent code not compressed", "healthy"
# Where diagnose draws its lines: nats, and shares of what is as bad as it gets.
LITTLE_KL, LARGE_GAP = 1.0, 0.5
HALF, REACH, CHANNELS = 392, 3, 24  # pixels of half a digit; how far a decoder sees, and with how many features


def beta_elbo(log_likelihood: Tensor, kl: Tensor, beta: float | Tensor) -> Tensor:
    r"""Return :math:`\log p(x|z) - \beta\,D_{KL}(q\|p)`, to be maximised.

    Args:
        log_likelihood, kl: ``(batch,)``, nats.
        beta: not negative; 1 gives the ELBO.

    Returns:
        ``(batch,)``, nats.
    """
    return log_likelihood - beta * kl


def objective_gap(kl_to_posterior: Tensor, kl_to_prior: Tensor, beta: float | Tensor) -> Tensor:
    r"""Return :math:`\log p(x) - \mathcal L_\beta = D_{KL}(q\|p(z|x)) + (\beta - 1)\,D_{KL}(q\|p(z))`, ``(batch,)``, nats.

    Negative where the objective exceeds log p(x), which happens for beta < 1 alone.

    Args:
        kl_to_posterior, kl_to_prior: ``(batch,)``, nats.
        beta: not negative.
    """
    return kl_to_posterior + (beta - 1) * kl_to_prior


def equivalent_sigma(sigma_x: Tensor, beta: float | Tensor) -> Tensor:
    r"""Return the standard deviation of p(x|z) with which the plain ELBO trains as the beta-ELBO does with ``sigma_x``.

    :math:`\frac1\beta\log\mathcal N(x; m, \sigma_x)` and :math:`\log\mathcal N(x; m, \sigma_x\sqrt\beta)` differ by a constant.

    Args:
        sigma_x: positive, ``(dim,)``.
        beta: positive.

    Returns:
        ``(dim,)``.
    """
    return sigma_x * beta**0.5


def beta_schedule(step: int, warmup_steps: int, beta_max: float) -> float:
    """Return the weight at a step: from 0, linearly, to ``beta_max`` at ``warmup_steps``, and that ever after.

    Bowman et al. 2016, "KL cost annealing"; Sønderby et al. 2016, "warm-up".
    """
    return beta_max * min(1.0, step / warmup_steps) if warmup_steps else beta_max


def next_beta(beta: float, kl: float, target_kl: float, factor: float) -> float:
    """Return the weight for the next step: ``factor`` times larger where the KL is above its target, else smaller.

    Args:
        beta: positive.
        kl, target_kl: mean KL of an image and the wanted one, nats.
        factor: above 1.
    """
    return beta * factor if kl > target_kl else beta / factor


def kl_per_dimension(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """Return the KL to N(0, 1) in each latent dimension, mean over the batch, ``(latent_dim,)``, nats.

    Args:
        mu, log_sigma: ``(batch, latent_dim)``.
    """
    return kl_to_standard_normal(mu.unsqueeze(-1), log_sigma.unsqueeze(-1)).mean(0)


def active_units(mu: Tensor, threshold: float) -> int:
    """Return in how many latent dimensions ``mu (batch, latent_dim)`` varies over the batch by more than ``threshold``.

    The threshold is a variance: Burda, Grosse and Salakhutdinov 2016, section 5.2, who take 0.01.
    """
    return int((mu.var(0) > threshold).sum())


def rate_distortion(log_likelihood: Tensor, kl: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean KL (rate) and minus the mean log p(x|z) (distortion), nats each, from ``(batch,)`` each.

    Alemi et al. 2018, section 2: minus the ELBO is the sum of both.
    """
    return kl.mean(), -log_likelihood.mean()


def diagnose(kl: float, reconstruction_gap: float, sample_gap: float) -> str:
    """Return which of the lecture's two problems a trained model has, or that it has neither.

    Args:
        kl: mean of an image, nats.
        reconstruction_gap: 0 is perfect, 1 as bad as the average image; see :func:`reconstruction_gap`.
        sample_gap: 0 as near to data as data are, 1 as far as noise; see :func:`sample_gap`.
    """
    if kl < LITTLE_KL and reconstruction_gap > LARGE_GAP:
        return IGNORED
    if kl >= LITTLE_KL and sample_gap > LARGE_GAP:
        return NOT_COMPRESSED
    return HEALTHY


def reconstruction_gap(x: Tensor, reconstructed: Tensor, average: Tensor) -> float:
    """Return the squared error of reconstructions as a share of that of the average image.

    Args:
        x, reconstructed: ``(n, dim)``.
        average: the mean of the training images, ``(dim,)``.
    """
    return ((x - reconstructed).square().mean() / (x - average).square().mean()).item()


def sample_gap(samples: Tensor, unseen: Tensor, images: Tensor, generator: torch.Generator) -> float:
    """Return how far samples lie from the nearest image, on a scale that is 0 for unseen images and 1 for noise.

    Noise draws each pixel on its own, with the frequency of ink that it has in the images. A blurred average lies near many
    images, so that the number may be negative: it says whether samples are garbage, not whether they are sharp.

    Args:
        samples: ``(n, dim)``, in [0, 1].
        unseen: other images of the same kind, ``(m, dim)``.
        images: ``(N, dim)``.
        generator: of the noise.
    """

    def distance(those: Tensor) -> float:
        return torch.cdist(those, images).min(1).values.mean().item()

    noise = torch.bernoulli(images.mean(0).expand_as(samples), generator=generator)
    best, worst = distance(unseen), distance(noise)
    return (distance(samples) - best) / (worst - best)


class BetaObjective:
    """The beta-ELBO of a VAE as an objective of :func:`course_lib.training.train`, which keeps the terms of every step.

    >>> vae = VAE(data_dim=6, hidden_dim=4, latent_dim=2)
    >>> objective = BetaObjective(vae, lambda step, kl: beta_schedule(step, 10, 1.0))
    >>> objective(torch.rand(5, 6), torch.Generator().manual_seed(0)).shape
    torch.Size([5])
    >>> [round(beta, 2) for beta in objective.betas]
    [0.0]

    Args:
        model: has ``encoder``, ``log_likelihood`` and ``latent_dim``, as :class:`course_lib.vae.VAE` has.
        beta: a number, or a function of the step (0, 1, ...) and of the last batch's mean KL (NaN in step 0).
        combine: makes the objective of log-likelihood, KL and beta.

    Attributes:
        betas, distortions, kls: of every step so far; nats an image.
    """

    def __init__(
        self,
        model: Any,
        beta: float | Callable[[int, float], float],
        combine: Callable[[Tensor, Tensor, float], Tensor] = beta_elbo,
    ) -> None:
        self.model, self.beta, self.combine = model, beta, combine
        self.betas: list[float] = []
        self.distortions: list[float] = []
        self.kls: list[float] = []

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the objective of each image, ``(batch,)``, nats; reading the terms makes a GPU wait."""
        mu, log_sigma = self.model.encoder(x)
        eps = torch.randn(mu.shape, generator=generator, device=x.device, dtype=x.dtype)
        log_likelihood = self.model.log_likelihood(x, reparameterize(mu, log_sigma, eps))
        kl = kl_to_standard_normal(mu, log_sigma)
        last = self.kls[-1] if self.kls else math.nan
        beta = self.beta(len(self.betas), last) if callable(self.beta) else self.beta
        self.betas.append(beta)
        self.distortions.append(-log_likelihood.mean().item())
        self.kls.append(kl.mean().item())
        return self.combine(log_likelihood, kl, beta)


class NeighbourVAE(nn.Module):
    r"""A conditional VAE of the lower half of a digit, whose decoder is as strong as it is told to be.

    The decoder sees z; if ``sees_given`` the upper half too; if ``sees_neighbours`` also, for each pixel, those of its
    neighbours that come before it, as in :math:`p(y|x, z) = \prod_d p(y_d | y_{<d}, x, z)`. The prior is N(0, I).

    Args:
        hidden_dim, latent_dim: sizes, positive.
        sees_given, sees_neighbours: what the decoder sees beside z.
    """

    before: Tensor

    def __init__(self, hidden_dim: int, latent_dim: int, sees_given: bool, sees_neighbours: bool) -> None:
        super().__init__()
        self.latent_dim, self.sees_given, self.sees_neighbours = latent_dim, sees_given, sees_neighbours
        self.encoder = Encoder(2 * HALF, hidden_dim, latent_dim)
        seen = latent_dim + (HALF if sees_given else 0)
        self.decoder = nn.Sequential(nn.Linear(seen, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, HALF))
        if sees_neighbours:
            self.first = nn.Conv2d(1, CHANNELS, (REACH + 1, 2 * REACH + 1))
            self.second = nn.Sequential(
                nn.ReLU(), nn.Conv2d(CHANNELS, CHANNELS, 1), nn.ReLU(), nn.Conv2d(CHANNELS, 1, 1)
            )
            before = torch.ones(REACH + 1, 2 * REACH + 1)
            before[-1, REACH:] = 0  # the pixel itself, and what comes after it in its row
            self.register_buffer("before", before)

    def logits(self, whole: Tensor, z: Tensor) -> Tensor:
        """Return the logits of the lower half's pixels, ``(batch, 392)``, from whole images ``(batch, 784)`` and z."""
        seen = torch.cat([z, whole[:, :HALF]], -1) if self.sees_given else z
        logits = self.decoder(seen)
        if not self.sees_neighbours:
            return logits
        rows = whole.view(-1, 1, 28, 28)[:, :, 14 - REACH :]
        padded = nn.functional.pad(rows, (REACH, REACH, 0, 0))
        near = nn.functional.conv2d(padded, self.first.weight * self.before, self.first.bias)
        return logits + self.second(near).flatten(1)

    def log_likelihood(self, whole: Tensor, z: Tensor) -> Tensor:
        """Return log p(y|x, z) of the lower half, ``(batch,)``, nats."""
        return bernoulli_log_likelihood(whole[:, HALF:], self.logits(whole, z))

    @torch.no_grad()
    def complete(self, whole: Tensor, z: Tensor, uniform: Tensor) -> Tensor:
        """Draw the lower half of images for codes z, pixel after pixel where neighbours are seen.

        Args:
            whole: ``(batch, 784)``; its lower half is not looked at.
            z: ``(batch, latent_dim)``.
            uniform: a pixel is ink where its probability exceeds this, ``(batch, 392)``.

        Returns:
            Whole images, ``(batch, 784)``.
        """
        drawn = torch.cat([whole[:, :HALF], torch.zeros_like(uniform)], -1)
        for pixel in range(HALF) if self.sees_neighbours else (slice(None),):
            chosen = self.logits(drawn, z).sigmoid() > uniform
            drawn[:, HALF:][:, pixel] = chosen[:, pixel].to(drawn.dtype)
        return drawn
