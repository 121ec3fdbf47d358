"""How many spectral directions of a cube hold more signal than noise, and which, from the cube alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.solvers.low_rank import leading_directions
from lightning_modules.solvers.noise_estimate import band_noise
from lightning_modules.solvers.result import SolverError

__all__ = ["Subspace", "signal_subspace", "without_outliers"]


@dataclass(frozen=True)
class Subspace:
    """The signal subspace of each scene, in bands divided by their noise.

    Args:
        rank: how many directions hold signal, `B`, at least 1.
        directions: all orthonormal directions, `B x C x C`, columns, the strongest first.
        power: mean square of the whitened cube along each direction, `B x C`; noise alone gives 1.
        noise: standard deviation by which each band was divided, `B x C`.
    """

    rank: Tensor
    directions: Tensor
    power: Tensor
    noise: Tensor


def signal_subspace(observed: Tensor, noise: Tensor | None = None, least_power: float = 2.0) -> Subspace:
    """Estimate the signal subspace as HySime does, on bands divided by their noise.

    HySime (Bioucas-Dias and Nascimento, IEEE TGRS 2008) keeps a direction when leaving it out costs more signal than it
    saves noise: its power is above twice the noise's. With the bands divided by their noise that is a power above 2, in
    every direction alike. Noise of N pixels spreads up to `(1 + sqrt(C / N))^2`, which the threshold respects.

    Impulses, deadlines and single stripes would count as signal: a pixel that is more than three deviations from the
    median of its 3 x 3 neighbourhood is replaced by that median. Where noise is very low, corners of objects are
    such pixels too, so the rank is the smaller one of those with and without them.

    Args:
        observed: `B x C x H x W`.
        noise: standard deviation of each band, `B x C`, above zero; None estimates it.
        least_power: power of signal and noise that a direction needs, in units of the noise.

    Raises:
        SolverError: for noise of another shape or not above zero.
    """
    deviation = noise_floored(observed) if noise is None else noise
    if deviation.shape != observed.shape[:2] or not bool((deviation > 0).all()):
        raise SolverError(
            f"The subspace needs one noise deviation above zero for each of {observed.shape[0]} x {observed.shape[1]} "
            f"bands, but got {tuple(deviation.shape)} with a least of {float(deviation.min()):.3g}."
        )
    as_observed, _ = _powers(observed, deviation)
    power, directions = _powers(without_outliers(observed, deviation), deviation)
    bands, pixels = observed.shape[1], observed[0, 0].numel()
    threshold = max(least_power, (1 + (bands / pixels) ** 0.5) ** 2)
    rank = torch.minimum((power > threshold).sum(1), (as_observed > threshold).sum(1)).clamp(min=1)
    return Subspace(rank, directions, power, deviation)


def _powers(observed: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares of the whitened cube along its principal directions, `B x C`, and these directions."""
    matrix = observed.flatten(2) / noise[..., None]
    directions, values = leading_directions(matrix, matrix.shape[1])
    return values.square() / matrix.shape[2], directions


def without_outliers(observed: Tensor, noise: Tensor, deviations: float = 3.0) -> Tensor:
    """Replace pixels that stand out of their 3 x 3 neighbourhood by its median.

    Args:
        observed: `B x C x H x W`, at least 2 x 2 pixels.
        noise: standard deviation of each band, `B x C`.
        deviations: how far a pixel may be from the median, in units of the noise.
    """
    result = torch.empty_like(observed)
    for band in range(observed.shape[1]):
        image = observed[:, band]
        padded = functional.pad(image[:, None], (1, 1, 1, 1), mode="reflect")
        median = functional.unfold(padded, 3).median(1).values.view_as(image)
        far = (image - median).abs() > deviations * noise[:, band, None, None]
        result[:, band] = torch.where(far, median, image)
    return result


def noise_floored(observed: Tensor, share: float = 1e-3) -> Tensor:
    """Estimate each band's noise, at least a share of the scene's root mean square: constant bands have none.

    Args:
        observed: `B x C x H x W`.
        share: of the root mean square of the scene.
    """
    size = observed.square().mean((1, 2, 3), dtype=torch.float64).sqrt().to(observed.dtype)[:, None]
    return torch.maximum(band_noise(observed), torch.where(size > 0, share * size, 1))
