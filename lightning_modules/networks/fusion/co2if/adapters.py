"""Adapters behind the frozen towers of CO2IF: Linear-GELU-Linear for text and for the HR-MSI, and Eq. 16's pair.

The paper contrasts "the text prompt tokens obtained from the CLIP text encoder and the HR-MSI image tokens" and gives
the transport "the text tokens aligned" by that loss: there is one adapter of text, that of the tokens, and t of Eq. 16
is the mean of what it makes of a caption's real tokens. The tower's own text embedding, which lies in another space
(CLIP's is behind a projection), is not used. Widths are not published.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["ClipAdapters"]


def _adapter(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))


class ClipAdapters(nn.Module):
    """Adapters of text tokens and of the image embedding, with the learned temperature of Eq. 16.

    Args:
        text_width: channels of the text tokens.
        image_width: channels of the image embedding.
        width: channels that leave both adapters, and their hidden channels.
    """

    def __init__(self, text_width: int, image_width: int, width: int) -> None:
        super().__init__()
        self.text_width, self.image_width = text_width, image_width
        self.tokens = _adapter(text_width, width)
        self.image = _adapter(image_width, width)
        # CLIP's parametrisation and start: the logarithm of 1 / tau, tau = 0.07.
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, text_tokens: Tensor) -> Tensor:
        """Adapt text tokens, `B x M x text_width` to `B x M x width`."""
        adapted: Tensor = self.tokens(text_tokens.to(self.logit_scale.dtype))
        return adapted

    def embed(self, text_tokens: Tensor, text_mask: Tensor, image_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the unit vectors t and y of Eq. 16.

        Args:
            text_tokens: `B x M x text_width`.
            text_mask: `B x M`, true for real text tokens, over which t is the mean.
            image_embedding: `B x image_width`.

        Returns:
            Text and image, each `B x width`, of length 1, in float32 whatever the autocast.

        Raises:
            ValueError: the towers' tokens or embeddings have other widths.
        """
        wanted = (self.text_width, self.image_width)
        if (text_tokens.shape[-1], image_embedding.shape[-1]) != wanted:
            raise InputError(
                f"CO2IF: the towers give text tokens of {text_tokens.shape[-1]} and image embeddings of "
                f"{image_embedding.shape[-1]} channels but the network was built for {wanted[0]} and {wanted[1]}; set "
                "its text_width and image_width to the towers'."
            )
        precision = torch.promote_types(self.logit_scale.dtype, torch.float32)
        with torch.autocast(text_tokens.device.type, enabled=False):
            adapted = self(text_tokens).to(precision)
            real = text_mask[..., None].to(precision)
            text = (adapted * real).sum(dim=1) / real.sum(dim=1)
            image = self.image(image_embedding.to(self.logit_scale.dtype)).to(precision)
            return functional.normalize(text, dim=-1), functional.normalize(image, dim=-1)
