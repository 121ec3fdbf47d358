"""Adapters behind the frozen CLIP towers of CO2IF: Linear-GELU-Linear for text and for the HR-MSI, and Eq. 16's pair.

The paper says where the adapters are and how they are built, not their widths and not whether text tokens and text
embedding share one. Reading: they share it where their widths agree (in CLIP both are what the text tower's last
layer gives, the embedding by one more projection), so that the contrastive loss also trains what the transport sees.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["ClipAdapters"]


def _adapter(width: int, hidden: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, leaving))


class ClipAdapters(nn.Module):
    """Adapters of text tokens, text embedding and image embedding, with the learned temperature of Eq. 16.

    Args:
        text_width: channels of the text tokens.
        text_embedding_width: channels of the text embedding; those of the tokens if none.
        image_width: channels of the image embedding.
        width: channels that leave all adapters, and their hidden channels.
    """

    def __init__(self, text_width: int, text_embedding_width: int | None, image_width: int, width: int) -> None:
        super().__init__()
        self.text_width, self.image_width = text_width, image_width
        self.text_embedding_width = text_embedding_width or text_width
        self.tokens = _adapter(text_width, width, width)
        shared = text_embedding_width in (None, text_width)
        self.text = None if shared else _adapter(text_embedding_width or text_width, width, width)
        self.image = _adapter(image_width, width, width)
        # CLIP's parametrisation and start: the logarithm of 1 / tau, tau = 0.07.
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, text_tokens: Tensor) -> Tensor:
        """Adapt text tokens, `B x M x text_width` to `B x M x width`."""
        adapted: Tensor = self.tokens(text_tokens.to(self.logit_scale.dtype))
        return adapted

    def embed(self, text_embedding: Tensor, image_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors t and y of Eq. 16.

        Args:
            text_embedding: `B x text_embedding_width`.
            image_embedding: `B x image_width`.

        Returns:
            Text and image, each `B x width`, of length 1, in float32 whatever the autocast.

        Raises:
            ValueError: the towers' embeddings have other widths.
        """
        wanted = (self.text_embedding_width, self.image_width)
        if (text_embedding.shape[-1], image_embedding.shape[-1]) != wanted:
            raise InputError(
                f"CO2IF: the towers give text embeddings of {text_embedding.shape[-1]} and image embeddings of "
                f"{image_embedding.shape[-1]} channels but the network was built for {wanted[0]} and {wanted[1]}; set "
                "its text_embedding_width and image_width to the towers'."
            )
        dtype = self.logit_scale.dtype
        with torch.autocast(text_embedding.device.type, enabled=False):
            text = (self.tokens if self.text is None else self.text)(text_embedding.to(dtype))
            image = self.image(image_embedding.to(dtype))
            return functional.normalize(text, dim=-1), functional.normalize(image, dim=-1)
