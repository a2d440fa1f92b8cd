r"""The linear-Gaussian model, in which posterior and evidence are known exactly.

.. math:: z \sim \mathcal N(0, I), \qquad x = W z + b + \sigma \epsilon, \qquad \epsilon \sim \mathcal N(0, I)

Shapes: ``x (batch, dim)``, ``W (dim, latent)``, ``b (dim,)``, ``sigma`` a positive scalar standard
deviation. Tipping and Bishop, *Probabilistic principal component analysis*, 1999, equations 4 to 8;
notebook 02, and the exact model behind many checks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.distributions import LOG_2PI


def linear_gaussian_posterior(x: Tensor, W: Tensor, b: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the exact posterior :math:`p(z|x) = \mathcal N(m(x), C)`.

    .. math:: C = \big(I + W^\top W / \sigma^2\big)^{-1}, \qquad m(x) = C\, W^\top (x - b) / \sigma^2

    Returns:
        Mean ``(batch, latent)`` and covariance ``(latent, latent)``, which is the same for every x.
    """
    identity = torch.eye(W.shape[-1], dtype=W.dtype, device=W.device)
    precision = identity + W.mT @ W / sigma**2
    covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))
    return (x - b) @ W @ covariance / sigma**2, covariance


def linear_gaussian_evidence(x: Tensor, W: Tensor, b: Tensor, sigma: float | Tensor) -> Tensor:
    r"""Return the exact :math:`\log p(x) = \log \mathcal N(x;\, b,\, W W^\top + \sigma^2 I)`.

    Returns:
        ``(batch,)``, nats.
    """
    dim = W.shape[0]
    covariance = W @ W.mT + sigma**2 * torch.eye(dim, dtype=W.dtype, device=W.device)
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, (x - b).mT, upper=False)
    return -0.5 * (whitened**2).sum(0) - factor.diagonal().log().sum() - 0.5 * dim * LOG_2PI
