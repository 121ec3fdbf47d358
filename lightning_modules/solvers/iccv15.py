"""ICCV15 (SupResPALM): both images unmixed together by proximal alternating linearised minimisation.

Lanaras, Baltsavias, Schindler, "Hyperspectral super-resolution by coupled spectral unmixing", ICCV 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.pairs import Fused, check_above_zero, check_pair, check_response, solve_scenes
from lightning_modules.solvers.resampling import enlarge
from lightning_modules.solvers.response_estimation import estimate_response
from lightning_modules.solvers.result import Progress, SolverError, SolverResult, report
from lightning_modules.solvers.simplex import onto_simplex
from lightning_modules.solvers.sisal import minimum_volume_endmembers
from lightning_modules.solvers.spatial_response import SpatialResponse
from lightning_modules.solvers.sunsal import fully_constrained_abundances

__all__ = ["iccv15"]

STEP = 1.01
"""Lipschitz constants are multiplied by this, so that every step falls."""

GAIN = 1.01
"""Inner steps end when the error falls by less than this factor."""

INNER = 100
"""Most inner steps."""


@dataclass(frozen=True)
class _Problem:
    """One scene: pixels `C x p` and `c x P`, sensors, size of the multispectral image."""

    low: Tensor
    high: Tensor
    response: Tensor
    spatial: SpatialResponse
    size: torch.Size

    def reduced(self, abundances: Tensor) -> Tensor:
        """Abundances `N x P` as the hyperspectral sensor sees them, `N x p`."""
        return self.spatial.reduce(abundances.view(-1, *self.size)).flatten(1)


def iccv15(
    observation: Tensor,
    multispectral: Tensor,
    spatial: SpatialResponse,
    *,
    response: Tensor | None = None,
    endmembers: int | Tensor = 10,
    abundances: Tensor | None = None,
    iterations: int = 1500,
    tolerance: float | None = 1e-4,
    seed: int = 0,
    progress: Progress | None = None,
) -> SolverResult:
    """Minimise `|Y - E A S|^2 + |M - R E A|^2` over spectra E in [0, 1] and abundances A on the simplex.

    The residual is the relative change of the two root mean square errors' sum in the last iteration. The sparsity
    constraint of the paper is not in its published code, nor here.

    Args:
        observation: `B x C x h x w` in [0, 1], Y.
        multispectral: `B x c x H x W`, M.
        spatial: blur and sampling S; the published demonstration takes the mean of each block.
        response: `c x C`, R; None estimates it from each pair and takes its offset off the multispectral image.
        endmembers: how many (published: 10; the toolbox of Yokoya et al.: 30), or `C x N` spectra to start from; a
            number starts from SISAL.
        abundances: `N x h x w` on the grid of the observation to start from; None starts from SUNSAL.
        iterations: most outer iterations (toolbox: 200).
        tolerance: relative change of the error that ends them; None, as in the toolbox, does all of them.
        seed: of the random directions of VCA, from which SISAL starts.
        progress: called after every outer iteration.

    Raises:
        SolverError: the images or the response do not fit, or there are more endmembers than bands.
    """
    check_pair("ICCV15", observation, multispectral, spatial.ratio)
    check_above_zero("ICCV15", observation, multispectral)
    if response is not None:
        check_response("ICCV15", response, observation, multispectral)
    if iterations < 1:
        raise SolverError(f"ICCV15 was given {iterations} iterations; give at least 1.")

    def fused(_scene: int, low: Tensor, high: Tensor) -> Fused:
        if response is None:
            spectral, offset = estimate_response(low, spatial.reduce(high))
            high = (high - offset[:, None, None]).clamp_min(0.0)
        else:
            spectral = response.to(low)
        pixels = low.flatten(1)
        if isinstance(endmembers, Tensor):
            spectra = endmembers.to(pixels)
        else:
            spectra = minimum_volume_endmembers(pixels, endmembers, torch.Generator().manual_seed(seed))
        start = abundances.to(low) if abundances is not None else _start(spectra, low)
        problem = _Problem(pixels, high.flatten(1), spectral, spatial, high.shape[1:])
        return _palm(problem, spectra, start, iterations, tolerance, progress)

    return solve_scenes("ICCV15", observation, multispectral, fused)


def _start(spectra: Tensor, low: Tensor) -> Tensor:
    """Abundances `N x h x w` of the observation's pixels."""
    found, _, _ = fully_constrained_abundances(spectra, low.flatten(1))
    return found.view(-1, *low.shape[1:])


def _palm(
    problem: _Problem,
    spectra: Tensor,
    start: Tensor,
    iterations: int,
    tolerance: float | None,
    progress: Progress | None,
) -> Fused:
    """Alternate between spectra and abundances."""
    coarse = start.flatten(1)
    fine = enlarge(start, problem.spatial.ratio, problem.spatial.phase).flatten(1)
    error, change, done, met = float("inf"), float("inf"), 0, False
    for done in range(1, iterations + 1):
        spectra, first = _spectra_steps(problem.low, spectra, coarse)
        fine, second = _abundance_steps(problem.high, problem.response @ spectra, fine)
        coarse = problem.reduced(fine)
        before, error = error, first + second
        change = abs(before - error) / max(error, 1e-300)
        report(progress, done, iterations, torch.tensor(change))
        if tolerance is not None and change < tolerance:
            met = True
            break
    cube = (spectra @ fine).view(-1, *problem.size)
    return Fused(cube, change, done, met or tolerance is None)


def _spectra_steps(pixels: Tensor, spectra: Tensor, abundances: Tensor) -> tuple[Tensor, float]:
    """Projected gradient steps of E, bounded to [0, 1]."""
    gram, product = abundances @ abundances.T, pixels @ abundances.T
    step = 1.0 / (STEP * float(gram.norm()))
    return _descend(
        spectra,
        lambda current: (current - step * (current @ gram - product)).clamp(0.0, 1.0),
        lambda current: _root_mean_square(current @ abundances - pixels),
    )


def _abundance_steps(pixels: Tensor, seen: Tensor, abundances: Tensor) -> tuple[Tensor, float]:
    """Projected gradient steps of A, whose columns lie on the simplex."""
    gram, product = seen.T @ seen, seen.T @ pixels
    step = 1.0 / (STEP * float(gram.norm()))
    return _descend(
        abundances,
        lambda current: onto_simplex(current - step * (gram @ current - product)),
        lambda current: _root_mean_square(seen @ current - pixels),
    )


def _descend(
    start: Tensor, step: Callable[[Tensor], Tensor], error_of: Callable[[Tensor], float]
) -> tuple[Tensor, float]:
    """Repeat a step while it lowers the error by the factor `GAIN`; return the best iterate and its error."""
    current, error = start, float("inf")
    for _ in range(INNER):
        following = step(current)
        reached = error_of(following)
        if reached > error:
            break
        enough = error / reached >= GAIN if reached > 0 else False
        current, error = following, reached
        if not enough:
            break
    return current, error


def _root_mean_square(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
