r"""The variational autoencoder, with a Bernoulli or a Gaussian likelihood.

.. math:: \max_{\theta, \phi} \frac1N \sum_i
    \log p_\theta(x_i | \mu_\phi(x_i) + \epsilon \sigma_\phi(x_i)) - D_{KL}(q_\phi(z|x_i) \| p(z))

Lecture part "The variational autoencoder"; Kingma and Welling 2014; notebook 06.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib.amortized import Encoder, hidden_stack
from course_lib.bounds import importance_weighted_bound, log_importance_weights
from course_lib.distributions import bernoulli_log_likelihood, gaussian_log_prob, kl_to_standard_normal
from course_lib.gradients import reparameterize


def interpolate(z_start: Tensor, z_end: Tensor, num_steps: int) -> Tensor:
    r"""Return a straight line of codes, :math:`(1 - t)\,z_0 + t\,z_1` in equal steps, both ends included.

    Args:
        z_start, z_end: ``(latent_dim,)``.
        num_steps: at least 2.

    Returns:
        ``(num_steps, latent_dim)``.
    """
    share = torch.linspace(0, 1, num_steps, dtype=z_start.dtype, device=z_start.device).unsqueeze(-1)
    return torch.lerp(z_start, z_end, share)


def train_step(
    x: Tensor, eps: Tensor, elbo: Callable[[Tensor, Tensor], Tensor], optimizer: torch.optim.Optimizer
) -> Tensor:
    """Step theta and phi once up the mean bound of a batch.

    Args:
        x: ``(batch, data_dim)``.
        eps: standard Gaussian noise, ``(batch, latent_dim)``.
        elbo: maps x and eps to the bounds, ``(batch,)``; a model's ``elbo``.
        optimizer: minimises over the model's parameters; the loss is ``-elbo(x, eps).mean()``.

    Returns:
        The bounds before the step, ``(batch,)``, nats.
    """
    bounds = elbo(x, eps)
    optimizer.zero_grad()
    (-bounds.mean()).backward()
    optimizer.step()
    return bounds.detach()


class VAE(nn.Module):
    r"""A variational autoencoder of binary or grey images, Bernoulli likelihood, Gaussian q, prior N(0, I).

    >>> vae = VAE(data_dim=784, hidden_dim=200, latent_dim=2)
    >>> images = torch.rand(5, 784)
    >>> vae.elbo(images, torch.randn(5, 2)).shape, vae.reconstruct(images).shape
    (torch.Size([5]), torch.Size([5, 784]))
    >>> vae.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 784])

    Args:
        data_dim, hidden_dim, latent_dim: sizes, positive.
        hidden_layers: hidden layers of encoder and decoder each.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, data_dim: int, hidden_dim: int, latent_dim: int, hidden_layers: int = 1) -> None:
        super().__init__()
        if data_dim < 1 or latent_dim < 1:
            raise ValueError(f"data_dim and latent_dim are at least 1, not {data_dim} and {latent_dim}")
        self.data_dim, self.latent_dim = data_dim, latent_dim
        self.encoder = Encoder(data_dim, hidden_dim, latent_dim, hidden_layers)
        self.decoder = nn.Sequential(
            hidden_stack(latent_dim, hidden_dim, hidden_layers), nn.Linear(hidden_dim, data_dim)
        )

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), ``(..., batch)``, nats, for ``z (..., batch, latent_dim)``."""
        return bernoulli_log_likelihood(x, self.decoder(z))

    def mean(self, z: Tensor) -> Tensor:
        """Return the mean of p(x|z), ``(..., data_dim)``: the probability of ink."""
        return self.decoder(z).sigmoid()

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        r"""Return the bound with the KL in closed form, one sample of z for each data point.

        Args:
            x: ``(batch, data_dim)``.
            eps: ``(batch, latent_dim)``, or ``(samples, batch, latent_dim)``, averaged.

        Returns:
            ``(batch,)``, nats.

        Raises:
            ValueError: x or eps has another shape or dtype.
        """
        self._check(x, eps)
        mu, log_sigma = self.encoder(x)
        log_likelihood = self.log_likelihood(x, reparameterize(mu, log_sigma, eps))
        expected = log_likelihood.mean(0) if eps.dim() == 3 else log_likelihood
        return expected - kl_to_standard_normal(mu, log_sigma)

    def importance_weighted_bound(self, x: Tensor, eps: Tensor) -> Tensor:
        r"""Return :math:`\log\frac1K\sum_k p(x, z_k)/q(z_k|x)`, ``(batch,)``, nats, for ``eps (K, batch, latent_dim)``.

        Burda, Grosse and Salakhutdinov 2016, equation 8.
        """
        self._check(x, eps)
        mu, log_sigma = self.encoder(x)
        z = reparameterize(mu, log_sigma, eps)
        return importance_weighted_bound(log_importance_weights(self.log_likelihood(x, z), z, mu, log_sigma))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x|z) at the mean of q(z|x), ``(batch, data_dim)``."""
        self._check(x)
        mu, _ = self.encoder(x)
        return self.mean(mu)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the means of p(x|z) for n draws z ~ p(z), ``(n, data_dim)``."""
        like = next(self.parameters())
        z = torch.randn(n, self.latent_dim, generator=generator, device=generator.device, dtype=like.dtype)
        return self.mean(z.to(like.device))

    def check_data(self, data: Tensor) -> None:
        """Look at the values of a whole data set, once, before training.

        Raises:
            ValueError: they are not in [0, 1].
        """
        low, high = data.min().item(), data.max().item()
        if data.is_floating_point() and not (low >= 0 and high <= 1):
            raise ValueError(
                f"a Bernoulli likelihood wants values in [0, 1], the data lie in [{low:.4g}, {high:.4g}]: "
                "divide pixels by 255, or take GaussianVAE"
            )

    def _check(self, x: Tensor, eps: Tensor | None = None) -> None:
        """Look at shapes and dtypes only: looking at values would make a GPU wait in every step."""
        if x.dim() != 2 or x.shape[-1] != self.data_dim:
            remedy = " For one image write x.unsqueeze(0)." if x.shape == (self.data_dim,) else ""
            raise ValueError(f"x is {tuple(x.shape)}; (batch, {self.data_dim}) is expected.{remedy}")
        if not x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: images are given as floats in [0, 1], for instance x.float() / 255")
        if eps is not None and (eps.dim() not in (2, 3) or eps.shape[-2:] != (len(x), self.latent_dim)):
            raise ValueError(f"eps is {tuple(eps.shape)}; ({len(x)}, {self.latent_dim}) is expected, samples in front")


class GaussianVAE(VAE):
    r"""A variational autoencoder of real data, :math:`p(x|z) = \mathcal N(\mu_\theta(z), \sigma_x)`.

    Args:
        data_dim, hidden_dim, latent_dim, hidden_layers: as in :class:`VAE`.
        sigma_x: standard deviation of the likelihood, where training starts; it is learned.

    Raises:
        ValueError: a size or sigma_x is not positive.
    """

    def __init__(
        self, data_dim: int, hidden_dim: int, latent_dim: int, hidden_layers: int = 1, sigma_x: float = 1.0
    ) -> None:
        super().__init__(data_dim, hidden_dim, latent_dim, hidden_layers)
        if not sigma_x > 0:
            raise ValueError(f"sigma_x is a standard deviation: positive, not {sigma_x}")
        self.log_sigma_x = nn.Parameter(torch.tensor(sigma_x).log())

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), ``(..., batch)``, nats."""
        return gaussian_log_prob(x, self.decoder(z), self.log_sigma_x.exp())

    def mean(self, z: Tensor) -> Tensor:
        """Return the mean of p(x|z), ``(..., data_dim)``."""
        return self.decoder(z)

    def check_data(self, data: Tensor) -> None:
        """A Gaussian likelihood takes any value."""
