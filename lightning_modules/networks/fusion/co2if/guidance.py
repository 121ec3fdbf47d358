"""What guides a block of CO2IF: the other modality, and in the decoder the adaptive semantic weights W."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Guidance"]


class Guidance(NamedTuple):
    """The other modality of a block, in the forms that the rows of the paper's Table 3 need.

    Attributes:
        image: guide of every pixel, `B x C x H x W`: features of the HR-MSI in the encoder, the text that optimal
            transport gave to the pixel in the decoder; none in blocks of a variant without that modality.
        tokens: text tokens `B x M x D`, decoder only.
        mask: `B x M`, true for real text tokens; none when all are.
        weight: adaptive semantic weights W of Eq. 4 in the block's inner channels, `B x D x H x W`, decoder only.
    """

    image: Tensor | None = None
    tokens: Tensor | None = None
    mask: Tensor | None = None
    weight: Tensor | None = None

    def weigh(self, mixed: Tensor) -> Tensor:
        """Multiply what a block has mixed, `B x D x H x W`, by W (Eq. 15) where there is one."""
        return mixed if self.weight is None else mixed * self.weight
