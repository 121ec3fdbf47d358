"""Parameters that depend on the noise or the rank, estimated from each scene: what `"auto"` stands for.

The rules are ours, found on CAVE scenes with Gaussian noise of 2 to 70/255 and complex noise. A rank is two directions
more than hold more signal than noise: total variation makes good use of weak ones. Weights of total variation are
stated for one noise level and grow with a power of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lightning_modules.solvers.noise_estimate import band_noise
from lightning_modules.solvers.result import Progress, SolverResult
from lightning_modules.solvers.subspace_estimate import signal_subspace

__all__ = ["AUTO", "Auto", "each_scene", "estimated_rank", "noise_level"]

Auto = Literal["auto"]
AUTO: Auto = "auto"


def estimated_rank(scene: Tensor, weak_directions: int = 2) -> int:
    """Return the size of a single scene's signal subspace and a few weak directions more, at most all bands.

    Args:
        scene: `1 x C x H x W`.
        weak_directions: how many directions more to keep; 0 for methods that do not smooth.
    """
    return min(int(signal_subspace(scene).rank) + weak_directions, scene.shape[1])


def noise_level(scene: Tensor) -> float:
    """Return the mean over the bands of the noise of a single scene, `1 x C x H x W`, in units of the cube."""
    return float(band_noise(scene, floor=1e-6).mean())


def each_scene(
    observed: Tensor, solve: Callable[[Tensor, Progress | None], SolverResult], progress: Progress | None
) -> SolverResult:
    """Solve every scene of a batch by itself, because its parameters are its own, and put the results together.

    Args:
        observed: `B x C x H x W`.
        solve: solves one scene, `1 x C x H x W`, and tells a hook its progress.
        progress: told the iterations of all scenes, one after another.
    """
    results: list[SolverResult] = []
    for number, scene in enumerate(observed.split(1)):
        results.append(solve(scene, _shifted(progress, number, len(observed))))
    return SolverResult(
        restored=torch.cat([one.restored for one in results]),
        residual=torch.cat([one.residual for one in results]),
        iterations=torch.cat([one.iterations for one in results]),
        converged=torch.cat([one.converged for one in results]),
    )


def _shifted(progress: Progress | None, number: int, scenes: int) -> Progress | None:
    """What tells a hook the progress of one scene as a part of all."""
    if progress is None:
        return None

    def within(iteration: int, most: int, residual: float) -> None:
        progress(number * most + iteration, scenes * most, residual)

    return within
