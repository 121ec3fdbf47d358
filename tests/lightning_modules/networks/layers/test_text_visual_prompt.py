"""The prompts made of a task's sentence and a learnt image (the whole: test_mp_hsir)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.layers.text_visual_prompt import (
    PromptCrossAttention,
    PromptFusion,
    TextMode,
    TextVisualPrompt,
)


def made(mode: TextMode) -> TextVisualPrompt:
    """Two tasks, four channels, 4 x 4 pixels, eight coordinates of a sentence."""
    torch.manual_seed(0)
    return TextVisualPrompt(2, 4, 4, 8, 2, 2.0, mode)


def embedding() -> Tensor:
    return torch.randn(2, 8, generator=torch.Generator().manual_seed(1))


def test_projected_text_acts_through_its_linear_layer() -> None:
    prompt = made("projected")
    weights = torch.tensor([[0.0, 1.0]])
    vector = prompt.task_vectors[0, 1, :, 0, 0] / 2
    expected = vector * prompt.text_linear(embedding()[1:] / 2)
    maps = prompt._text_maps(weights / 2, embedding())
    assert torch.allclose(maps, expected[..., None, None].expand(1, 4, 4, 4))
    assert prompt.text_linear.weight.requires_grad
    assert not prompt.clip_linear.weight.requires_grad


def test_published_maps_have_a_row_of_pixels_for_every_image_of_the_batch() -> None:
    prompt, weights = made("published"), torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    maps = prompt._text_maps(weights / 2, embedding())
    text, vectors = weights @ embedding() / 2, weights @ prompt.task_vectors[0, :, :, 0, 0] / 2
    for image in range(2):
        for row in range(4):
            for column in range(4):
                # two images of text fill four rows, eight coordinates fill four columns
                expected = vectors[image] * text[row // 2, 2 * column]
                torch.testing.assert_close(maps[image, :, row, column], expected)


def test_separate_maps_are_the_published_ones_of_a_batch_of_one() -> None:
    weights = torch.tensor([[0.3, 0.7], [1.0, 0.0]]) / 2
    separate, published = made("separate")._text_maps(weights, embedding()), made("published")
    alone = torch.cat([published._text_maps(one[None], embedding()) for one in weights])
    torch.testing.assert_close(separate, alone)
    assert (separate - published._text_maps(weights, embedding())).abs().max() > 0.01


def test_prompts_have_any_size_and_tasks_are_divided_by_their_number() -> None:
    prompt, weights = made("separate"), torch.tensor([[0.3, 0.7]])
    found = prompt(weights, embedding(), (5, 3))
    assert found.shape == (1, 4, 5, 3)
    maps = prompt.cross_transformer(prompt._text_maps(weights / 2, embedding()), prompt.visual_prompt)
    resized = nn.functional.interpolate(maps, (5, 3), mode="bilinear")
    torch.testing.assert_close(found, prompt.conv(resized))


def test_cross_attention_is_among_channels_of_normalised_rows() -> None:
    torch.manual_seed(2)
    attention = PromptCrossAttention(4, heads=2)
    with torch.no_grad():
        attention.temperature.copy_(torch.tensor([2.0, 5.0]).view(2, 1, 1))
    text, visual = torch.randn(3, 4, 3, 3), torch.randn(1, 4, 3, 3)
    query = attention.query_depthwise(attention.query(text)).flatten(2)
    key, value = attention.key_value_depthwise(attention.key_value(visual)).flatten(2)[0].chunk(2)
    expected = torch.zeros(3, 4, 9)
    for image in range(3):
        for channel in range(4):
            head = slice(2 * (channel // 2), 2 * (channel // 2) + 2)
            cosines = nn.functional.cosine_similarity(query[image, channel], key[head], dim=-1)
            shares = torch.softmax(attention.temperature[channel // 2, 0, 0] * cosines, dim=0)
            expected[image, channel] = shares @ value[head]
    expected = attention.project(expected.view(3, 4, 3, 3))
    torch.testing.assert_close(attention(text, visual), expected, rtol=1e-4, atol=1e-6)


def test_one_prompt_serves_a_whole_batch() -> None:
    torch.manual_seed(3)
    fusion = PromptFusion(4, heads=2, expansion=2.0)
    features, prompt = torch.randn(3, 4, 4, 5), torch.randn(1, 4, 4, 5)
    found = fusion(features, prompt)
    torch.testing.assert_close(found, fusion(features, prompt.expand(3, -1, -1, -1)))
    torch.testing.assert_close(found[1:2], fusion(features[1:2], prompt))
    assert found.shape == features.shape
