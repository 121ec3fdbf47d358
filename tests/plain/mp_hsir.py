"""MP-HSIR in the published order of operations: masks for every window, prompts for every image, flattened tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT: dict[str, Any] = RESTORATION["mp_hsir"] | {
    "dim": 4,
    "tasks": ("gaussian_noise", "blur"),
    "text_embedding": [[1, -1, 2, 0, 1, 3, -2, 1], [0, 2, 1, -3, 1, -1, 2, 1]],
}
PATCH = 16
STAND_IN: dict[str, Any] = {"text_embedding": torch.randn(6, 512, generator=torch.Generator().manual_seed(0))}
"""In place of what the packaged configuration takes from a text encoder."""


def plain_forward(network: Any, x: Tensor, task_id: Tensor | None = None) -> Tensor:  # noqa: ANN401 - untyped children
    """Restore `B x C x H x W` cubes whose sides divide by four windows."""
    if task_id is None:
        task_id = torch.full((len(x),), network.task)
    weights = functional.one_hot(task_id.view(len(x), -1), len(network.tasks)).float().mean(dim=1)
    text = torch.mean(weights[..., None] * network.text()[None].repeat(len(x), 1, 1), dim=1)
    level1 = group(network.encoder_level1, network.embed(x))
    level2 = group(network.encoder_level2, network.down1_2(level1))
    deep = network.up3_2(group(network.latent, network.down2_3(level2)))
    level2 = fused(network.fusion2, level2, prompt(network.prompt2, level2, text, weights))
    deep = group(network.decoder_level2, network.reduce_chan_level2(torch.cat([deep, level2], dim=1)))
    level1 = fused(network.fusion1, level1, prompt(network.prompt1, level1, text, weights))
    deep = group(network.decoder_level1, torch.cat([network.up2_1(deep), level1], dim=1))
    restored: Tensor = network.output(group(network.refinement, deep)) + x
    return restored


def prompt(part: Any, features: Tensor, text: Tensor, weights: Tensor) -> Tensor:  # noqa: ANN401
    """The prompts of a batch, one for each image, in the published text mode."""
    vectors = torch.mean(weights[..., None, None, None] * part.task_vectors.repeat(len(features), 1, 1, 1, 1), dim=1)
    size = part.visual_prompt.shape[-2:]
    maps = functional.interpolate(vectors * text, size=size)
    cross = part.cross_transformer
    visual = norm(cross.norm_visual, part.visual_prompt.repeat(len(features), 1, 1, 1))
    query = cross.attention.query_depthwise(cross.attention.query(norm(cross.norm_text, maps)))
    key, value = cross.attention.key_value_depthwise(cross.attention.key_value(visual)).chunk(2, dim=1)
    maps = maps + cross.attention.project(channel_attention(query, key, value, cross.attention.temperature))
    maps = maps + feed_forward(cross.feed_forward, norm(cross.norm2, maps))
    made: Tensor = part.conv(functional.interpolate(maps, features.shape[-2:], mode="bilinear"))
    return made


def fused(part: Any, features: Tensor, prompts: Tensor) -> Tensor:  # noqa: ANN401
    """Features and prompts through one Restormer block and a convolution."""
    joined, block = torch.cat([features, prompts], dim=1), part.transformer
    joined = joined + transposed(block.attention, norm(block.norm1, joined))
    result: Tensor = part.conv(joined + feed_forward(block.feed_forward, norm(block.norm2, joined)))
    return result


def norm(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Layer norm over channels of flattened pixels, by its formula."""
    tokens = x.flatten(2).transpose(1, 2)
    mean, variance = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, unbiased=False)
    tokens = (tokens - mean) / torch.sqrt(variance + part.eps) * part.weight + part.bias
    result: Tensor = tokens.transpose(1, 2).reshape(x.shape)
    return result


