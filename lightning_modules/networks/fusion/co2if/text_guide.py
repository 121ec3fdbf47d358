"""The text side of CO2IF: from the text tower's tokens to what guides the decoder's blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.fusion.co2if.adapters import ClipAdapters
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.inputs import check_text
from lightning_modules.networks.fusion.co2if.transport import CrossModalTransport

__all__ = ["TextGuide"]


class TextGuide(nn.Module):
    """Adapters, and the transport that brings words to pixels.

    Args:
        adapters: of tokens and embeddings.
        transport: none where neither W nor pixel-aligned text is used.
        use_w: whether W is used; without, the transport's gate, which only W needs, is taken out.
    """

    def __init__(self, adapters: ClipAdapters, transport: CrossModalTransport | None, use_w: bool) -> None:
        super().__init__()
        self.adapters, self.transport, self.use_w = adapters, transport, use_w
        if transport is not None and not use_w:
            transport.gate = nn.Sequential()

    def _adapt(self, batch: int, text_tokens: Tensor | None, text_mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Adapted tokens and their mask, without the places that are padding in every caption."""
        tokens = check_text(text_tokens, text_mask, batch, self.adapters.text_width)
        if text_mask is not None:
            used = text_mask.any(dim=0)
            tokens, text_mask = tokens[:, used], text_mask[:, used]
        return self.adapters(tokens), text_mask

    def forward(self, features: Tensor, text_tokens: Tensor | None, text_mask: Tensor | None) -> Guidance:
        """Guide a decoder.

        Args:
            features: image features X of the transport, `B x C x H x W`.
            text_tokens: `B x M x text_width`.
            text_mask: `B x M`, true for real text tokens; all if none.

        Returns:
            Adapted tokens and, with a transport, the text of every pixel and W.

        Raises:
            ValueError: tokens or mask are missing or do not fit.
        """
        tokens, mask = self._adapt(len(features), text_tokens, text_mask)
        if self.transport is None:
            return Guidance(None, tokens, mask)
        moved = self.transport(features, tokens, mask)
        return Guidance(moved.text, tokens, mask, moved.weight if self.use_w else None)

    def matching_loss(self, features: Tensor, text_tokens: Tensor | None, text_mask: Tensor | None) -> Tensor:
        """Return the loss of the variant `cross_entropy` of the transport, a scalar in nats; 0 without a transport."""
        if self.transport is None:
            return torch.zeros((), device=features.device)
        tokens, mask = self._adapt(len(features), text_tokens, text_mask)
        return self.transport.matching_loss(features, tokens, mask)
