"""Enhanced-3DTV (Peng et al., IEEE TIP 2020): total variation whose gradient maps are themselves of low rank.

Minimises `tau sum_n |U_n|_1 + lam |E|_1` over `Y = X + E` and `D_n X = U_n V_n^T`, `V_n^T V_n = I`, n over rows,
columns and bands. As in the published code, the cube is solved for by FFT, the l1 form serves every kind of noise, and
only the differences along the rows enter the stopping rule. The published result depends on its LAPACK: every U_n is
zero at first, and V_n then is whatever the library returns; here open directions are filled the same way everywhere
(`nearest_orthonormal`), so the result is deterministic and does not depend on a random start.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.automatic import AUTO, Auto, each_scene, estimated_rank, noise_level
from lightning_modules.solvers.checks import require_cubes, require_positive, require_rank, require_start
from lightning_modules.solvers.differences import adjoint_difference, difference, fourier_eigenvalues
from lightning_modules.solvers.iteration import Unknowns, iterate
from lightning_modules.solvers.low_rank import leading_directions, nearest_orthonormal
from lightning_modules.solvers.result import Progress, SolverResult

__all__ = ["enhanced_3dtv"]

FIRST_MU, GROWTH, LARGEST_MU = 1e-2, 1.5, 1e6
AXES = (2, 3, 1)
"""Rows, columns, bands of `B x C x H x W`."""


def enhanced_3dtv(
    observed: Tensor,
    rank: int | Auto = 13,
    lam: float = 1.0,
    tau: float | Auto | None = None,
    start: Tensor | None = None,
    iterations: int = 40,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by Enhanced-3DTV.

    Deterministic. The result is not clipped.

    Args:
        observed: noisy cubes, `B x C x H x W`, float32 or float64, as published in [0, 1].
        rank: rank of the gradient maps along each of the three axes; "auto" estimates it from each scene.
        lam: weight of the sparse noise.
        tau: weight of the gradient maps, `0.004 sqrt(H W)` where None: the published rule, tuned for 145 x 145 pixels.
            "auto" takes `0.55 sqrt(w / (15/255))`, w being the mean noise of the bands, at most 0.55, at any size.
        start: a first estimate, of the shape of `observed`, whose differences give the first factors; the published
            code draws one from a normal distribution and has forgotten it after an iteration or two. None starts
            without gradients.
        iterations: the most iterations; the published 40 are rarely enough to meet the stopping rule.
        tolerance: stops a scene when the share of the cube that is left over and the largest difference along the rows
            that is left over are both below this.
        progress: called after every iteration.

    Returns:
        X, and the larger of both quantities as residual.

    Raises:
        SolverError: for input that is no batch of finite cubes, a start of another shape, a rank above the bands, or a
            parameter below zero.
    """
    require_cubes(observed, "Enhanced-3DTV")
    require_start(start, observed, "Enhanced-3DTV")
    if rank == AUTO or tau == AUTO:

        def solve(scene: Tensor, hook: Progress | None) -> SolverResult:
            kept = estimated_rank(scene) if rank == AUTO else rank
            weight = 0.55 * min(1.0, noise_level(scene) / (15 / 255)) ** 0.5 if tau == AUTO else tau
            return enhanced_3dtv(scene, kept, lam, weight, None, iterations, tolerance, hook)

        return each_scene(observed, solve, progress)
    require_rank(rank, observed.shape[1], "Enhanced-3DTV")
    tau = 0.004 * observed.shape[-2:].numel() ** 0.5 if tau is None else tau
    require_positive("Enhanced-3DTV", lam=lam, tau=tau)
    problem = _Problem(lam, tau, fourier_eigenvalues(observed.shape[1:], observed) + 1)
    return iterate(
        _start(observed, rank, start),
        problem.step,
        method="Enhanced-3DTV",
        iterations=iterations,
        tolerance=tolerance,
        progress=progress,
    )


