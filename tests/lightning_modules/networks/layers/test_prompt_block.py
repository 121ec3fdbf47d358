"""The prompt block mixes its maps by the weights that the mean features predict."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_modules.networks.layers.prompt_block import PromptBlock


def test_prompt_is_the_weighted_sum_of_resized_maps() -> None:
    torch.manual_seed(0)
    block = PromptBlock(feature_channels=6, prompt_channels=3, prompt_size=4, prompts=2)
    features = torch.rand(3, 6, 7, 5)
    with torch.no_grad():
        made = block(features)
        for one, prompt in zip(features, made, strict=True):
            first, second = torch.softmax(block.to_weights(one.mean(dim=(1, 2))), dim=0)
            mixed = first * block.maps[0, 0] + second * block.maps[0, 1]
            resized = functional.interpolate(mixed[None], (7, 5), mode="bilinear")
            assert torch.allclose(prompt, block.conv(resized)[0], atol=1e-6)
    assert made.shape == (3, 3, 7, 5)


def test_only_the_mean_of_the_features_counts() -> None:
    torch.manual_seed(1)
    block = PromptBlock(feature_channels=4, prompt_channels=2, prompt_size=3)
    features = torch.rand(1, 4, 6, 6)
    with torch.no_grad():
        assert torch.allclose(block(features), block(features.flip(-1)), atol=1e-6)
        assert not torch.allclose(block(features), block(features + 2.0), atol=1e-4)
