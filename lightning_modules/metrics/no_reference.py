"""How good a fused image is where nobody has the truth: QNR-type scores of the full-size product.

After Alparone et al., PE&RS 74(2), 2008 (QNR); Khan, Alparone, Chanussot, IEEE TGRS 47(11), 2009 (its spectral part by
consistency); Selva et al., IEEE JSTARS 8(6), 2015 (a sharp channel for every band by regression).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import universal_image_quality_index

from lightning_modules.solvers.pairs import check_pair
from lightning_modules.solvers.spatial_response import SpatialResponse

__all__ = ["NoReference", "no_reference"]

WINDOW, SIGMA = 11, 1.5
"""Of the universal image quality index Q: a Gaussian, smaller where the coarse image is."""


class NoReference(NamedTuple):
    """Scores of one product.

    Attributes:
        d_lambda: spectral distortion, 0 at best: 1 less the mean over bands of Q between the observation and the
            product as the hyperspectral sensor would see it.
        d_s: spatial distortion, 0 at best: mean over bands of how far Q between the product's band and the combination
            of multispectral channels that is most like it changes from the coarse to the fine grid.
        qnr: (1 - d_lambda) (1 - d_s), 1 at best.
    """

    d_lambda: float
    d_s: float
    qnr: float


def no_reference(
    fused: Tensor,
    observation: Tensor,
    multispectral: Tensor,
    phase: float | None = None,
    blur: Tensor | None = None,
    missing: Tensor | None = None,
) -> NoReference:
    """Score a fused image against the two images that it was made of.

    Args:
        fused: `C x H x W`.
        observation: hyperspectral image `C x h x w`.
        multispectral: `c x H x W`.
        phase: place of a hyperspectral pixel's middle in its block of fine pixels; None is the middle of the block.
        blur: taps along an axis of the hyperspectral sensor's blur, centred at the phase; None takes a Gaussian as wide
            as its pixels.
        missing: `H x W`, where nothing was measured: what lies there, or within reach of the blur, is not looked at; no
            score is a number where nothing else is left.

    Raises:
        SolverError: if the images are no pair.
    """
    ratio = max(1, round(multispectral.shape[-1] / max(1, observation.shape[-1])))
    check_pair("The score without reference", observation[None], multispectral[None], ratio)
    place = (ratio - 1) / 2 if phase is None else phase
    spatial = SpatialResponse.toolbox(ratio, (place, place))
    if blur is not None:
        spatial = SpatialResponse.separable(blur.tolist(), round(place - (len(blur) - 1) / 2), ratio)
    product, low, high = fused.double(), observation.double(), multispectral.double()
    gone, near = _gone(missing, spatial)
    seen = spatial.reduce(product)
    spectral = [_quality(one, other, near) for one, other in zip(seen, low, strict=True)]
    d_lambda = 1.0 - float(torch.stack(spectral).mean())
    coarse = spatial.reduce(high)
    fine_like, coarse_like = _like(low, coarse, high, near)
    changes = [
        (_quality(one, sharp, gone) - _quality(band, blurred, near)).abs()
        for one, sharp, band, blurred in zip(product, fine_like, low, coarse_like, strict=True)
    ]
    d_s = float(torch.stack(changes).mean())
    return NoReference(d_lambda, d_s, (1.0 - d_lambda) * (1.0 - d_s))


def _gone(missing: Tensor | None, spatial: SpatialResponse) -> tuple[Tensor | None, Tensor | None]:
    """Return where values are missing on the fine grid, and where they are or blur into others on the coarse one."""
    if missing is None or not bool(missing.any()):
        return None, None
    reach = math.ceil(max(spatial.kernel.shape) / 2 / spatial.ratio)
    blocks = functional.max_pool2d(missing[None].double(), spatial.ratio)
    return missing, functional.max_pool2d(blocks, 2 * reach + 1, 1, reach)[0] > 0


def _like(low: Tensor, coarse: Tensor, high: Tensor, gone: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return for every band the combination of channels, with an offset, that is most like it; on both grids."""
    ones = torch.ones_like(coarse[:1])
    basis = torch.cat([coarse, ones]).flatten(1).T
    known = slice(None) if gone is None else ~gone.flatten()
    weights = torch.linalg.lstsq(basis[known], low.flatten(1).T[known], driver="gelsd").solution
    fine = torch.einsum("kb,khw->bhw", weights, torch.cat([high, torch.ones_like(high[:1])]))
    return fine, (basis @ weights).T.reshape(low.shape)


def _quality(one: Tensor, other: Tensor, gone: Tensor | None = None) -> Tensor:
    """The universal image quality index Q of two images `H x W`, the mean over full windows without missing pixels."""
    side = min(WINDOW, *one.shape)
    side -= 1 - side % 2
    index: Tensor = universal_image_quality_index(
        one[None, None],
        other[None, None],
        kernel_size=(side, side),
        sigma=(SIGMA, SIGMA),
        reduction="elementwise_mean" if gone is None else "none",
    )
    if gone is None:
        return index
    touched = functional.max_pool2d(gone[None, None].double(), side, 1) > 0
    return index[~touched].mean()
