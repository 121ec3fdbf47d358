"""RCTV: representative coefficient total variation (Peng et al., IEEE TGRS 2022), for any mixture of noise.

Minimises `beta |E|_F^2 + lam |S|_1 + tau (|D_v U|_1 + |D_h U|_1)` over `Y = U V^T + E + S`, `V^T V = I`: dense noise E,
sparse noise S, and r coefficient images U that alone carry the total variation, which makes it the fastest of its kind.
Multipliers are kept divided by mu, and an element's soft threshold is what a clamp leaves over.
The published code's own departures from the paper are kept: 1e-4 in the denominator, all TV weights 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.automatic import AUTO, Auto, each_scene, estimated_rank, noise_level
from lightning_modules.solvers.checks import require_cubes, require_positive, require_rank
from lightning_modules.solvers.differences import adjoint_difference, difference, fourier_eigenvalues
from lightning_modules.solvers.iteration import Unknowns, iterate
from lightning_modules.solvers.low_rank import leading_directions, nearest_orthonormal
from lightning_modules.solvers.result import Progress, SolverResult

__all__ = ["rctv"]

GROWTH, LARGEST_MU = 1.5, 1e6
IN_CACHE = 1 << 18
"""Elements that are worked on at once on a CPU, so that they stay in its cache between operations."""


def rctv(
    observed: Tensor,
    rank: int | Auto = 13,
    beta: float = 50.0,
    lam: float = 1.0,
    tau: float | Auto = 0.8,
    iterations: int = 100,
    tolerance: float = 1e-5,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by RCTV.

    Deterministic. None of the parameters depends on the size of the cubes; the defaults are those of the published
    demo, for cubes in [0, 1]. The result is not clipped.

    Args:
        observed: noisy cubes, `B x C x H x W`, float32 or float64.
        rank: spectral directions r that are kept; 6 serves 31 bands of smooth spectra better, and "auto" estimates it
            from each scene.
        beta: weight of the dense noise; dense and sparse noise part at a size of `lam / (2 beta)`.
        lam: weight of the sparse noise; above 100 there is none.
        tau: weight of the total variation of the coefficient images. What counts is its ratio to lam, which needs no
            change with the noise unless there is little: "auto" takes `0.8 sqrt(w / (15/255))`, w being the mean noise
            of the bands, at most 0.8.
        iterations: the most iterations.
        tolerance: stops a scene when the three constraints are met to this share of the norm of its cube.
        progress: called after every iteration.

    Returns:
        `U V^T`, and the largest of the three constraint norms over the norm of the cube as residual.

    Raises:
        SolverError: for input that is no batch of finite cubes, a rank above the bands, or a parameter below zero.
    """
    require_cubes(observed, "RCTV")
    if rank == AUTO or tau == AUTO:

        def solve(scene: Tensor, hook: Progress | None) -> SolverResult:
            kept = estimated_rank(scene) if rank == AUTO else rank
            weight = 0.8 * min(1.0, noise_level(scene) / (15 / 255)) ** 0.5 if tau == AUTO else tau
            return rctv(scene, kept, beta, lam, weight, iterations, tolerance, hook)

        return each_scene(observed, solve, progress)
    require_rank(rank, observed.shape[1], "RCTV")
    require_positive("RCTV", beta=beta, lam=lam, tau=tau)
    problem = _Problem(beta, lam, tau, fourier_eigenvalues(observed.shape[-2:], observed) + 1 + 1e-4)
    return iterate(
        _start(observed, rank),
        problem.step,
        method="RCTV",
        iterations=iterations,
        tolerance=tolerance,
        progress=progress,
    )


@dataclass
class _State(Unknowns):
    """Matrices have bands or directions as rows and pixels as columns; every multiplier stands divided by mu.

    What is left of the cube beside dense noise and the low-rank part, `rest`, tells sparse noise and multiplier: the
    one is what a clamp at `threshold` leaves over, the other what it keeps, over `grown`. Two cubes less are held so,
    and read and written in every iteration.
    """

    observed: Tensor
    coefficients: Tensor
    directions: Tensor
    rest: Tensor
    target: Tensor
    projected: Tensor
    multipliers: Tensor
    mu: Tensor
    threshold: Tensor
    grown: Tensor
    norm: Tensor

    def solution(self) -> Tensor:
        """Return `V U`, reshaped to cubes."""
        return self.product(self.factors())

    def factors(self) -> tuple[Tensor, ...]:
        """Return V, and a copy of U."""
        return self.directions, self.coefficients.clone()

    def product(self, factors: tuple[Tensor, ...]) -> Tensor:
        """Return `V U`, reshaped to cubes."""
        directions, coefficients = factors
        product: Tensor = directions @ coefficients.flatten(2)
        return product.view(len(product), -1, *coefficients.shape[2:])


