"""VCA: endmembers as the pixels at the corners of the data's simplex, found by random projections.

Nascimento, Bioucas-Dias, "Vertex component analysis: a fast algorithm to unmix hyperspectral data", IEEE TGRS 43(4),
2005.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["vertex_components"]


def vertex_components(pixels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Find the spectra of `count` pixels that span the data best, freed of what lies outside of their subspace.

    Args:
        pixels: `C x N`.
        count: of endmembers, 2 to C and at most N.
        generator: CPU generator that decides the random directions.

    Returns:
        Endmembers `C x count`; noise and projection may leave entries slightly below 0.

    Raises:
        SolverError: more endmembers than bands or pixels.
    """
    bands, samples = pixels.shape
    if not 2 <= count <= min(bands, samples):
        raise SolverError(
            f"VCA was asked for {count} endmembers of {samples} pixels in {bands} bands; set the "
            f"solver's `endmembers` (--model.solver.endmembers) to 2 to {min(bands, samples)}."
        )
    mean = pixels.mean(dim=1, keepdim=True)
    centred = pixels - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / samples)
    if _signal_to_noise(values[-count:].sum(), values.sum(), mean, count) < 15 + 10 * math.log10(count):
        # Much noise: an affine projection of one dimension less, lifted to a plane far from the origin.
        basis = vectors[:, -(count - 1) :]
        coordinates = basis.T @ centred
        denoised = basis @ coordinates + mean
        lift = coordinates.norm(dim=0).max()
        simplex = torch.cat([coordinates, lift.expand(1, samples)])
    else:
        # Little noise: a linear projection, every pixel scaled into the plane of unit product with the mean.
        basis = torch.linalg.eigh(pixels @ pixels.T / samples)[1][:, -count:]
        coordinates = basis.T @ pixels
        denoised = basis @ coordinates
        simplex = coordinates / (coordinates * coordinates.mean(dim=1, keepdim=True)).sum(dim=0)
    spectra: Tensor = denoised[:, _corners(simplex, count, generator)]
    return spectra


def _signal_to_noise(kept: Tensor, total: Tensor, mean: Tensor, count: int) -> float:
    """Signal-to-noise ratio in dB from the variance inside of the subspace and in all bands."""
    bands = mean.shape[0]
    power = float(total + mean.square().sum())
    inside = float(kept + mean.square().sum())
    noise = power - inside
    signal = inside - count / bands * power
    return math.inf if noise <= 1e-15 * power else 10 * math.log10(max(signal, 1e-300) / noise)


def _corners(simplex: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Numbers of the pixels that lie farthest out, each orthogonally to those found before."""
    found = torch.zeros(count, count, dtype=simplex.dtype, device=simplex.device)
    found[-1, 0] = 1
    numbers: list[int] = []
    for index in range(count):
        direction = torch.rand(count, 1, generator=generator, dtype=torch.float64).to(simplex)
        direction = direction - found @ (torch.linalg.pinv(found) @ direction)
        number = int((direction.T @ simplex).abs().argmax())
        found[:, index] = simplex[:, number]
        numbers.append(number)
    return numbers
