"""SISAL: the simplex of least volume that holds the pixels, some of which may stick out at a price.

Bioucas-Dias, "A variable splitting augmented Lagrangian approach to linear spectral unmixing", WHISPERS 2009.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError
from lightning_modules.solvers.vca import vertex_components

__all__ = ["minimum_volume_endmembers", "simplex_coordinates"]


def minimum_volume_endmembers(
    pixels: Tensor,
    count: int,
    generator: torch.Generator,
    *,
    price: float = 0.006,
    iterations: int = 80,
    inner_iterations: int = 3,
    proximity: float = 1e-6,
) -> Tensor:
    """Minimise `-log|det Q| + price sum(max(0, -Q y))` over Q, the inverse of the endmembers in an affine subspace.

    Every iteration solves a quadratic approximation by augmented Lagrangians, then halves the step until the objective
    falls. VCA, stretched about its mean, is the start. The pixels are not made spherical first.

    Args:
        pixels: `C x P`.
        count: of endmembers, 2 to C and at most P.
        generator: CPU generator that decides the random directions of VCA.
        price: of a unit of negative abundance.
        iterations: quadratic approximations.
        inner_iterations: augmented Lagrangian steps of each.
        proximity: weight that keeps an iterate near the one before.

    Returns:
        Endmembers `C x count`; not bounded.

    Raises:
        SolverError: more endmembers than bands or pixels, or pixels that span no simplex of so many corners.
    """
    basis, points = simplex_coordinates(pixels, count)
    start = vertex_components(points, count, generator)
    mean = start.mean(dim=1, keepdim=True)
    # Stretched by the count about the mean, the start holds nearly all pixels.
    corners = mean + (start - mean) * (count + 1)
    shape = torch.linalg.inv(corners)
    # Abundances that sum to one for every pixel: column sums of Q that the pixels dictate.
    column_sums = torch.linalg.pinv(points.T).sum(dim=1)
    penalty = 1000.0 * count / points.shape[1]
    kernel = torch.linalg.inv(proximity * torch.eye(count).to(points) + penalty * points @ points.T)
    outside, multiplier = shape @ points, torch.zeros_like(points)
    for _ in range(iterations):
        gradient = -torch.linalg.inv(shape).T
        linear = proximity * shape - gradient
        before, candidate = shape, shape
        for _ in range(inner_iterations):
            free = (linear + penalty * (outside + multiplier) @ points.T) @ kernel
            candidate = free + (column_sums - free.sum(dim=0)) / count
            inside = candidate @ points
            outside = _shrunk_below_zero(inside - multiplier, price / penalty)
            multiplier = multiplier - (inside - outside)
        # As published, only what lowers the approximation by more than the whole hinge term is searched along.
        lower = _quadratic(candidate, before, gradient, proximity) + _hinge(candidate, points, price) <= 0
        shape = _line_search(candidate, before, points, price) if lower else candidate
    spectra: Tensor = basis @ torch.linalg.inv(shape)
    return spectra


def simplex_coordinates(pixels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the orthonormal basis `C x count` of the affine subspace of `count - 1` dimensions, and the pixels in it.

    Raises:
        SolverError: more endmembers than bands or pixels, or pixels that span no simplex of so many corners.
    """
    bands, samples = pixels.shape
    if not 2 <= count <= min(bands, samples):
        raise SolverError(
            f"SISAL was asked for {count} endmembers of {samples} pixels in {bands} bands; set the "
            f"solver's `endmembers` (--model.solver.endmembers) to 2 to {min(bands, samples)}."
        )
    mean = pixels.mean(dim=1, keepdim=True)
    centred = pixels - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / samples)
    plane = vectors[:, -(count - 1) :]
    across = mean - plane @ (plane.T @ mean)
    if values[-(count - 1)] <= 1e-12 * values[-1] or across.norm() <= 1e-12 * mean.norm():
        raise SolverError(
            f"SISAL was asked for {count} endmembers but the pixels span fewer dimensions; set the "
            "solver's `endmembers` (--model.solver.endmembers) to fewer."
        )
    basis = torch.cat([plane, across / across.norm()], dim=1)
    return basis, basis.T @ (plane @ (plane.T @ centred) + mean)


def _objective(shape: Tensor, points: Tensor, price: float) -> float:
    """Volume and price of what sticks out."""
    return -float(torch.linalg.slogdet(shape).logabsdet) + _hinge(shape, points, price)


def _hinge(shape: Tensor, points: Tensor, price: float) -> float:
    """Price of the negative abundances."""
    return price * float((-(shape @ points)).clamp_min(0.0).sum())


def _quadratic(candidate: Tensor, before: Tensor, gradient: Tensor, proximity: float) -> float:
    """Change of the approximated volume term."""
    change = candidate - before
    return float((gradient * change).sum() + 0.5 * proximity * change.square().sum())


def _line_search(candidate: Tensor, before: Tensor, points: Tensor, price: float) -> Tensor:
    """Halve the step until the objective does not rise."""
    value = _objective(before, points, price)
    for _ in range(60):
        if _objective(candidate, points, price) <= value:
            return candidate
        candidate = (candidate + before) / 2
    return before


def _shrunk_below_zero(values: Tensor, threshold: float) -> Tensor:
    """Proximal map of the hinge `max(0, -x)`: negative values rise by the threshold, at most to 0."""
    return torch.maximum(values, (values + threshold).clamp_max(0.0))
