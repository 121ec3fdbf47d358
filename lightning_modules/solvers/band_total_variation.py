"""Proximal step of the isotropic total variation of single images, by accelerated projection on the dual.

Solves `min over x of 1/2 |x - b|^2 + w TV(x)`, TV with forward differences whose last one is 0, as the published LRTV
runs it: its momentum is `t' = t + 1/2` (the "1 +" under the root is missing), at most 20 steps, and a stop when the
objective changes by less than 1e-4 of itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["smoothed_bands"]

STEPS, LEAST_CHANGE = 20, 1e-4
IN_CACHE = 1 << 16
"""Pixels that are worked on at once on a CPU, so that they stay in its cache between operations."""


def smoothed_bands(images: Tensor, weight: Tensor) -> Tensor:
    """Return the proximal step of the isotropic total variation, each image by itself.

    Args:
        images: `M x H x W`.
        weight: `M`, above zero; how much each image is smoothed.
    """
    at_once = max(1, IN_CACHE // images[0].numel()) if images.device.type == "cpu" else len(images)
    pairs = zip(images.split(at_once), weight.split(at_once), strict=True)
    return torch.cat([_smoothed(part, weights) for part, weights in pairs])


def _smoothed(images: Tensor, weight: Tensor) -> Tensor:
    """Do the steps for a few images; those that are finished leave."""
    result = torch.empty_like(images)
    running = torch.arange(len(images), device=images.device)
    dual = images.new_zeros((2, *images.shape))
    ahead = dual.clone()
    previous = images.new_zeros(len(images))
    momentum = 1.0
    for step in range(1, STEPS + 1):
        broad = weight[:, None, None]
        smooth = _divergence(ahead).mul_(-broad).add_(images)
        rows, columns = _gradient(smooth)
        size = torch.addcmul(rows.square(), columns, columns).sqrt_().sum((1, 2))
        objective = (smooth - images).square_().sum((1, 2)).div_(2).add_(weight * size)
        done = (objective - previous).abs() < LEAST_CHANGE * objective
        if step == STEPS:
            done = torch.ones_like(done)
        if bool(done.any()):
            result[running[done]] = smooth[done]
            left = ~done
            if not bool(left.any()):
                break
            running, images, weight, objective = running[left], images[left], weight[left], objective[left]
            dual, ahead, rows, columns = dual[:, left], ahead[:, left], rows[left], columns[left]
            broad = weight[:, None, None]
        previous = objective
        following = momentum + 0.5
        dual, ahead = _projected(ahead, rows, columns, broad, dual, (momentum - 1) / following)
        momentum = following
    return result


def _projected(
    ahead: Tensor, rows: Tensor, columns: Tensor, weight: Tensor, dual: Tensor, momentum: float
) -> tuple[Tensor, Tensor]:
    """Step along the gradient, project on unit vectors, and look ahead; return the dual and where to go on."""
    step = -1 / (8 * weight)
    new = torch.stack([torch.addcmul(ahead[0], rows, step), torch.addcmul(ahead[1], columns, step)])
    new /= torch.addcmul(new[0].square(), new[1], new[1]).sqrt_().clamp_(min=1)
    return new, torch.lerp(dual, new, 1 + momentum)


def _gradient(images: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences along rows and columns, 0 at the last one."""
    rows, columns = torch.zeros_like(images), torch.zeros_like(images)
    torch.sub(images[:, 1:], images[:, :-1], out=rows[:, :-1])
    torch.sub(images[:, :, 1:], images[:, :, :-1], out=columns[:, :, :-1])
    return rows, columns


def _divergence(field: Tensor) -> Tensor:
    """The negative adjoint of `_gradient`."""
    rows, columns = field[0, :, :-1], field[1, :, :, :-1]
    divergence = torch.zeros_like(field[0])
    divergence[:, :-1] += rows
    divergence[:, 1:] -= rows
    divergence[:, :, :-1] += columns
    divergence[:, :, 1:] -= columns
    return divergence
