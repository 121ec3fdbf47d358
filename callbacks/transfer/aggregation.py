"""Candidate tables of the soft aggregation (HIR-ALIGN Eq. 14, 15, 18, 21), cut into blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class CandidateBlock:
    """What aggregation reads for the rows start .. start + h - 1 of N images.

    Attributes:
        start: first row.
        values: proxy RGB and normalised coordinates (y / H, x / W) at the candidates, 5 x K x N x h x W.
        distances: normalised descriptor distances d-hat of Eq. 21, K x N x h x W.
    """

    start: int
    values: Tensor
    distances: Tensor

    @property
    def rows(self) -> int:
        """Number of rows h."""
        return int(self.distances.shape[-2])


def candidate_table(proxy_rgb: Tensor) -> Tensor:
    """Return RGB and normalised coordinates of every proxy pixel: what Eq. 15 and 18 average.

    Args:
        proxy_rgb: 3 x N x H x W, the proxy of each image.

    Returns:
        5 x (N * H * W): r, g, b, y / H, x / W, one proxy after the other.
    """
    images, height, width = proxy_rgb.shape[1:]
    y = torch.arange(height, device=proxy_rgb.device, dtype=proxy_rgb.dtype) / height
    x = torch.arange(width, device=proxy_rgb.device, dtype=proxy_rgb.dtype) / width
    grid = torch.stack((y[:, None].expand(height, width), x[None, :].expand(height, width)))
    return torch.cat((proxy_rgb, grid[:, None].expand(2, images, height, width))).reshape(5, -1)


def normalised_distances(distances: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Return the distances over their mean in each image, the second line of Eq. 21.

    Args:
        distances: K x N x H x W mean-L1 descriptor distances.
        epsilon: keeps identical images (all distances zero) finite.

    Returns:
        K x N x H x W with mean one over candidates and pixels of each image.
    """
    # One mean at a time: summed together, they would be rounded otherwise than those of a guide estimated alone.
    means = torch.stack([distances[:, n].contiguous().mean() for n in range(distances.shape[1])])
    return distances / (means[:, None, None] + epsilon)


def candidate_blocks(proxy_rgb: Tensor, candidates: Tensor, distances: Tensor, block_rows: int) -> list[CandidateBlock]:
    """Gather the constant tables of an estimation once, block by block.

    Args:
        proxy_rgb: 3 x N x H x W, the proxy of each image.
        candidates: flat proxy pixel numbers, K x N x H x W.
        distances: normalised distances, K x N x H x W.
        block_rows: rows in one block.

    Returns:
        Blocks from the top to the bottom.
    """
    table = candidate_table(proxy_rgb)
    images, height, width = proxy_rgb.shape[1:]
    first = torch.arange(images, device=table.device)[:, None, None] * (height * width)
    blocks = []
    for start in range(0, height, block_rows):
        part = candidates[..., start : start + block_rows, :].long() + first
        values = table.index_select(1, part.reshape(-1)).view(5, *part.shape)
        blocks.append(CandidateBlock(start, values, distances[..., start : start + block_rows, :].contiguous()))
    return blocks