def _start(observed: Tensor, rank: int) -> _State:
    """The leading part of the singular value decomposition, and nothing sparse."""
    matrix = observed.flatten(2)
    directions, values = leading_directions(matrix, rank)
    projected = directions.mT @ matrix
    coefficients = projected.unflatten(2, observed.shape[2:])
    return _State(
        observed=matrix,
        coefficients=coefficients,
        directions=directions,
        rest=torch.zeros_like(matrix),
        target=matrix.clone(),
        projected=projected.clone(),
        multipliers=coefficients.new_zeros((len(observed), 2, *coefficients.shape[1:])),
        mu=1 / _nonzero(values[:, 0]),
        threshold=torch.zeros_like(values[:, 0]),
        grown=torch.ones_like(values[:, 0]),
        norm=_nonzero(torch.linalg.vector_norm(matrix, dim=(1, 2))),
    )


def _nonzero(size: Tensor) -> Tensor:
    """Sizes to divide by: 1 where a scene is zero everywhere."""
    return torch.where(size > 0, size, 1)


@dataclass
class _Problem:
    """The weights, and one iteration."""

    beta: float
    lam: float
    tau: float
    denominator: Tensor

    def step(self, state: _State) -> Tensor:
        """Do one iteration; return each scene's residual."""
        growth = (state.mu * GROWTH).clamp(max=LARGEST_MU) / state.mu
        smooth = self._coefficients(state, growth)
        state.directions = nearest_orthonormal(state.target @ state.coefficients.flatten(2).mT)
        fidelity = self._noise(state, growth)
        state.mu = state.mu * growth
        squares = torch.cat([smooth, fidelity[:, None]], 1)
        return squares.amax(1).sqrt().to(state.norm.dtype) / state.norm

    def _coefficients(self, state: _State, growth: Tensor) -> Tensor:
        """Solve for the coefficient images, some at a time; return the squared norms of their constraints, `B x 2`."""
        scenes, rank, *size = state.coefficients.shape
        at_once = _at_once(state.coefficients, rank, state.coefficients[:, 0].numel())
        squares = state.mu.new_zeros((scenes, 2), dtype=torch.float64)
        threshold = (self.tau / state.mu)[:, None, None, None]
        for first in range(0, rank, at_once):
            part = slice(first, first + at_once)
            image = state.coefficients[:, part]
            right = state.projected[:, part].unflatten(2, size).clone()
            gradients: list[Tensor] = []
            for axis in (0, 1):
                held = state.multipliers[:, axis, part]
                shifted = difference(image, 2 + axis).add_(held)
                gradient = shifted - shifted.clamp(-threshold, threshold)
                right += adjoint_difference(gradient - held, 2 + axis)
                gradients.append(gradient)
            spectrum = torch.fft.rfft2(right).div_(self.denominator)
            image.copy_(torch.fft.irfft2(spectrum, s=size))
            for axis, gradient in enumerate(gradients):
                violated = difference(image, 2 + axis).sub_(gradient)
                squares[:, axis] += violated.square().sum((1, 2, 3))
                held = state.multipliers[:, axis, part]
                held.add_(violated).div_(growth[:, None, None, None])
        return squares

    def _noise(self, state: _State, growth: Tensor) -> Tensor:
        """Split what the low-rank part leaves into dense and sparse noise; return the squared norm, `B`."""
        mu = state.mu[:, None, None]
        share, threshold, grow = mu / (2 * self.beta + mu), self.lam / mu, growth[:, None, None]
        if self.lam > 100:
            threshold = torch.full_like(threshold, torch.inf)
        before, grown = state.threshold[:, None, None], state.grown[:, None, None]
        pixels = state.observed.shape[2]
        coefficients = state.coefficients.flatten(2)
        at_once = _at_once(state.observed, pixels, state.observed[:, :, 0].numel())
        square = torch.zeros_like(state.mu, dtype=torch.float64)
        for first in range(0, pixels, at_once):
            part = slice(first, first + at_once)
            known = state.rest[:, :, part]
            held = _clamped(known, before)
            sparse = known - held
            held /= grown
            target = state.directions @ coefficients[:, :, part]
            rest = torch.sub(state.observed[:, :, part], target).add_(held).lerp_(sparse, share)
            state.rest[:, :, part] = rest
            kept = _clamped(rest, threshold)
            violated = torch.sub(kept, held, out=held)
            square += torch.linalg.vector_norm(violated, dim=(1, 2)).double().square()
            target += violated
            target += kept.div_(grow)
            state.target[:, :, part] = target
            state.projected[:, :, part] = state.directions.mT @ target
        state.threshold, state.grown = threshold[:, 0, 0], growth
        return square


def _clamped(values: Tensor, limit: Tensor) -> Tensor:
    """Return `B x ...` clamped to each scene's limit; numbers as limits are several times as fast as a tensor."""
    if len(values) == 1 and values.device.type == "cpu":
        return values.clamp(-float(limit), float(limit))
    return values.clamp(-limit, limit)


def _at_once(like: Tensor, count: int, elements: int) -> int:
    """How many of `count` parts of `elements` numbers to work on together: all of them on an accelerator."""
    return max(1, min(count, IN_CACHE // elements)) if like.device.type == "cpu" else count