@dataclass
class _State(Unknowns):
    """Every multiplier stands divided by mu; `gradients` are the `U_n V_n^T` and `fidelity` Y - E with theirs."""

    observed: Tensor
    cube: Tensor
    fidelity: Tensor
    multiplier: Tensor
    gradients: Tensor
    multipliers: Tensor
    directions: Tensor
    mu: Tensor
    norm: Tensor

    def solution(self) -> Tensor:
        """Return X."""
        return self.cube


def _start(observed: Tensor, rank: int, start: Tensor | None) -> _State:
    """Nothing sparse; the low-rank part of the differences of the start, or no gradients and the first bands."""
    scenes, bands = observed.shape[:2]
    first = torch.eye(bands, rank, dtype=observed.dtype, device=observed.device)
    directions = first.expand(scenes, len(AXES), -1, -1).clone()
    gradients = observed.new_zeros((scenes, len(AXES), *observed.shape[1:]))
    for index, axis in enumerate(AXES):
        if start is None:
            break
        differences = difference(start, axis).flatten(2)
        directions[:, index], _ = leading_directions(differences, rank)
        gradients[:, index] = (directions[:, index] @ (directions[:, index].mT @ differences)).view_as(observed)
    norm = torch.linalg.vector_norm(observed, dim=(1, 2, 3))
    return _State(
        observed=observed,
        cube=observed.clone(),
        fidelity=observed.clone(),
        multiplier=torch.zeros_like(observed),
        gradients=gradients,
        multipliers=torch.zeros_like(gradients),
        directions=directions,
        mu=observed.new_full((scenes,), FIRST_MU),
        norm=torch.where(norm > 0, norm, 1),
    )


@dataclass
class _Problem:
    """The weights, and one iteration."""

    lam: float
    tau: float
    denominator: Tensor

    def step(self, state: _State) -> Tensor:
        """Do one iteration; return each scene's residual."""
        growth = (state.mu * GROWTH).clamp(max=LARGEST_MU) / state.mu
        self._cube(state)
        along_rows, *_ = [self._gradient(state, index, growth) for index in range(len(AXES))]
        left_over = self._noise(state, growth)
        state.mu = state.mu * growth
        return torch.maximum(along_rows, left_over / state.norm)

    def _cube(self, state: _State) -> None:
        """Solve for X in the Fourier basis."""
        right = state.fidelity.clone()
        for index, axis in enumerate(AXES):
            right += adjoint_difference(state.gradients[:, index], axis)
        spectrum = torch.fft.rfftn(right, dim=(1, 2, 3)).div_(self.denominator)
        state.cube = torch.fft.irfftn(spectrum, s=right.shape[1:], dim=(1, 2, 3))

    def _gradient(self, state: _State, index: int, growth: Tensor) -> Tensor:
        """Factorise the gradient map of one axis; return the largest difference that is left over, `B`."""
        held = state.multipliers[:, index]
        shifted = difference(state.cube, AXES[index]).add_(held).flatten(2)
        threshold = (self.tau / state.mu)[:, None, None]
        coefficients = state.directions[:, index].mT @ shifted
        coefficients -= coefficients.clamp(-threshold, threshold)
        state.directions[:, index] = nearest_orthonormal(shifted @ coefficients.mT)
        product = state.directions[:, index] @ coefficients
        left_over = shifted.sub_(product).unflatten(2, held.shape[2:])
        largest: Tensor = (left_over - held).abs_().amax((1, 2, 3))
        torch.div(left_over, growth[:, None, None, None], out=held)
        state.gradients[:, index] = product.view_as(held) - held
        return largest

    def _noise(self, state: _State, growth: Tensor) -> Tensor:
        """Update the sparse noise and its multiplier; return the norm of what is left over, `B`."""
        threshold, grow = (self.lam / state.mu)[:, None, None, None], growth[:, None, None, None]
        rest = (state.observed - state.cube).add_(state.multiplier)
        kept = rest.clamp(-threshold, threshold)
        left_over: Tensor = torch.linalg.vector_norm(kept - state.multiplier, dim=(1, 2, 3))
        torch.div(kept, grow, out=state.multiplier)
        state.fidelity = (state.observed - rest).add_(kept).add_(state.multiplier)
        return left_over
