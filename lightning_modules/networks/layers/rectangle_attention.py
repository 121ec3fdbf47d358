"""Self-attention inside rectangles of an image, the spatial part of SERT (arXiv 2304.00844, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["RectangleAttention"]


class RectangleAttention(nn.Module):
    """Multi-head self-attention among the pixels of each `height x width` rectangle of an image.

    A depthwise 3 x 3 convolution of the values, zero-padded at the rectangle's own border, is added to the
    attended values: it tells the otherwise permutation-blind attention where a pixel lies.

    Args:
        channels: feature channels entering and leaving.
        heads: attention heads; must divide `channels`.
        rectangle: height and width of a rectangle in pixels.
    """

    def __init__(self, channels: int, heads: int, rectangle: tuple[int, int]) -> None:
        super().__init__()
        self.heads = heads
        self.rectangle = rectangle
        self.position = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)

    def forward(self, qkv: Tensor) -> Tensor:
        """Attend inside every rectangle.

        Args:
            qkv: queries, keys and values, `B x H x W x 3 x C`; H and W divide by the rectangle's sides.

        Returns:
            Attended values, `B x H x W x C`.
        """
        batch, height, width, _, channels = qkv.shape
        tall, wide = self.rectangle
        rows, columns = height // tall, width // wide
        tiles = qkv.view(batch, rows, tall, columns, wide, 3, channels).permute(5, 0, 1, 3, 2, 4, 6)
        tiles = tiles.reshape(3, batch * rows * columns, tall * wide, channels)
        query, key, value = tiles.unflatten(-1, (self.heads, -1)).transpose(2, 3).unbind(0)
        attended: Tensor = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        # Channels-last views: the convolution and the sum need no further copy.
        image = tiles[2].view(-1, tall, wide, channels).permute(0, 3, 1, 2)
        attended = attended + self.position(image).permute(0, 2, 3, 1).flatten(1, 2)
        attended = attended.view(batch, rows, columns, tall, wide, channels).transpose(2, 3)
        return attended.reshape(batch, height, width, channels)
