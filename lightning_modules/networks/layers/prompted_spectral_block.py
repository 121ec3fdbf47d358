"""The transformer block of MP-HSIR: window attention, then a local and a global spectral branch (arXiv 2503.09131).

Facts of the published block kept here: both spectral branches start from the projected window attention, and only
their sum (not the window attention itself) joins the skip; the local branch works on the shifted windows, and a
window's gate is one vector for all of its pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.drop_path import DropPath
from lightning_modules.networks.layers.restormer import TransposedAttention
from lightning_modules.networks.layers.window_attention import WindowAttention, merge_windows, partition_windows

__all__ = ["PromptedSpectralBlock", "PromptedSpectralGroup", "SpectralPromptGate"]


class SpectralPromptGate(nn.Module):
    """Local spectral attention: one gate per channel for each window, made with learnt low-rank spectral prompts.

    The mean of a window's pixels chooses a mixture of the prompts, which asks (query) what the mean itself, reduced to
    the same rank R, answers (key and value): attention among the R coefficients, `softmax(q k^T / sqrt(R)) v`.

    Args:
        dim: feature channels C.
        compression: channels per low-rank coefficient; must divide `dim`.
        slots: number of learnt prompts.
    """

    def __init__(self, dim: int, compression: int, slots: int = 128) -> None:
        super().__init__()
        rank = dim // compression
        self.prompts = nn.Parameter(torch.rand(1, 1, slots, rank))
        self.to_weights = nn.Linear(dim, slots, bias=False)
        self.reduce = nn.Linear(dim, rank, bias=False)
        self.query = nn.Linear(rank, rank, bias=False)
        self.key_value = nn.Linear(rank, 2 * rank, bias=False)
        self.project = nn.Linear(rank, rank)
        self.expand = nn.Linear(rank, dim, bias=False)

    def forward(self, means: Tensor) -> Tensor:
        """Make the gates `... x C` of windows whose pixels have the means `... x C`."""
        weights = torch.softmax(self.to_weights(means).float(), dim=-1)
        query = self.query(weights @ self.prompts[0, 0])
        key, value = self.key_value(self.reduce(means)).chunk(2, dim=-1)
        scores = query.float()[..., :, None] * key.float()[..., None, :] * query.shape[-1] ** -0.5
        answer = (torch.softmax(scores, dim=-1) * value.float()[..., None, :]).sum(dim=-1)
        gates: Tensor = self.expand(self.project(answer.to(value.dtype)))
        return gates


class GatedPerceptron(nn.Module):
    """Two-layer perceptron whose hidden values are multiplied by the GELU of as many gates.

    Args:
        dim: feature channels entering and leaving.
        hidden: hidden channels.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 2 * hidden)
        self.project = nn.Linear(hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map `... x C` features to features of the same shape."""
        value, gate = self.expand(features).chunk(2, dim=-1)
        mapped: Tensor = self.project(value * functional.gelu(gate))
        return mapped


class PromptedSpectralBlock(nn.Module):
    """Prompt-guided spatial-spectral transformer block ("PGSSTB", arXiv 2503.09131, section 3.2).

    Args:
        dim: feature channels C.
        heads: heads of the window attention and of the global spectral attention.
        window: side of a window in pixels.
        shift: pixels by which the windows are shifted; 0 for none.
        mlp_ratio: hidden over feature channels of the perceptron, rounded down to whole channels.
        compression: channels per coefficient of the local spectral branch.
        slots: spectral prompts of the local branch.
        drop_path: chance that a branch is left out in training.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        window: int,
        shift: int,
        mlp_ratio: float,
        compression: int,
        slots: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, window, shift)
        self.local_gate = SpectralPromptGate(dim, compression, slots)
        self.global_attention = TransposedAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = GatedPerceptron(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape; H and W divide by the window."""
        windows = self.attention(partition_windows(self._rolled(self.norm1(features), -self.shift), self.window))
        gates = self.local_gate(windows.mean(dim=-2))
        image = merge_windows(windows, self.window)
        tiles = image.unflatten(2, (-1, self.window)).unflatten(1, (-1, self.window))
        local = self._rolled((tiles * gates[:, :, None, :, None]).view_as(image), self.shift)
        image = self._rolled(image, self.shift)
        # The permuted view is a channels-last image: attention among its channels needs no copy.
        spectral = self.global_attention(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        features = features + self.drop_path(local + spectral)
        updated: Tensor = features + self.drop_path(self.mlp(self.norm2(features)))
        return updated

    def _rolled(self, image: Tensor, shift: int) -> Tensor:
        """Move the rows and columns of a `B x H x W x C` image cyclically."""
        return image.roll((shift, shift), dims=(1, 2)) if shift else image


class PromptedSpectralGroup(nn.Module):
    """Blocks of one level, every second one with shifted windows, and a skip over all of them.

    Args:
        dim: feature channels C.
        heads: attention heads of every block.
        window: side of a window in pixels; odd blocks are shifted by half of it.
        mlp_ratio: hidden over feature channels of the perceptrons.
        compression: channels per coefficient of the local spectral branches.
        slots: spectral prompts of each local branch.
        drop_path: chance, for each block, that a branch is left out in training.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        window: int,
        mlp_ratio: float,
        compression: int,
        slots: int,
        drop_path: Sequence[float],
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                PromptedSpectralBlock(
                    dim, heads, window, window // 2 if index % 2 else 0, mlp_ratio, compression, slots, chance
                )
                for index, chance in enumerate(drop_path)
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape; H and W divide by the window."""
        features = image.permute(0, 2, 3, 1)
        updated: Tensor = self.blocks(features) + features
        return updated.permute(0, 3, 1, 2)
