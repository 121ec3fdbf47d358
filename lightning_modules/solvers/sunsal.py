"""SUNSAL: constrained least squares unmixing by variable splitting and augmented Lagrangians.

Bioucas-Dias, Figueiredo, "Alternating direction algorithms for constrained sparse regression: application to
hyperspectral unmixing", WHISPERS 2010.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["fully_constrained_abundances"]

CHECKED = 10
"""Iterations between two looks at the residuals."""


def fully_constrained_abundances(
    endmembers: Tensor, pixels: Tensor, *, iterations: int = 1000, tolerance: float = 1e-4, penalty: float = 0.01
) -> tuple[Tensor, float, int]:
    """Minimise `|endmembers X - pixels|^2` over X >= 0 whose columns sum to 1.

    Args:
        endmembers: `C x N`.
        pixels: `C x P`.
        iterations: most iterations.
        tolerance: of primal and dual residual, each over the root of the number of abundances.
        penalty: of the augmented Lagrangian at the start, for pixels of unit mean square; adapted as it goes.

    Returns:
        Abundances `N x P`, not negative, summing to 1 within the tolerance; the larger residual; the iterations.

    Raises:
        SolverError: the bands differ, or the pixels are all zero.
    """
    if endmembers.ndim != 2 or pixels.ndim != 2 or endmembers.shape[0] != pixels.shape[0]:
        raise SolverError(
            f"SUNSAL got endmembers of shape {list(endmembers.shape)} and pixels of shape {list(pixels.shape)}; give "
            "C x N and C x P."
        )
    scale = pixels.square().mean().sqrt()
    if not scale > 0:
        raise SolverError("SUNSAL got pixels that are all zero; there is nothing to unmix.")
    spectra, seen = endmembers / scale, pixels / scale
    values, vectors = torch.linalg.eigh(spectra.T @ spectra)
    right = spectra.T @ seen
    inverse, target = _constrained_inverse(values, vectors, penalty)
    free = (vectors / (values + penalty)) @ (vectors.T @ right)
    split, before, multiplier = free, free, torch.zeros_like(free)
    bound, residual, done = free.numel() ** 0.5 * tolerance, float("inf"), 0
    for done in range(1, iterations + 1):
        look = done % CHECKED == 1
        if look:
            before = split
        split = (free - multiplier).clamp_min(0.0)
        free = inverse @ (right + penalty * (split + multiplier)) + target
        multiplier = multiplier - (free - split)
        if not look:
            continue
        primal, dual = float((free - split).norm()), penalty * float((split - before).norm())
        residual = max(primal, dual)
        if residual <= bound:
            break
        # Keep both residuals within a factor of ten of each other.
        factor = 2.0 if primal > 10 * dual else 0.5 if dual > 10 * primal else 1.0
        if factor != 1.0:
            penalty, multiplier = penalty * factor, multiplier / factor
            inverse, target = _constrained_inverse(values, vectors, penalty)
    return split, residual / split.numel() ** 0.5, done


def _constrained_inverse(values: Tensor, vectors: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Return G and g such that `G b + g` minimises `x'(A + penalty) x / 2 - b'x` over x that sums to 1."""
    inverse = (vectors / (values + penalty)) @ vectors.T
    sums = inverse.sum(dim=1, keepdim=True)
    target = sums / sums.sum()
    return inverse - target @ sums.T, target
