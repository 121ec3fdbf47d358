"""GSA: adaptive Gram-Schmidt sharpening, every band by the multispectral channel that resembles it most.

Aiazzi, Baronti, Selva, "Improving component substitution pansharpening through multivariate regression of MS + Pan
data", IEEE TGRS 45(10), 2007; for several channels as in Yokoya, Grohnfeldt, Chanussot, IEEE GRSM 5(2), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.solvers.pairs import Fused, check_pair, solve_scenes
from lightning_modules.solvers.resampling import Phase, enlarge, shrink
from lightning_modules.solvers.result import SolverResult

__all__ = ["gsa"]


def gsa(observation: Tensor, multispectral: Tensor, *, ratio: int, phase: Phase) -> SolverResult:
    """Fuse pairs by adaptive Gram-Schmidt component substitution, in closed form.

    Neither response nor blur is used, only where the coarse pixels lie.

    Args:
        observation: `B x C x h x w`.
        multispectral: `B x c x H x W`, `H = ratio h`.
        ratio: side of a hyperspectral pixel in multispectral pixels.
        phase: row and column, in multispectral pixels from 0, of the first hyperspectral pixel's centre.

    Raises:
        SolverError: the images cannot be fused.
    """
    check_pair("GSA", observation, multispectral, ratio)

    def fused(_scene: int, low: Tensor, high: Tensor) -> Fused:
        nearest = most_correlated(low, shrink(high, ratio, phase, "linear"))
        cube = torch.empty(low.shape[0], *high.shape[1:], dtype=low.dtype, device=low.device)
        for channel in nearest.unique().tolist():
            bands = nearest == channel
            cube[bands] = sharpened(low[bands], high[channel], ratio, phase)
        return Fused(cube)

    return solve_scenes("GSA", observation, multispectral, fused)


def most_correlated(low: Tensor, channels: Tensor) -> Tensor:
    """Return for every band of `C x h x w` which of the `c x h x w` channels has the largest correlation with it."""
    bands, others = (_centred(images).flatten(1) for images in (low, channels))
    norms = bands.norm(dim=1)[:, None] * others.norm(dim=1)
    # A constant image correlates with nothing.
    correlation = torch.where(norms > 0, bands @ others.T / norms, -1.0)
    return correlation.argmax(dim=1)


def sharpened(low: Tensor, channel: Tensor, ratio: int, phase: Phase) -> Tensor:
    """Sharpen the bands `N x h x w` by one channel `H x W`."""
    enlarged = enlarge(low, ratio, phase)
    means = enlarged.mean(dim=(-2, -1), keepdim=True)
    enlarged = (enlarged - means).flatten(1)
    detail = channel - channel.mean()
    coarse = shrink(detail, ratio, phase, "cubic").flatten()
    regressors = torch.cat([_centred(low).flatten(1), torch.ones_like(coarse)[None]])
    weights = torch.linalg.pinv(regressors.T) @ coarse
    intensity = weights[:-1] @ enlarged + weights[-1]
    intensity = intensity - intensity.mean()
    variance = intensity @ intensity
    gains = enlarged @ intensity / variance if variance > 0 else torch.zeros_like(weights[:-1])
    injected = enlarged + gains[:, None] * (detail.flatten() - intensity)
    injected = injected - injected.mean(dim=1, keepdim=True)
    restored: Tensor = injected.view(-1, *channel.shape) + means
    return restored


def _centred(images: Tensor) -> Tensor:
    """Images without the mean of each."""
    return images - images.mean(dim=(-2, -1), keepdim=True)
