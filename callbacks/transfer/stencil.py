"""Per-pixel s x s interpolation of Eq. 17 and its adjoints, as whole-image shifts with clamped borders.

Planes are laid out C x N x H x W (N images of a batch), interpolation weights s^2 x N x h x W for a block of h rows, so
that every operation runs along contiguous rows and nothing of size n x s^2 x C is ever formed.
"""

from __future__ import annotations

import torch
from torch import Tensor


def clamp_pad(planes: Tensor, radius: int, out: Tensor | None = None) -> Tensor:
    """Copy planes into a frame in which out-of-image positions repeat the border: the rule pi of Eq. 17.

    Args:
        planes: ... x H x W.
        radius: width of the frame.
        out: buffer ... x (H + 2 radius) x (W + 2 radius) to reuse.

    Returns:
        The padded planes.
    """
    height, width = planes.shape[-2:]
    if out is None:
        out = planes.new_empty((*planes.shape[:-2], height + 2 * radius, width + 2 * radius))
    inner = out[..., radius : radius + height, :]
    inner[..., radius : radius + width].copy_(planes)
    if radius:
        inner[..., :radius] = planes[..., :1]
        inner[..., radius + width :] = planes[..., -1:]
        out[..., :radius, :] = out[..., radius : radius + 1, :]
        out[..., radius + height :, :] = out[..., radius + height - 1 : radius + height, :]
    return out


def clamp_fold(padded: Tensor, radius: int) -> Tensor:
    """Apply the adjoint of `clamp_pad`: what fell on the frame is added to the border pixel it was read from.

    Args:
        padded: ... x (H + 2 radius) x (W + 2 radius); overwritten.
        radius: width of the frame.

    Returns:
        ... x H x W, a view of `padded`.
    """
    if not radius:
        return padded
    height, width = padded.shape[-2] - 2 * radius, padded.shape[-1] - 2 * radius
    padded[..., radius, :] += padded[..., :radius, :].sum(-2)
    padded[..., radius + height - 1, :] += padded[..., radius + height :, :].sum(-2)
    inner = padded[..., radius : radius + height, :]
    inner[..., radius] += inner[..., :radius].sum(-1)
    inner[..., radius + width - 1] += inner[..., radius + width :].sum(-1)
    return inner[..., radius : radius + width]


def windows(padded: Tensor, size: int, start: int, rows: int) -> Tensor:
    """Return a view of all s x s shifts of a block of rows: no copy.

    Args:
        padded: C x N x (H + s - 1) x (W + s - 1), contiguous.
        size: s.
        start: first row of the block in the unpadded image.
        rows: number of rows h in the block.

    Returns:
        C x s x s x N x h x W; element [c, i, j, n, y, x] is the pixel at offset (i - s//2, j - s//2).
    """
    channels, images, _, padded_width = padded.shape
    plane, image, row, column = padded.stride()
    shape = (channels, size, size, images, rows, padded_width - size + 1)
    strides = (plane, row, column, image, row, column)
    return padded.as_strided(shape, strides, padded.storage_offset() + start * row)


def interpolate(shifted: Tensor, weights: Tensor, scratch: Tensor, out: Tensor) -> None:
    """Return the weighted sum over the stencil (Eq. 17 and 24) for one block of rows.

    Args:
        shifted: `windows` of the padded planes, C x s x s x N x h x W.
        weights: b of Eq. 16, s^2 x N x h x W.
        scratch: buffer like `weights`.
        out: C x N x h x W, overwritten.
    """
    size = shifted.shape[1]
    square = (size, size, *weights.shape[1:])
    for channel in range(shifted.shape[0]):
        torch.mul(shifted[channel], weights.view(square), out=scratch.view(square))
        torch.sum(scratch, 0, out=out[channel])


def weight_gradient(shifted: Tensor, gradient: Tensor, out: Tensor) -> None:
    """Return the gradient of `interpolate` with respect to the weights.

    Args:
        shifted: as in `interpolate`.
        gradient: gradient of the output, C x N x h x W.
        out: s^2 x N x h x W, overwritten.
    """
    size = shifted.shape[1]
    square = out.view(size, size, *out.shape[1:])
    torch.mul(shifted[0], gradient[0], out=square)
    for channel in range(1, shifted.shape[0]):
        square.addcmul_(shifted[channel], gradient[channel])


def scatter(weights: Tensor, gradient: Tensor, padded: Tensor, start: int) -> None:
    """Apply the adjoint of `interpolate` to the planes: add weights * gradient at every shift, in a fixed order.

    Args:
        weights: s^2 x N x h x W.
        gradient: C x N x h x W.
        padded: accumulator C x N x (H + s - 1) x (W + s - 1).
        start: first row of the block.
    """
    rows, width = gradient.shape[-2:]
    size = padded.shape[-1] - width + 1
    for index in range(size * size):
        row, column = start + index // size, index % size
        padded[..., row : row + rows, column : column + width].addcmul_(weights[index], gradient)
