"""CNMF: both images unmixed in turn by non-negative matrix factorisation with common endmembers and abundances.

Yokoya, Yairi, Iwasaki, "Coupled nonnegative matrix factorization unmixing for hyperspectral and multispectral data
fusion", IEEE TGRS 50(2), 2012. W are endmembers, H abundances; every factorisation has a last row of one constant,
which pulls the abundances of a pixel to a sum of one.
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
from lightning_modules.solvers.spatial_response import SpatialResponse
from lightning_modules.solvers.vca import vertex_components
from lightning_modules.solvers.virtual_dimension import virtual_dimension

__all__ = ["cnmf"]


@dataclass(frozen=True)
class _Sensors:
    """How the multispectral sensor mixes bands, `c x C`, and the hyperspectral one blurs and samples."""

    response: Tensor
    spatial: SpatialResponse


def cnmf(
    observation: Tensor,
    multispectral: Tensor,
    spatial: SpatialResponse,
    *,
    response: Tensor | None = None,
    endmembers: Tensor | int | None = None,
    sum_to_one: float | None = None,
    inner_iterations: int = 200,
    outer_iterations: int = 1,
    tolerance: float = 1e-8,
    seed: int = 0,
    progress: Progress | None = None,
) -> SolverResult:
    """Fuse pairs by coupled non-negative matrix factorisation.

    The residual is the last relative drop of the squared error of the hyperspectral factorisation; as published, most
    images end at the limits of iterations and not by the tolerance.

    Args:
        observation: `B x C x h x w`, not below 0.
        multispectral: `B x c x H x W`.
        spatial: blur and sampling of the hyperspectral sensor.
        response: `c x C`; None estimates it from each pair and takes its offset off the multispectral image.
        endmembers: how many, or the spectra `C x N` to start from; None takes the larger of min(30, C) and the virtual
            dimension.
        sum_to_one: weight of the sum-to-one row; None takes `2 sqrt(mean(M) / 0.7455) / c^3`.
        inner_iterations: most rounds of an alternation; the first abundances get three times as many.
        outer_iterations: how often both images are unmixed in turn.
        tolerance: relative drop of the squared error below which an alternation ends and its last round is undone.
        seed: of the random directions of VCA.
        progress: called after every alternation.

    Raises:
        SolverError: the images or the response do not fit, or there are more endmembers than bands.
    """
    check_pair("CNMF", observation, multispectral, spatial.ratio)
    check_above_zero("CNMF", observation, multispectral)
    if response is not None:
        check_response("CNMF", response, observation, multispectral)
    if inner_iterations < 1 or outer_iterations < 1:
        raise SolverError(
            f"CNMF was given {inner_iterations} inner and {outer_iterations} outer iterations; give at least 1 of each."
        )

    def fused(_scene: int, low: Tensor, high: Tensor) -> Fused:
        if response is None:
            spectral, offset = estimate_response(low, spatial.reduce(high))
            high = (high - offset[:, None, None]).clamp_min(0.0)
        else:
            spectral = response.to(low)
        weight = sum_to_one
        if weight is None:
            weight = 2.0 * (float(high.mean()) / 0.7455) ** 0.5 / high.shape[0] ** 3
        start = _endmembers(endmembers, low, seed)
        alternation = _Alternation(inner_iterations, outer_iterations, tolerance, progress)
        cube = _coupled(low, high, start, weight, _Sensors(spectral, spatial), alternation)
        return Fused(cube, alternation.drop, alternation.iterations, alternation.met)

    return solve_scenes("CNMF", observation, multispectral, fused)


def _endmembers(given: Tensor | int | None, low: Tensor, seed: int) -> Tensor:
    """Spectra to start from."""
    bands, pixels = low.shape[0], low.flatten(1)
    if isinstance(given, Tensor):
        if given.ndim != 2 or given.shape[0] != bands:
            raise SolverError(
                f"CNMF got endmembers of shape {list(given.shape)} for {bands} bands; give {bands} x N spectra."
            )
        return given.to(pixels)
    count = given
    if count is None:
        # Fewer pixels than endmembers, as in small patches, leave room for no more corners than pixels.
        count = min(max(min(30, bands), virtual_dimension(pixels)), pixels.shape[1], bands)
    return vertex_components(pixels, count, torch.Generator().manual_seed(seed)).clamp_min(0.0)


def _coupled(
    low: Tensor, high: Tensor, spectra: Tensor, weight: float, sensors: _Sensors, alternation: _Alternation
) -> Tensor:
    """Unmix both images of one scene in turn, from spectra `C x N`; return the cube `C x H x W`."""
    hyperspectral, multispectral = _with_row(low.flatten(1), weight), _with_row(high.flatten(1), weight)
    endmembers = _with_row(spectra, weight)
    uniform = torch.full((spectra.shape[1], hyperspectral.shape[1]), 1.0 / spectra.shape[1]).to(low)
    coarse = _Factors(hyperspectral, endmembers, uniform)
    alternation.run(coarse, [coarse.abundance_step], 3 * alternation.rounds)
    alternation.run(coarse, [coarse.endmember_step, coarse.abundance_step], alternation.rounds - 1)
    maps = coarse.abundances.view(-1, *low.shape[1:])
    abundances = enlarge(maps, sensors.spatial.ratio, sensors.spatial.phase).clamp_min(0.0).flatten(1)
    # With three channels or fewer the multispectral image decides the abundances alone, the other one the spectra.
    both = len(high) > 3
    for _ in range(alternation.outer):
        seen = _with_row(sensors.response @ coarse.endmembers[:-1], weight)
        fine = _Factors(multispectral, seen, abundances)
        # The published stopping rule of these first updates looks at the wrong index and never holds.
        for _ in range(alternation.rounds):
            fine.abundance_step()
        alternation.iterations += alternation.rounds
        steps = [fine.endmember_step, fine.abundance_step] if both else [fine.abundance_step]
        alternation.run(fine, steps, alternation.rounds - 1)
        abundances = fine.abundances
        reduced = sensors.spatial.reduce(abundances.view(-1, *high.shape[1:])).flatten(1)
        coarse = _Factors(hyperspectral, coarse.endmembers, reduced)
        alternation.run(coarse, [coarse.endmember_step], alternation.rounds)
        steps = [coarse.abundance_step, coarse.endmember_step] if both else [coarse.endmember_step]
        alternation.run(coarse, steps, alternation.rounds - 1)
    return (coarse.endmembers[:-1] @ abundances).view(-1, *high.shape[1:])


class _Alternation:
    """The stopping rule of all factorisations of a scene, and where they stand.

    Args:
        rounds: most rounds of one alternation.
        outer: how often both images are unmixed in turn.
        tolerance: relative drop of the error that is too little.
        progress: told after every alternation.
    """

    def __init__(self, rounds: int, outer: int, tolerance: float, progress: Progress | None) -> None:
        self.rounds, self.outer, self.tolerance, self.progress = rounds, outer, tolerance, progress
        self.drop, self.iterations, self.met = float("inf"), 0, True

    @property
    def most(self) -> int:
        """Rounds if no alternation ends early."""
        return 4 * self.rounds - 1 + self.outer * (4 * self.rounds - 2)

    def run(self, factors: _Factors, steps: list[Callable[[], None]], rounds: int) -> None:
        """Repeat the steps until the error falls by less than the tolerance; undo the round that found out."""
        self.met = False
        for _ in range(rounds):
            before = factors.endmembers, factors.abundances, factors.error
            for step in steps:
                step()
            factors.error = factors.squared_error()
            self.iterations += 1
            self.drop = (before[2] - factors.error) / max(factors.error, 1e-300)
            if self.drop < self.tolerance:
                factors.endmembers, factors.abundances, factors.error = before
                self.met = True
                break
        report(self.progress, self.iterations, self.most, torch.tensor(self.drop))


class _Factors:
    """One factorisation V = W H, with multiplicative updates (Lee and Seung, 2001)."""

    def __init__(self, image: Tensor, endmembers: Tensor, abundances: Tensor) -> None:
        self.image, self.endmembers, self.abundances = image, endmembers, abundances
        self.error = float("inf")
        self._projected: tuple[Tensor, Tensor] | None = None

    def abundance_step(self) -> None:
        """H <- H * (W'V) / (W'W H)."""
        # W stays the same object as long as it is not updated.
        if self._projected is None or self._projected[0] is not self.endmembers:
            self._projected = (self.endmembers, self.endmembers.T @ self.image)
        gram = self.endmembers.T @ self.endmembers
        self.abundances = self.abundances * self._projected[1] / (gram @ self.abundances).clamp_min(1e-300)

    def endmember_step(self) -> None:
        """W <- W * (V H') / (W H H') in all rows but the last."""
        spectra = self.endmembers[:-1]
        gram = self.abundances @ self.abundances.T
        numerator = self.image[:-1] @ self.abundances.T
        updated = spectra * numerator / (spectra @ gram).clamp_min(1e-300)
        self.endmembers = torch.cat([updated, self.endmembers[-1:]])

    def squared_error(self) -> float:
        """Squared error without the last row."""
        return float((self.image[:-1] - self.endmembers[:-1] @ self.abundances).square().sum())


def _with_row(matrix: Tensor, value: float) -> Tensor:
    """The matrix with a last row of one value."""
    return torch.cat([matrix, torch.full_like(matrix[:1], value)])
