r"""VAEs with convolutions: for 28 × 28 images, and one that takes an image of any size.

Lecture part "VAEs with convolutions"; notebook 07. Images are ``(batch, channels, height, width)``, pixels Bernoulli, values
in nats; a bound sums over channels and pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.distributions import bernoulli_log_likelihood, kl_to_standard_normal
from course_lib.gradients import reparameterize

SIDE = 28
SMALL = SIDE // 4  # two convolutions of stride 2 leave a quarter of each side


class ConvEncoder(nn.Module):
    r"""Two convolutions of stride 2, then a linear head each for :math:`\mu_\phi(x)` and :math:`\log\sigma_\phi(x)`.

    >>> mu, log_sigma = ConvEncoder(channels=1, width=16, latent_dim=8)(torch.rand(5, 1, 28, 28))
    >>> mu.shape, log_sigma.shape
    (torch.Size([5, 8]), torch.Size([5, 8]))

    Args:
        channels: of the images.
        width: feature maps of the first convolution; the second has twice as many.
        latent_dim: of z.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        _check_sizes(channels=channels, width=width, latent_dim=latent_dim)
        self.channels = channels
        self.features = _downwards(channels, width)
        features = 2 * width * SMALL * SMALL
        self.mu, self.log_sigma = nn.Linear(features, latent_dim), nn.Linear(features, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``mu`` and ``log_sigma``, each ``(batch, latent_dim)``, for ``x (batch, channels, 28, 28)``.

        Raises:
            ValueError: x has another shape.
        """
        if x.shape[1:] != (self.channels, SIDE, SIDE):
            raise ValueError(f"x is {tuple(x.shape)}; (batch, {self.channels}, {SIDE}, {SIDE}) is expected")
        hidden = self.features(x).flatten(1)
        return self.mu(hidden), self.log_sigma(hidden)


class ConvDecoder(nn.Module):
    """A linear layer to small feature maps, then two transposed convolutions of stride 2 to logits.

    Args:
        channels: of the images.
        width: feature maps before the last convolution; twice as many before the one before.
        latent_dim: of z.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        _check_sizes(channels=channels, width=width, latent_dim=latent_dim)
        self.small = nn.Linear(latent_dim, 2 * width * SMALL * SMALL)
        self.upwards = _upwards(width, channels)

    def forward(self, z: Tensor) -> Tensor:
        """Return logits ``(..., channels, 28, 28)`` for ``z (..., latent_dim)``."""
        maps = self.small(z).relu().reshape(-1, self.small.out_features // SMALL**2, SMALL, SMALL)
        return self.upwards(maps).unflatten(0, z.shape[:-1])


class ConvVAE(nn.Module):
    """A VAE of 28 × 28 images with :class:`ConvEncoder` and :class:`ConvDecoder`.

    >>> vae = ConvVAE(channels=1, width=8, latent_dim=4)
    >>> images = torch.rand(5, 1, 28, 28)
    >>> vae.elbo(images, torch.randn(5, 4)).shape, vae.reconstruct(images).shape
    (torch.Size([5]), torch.Size([5, 1, 28, 28]))

    Args:
        channels, width, latent_dim: sizes, positive.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, channels: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.channels, self.latent_dim = channels, latent_dim
        self.encoder = ConvEncoder(channels, width, latent_dim)
        self.decoder = ConvDecoder(channels, width, latent_dim)

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        """Return the bound with the KL in closed form.

        Args:
            x: in [0, 1], ``(batch, channels, 28, 28)``, or flattened, as :func:`course_lib.training.train` gives it.
            eps: ``(batch, latent_dim)``.

        Returns:
            ``(batch,)``, nats.

        Raises:
            ValueError: x or eps has another shape.
        """
        x = x.unflatten(1, (self.channels, SIDE, SIDE)) if x.dim() == 2 else x
        mu, log_sigma = self.encoder(x)
        _check_noise(eps, mu)
        logits = self.decoder(reparameterize(mu, log_sigma, eps))
        return bernoulli_log_likelihood(x.flatten(1), logits.flatten(1)) - kl_to_standard_normal(mu, log_sigma)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x|z) at the mean of q(z|x), ``(batch, channels, 28, 28)``."""
        return self.decoder(self.encoder(x)[0]).sigmoid()

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the means of p(x|z) for n draws z ~ N(0, I), ``(n, channels, 28, 28)``."""
        return self.decoder(_noise((n, self.latent_dim), generator, self)).sigmoid()


class FullyConvVAE(nn.Module):
    """A VAE without a linear layer: the code is a map, a quarter of the image's height and width.

    >>> vae = FullyConvVAE(channels=1, width=8, latent_channels=2)
    >>> mu, log_sigma = vae.encode(torch.rand(5, 1, 28, 40))
    >>> mu.shape, vae.decode(mu).shape
    (torch.Size([5, 2, 7, 10]), torch.Size([5, 1, 28, 40]))
    >>> vae.sample(3, 16, 64, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 1, 16, 64])

    Args:
        channels: of the images.
        width: feature maps next to the image; twice as many next to the code.
        latent_channels: of the code, at each position.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, channels: int, width: int, latent_channels: int) -> None:
        super().__init__()
        _check_sizes(channels=channels, width=width, latent_channels=latent_channels)
        self.channels, self.latent_channels = channels, latent_channels
        self.features = _downwards(channels, width)
        self.mu = nn.Conv2d(2 * width, latent_channels, 3, padding=1)
        self.log_sigma = nn.Conv2d(2 * width, latent_channels, 3, padding=1)
        self.inwards = nn.Sequential(nn.Conv2d(latent_channels, 2 * width, 3, padding=1), nn.ReLU())
        self.upwards = _upwards(width, channels)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``mu`` and ``log_sigma``, each ``(batch, latent_channels, height / 4, width / 4)``.

        Raises:
            ValueError: x is no batch of images, or a side is not divisible by 4.
        """
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ValueError(f"x is {tuple(x.shape)}; (batch, {self.channels}, height, width) is expected")
        _check_sides(*x.shape[-2:])
        hidden = self.features(x)
        return self.mu(hidden), self.log_sigma(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """Return logits ``(batch, channels, height, width)``, four times the code's height and width."""
        logits: Tensor = self.upwards(self.inwards(z))
        return logits

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        """Return the bound: log p(x|z) summed over pixels, minus the closed-form KL summed over channels and positions.

        Args:
            x: in [0, 1], ``(batch, channels, height, width)``.
            eps: of mu's shape.

        Returns:
            ``(batch,)``, nats.

        Raises:
            ValueError: x or eps has another shape.
        """
        mu, log_sigma = self.encode(x)
        _check_noise(eps, mu)
        logits = self.decode(reparameterize(mu, log_sigma, eps))
        kl = kl_to_standard_normal(mu.flatten(1), log_sigma.flatten(1))
        return bernoulli_log_likelihood(x.flatten(1), logits.flatten(1)) - kl

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x|z) at the mean of q(z|x), of the shape of x."""
        return self.decode(self.encode(x)[0]).sigmoid()

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Return the means of p(x|z) for n draws z ~ N(0, I), ``(n, channels, height, width)``.

        Raises:
            ValueError: height or width is not divisible by 4.
        """
        _check_sides(height, width)
        shape = (n, self.latent_channels, height // 4, width // 4)
        return self.decode(_noise(shape, generator, self)).sigmoid()


def latent_dependence(z: Tensor) -> Tensor:
    """Return how strongly codes of the same row hang together, by the distance of their columns.

    Args:
        z: codes of many images, ``(batch, channels, height, width)``, each of which varies over the batch.

    Returns:
        ``(width - 1,)``; entry d - 1 is the Pearson correlation over the batch of two latents of one channel and row that
        lie d columns apart, averaged over channels, rows and pairs of columns.
    """
    centred = z - z.mean(0)
    scaled = centred / centred.square().mean(0).sqrt()
    width = z.shape[-1]
    return torch.stack([(scaled[..., d:] * scaled[..., : width - d]).mean() for d in range(1, width)])


def image_objective(model: Any, channels: int, height: int, width: int) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return the objective with which :func:`course_lib.training.train` trains a model whose code is a map.

    Args:
        model: has ``elbo(x, eps)`` for images, and ``latent_channels``.
        channels, height, width: of the images, which ``train`` hands over flattened.

    Returns:
        A function of a batch and a generator that gives the bounds, ``(batch,)``.

    Raises:
        ValueError: a side is not divisible by 4.
    """
    _check_sides(height, width)

    def objective(batch: Tensor, generator: torch.Generator) -> Tensor:
        shape = (len(batch), model.latent_channels, height // 4, width // 4)
        eps = torch.randn(shape, generator=generator, device=batch.device, dtype=batch.dtype)
        bounds: Tensor = model.elbo(batch.unflatten(1, (channels, height, width)), eps)
        return bounds

    return objective


def _downwards(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.ReLU(),
    )


def _upwards(width: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
    )


def _noise(shape: tuple[int, ...], generator: torch.Generator, model: nn.Module) -> Tensor:
    like = next(model.parameters())
    return torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is at least 1, not {size}")


def _check_sides(height: int, width: int) -> None:
    if height % 4 or width % 4 or height < 4 or width < 4:
        raise ValueError(f"height and width are divisible by 4, not {height} and {width}: pad the image, or crop it")


def _check_noise(eps: Tensor, mu: Tensor) -> None:
    if eps.shape != mu.shape:
        raise ValueError(f"eps is {tuple(eps.shape)}; {tuple(mu.shape)}, the shape of mu, is expected")
