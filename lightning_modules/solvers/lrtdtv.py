"""LRTDTV: total variation regularised low-rank Tucker decomposition (Wang et al., IEEE JSTARS 2018).

Minimises `tau |D Z|_1 + lam |S|_1` over `X = Z`, `Y = X + S`, X of multilinear rank; D are the differences along rows,
columns and bands. With `beta` it is the form G, which adds `beta |G|_F^2` to `Y = X + S + G` for noise without
outliers. The published runner uses `lrtdtv_g` below for Gaussian noise; on noise that differs from band to band the
plain form does better. Needs float64: cutting spatial ranks out of a dense noise spectrum magnifies a relative change
of 1e-7 in the input to 1e-3 or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.automatic import AUTO, Auto, each_scene, estimated_rank, noise_level
from lightning_modules.solvers.checks import require_cubes, require_positive, require_rank, require_start
from lightning_modules.solvers.differences import adjoint_difference, difference, fourier_eigenvalues
from lightning_modules.solvers.iteration import Unknowns, iterate
from lightning_modules.solvers.result import Progress, SolverResult
from lightning_modules.solvers.tucker import tucker_approximation

__all__ = ["lrtdtv", "lrtdtv_g"]

FIRST_MU, GROWTH, LARGEST_MU = 1e-2, 1.5, 1e5
AXES = (2, 3, 1)
"""Rows, columns, bands of `B x C x H x W`."""


def lrtdtv(
    observed: Tensor,
    rank: int | Auto = 10,
    spatial_rank: float = 0.8,
    tau: float | Auto = 1.0,
    lam: float = 10.0,
    beta: float | None = None,
    start: Tensor | None = None,
    iterations: int = 50,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by LRTDTV.

    Args:
        observed: noisy cubes, `B x C x H x W`, as published in [0, 1] band by band; float32 is computed in float64.
        rank: rank along the bands; "auto" estimates it from each scene.
        spatial_rank: rank along rows and along columns as a share of their number, in (0, 1].
        tau: weight of the total variation along all three axes; "auto" takes `w / (25/255)`, w being the mean noise of
            the bands, at least 0.8.
        lam: weight of the sparse noise.
        beta: weight of the dense noise; None leaves that term out.
        start: first estimate of X and Z, of the shape of `observed`; the published code draws it uniformly from [0, 1].
            None starts from zero, which is deterministic.
        iterations: the most iterations; the published 50 are rarely enough to meet the stopping rule.
        tolerance: stops a scene when X changes by less than this share of the norm of its cube.
        progress: called after every iteration.

    Returns:
        X, and the last change over the norm of the cube as residual.

    Raises:
        SolverError: for input that is no batch of finite cubes, a start of another shape, a rank that there is not, or
            a parameter below zero.
    """
    method = "LRTDTV" if beta is None else "LRTDTV_G"
    require_cubes(observed, method)
    require_start(start, observed, method)
    if rank == AUTO or tau == AUTO:

        def solve(scene: Tensor, hook: Progress | None) -> SolverResult:
            kept = estimated_rank(scene) if rank == AUTO else rank
            weight = max(0.8, noise_level(scene) / (25 / 255)) if tau == AUTO else tau
            return lrtdtv(scene, kept, spatial_rank, weight, lam, beta, None, iterations, tolerance, hook)

        return each_scene(observed, solve, progress)
    require_rank(rank, observed.shape[1], method)
    spatial = [max(1, _rounded(spatial_rank * size)) for size in observed.shape[2:]]
    for size, share, name in zip(observed.shape[2:], spatial, ("rows", "columns"), strict=True):
        require_rank(share, size, method, name)
    require_positive(method, tau=tau, lam=lam, spatial_rank=spatial_rank, beta=1.0 if beta is None else beta)
    wide = observed.double()
    first = torch.zeros_like(wide) if start is None else start.double()
    ranks = (rank, spatial[0], spatial[1])
    problem = _Problem(ranks, tau, lam, beta, fourier_eigenvalues(observed.shape[1:], wide) + 1)
    result = iterate(
        _start(wide, first), problem.step, method=method, iterations=iterations, tolerance=tolerance, progress=progress
    )
    return SolverResult(result.restored.to(observed.dtype), result.residual, result.iterations, result.converged)


