"""How codes at neighbouring positions hang together: correlation over the batch, by distance."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.convolutional import latent_dependence

IMAGES = 220


def _probe(draw: Draw) -> tuple[Tensor]:
    """Codes whose columns hang together, each position with a mean and a spread of its own."""
    sizes = draw.sizes
    channels, height, width = 1 + sizes.latent % 3, 2 + sizes.components % 2, 4 + sizes.dim % 4
    fresh = draw.normal(IMAGES, channels, height, width, shift=0.0)
    together = 0.3 + 0.5 * draw.normal(channels, height, shift=0.0).sigmoid()
    columns = [fresh[..., 0]]
    for index in range(1, width):
        columns.append(together * columns[-1] - 0.5 * (1 - together) * columns[0] + (1 - together) * fresh[..., index])
    own = draw.positive(channels, height, width)
    return (torch.stack(columns, -1) * own + 2 * draw.normal(channels, height, width),)


def _pairs(z: Tensor, product: str = "correlation", across: int = -1) -> Tensor:
    """Correlations, or covariances, of all positions along a dimension, by distance."""
    moved = z.movedim(across, -1)
    centred = moved - moved.mean(0)
    scaled = centred if product == "covariance" else centred / centred.std(0)
    size = moved.shape[-1]
    return torch.stack([(scaled[..., d:] * scaled[..., : size - d]).mean() for d in range(1, size)])


def _by_distance(z: Tensor, take: object = None) -> Tensor:
    centred = z - z.mean(0)
    scaled = centred / centred.square().mean(0).sqrt()
    table = torch.einsum("bchi,bchj->chij", scaled, scaled) / len(z)
    read = take if callable(take) else (lambda values: values)
    return torch.stack([read(table.diagonal(d, -2, -1)).mean() for d in range(1, z.shape[-1])])


def _global_moments(z: Tensor) -> Tensor:
    scaled = (z - z.mean()) / z.std()
    width = z.shape[-1]
    return torch.stack([(scaled[..., d:] * scaled[..., : width - d]).mean() for d in range(1, width)])


def _one_spread(z: Tensor) -> Tensor:
    centred = z - z.mean(0)
    return _pairs(centred, "covariance") / centred.square().mean()


def _over_the_positions(z: Tensor) -> Tensor:
    """The correlation over the columns of each image and row, averaged."""
    width, values = z.shape[-1], []
    for d in range(1, width):
        one, other = z[..., d:], z[..., : width - d]
        one, other = one - one.mean(-1, keepdim=True), other - other.mean(-1, keepdim=True)
        spread = (one.square().mean(-1) * other.square().mean(-1)).sqrt()
        values.append(((one * other).mean(-1) / spread.clamp(min=1e-12)).mean())
    return torch.stack(values)


def _loops(z: Tensor) -> Tensor:
    width, result = z.shape[-1], []
    for d in range(1, width):
        values = []
        for c in range(z.shape[1]):
            for h in range(z.shape[2]):
                table = torch.corrcoef(z[:, c, h].T)
                values += [table[w, w + d] for w in range(width - d)]
        result.append(torch.stack(values).mean())
    return torch.stack(result)


def _numpy(z: Tensor) -> Tensor:
    values = z.detach().cpu().numpy()
    scaled = (values - values.mean(0)) / values.std(0, ddof=1)
    width = values.shape[-1]
    result = np.array([(scaled[..., d:] * scaled[..., : width - d]).mean() for d in range(1, width)])
    return torch.from_numpy(result).to(z)


def _channels_mixed(z: Tensor) -> Tensor:
    return _by_distance(z.sum(1, keepdim=True))


EXERCISE = Exercise(
    reference=latent_dependence,
    points=2,
    returns={"correlations": "(width - 1,)"},
    convention="Entry d - 1: the correlation over the batch of two latents of one channel and row, d columns apart; mean and spread are "
    "each position's own; averaged over channels, rows and pairs of columns. n or n - 1 are both right.",
    probe=_probe,
    atol=0.01,
    misconceptions=(
        Misconception(
            "covariances",
            "You average covariances: divide by the spread of each of the two latents.",
            lambda z: _pairs(z, "covariance"),
        ),
        Misconception(
            "one mean and spread for all",
            "You subtract one mean and divide by one spread for all positions: each position has its own, over the batch.",
            _global_moments,
        ),
        Misconception(
            "one spread for all",
            "You divide by one spread for all positions: each position has its own, over the batch, as it has its own mean.",
            _one_spread,
        ),
        Misconception(
            "means not subtracted",
            "You do not subtract the means: correlation is about how latents move around them.",
            lambda z: torch.stack(
                [
                    (
                        (z / z.square().mean(0).sqrt())[..., d:]
                        * (z / z.square().mean(0).sqrt())[..., : z.shape[-1] - d]
                    ).mean()
                    for d in range(1, z.shape[-1])
                ]
            ),
        ),
        Misconception(
            "over the positions",
            "You correlate over the positions of each image: over the batch, for each pair of positions.",
            _over_the_positions,
        ),
        Misconception(
            "rows instead of columns",
            "You take latents of different rows: d counts columns, the last dimension.",
            lambda z: _pairs(z, across=-2),
        ),
        Misconception(
            "distance zero too",
            "Your first entry is the correlation of each latent with itself, 1: begin at d = 1.",
            lambda z: torch.cat([torch.ones_like(z[0, 0, 0, :1]), latent_dependence(z)]),
        ),
        Misconception(
            "absolute values",
            "You average absolute values: correlations have a sign.",
            lambda z: _by_distance(z, torch.abs),
        ),
        Misconception(
            "squared",
            "You average squared correlations: the correlations themselves.",
            lambda z: _by_distance(z, torch.square),
        ),
        Misconception(
            "from the first column only",
            "You compare with the first column only: all pairs of columns that lie d apart.",
            lambda z: _by_distance(z, lambda values: values[..., :1]),
        ),
        Misconception(
            "channels mixed",
            "You add up the channels first: correlate within each channel, then average.",
            _channels_mixed,
        ),
        Misconception(
            "one number",
            "You average over the distances as well: one value for each distance, (width - 1,).",
            lambda z: latent_dependence(z).mean(),
        ),
        Misconception(
            "rows averaged",
            "You average over the rows first: correlate within each row, then average.",
            lambda z: _by_distance(z.mean(2, keepdim=True)),
        ),
        Misconception(
            "farthest first",
            "Your order is turned: the first entry is for neighbours, d = 1.",
            lambda z: latent_dependence(z).flip(0),
        ),
    ),
    alternatives=(_loops, _numpy, _by_distance, _pairs),
)
