"""Restoration of one whole scene, in one piece or in overlapping tiles where it does not fit into memory."""

import torch
from torch import Tensor, nn

OVERLAP = 0.25
"""Share of a tile's side that it has in common with the next one."""


@torch.no_grad()
def restore(network: nn.Module, observation: Tensor, tile: int | None = None) -> Tensor:
    """Restore one observation on the network's device, in float32.

    Tiles overlap by a quarter and are blended with weights that fall off towards their edges, so no seam is left.

    Args:
        network: The restorer in evaluation mode; it may enlarge the observation by a whole factor.
        observation: ``C x h x w``.
        tile: Side of the square tiles in observation pixels; None restores the scene whole.

    Returns:
        The restored cube, ``C x H x W``, float32, on the CPU.
    """
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    height, width = observation.shape[-2:]
    if tile is None or (height <= tile and width <= tile):
        return _apply(network, observation, device)
    total, weights = torch.zeros(0), torch.zeros(0)
    for top in _starts(height, tile):
        for left in _starts(width, tile):
            piece = observation[:, top : top + tile, left : left + tile]
            restored = _apply(network, piece, device)
            scale = restored.shape[-2] // piece.shape[-2]
            if total.numel() == 0:
                total = torch.zeros(restored.shape[0], height * scale, width * scale)
                weights = torch.zeros(height * scale, width * scale)
            mask = _ramp(restored.shape[-2])[:, None] * _ramp(restored.shape[-1])
            rows = slice(top * scale, top * scale + restored.shape[-2])
            columns = slice(left * scale, left * scale + restored.shape[-1])
            total[:, rows, columns] += restored * mask
            weights[rows, columns] += mask
    return total / weights


def _apply(network: nn.Module, piece: Tensor, device: torch.device) -> Tensor:
    restored: Tensor = network(piece.unsqueeze(0).to(device, torch.float32))
    return restored.squeeze(0).to("cpu", torch.float32)


def _starts(length: int, tile: int) -> list[int]:
    """Return where tiles start along one axis; the last one ends with the axis."""
    if length <= tile:
        return [0]
    step = max(1, int(tile * (1.0 - OVERLAP)))
    return [*range(0, length - tile, step), length - tile]


def _ramp(length: int) -> Tensor:
    """Return blending weights in (0, 1] that rise over the overlap from both ends."""
    position = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(position, position.flip(0)).div(max(1.0, length * OVERLAP)).clamp(max=1.0)