def lrtdtv_g(
    observed: Tensor,
    rank: int | Auto = 10,
    spatial_rank: float = 0.8,
    tau: float | Auto = 1.0,
    lam: float = 1e5,
    beta: float = 100.0,
    start: Tensor | None = None,
    iterations: int = 40,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by LRTDTV_G with its published defaults: dense noise only; see `lrtdtv`."""
    return lrtdtv(observed, rank, spatial_rank, tau, lam, beta, start, iterations, tolerance, progress)


def _rounded(value: float) -> int:
    """Round half up, as the published code does."""
    return int(value + 0.5)


@dataclass
class _State(Unknowns):
    """Every multiplier stands divided by mu; `gradients` are F less theirs."""

    observed: Tensor
    cube: Tensor
    smooth: Tensor
    sparse: Tensor
    dense: Tensor
    fidelity: Tensor
    equality: Tensor
    gradients: Tensor
    multipliers: Tensor
    mu: Tensor
    norm: Tensor

    def solution(self) -> Tensor:
        """Return X."""
        return self.cube


def _start(observed: Tensor, first: Tensor) -> _State:
    """X and Z at the start, no noise, no gradients."""
    norm = torch.linalg.vector_norm(observed, dim=(1, 2, 3))
    gradients = observed.new_zeros((len(observed), len(AXES), *observed.shape[1:]))
    return _State(
        observed=observed,
        cube=first.clone(),
        smooth=first.clone(),
        sparse=torch.zeros_like(observed),
        dense=torch.zeros_like(observed),
        fidelity=torch.zeros_like(observed),
        equality=torch.zeros_like(observed),
        gradients=gradients,
        multipliers=torch.zeros_like(gradients),
        mu=observed.new_full((len(observed),), FIRST_MU),
        norm=torch.where(norm > 0, norm, 1),
    )


@dataclass
class _Problem:
    """The weights, and one iteration."""

    ranks: tuple[int, int, int]
    tau: float
    lam: float
    beta: float | None
    denominator: Tensor

    def step(self, state: _State) -> Tensor:
        """Do one iteration; return each scene's residual."""
        mu = state.mu[:, None, None, None]
        growth = (state.mu * GROWTH).clamp(max=LARGEST_MU) / state.mu
        grow = growth[:, None, None, None]
        before = state.cube
        mean = (state.observed - state.sparse).sub_(state.dense).add_(state.smooth)
        mean.add_(state.fidelity).sub_(state.equality).div_(2)
        state.cube = tucker_approximation(mean, self.ranks)
        self._smooth(state, grow)
        rest = (state.observed - state.cube).sub_(state.dense)
        moved = rest + state.fidelity
        threshold = self.lam / mu
        state.sparse = moved - moved.clamp(-threshold, threshold)
        left_over = (state.observed - state.cube).sub_(state.sparse)
        if self.beta is not None:
            state.dense = (left_over + state.fidelity) * (mu / (mu + 2 * self.beta))
            left_over -= state.dense
        state.fidelity.add_(left_over).div_(grow)
        state.equality.add_(state.cube).sub_(state.smooth).div_(grow)
        state.mu = state.mu * growth
        change: Tensor = torch.linalg.vector_norm(state.cube - before, dim=(1, 2, 3))
        return change / state.norm

    def _smooth(self, state: _State, grow: Tensor) -> None:
        """Solve for Z in the Fourier basis, then for its sparse differences F."""
        right = state.cube + state.equality
        for index, axis in enumerate(AXES):
            right += adjoint_difference(state.gradients[:, index], axis)
        spectrum = torch.fft.rfftn(right, dim=(1, 2, 3)).div_(self.denominator)
        state.smooth = torch.fft.irfftn(spectrum, s=right.shape[1:], dim=(1, 2, 3))
        threshold = (self.tau / state.mu)[:, None, None, None]
        for index, axis in enumerate(AXES):
            held = state.multipliers[:, index]
            shifted = difference(state.smooth, axis).add_(held)
            kept = shifted.clamp(-threshold, threshold)
            torch.div(kept, grow, out=held)
            state.gradients[:, index] = shifted.sub_(kept).sub_(held)