def transposed(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Attention among channels."""
    query, key, value = part.depthwise(part.qkv(x)).chunk(3, dim=1)
    result: Tensor = part.project(channel_attention(query, key, value, part.temperature))
    return result


def channel_attention(query: Tensor, key: Tensor, value: Tensor, temperature: Tensor) -> Tensor:
    """Channel attention of `B x C x H x W` images, normalised over the pixels."""
    heads = len(temperature)
    query, key, tokens = (one.flatten(2).unflatten(1, (heads, -1)) for one in (query, key, value))
    query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
    weights = (query @ key.transpose(-2, -1) * temperature).softmax(dim=-1)
    result: Tensor = (weights @ tokens).reshape(value.shape)
    return result


def feed_forward(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Gated convolutions."""
    first, second = part.depthwise(part.expand(x)).chunk(2, dim=1)
    result: Tensor = part.project(functional.gelu(first) * second)
    return result


def group(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Blocks of a level and the skip over them."""
    result: Tensor = x
    for one in part.blocks:
        result = block(one, result)
    return result + x


def block(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """One transformer block on `B x C x H x W`, flattened to tokens and back."""
    batch, channels, height, width = x.shape
    skip = x.flatten(2).transpose(1, 2)
    image = part.norm1(skip).view(batch, height, width, channels)
    shift, window = part.shift, part.window
    if shift:
        image = torch.roll(image, shifts=(-shift, -shift), dims=(1, 2))
    windows = window_attention(part.attention, cut(image, window), mask(height, width, window, shift))
    local = gated(part.local_gate, windows)
    images = [put_together(one, window, height, width) for one in (windows, local)]
    if shift:
        images = [torch.roll(one, shifts=(shift, shift), dims=(1, 2)) for one in images]
    attended = images[0].view(batch, height * width, channels).transpose(1, 2).view(batch, channels, height, width)
    spectral = transposed(part.global_attention, attended).flatten(2).transpose(1, 2)
    tokens = skip + part.drop_path(images[1].view(batch, height * width, channels) + spectral)
    value, gate = part.mlp.expand(part.norm2(tokens)).chunk(2, dim=-1)
    tokens = tokens + part.drop_path(part.mlp.project(value * functional.gelu(gate)))
    transformed: Tensor = tokens.transpose(1, 2).view(batch, channels, height, width)
    return transformed


def cut(image: Tensor, window: int) -> Tensor:
    """Windows `B' x N x C` of a `B x H x W x C` image."""
    batch, height, width, channels = image.shape
    tiles = image.view(batch, height // window, window, width // window, window, channels).permute(0, 1, 3, 2, 4, 5)
    return tiles.contiguous().view(-1, window * window, channels)


def put_together(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """The image `B x H x W x C` of its windows."""
    tiles = windows.view(-1, height // window, width // window, window, window, windows.shape[-1])
    return tiles.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, height, width, windows.shape[-1])


def mask(height: int, width: int, window: int, shift: int) -> Tensor:
    """Scores to add for every window of the shifted image: pixels of different regions do not meet."""
    regions = torch.zeros(1, height, width, 1)
    parts = (slice(0, -window), slice(-window, -shift), slice(-shift, None)) if shift else (slice(None),)
    for number, (rows, columns) in enumerate((rows, columns) for rows in parts for columns in parts):
        regions[:, rows, columns] = number
    numbers = cut(regions, window)[..., 0]
    return torch.where(numbers[:, :, None] == numbers[:, None], 0.0, -100.0)


def window_attention(part: Any, windows: Tensor, masks: Tensor) -> Tensor:  # noqa: ANN401
    """Attention in each window with relative position bias and a mask for every window."""
    count, pixels, channels = windows.shape
    qkv = part.qkv(windows).reshape(count, pixels, 3, part.heads, channels // part.heads).permute(2, 0, 3, 1, 4)
    scores = (qkv[0] * qkv.shape[-1] ** -0.5) @ qkv[1].transpose(-2, -1)
    scores = scores + part.bias_table[part.index.view(-1)].view(pixels, pixels, -1).permute(2, 0, 1)
    scores = scores.view(-1, len(masks), part.heads, pixels, pixels) + masks[None, :, None]
    attended = scores.view(-1, part.heads, pixels, pixels).softmax(dim=-1) @ qkv[2]
    result: Tensor = part.project(attended.transpose(1, 2).reshape(count, pixels, channels))
    return result


def gated(part: Any, windows: Tensor) -> Tensor:  # noqa: ANN401
    """Local spectral attention of windows `B' x N x C`."""
    mean = windows.mean(dim=1, keepdim=True)
    weights = functional.softmax(part.to_weights(mean), dim=-1)
    mixture = torch.sum(weights[..., None] * part.prompts.repeat(len(windows), 1, 1, 1), dim=2)
    query = part.query(mixture)
    key, value = part.key_value(part.reduce(mean)).chunk(2, dim=2)
    scores = (query.transpose(-2, -1) @ key * query.shape[-1] ** -0.5).softmax(dim=-1)
    answer = (scores @ value.transpose(-2, -1)).transpose(-2, -1)
    result: Tensor = part.expand(part.project(answer)) * windows
    return result
