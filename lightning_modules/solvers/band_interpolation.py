"""Missing entries by interpolation along the spectrum: the simplest answer to dead bands, and hard to beat (ours)."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lightning_modules.solvers.checks import require_cubes
from lightning_modules.solvers.result import Progress, SolverResult, report

__all__ = ["band_interpolation"]


def band_interpolation(observed: Tensor, progress: Progress | None = None) -> SolverResult:
    """Fill entries that are missing, that is exactly 0; all others stay as they were observed.

    Every pixel is filled on a straight line between its nearest observed bands, before the first and after the last
    by the nearest. Pixels without any observed band take the mean of their filled neighbours, from the edge inwards.
    Bands count as evenly spaced. A scene, or a tile of one, without any observed entry stays as it is.

    Args:
        observed: cubes, `B x C x H x W`, with missing entries at 0.
        progress: called once.

    Returns:
        The filled cubes, in closed form.

    Raises:
        SolverError: for input that is no batch of finite cubes.
    """
    require_cubes(observed, "Band interpolation", constant_bands=False)
    bands = observed.shape[1]
    known = observed != 0
    index = torch.arange(bands, device=observed.device).view(1, -1, 1, 1)
    before = torch.where(known, index, -1).cummax(1).values
    after = torch.where(known, index, bands).flip(1).cummin(1).values.flip(1)
    lower = torch.where(before < 0, after, before).clamp(max=bands - 1)
    upper = torch.where(after == bands, before, after).clamp(min=0)
    share = ((index - lower) / (upper - lower).clamp(min=1)).to(observed)
    line = torch.lerp(observed.gather(1, lower), observed.gather(1, upper), share)
    restored = _from_neighbours(torch.where(known, observed, line), known.any(1, keepdim=True))
    zeros = torch.zeros(len(observed), device=observed.device)
    report(progress, 1, 1, zeros)
    return SolverResult(restored, zeros.to(observed), torch.ones_like(zeros).long(), torch.ones_like(zeros).bool())


def _from_neighbours(filled: Tensor, seen: Tensor) -> Tensor:
    """Return cubes whose unseen pixels hold the mean of seen neighbours, ring after ring."""
    window = filled.new_ones(1, 1, 3, 3)
    seen = seen | ~seen.flatten(1).any(1).view(-1, 1, 1, 1)
    while not bool(seen.all()):
        scenes, bands, height, width = filled.shape
        weight = F.conv2d(seen.to(filled), window, padding=1)
        values = (filled * seen).reshape(scenes * bands, 1, height, width)
        mean = F.conv2d(values, window, padding=1).view_as(filled) / weight.clamp(min=1)
        filled = torch.where(seen, filled, mean)
        seen = seen | (weight > 0)
    return filled
