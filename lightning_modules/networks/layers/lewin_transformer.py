"""Locally-enhanced window transformer block of Uformer (Wang et al., CVPR 2022, arXiv 2106.03106, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.layers.window_attention import WindowAttention, merge_windows, partition_windows

__all__ = ["LeFF", "LeWinBlock"]


class LeFF(nn.Module):
    """Locally-enhanced feed-forward network: linear, depthwise 3 x 3 convolution, linear, with GELU in between.

    Args:
        dim: feature channels entering and leaving.
        hidden: channels in between.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(dim, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, kernel_size=3, padding=1, groups=hidden)
        self.narrow = nn.Linear(hidden, dim)
        self.activation = nn.GELU()

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape."""
        hidden = self.activation(self.widen(features))
        # The permuted view is a channels-last image: convolution without copies.
        hidden = self.activation(self.depthwise(hidden.permute(0, 3, 1, 2)))
        narrowed: Tensor = self.narrow(hidden.permute(0, 2, 3, 1))
        return narrowed


class LeWinBlock(nn.Module):
    """Window attention (of the cyclically shifted image, masked), then LeFF, each after a LayerNorm and with a skip.

    Args:
        dim: feature channels.
        heads: attention heads.
        window: side of a window in pixels.
        shift: pixels by which the windows are shifted; 0 for none.
        mlp_ratio: hidden over feature channels of the LeFF.
    """

    def __init__(self, dim: int, heads: int, window: int = 8, shift: int = 0, mlp_ratio: float = 2.0) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, window, shift, split_projection=True)
        self.norm2 = nn.LayerNorm(dim)
        self.feed_forward = LeFF(dim, int(dim * mlp_ratio))

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x H x W x C` features to features of the same shape; H and W divide by the window."""
        attended = self.norm1(features)
        if self.shift:
            attended = attended.roll((-self.shift, -self.shift), dims=(1, 2))
        attended = merge_windows(self.attention(partition_windows(attended, self.window)), self.window)
        if self.shift:
            attended = attended.roll((self.shift, self.shift), dims=(1, 2))
        features = features + attended
        updated: Tensor = features + self.feed_forward(self.norm2(features))
        return updated
