"""What a restorer took away, which ought to be noise alone: its mean, its whiteness, and the scene left in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.estimation import SceneNoise


@dataclass(frozen=True)
class Residuals:
    """Statistics of `observation - restored` over undamaged pixels, means over bands.

    Attributes:
        mean: in standard deviations of the noise; 0 without bias.
        whiteness: correlation of neighbours, the mean of both directions; 0 for white noise.
        correlation: with the restored cube; 0 where nothing of the scene was taken away.
    """

    mean: float
    whiteness: float
    correlation: float


def residuals(observation: Tensor, restored: Tensor, undamaged: Tensor, noise: SceneNoise) -> Residuals:
    """Describe what was removed.

    Args:
        observation: `C x H x W`.
        restored: `C x H x W`.
        undamaged: `C x H x W`, pixels that hold the scene and Gaussian noise.
        noise: of the observation.
    """
    removed = observation - restored
    means, neighbours, images = [], [], []
    for number, band in enumerate(noise.bands):
        known = undamaged[number]
        if int(known.sum()) < 16 or band.sigma <= 0:
            continue
        values, picture = removed[number], restored[number]
        means.append(abs(float(values[known].mean())) / band.sigma)
        beside = known[:, 1:] & known[:, :-1]
        below = known[1:] & known[:-1]
        pairs = ((values[:, 1:][beside], values[:, :-1][beside]), (values[1:][below], values[:-1][below]))
        neighbours.append(sum(_correlation(*pair) for pair in pairs) / 2)
        images.append(_correlation(values[known], picture[known]))
    return Residuals(*(sum(found) / len(found) if found else 0.0 for found in (means, neighbours, images)))


def _correlation(one: Tensor, other: Tensor) -> float:
    if len(one) < 8:
        return 0.0
    one, other = one.double() - one.double().mean(), other.double() - other.double().mean()
    norm = torch.linalg.vector_norm(one) * torch.linalg.vector_norm(other)
    return float((one * other).sum() / norm) if float(norm) > 0 else 0.0
