"""The prompts of MP-HSIR made from a task's sentence and a learnt image (arXiv 2503.09131, section 3.3).

Facts of the published code kept here, because its weights were trained with them:

- A sentence's embedding is averaged over the tasks instead of summed: it is divided by the number of tasks.
- The linear layer that should map the embedding's 512 coordinates to the features' channels is never applied. The
  product of one vector per channel (learnt) and one vector per coordinate (the embeddings of the whole batch) becomes
  a map of `batch x 512` pixels that is resized to the visual prompt by taking every eighth (sixteenth) coordinate.
  So the map's rows come from the batch: the prompt of one image depends on the tasks of its batch-mates.
- `text_linear` and `clip_linear` are therefore weights that never act.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.restormer import NORM_EPSILON, ChannelLayerNorm, GatedFeedForward, RestormerBlock

__all__ = ["PromptFusion", "TextMode", "TextVisualPrompt"]

TextMode = Literal["published", "separate", "projected"]


class PromptCrossAttention(nn.Module):
    """Channel attention of text maps (queries) to one visual prompt (keys and values), as in Restormer's.

    Args:
        channels: channels of both; a multiple of `heads`.
        heads: attention heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.key_value = nn.Conv2d(channels, 2 * channels, kernel_size=1, bias=False)
        self.key_value_depthwise = _depthwise(2 * channels)
        self.query = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
        self.query_depthwise = _depthwise(channels)
        self.project = nn.Conv2d(channels, channels, kernel_size=1, bias=False)

    def forward(self, text: Tensor, visual: Tensor) -> Tensor:
        """Attend from `B x C x S x S` text maps to a `1 x C x S x S` visual prompt; `B x C x S x S`."""
        query = self.query_depthwise(self.query(text))
        key, value = self.key_value_depthwise(self.key_value(visual)).chunk(2, dim=1)
        with torch.autocast(text.device.type, enabled=False):
            query, key = (one.float().flatten(2).unflatten(1, (self.heads, -1)) for one in (query, key))
            query = query / torch.linalg.vector_norm(query, dim=-1, keepdim=True).clamp_min(NORM_EPSILON)
            key = key / torch.linalg.vector_norm(key, dim=-1, keepdim=True).clamp_min(NORM_EPSILON)
            attention = torch.softmax(query @ key.mT * self.temperature, dim=-1)
        attended = attention.to(value.dtype) @ value.flatten(2).unflatten(1, (self.heads, -1))
        projected: Tensor = self.project(attended.flatten(1, 2).unflatten(-1, text.shape[-2:]))
        return projected


class PromptCrossTransformer(nn.Module):
    """Transformer block in which text maps attend to the visual prompt.

    Args:
        channels: channels of text maps and visual prompt.
        heads: attention heads.
        expansion: hidden over feature channels of the feed-forward network.
    """

    def __init__(self, channels: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.norm_text = ChannelLayerNorm(channels)
        self.norm_visual = ChannelLayerNorm(channels)
        self.attention = PromptCrossAttention(channels, heads)
        self.norm2 = ChannelLayerNorm(channels)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, text: Tensor, visual: Tensor) -> Tensor:
        """Map `B x C x S x S` text maps and a `1 x C x S x S` visual prompt to `B x C x S x S`."""
        text = text + self.attention(self.norm_text(text), self.norm_visual(visual))
        mapped: Tensor = text + self.feed_forward(self.norm2(text))
        return mapped


class TextVisualPrompt(nn.Module):
    """Text-visual synergistic prompt ("TVSP") of one level.

    Args:
        tasks: number of tasks.
        channels: channels C of the prompt.
        size: side S of the learnt visual prompt in pixels.
        text_channels: coordinates of a sentence's embedding.
        heads: heads of the attention to the visual prompt.
        expansion: hidden over feature channels of the feed-forward network.
        text_mode: `published`, `separate` (as published with one image a batch, so published weights serve) or
            `projected` (the paper's linear layer; its weights in published checkpoints were never trained).
    """

    def __init__(
        self,
        tasks: int,
        channels: int,
        size: int,
        text_channels: int,
        heads: int,
        expansion: float,
        text_mode: TextMode,
    ) -> None:
        super().__init__()
        self.text_mode = text_mode
        self.visual_prompt = nn.Parameter(torch.randn(1, channels, size, size))
        self.task_vectors = nn.Parameter(torch.randn(1, tasks, channels, 1, 1))
        self.text_linear = nn.Linear(text_channels, channels).requires_grad_(text_mode == "projected")
        self.clip_linear = nn.Linear(text_channels, channels).requires_grad_(False)
        self.cross_transformer = PromptCrossTransformer(channels, heads, expansion)
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)

    def forward(self, weights: Tensor, embedding: Tensor, size: tuple[int, int]) -> Tensor:
        """Make the prompts of a batch.

        Args:
            weights: share of every task for each image, `B x tasks`, rows sum to 1.
            embedding: embeddings of the tasks' sentences, `tasks x text_channels`.
            size: height and width of the prompts.

        Returns:
            `B x C x H x W`.
        """
        with torch.autocast(weights.device.type, enabled=False):
            text_maps = self._text_maps(weights / weights.shape[1], embedding)
        prompts = self.cross_transformer(text_maps, self.visual_prompt)
        resized = functional.interpolate(prompts, size, mode="bilinear", align_corners=False)
        made: Tensor = self.conv(resized)
        return made

    def _text_maps(self, weights: Tensor, embedding: Tensor) -> Tensor:
        """Map `B x C x S x S` of task shares (divided by the number of tasks) and embeddings."""
        size = self.visual_prompt.shape[-2:]
        vectors = (weights @ self.task_vectors.flatten(2)[0])[..., None, None]
        text = weights @ embedding
        if self.text_mode == "projected":
            projected: Tensor = self.text_linear(text)[..., None, None]
            return (vectors * projected).expand(-1, -1, *size)
        lines = text[:, None, None] if self.text_mode == "separate" else text[None, None]
        maps: Tensor = vectors * functional.interpolate(lines, size, mode="nearest")
        return maps


class PromptFusion(nn.Module):
    """Restormer block on features and prompt side by side, then a 1 x 1 convolution back to the features' channels.

    Args:
        channels: channels of the features and of the prompt.
        heads: heads of the block; must divide twice the channels.
        expansion: hidden over feature channels of its feed-forward network.
    """

    def __init__(self, channels: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.transformer = RestormerBlock(2 * channels, heads, expansion)
        self.conv = nn.Conv2d(2 * channels, channels, kernel_size=1, bias=False)

    def forward(self, features: Tensor, prompt: Tensor) -> Tensor:
        """Fuse `B x C x H x W` features with prompts of the same shape, or with one prompt for all."""
        joined = torch.cat((features, prompt.expand(len(features), -1, -1, -1)), dim=1)
        fused: Tensor = self.conv(self.transformer(joined))
        return fused


def _depthwise(channels: int) -> nn.Conv2d:
    """Make a depthwise 3 x 3 convolution without bias."""
    return nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False)
