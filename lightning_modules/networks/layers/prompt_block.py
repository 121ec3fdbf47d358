"""The prompt generation block of PromptIR (Potlapalli et al., NeurIPS 2023, arXiv 2306.13090, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["PromptBlock"]


class PromptBlock(nn.Module):
    """Weighted sum of learnt prompt maps, the weights predicted from the mean features of each image.

    Args:
        feature_channels: channels of the features that the weights are predicted from.
        prompt_channels: channels of the maps.
        prompt_size: height and width of the learnt maps in pixels; they are resized to the features' own size.
        prompts: number of maps.
    """

    def __init__(self, feature_channels: int, prompt_channels: int, prompt_size: int, prompts: int = 5) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.rand(1, prompts, prompt_channels, prompt_size, prompt_size))
        self.to_weights = nn.Linear(feature_channels, prompts)
        self.conv = nn.Conv2d(prompt_channels, prompt_channels, kernel_size=3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Make the prompt of `B x C x H x W` features: `B x prompt_channels x H x W`."""
        weights = torch.softmax(self.to_weights(features.mean(dim=(-2, -1))).float(), dim=1)
        prompt = (weights @ self.maps[0].flatten(1)).unflatten(1, self.maps.shape[2:])
        resized = functional.interpolate(prompt, features.shape[-2:], mode="bilinear", align_corners=False)
        made: Tensor = self.conv(resized)
        return made
