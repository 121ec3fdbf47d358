"""LRTV: total-variation regularised low-rank matrix factorisation (He et al., IEEE TGRS 2016).

Minimises `|L|_* + tau TV(X) + lam |E|_1` over `L = X`, `Y = L + E`, rank of L at most r. As in the code that is passed
around: singular values are cut off instead of shrunk, TV counts twice, and one of two forms of E runs:

- `sparse_noise="absolute"`: the paper's l1 norm, by soft threshold;
- `sparse_noise="squared"`: `lam |E|_F^2`, which that code has active instead. It is not robust to impulses.

Tables that name LRTV rarely say which one they ran, and the l1 form depends much on its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lightning_modules.solvers.automatic import AUTO, Auto, each_scene, estimated_rank, noise_level
from lightning_modules.solvers.band_total_variation import smoothed_bands
from lightning_modules.solvers.checks import require_cubes, require_positive, require_rank, require_start
from lightning_modules.solvers.iteration import Unknowns, iterate
from lightning_modules.solvers.low_rank import truncated
from lightning_modules.solvers.result import Progress, SolverError, SolverResult

__all__ = ["lrtv"]

FIRST_MU, GROWTH, LARGEST_MU = 1e-2, 1.5, 1e6


def lrtv(
    observed: Tensor,
    rank: int | Auto = 10,
    tau: float | Auto = 0.015,
    lam: float | None = None,
    sparse_noise: Literal["absolute", "squared"] = "absolute",
    start: Tensor | None = None,
    iterations: int = 40,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by LRTV.

    Args:
        observed: noisy cubes, `B x C x H x W`, float32 or float64, as published in [0, 1] band by band.
        rank: largest rank of L; "auto" estimates it from each scene.
        tau: weight of the total variation; "auto" takes `0.16 lam w / (20/255)`, w being the mean noise of the bands,
            at least `0.16 lam`.
        lam: weight of the noise E, `20 / sqrt(H W)` where None: the published rule.
        sparse_noise: form of E (module docstring).
        start: first estimate of L and X, of the shape of `observed`; the published code draws it uniformly from [0, 1].
            None starts from zero, which is deterministic and does well in either form.
        iterations: the most iterations.
        tolerance: stops a scene when the largest difference of X and L and the share of the cube that L and E leave
            over are both below this.
        progress: called after every iteration.

    Returns:
        L, and the larger of both quantities as residual.

    Raises:
        SolverError: for input that is no batch of finite cubes, a start of another shape, a rank above the bands, a
            parameter below zero, or an unknown form of E.
    """
    require_cubes(observed, "LRTV")
    require_start(start, observed, "LRTV")
    lam = 20 / observed.shape[-2:].numel() ** 0.5 if lam is None else lam
    if rank == AUTO or tau == AUTO:
        least = 0.16 * lam

        def solve(scene: Tensor, hook: Progress | None) -> SolverResult:
            kept = estimated_rank(scene) if rank == AUTO else rank
            weight = least * max(1.0, noise_level(scene) / (20 / 255)) if tau == AUTO else tau
            return lrtv(scene, kept, weight, lam, sparse_noise, None, iterations, tolerance, hook)

        return each_scene(observed, solve, progress)
    require_rank(rank, observed.shape[1], "LRTV")
    require_positive("LRTV", tau=tau, lam=lam)
    if sparse_noise not in ("absolute", "squared"):
        raise SolverError(f"LRTV knows the noise forms absolute and squared, not {sparse_noise!r}.")
    problem = _Problem(rank, tau, lam, sparse_noise == "squared")
    return iterate(
        _start(observed, start),
        problem.step,
        method="LRTV",
        iterations=iterations,
        tolerance=tolerance,
        progress=progress,
    )


@dataclass
class _State(Unknowns):
    """Every multiplier stands divided by mu."""

    observed: Tensor
    low_rank: Tensor
    smooth: Tensor
    noise: Tensor
    equality: Tensor
    fidelity: Tensor
    mu: Tensor
    norm: Tensor

    def solution(self) -> Tensor:
        """Return L."""
        return self.low_rank


def _start(observed: Tensor, start: Tensor | None) -> _State:
    """L and X at the start, no noise."""
    first = torch.zeros_like(observed) if start is None else start
    norm = torch.linalg.vector_norm(observed, dim=(1, 2, 3))
    return _State(
        observed=observed,
        low_rank=first.clone(),
        smooth=first.clone(),
        noise=torch.zeros_like(observed),
        equality=torch.zeros_like(observed),
        fidelity=torch.zeros_like(observed),
        mu=observed.new_full((len(observed),), FIRST_MU),
        norm=torch.where(norm > 0, norm, 1),
    )


@dataclass
class _Problem:
    """The weights, and one iteration."""

    rank: int
    tau: float
    lam: float
    squared: bool

    def step(self, state: _State) -> Tensor:
        """Do one iteration; return each scene's residual."""
        mu, bands = state.mu[:, None, None, None], state.observed.shape[1]
        growth = (state.mu * GROWTH).clamp(max=LARGEST_MU) / state.mu
        grow = growth[:, None, None, None]
        mean = (state.smooth + state.observed).sub_(state.noise).add_(state.equality).add_(state.fidelity).div_(2)
        state.low_rank = truncated(mean.flatten(2), self.rank).view_as(mean)
        weight = (2 * self.tau / state.mu).repeat_interleave(bands)
        images = (state.low_rank - state.equality).flatten(0, 1)
        state.smooth = smoothed_bands(images, weight).view_as(mean)
        rest = state.observed - state.low_rank
        moved = rest + state.fidelity
        threshold = self.lam / mu
        state.noise = moved * (mu / (mu + 2 * self.lam)) if self.squared else moved - moved.clamp(-threshold, threshold)
        difference = state.smooth - state.low_rank
        left_over = rest.sub_(state.noise)
        residual = torch.maximum(
            difference.abs().amax((1, 2, 3)), torch.linalg.vector_norm(left_over, dim=(1, 2, 3)) / state.norm
        )
        state.equality.add_(difference).div_(grow)
        state.fidelity.add_(left_over).div_(grow)
        state.mu = state.mu * growth
        return residual
