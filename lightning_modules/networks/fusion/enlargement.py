"""Enlarging the hyperspectral image to the multispectral one's pixels, as the published networks do it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.upsampled import upsample_bicubic

__all__ = ["enlarge_bicubic", "enlarge_from_phase"]


def enlarge_bicubic(observation: Tensor, ratio: int, *, align_corners: bool = False) -> Tensor:
    """Enlarge by PyTorch's bicubic interpolation (a = -0.75), in float32 at least, whatever the autocast.

    The pixels of the observation are taken as centred on their blocks, or, with `align_corners`, as stretched from the
    first pixel's centre to the last one's.

    Args:
        observation: `B x C x h x w`.
        ratio: whole factor of at least 1.
        align_corners: which of both grids.

    Returns:
        `B x C x ratio*h x ratio*w`, not clipped.
    """
    if ratio == 1:
        return observation
    size = [ratio * side for side in observation.shape[-2:]]
    with torch.autocast(observation.device.type, enabled=False):
        images = observation.to(torch.promote_types(observation.dtype, torch.float32))
        return functional.interpolate(images, size=size, mode="bicubic", align_corners=align_corners)


def enlarge_from_phase(observation: Tensor, ratio: int, phase: float | None) -> Tensor:
    """Enlarge by MATLAB's kernel from where the pixels really lie; see `upsample_bicubic`; in float32 at least."""
    with torch.autocast(observation.device.type, enabled=False):
        images = observation.to(torch.promote_types(observation.dtype, torch.float32))
        return upsample_bicubic(images, ratio, phase)
