"""Self-attention in (cyclically shifted) square windows with a relative position bias.

Swin Transformer, Liu et al., ICCV 2021, arXiv 2103.14030, section 3.2; used by TRQ3DNet and MP-HSIR. A shifted image
wraps around, so windows of its last row and column hold pixels that are no neighbours: their scores are lowered by
100. Only those windows need a mask, so they are attended apart and all others share one bias: no mask per window.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["WindowAttention", "merge_windows", "partition_windows", "relative_position_index"]

MASKED = -100.0


def partition_windows(features: Tensor, window: int) -> Tensor:
    """Cut an image into its grid of square windows.

    Args:
        features: `B x H x W x C`; H and W divide by `window`.
        window: side of a window in pixels.

    Returns:
        `B x rows x columns x window^2 x C`, pixels of a window in raster order.
    """
    tiles = features.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    windows: Tensor = tiles.transpose(2, 3).flatten(3, 4)
    return windows


def merge_windows(windows: Tensor, window: int) -> Tensor:
    """Put a grid of windows together again, the inverse of `partition_windows`.

    Args:
        windows: `B x rows x columns x window^2 x C`.
        window: side of a window in pixels.

    Returns:
        `B x H x W x C`.
    """
    tiles: Tensor = windows.unflatten(3, (window, window))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def relative_position_index(window: int) -> Tensor:
    """Number the offsets between the pixels of a window: `(dy + window - 1) * (2 window - 1) + dx + window - 1`.

    Args:
        window: side of a window in pixels.

    Returns:
        int64 `window^2 x window^2`: row of the bias table for (query, key).
    """
    rows, columns = (axis.flatten() for axis in torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij"))
    down = rows[:, None] - rows + window - 1
    right = columns[:, None] - columns + window - 1
    return down * (2 * window - 1) + right


class WindowAttention(nn.Module):
    """Multi-head attention among the pixels of each window, from a grid of windows to a grid of windows.

    The caller shifts: with `shift` s, roll the image by (-s, -s), cut it with `partition_windows`, attend, put it
    together with `merge_windows` and roll back.

    Args:
        dim: feature channels entering and leaving.
        heads: attention heads.
        window: side of a window in pixels.
        shift: pixels by which the caller rolled the image; 0 means no mask.
        split_projection: keep the query's projection apart from that of key and value, as Uformer's weights do.

    Raises:
        ValueError: when the heads do not divide `dim`, or the shift does not lie in 0 to `window - 1`.
    """

    index: Tensor

    def __init__(self, dim: int, heads: int, window: int = 8, shift: int = 0, split_projection: bool = False) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise InputError(f"WindowAttention: {heads} heads do not divide dim {dim}; choose a dim they divide.")
        if not 0 <= shift < window:
            raise InputError(f"WindowAttention: shift {shift} is not below window {window}; choose 0 to {window - 1}.")
        self.heads = heads
        self.window = window
        self.shift = shift
        self.split_projection = split_projection
        if split_projection:
            self.query = nn.Linear(dim, dim)
            self.key_value = nn.Linear(dim, 2 * dim)
        else:
            self.qkv = nn.Linear(dim, 3 * dim)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        self.register_buffer("index", relative_position_index(window), persistent=False)
        self.project = nn.Linear(dim, dim)

    def forward(self, windows: Tensor) -> Tensor:
        """Attend inside every window.

        Args:
            windows: `B x rows x columns x window^2 x C`, of the rolled image when `shift` is not 0.

        Returns:
            Attended and projected windows of the same shape.
        """
        qkv = self._query_key_value(windows).unflatten(-1, (3, self.heads, -1))
        bias = self.bias_table[self.index].permute(2, 0, 1)
        if torch.is_grad_enabled() and qkv.device.type == "cpu":
            # The fused kernel of CPUs takes no bias that learns, so the scores exist anyway.
            whole: Tensor = self.project(_attend_whole(qkv, bias, self._wrapped() if self.shift else None))
            return whole
        if not self.shift:
            projected: Tensor = self.project(_attend(qkv, bias))
            return projected
        below, right = self._wrapped()
        inner = _attend(qkv[:, :-1, :-1], bias)
        last_column = _attend(qkv[:, :-1, -1:], bias + right)
        last_row = _attend(qkv[:, -1:, :-1], bias + below)
        corner = _attend(qkv[:, -1:, -1:], bias + torch.minimum(below, right))
        upper, lower = torch.cat((inner, last_column), dim=2), torch.cat((last_row, corner), dim=2)
        projected = self.project(torch.cat((upper, lower), dim=1))
        return projected

    def _query_key_value(self, windows: Tensor) -> Tensor:
        """Project to queries, keys and values side by side, in one multiplication for either set of weights."""
        if not self.split_projection:
            together: Tensor = self.qkv(windows)
            return together
        weight = torch.cat((self.query.weight, self.key_value.weight))
        return functional.linear(windows, weight, torch.cat((self.query.bias, self.key_value.bias)))

    def _wrapped(self) -> tuple[Tensor, Tensor]:
        """Score to add in the last row and in the last column of windows: pixels from either side do not meet."""
        table = self.bias_table
        position = torch.arange(self.window, device=table.device) >= self.window - self.shift
        below, right = position.repeat_interleave(self.window), position.repeat(self.window)
        masks = [(side[:, None] != side).to(table.dtype) * MASKED for side in (below, right)]
        return masks[0], masks[1]


def _attend(qkv: Tensor, bias: Tensor) -> Tensor:
    """Attend in a grid of windows `B x rows x columns x N x 3 x heads x d`; `bias` is `heads x N x N`."""
    grid = qkv.shape[:3]
    query, key, value = qkv.flatten(0, 2).permute(2, 0, 3, 1, 4).unbind(0)
    if not len(query):
        return query.new_empty(*grid, query.shape[2], query.shape[1] * query.shape[3])
    # The expanded view costs no memory; without it the fused kernel is not chosen.
    mask = bias.expand(len(query), -1, -1, -1)
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    windows: Tensor = attended.transpose(1, 2).flatten(2).unflatten(0, grid)
    return windows


def _attend_whole(qkv: Tensor, bias: Tensor, wrapped: tuple[Tensor, Tensor] | None) -> Tensor:
    """Attend in a grid of windows by explicit scores; `wrapped` is added in the last row and the last column."""
    grid = qkv.shape[:3]
    query, key, value = qkv.flatten(0, 2).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
    scores = (query @ key.mT).mul_(query.shape[-1] ** -0.5) + bias
    if wrapped is not None:
        with torch.no_grad():  # constants, which no gradient goes through
            below, right = wrapped
            windows = scores.unflatten(0, grid)
            windows[:, :-1, -1].add_(right)
            windows[:, -1, :-1].add_(below)
            windows[:, -1, -1].add_(torch.minimum(below, right))
    attended = scores.softmax(dim=-1).to(value.dtype) @ value
    joined: Tensor = attended.transpose(1, 2).flatten(2).unflatten(0, grid)
    return joined
