"""Random smooth fields and the image changes that they steer: tone, tint and displacement."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def _spline_basis(size: int, scale: float, phase: float) -> Tensor:
    """Uniform cubic B-spline weights, size x nodes, for pixels `0..size-1` and nodes `scale` pixels apart."""
    positions = torch.arange(size, dtype=torch.float64) / scale + phase
    nodes = math.floor(float(positions[-1])) + 4
    distance = (positions[:, None] - torch.arange(-1, nodes - 1, dtype=torch.float64)[None, :]).abs()
    inner = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
    outer = (2.0 - distance).clamp(min=0.0) ** 3 / 6.0
    return torch.where(distance < 1.0, inner, outer)


def smooth_fields(count: int, channels: int, size: tuple[int, int], scale: float, generator: torch.Generator) -> Tensor:
    """Draw smooth random fields: cubic B-splines on a randomly shifted grid of normal values.

    Args:
        count: number of independent fields n.
        channels: channels of each field.
        size: (H, W) in pixels.
        scale: distance of the grid's nodes in pixels, which sets the width of the field's bumps.
        generator: CPU generator.

    Returns:
        n x channels x H x W float32 on the CPU; every channel's largest magnitude is exactly 1.
    """
    phases = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    rows, columns = (_spline_basis(length, scale, phase) for length, phase in zip(size, phases, strict=True))
    lattice = torch.randn(count, channels, rows.shape[1], columns.shape[1], generator=generator, dtype=torch.float64)
    fields = rows @ lattice @ columns.T
    peak = fields.abs().amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    return (fields / peak).float()


def change_exposure(images: Tensor, stops: Tensor) -> Tensor:
    """Brighten or darken without clipping.

    Multiplies the odds x / (1 - x) by `2 ** stops`: a true gain in the shadows, a roll-off in the highlights, 0 and 1
    stay where they are, so that no texture is lost to saturation.

    Args:
        images: ... x H x W in [0, 1].
        stops: exposure change in photographic stops (log2 of the gain), broadcastable to `images`.
    """
    gain = torch.exp2(stops)
    return images * gain / (1.0 + images * (gain - 1.0))


def displace(images: Tensor, displacement: Tensor) -> Tensor:
    """Warp images backwards by a displacement field, with bicubic interpolation and reflected borders.

    Args:
        images: n x C x H x W in [0, 1].
        displacement: n x 2 x H x W in pixels, rows then columns; the result at u shows the image at u + displacement.

    Returns:
        n x C x H x W in [0, 1] (the bicubic overshoot is clamped).
    """
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device, dtype=images.dtype)[:, None] + displacement[:, 0]
    columns = torch.arange(width, device=images.device, dtype=images.dtype)[None, :] + displacement[:, 1]
    grid = torch.stack([2.0 * columns / max(width - 1, 1) - 1.0, 2.0 * rows / max(height - 1, 1) - 1.0], dim=-1)
    warped = functional.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=True)
    return warped.clamp(0.0, 1.0)
