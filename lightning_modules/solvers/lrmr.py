"""LRMR: low-rank matrix recovery of overlapping blocks (Zhang et al., IEEE TGRS 2014), in its SSGoDec version.

Every block of 20 x 20 pixels is split into a matrix of low rank, found by a random projection that is drawn again in
every step, and a sparse one, by soft threshold; overlapping results are averaged. As published, the blocks stand at
every 8th position and then at every position after the last of these. A block's projections depend on its place alone,
so that neither the order of scenes nor the batch changes a result.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.automatic import AUTO, Auto, each_scene, estimated_rank, noise_level
from lightning_modules.solvers.checks import require_cubes, require_positive, require_rank
from lightning_modules.solvers.result import Progress, SolverError, SolverResult, report

__all__ = ["lrmr"]

IN_CACHE = 1 << 17
"""Numbers that are worked on at once on a CPU, so that they stay in its cache between operations."""


def lrmr(
    observed: Tensor,
    rank: int | Auto = 7,
    threshold: float | Auto = 0.15,
    block: int = 20,
    step: int = 8,
    iterations: int = 101,
    seed: int = 0,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore noisy cubes by LRMR.

    Args:
        observed: noisy cubes, `B x C x H x W`, float32 or float64, as published in [0, 1] band by band.
        rank: rank of every block; the published runner uses 8 with a threshold of 0.05. "auto" takes the size of each
            scene's signal subspace.
        threshold: soft threshold of the sparse noise, in units of the cube; "auto" takes a third of the mean noise of
            the bands.
        block: side of the blocks in pixels.
        step: distance of the blocks in pixels.
        iterations: steps for every block; there is no stopping rule.
        seed: of the random projections.
        progress: called after every group of blocks: its number, the groups there are, and the residual.

    Returns:
        The mean of the low-rank blocks; as residual, the last change of the low-rank part over the norm of the
        observation, over all blocks of a scene. Always converged: the published number of steps is the rule.

    Raises:
        SolverError: for input that is no batch of finite cubes, an image smaller than a block, a rank above the bands
            or the pixels of a block, or a parameter below zero.
    """
    require_cubes(observed, "LRMR")
    scenes, bands, height, width = observed.shape
    if min(height, width) < block:
        raise SolverError(
            f"LRMR's blocks of {block} x {block} pixels do not fit an image of {height} x {width}: "
            f"ask for blocks of at most {min(height, width)}."
        )
    if rank == AUTO or threshold == AUTO:

        def solve(scene: Tensor, hook: Progress | None) -> SolverResult:
            kept = estimated_rank(scene, weak_directions=0) if rank == AUTO else rank
            limit = noise_level(scene) / 3 if threshold == AUTO else threshold
            return lrmr(scene, kept, limit, block, step, iterations, seed, hook)

        return each_scene(observed, solve, progress)
    require_rank(rank, min(bands, block * block), "LRMR")
    if iterations < 1:
        raise SolverError(f"LRMR needs at least 1 iteration, not {iterations}.")
    require_positive("LRMR", threshold=threshold, step=step)
    at_once = IN_CACHE // (scenes * bands * block * block) if observed.device.type == "cpu" else None
    shape = (iterations, bands, rank)
    restored, residual = _averaged(observed, block, step, at_once, shape, seed, threshold, progress)
    steps = torch.full((scenes,), iterations, device=observed.device)
    return SolverResult(restored, residual, steps, torch.ones_like(steps, dtype=torch.bool))


def _averaged(
    observed: Tensor,
    block: int,
    step: int,
    at_once: int | None,
    shape: tuple[int, int, int],
    seed: int,
    threshold: float,
    progress: Progress | None,
) -> tuple[Tensor, Tensor]:
    """Split all blocks, some at once; return the mean of their low-rank parts and each scene's residual."""
    height, width = observed.shape[2:]
    corners = [(row, column) for row in _positions(height, block, step) for column in _positions(width, block, step)]
    total, count = torch.zeros_like(observed), observed.new_zeros((height, width))
    changes, norms = observed.new_zeros((2, len(observed)))
    residual = changes
    starts = range(0, len(corners), len(corners) if at_once is None else max(1, at_once))
    for number, first in enumerate(starts, start=1):
        group = corners[first : first + starts.step]
        windows = [observed[..., row : row + block, column : column + block] for row, column in group]
        drawn = [_projections(shape, seed, first + index, observed) for index in range(len(group))]
        blocks = torch.stack(windows, 1).flatten(3)
        low_rank, change = _split(blocks, torch.stack(drawn, 1), threshold)
        changes += change.square().sum((1, 2, 3))
        norms += blocks.square().sum((1, 2, 3))
        for index, (row, column) in enumerate(group):
            total[..., row : row + block, column : column + block] += low_rank[:, index].unflatten(2, (block, block))
            count[row : row + block, column : column + block] += 1
        residual = (changes / torch.where(norms > 0, norms, 1)).sqrt()
        report(progress, number, len(starts), residual)
    return total / count, residual


def _positions(size: int, block: int, step: int) -> list[int]:
    """Every `step`-th position from 0, then every position after the last of them."""
    last = size - block
    coarse = list(range(0, last + 1, step))
    return coarse + list(range(coarse[-1] + 1, last + 1))


def _projections(shape: tuple[int, int, int], seed: int, place: int, like: Tensor) -> Tensor:
    """Normal random matrices of one block, `iterations x bands x rank`, the same on every device."""
    generator = torch.Generator().manual_seed(1000 * (seed + 1) + place)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(like)


def _split(blocks: Tensor, projections: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the low-rank parts of `B x M x C x N` blocks after the last step, and how much that one changed them."""
    matrix, sparse = blocks, torch.zeros_like(blocks)
    low_rank = torch.zeros_like(blocks)
    for projection in projections:
        before = low_rank
        spread = matrix @ (matrix.mT @ projection)
        basis, _ = torch.linalg.qr(spread)
        low_rank = basis @ (basis.mT @ matrix)
        rest = (matrix - low_rank).add_(sparse)
        kept = rest.clamp(-threshold, threshold)
        sparse = rest - kept
        matrix = low_rank + kept
    return low_rank, low_rank - before
