"""PromptIR in the published order of operations: norms on pixel rows, normalised queries and keys, nothing merged."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["promptir"]
PATCH = 16


def plain_norm(norm: Any, features: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Layer norm of every pixel, on a copy with the channels last."""
    batch, channels, height, width = features.shape
    rows: Tensor = features.flatten(2).transpose(1, 2).contiguous()
    variance = rows.var(-1, keepdim=True, unbiased=False)
    if norm.bias is None:
        rows = rows / torch.sqrt(variance + 1e-5) * norm.weight
    else:
        rows = (rows - rows.mean(-1, keepdim=True)) / torch.sqrt(variance + 1e-5) * norm.weight + norm.bias
    normed: Tensor = rows.transpose(1, 2).contiguous().view(batch, channels, height, width)
    return normed


def plain_attention(attention: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Channel attention: normalise queries and keys, multiply with the values, then project."""
    batch, channels, height, width = features.shape
    parts = attention.depthwise(attention.qkv(features)).chunk(3, dim=1)
    query, key, value = (part.reshape(batch, attention.heads, -1, height * width) for part in parts)
    query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
    weights = ((query @ key.transpose(-2, -1)) * attention.temperature).softmax(dim=-1)
    projected: Tensor = attention.project((weights @ value).view(batch, channels, height, width))
    return projected


def plain_block(block: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Attention and gated feed-forward network, each with a skip."""
    features = features + plain_attention(block.attention, plain_norm(block.norm1, features))
    network = block.feed_forward
    gate, content = network.depthwise(network.expand(plain_norm(block.norm2, features))).chunk(2, dim=1)
    mapped: Tensor = features + network.project(functional.gelu(gate) * content)
    return mapped


def plain_blocks(blocks: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Blocks in turn."""
    for block in blocks:
        features = plain_block(block, features)
    return features


def plain_prompt(prompt: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Maps repeated for every image, weighted, summed, resized and convolved."""
    weights = torch.softmax(prompt.to_weights(features.mean(dim=(-2, -1))), dim=1)
    maps = prompt.maps.repeat(len(features), 1, 1, 1, 1)
    mixed = (weights[:, :, None, None, None] * maps).sum(dim=1)
    made: Tensor = prompt.conv(functional.interpolate(mixed, features.shape[-2:], mode="bilinear"))
    return made


def plain_decoder(decoder: Any, deep: Tensor, skip: Tensor) -> Tensor:  # noqa: ANN401
    """One level of the decoder."""
    prompted = plain_block(decoder.interaction, torch.cat([deep, plain_prompt(decoder.prompt, deep)], 1))
    joined = decoder.join(torch.cat([decoder.up(decoder.reduce(prompted)), skip], 1))
    return plain_blocks(decoder.blocks, joined)


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """The published forward of cubes whose sides divide by 8."""
    level1 = plain_blocks(network.encoder1, network.embed(x))
    level2 = plain_blocks(network.encoder2, network.down1(level1))
    level3 = plain_blocks(network.encoder3, network.down2(level2))
    deep = plain_blocks(network.latent, network.down3(level3))
    deep = plain_decoder(network.decoder3, deep, level3)
    deep = plain_decoder(network.decoder2, deep, level2)
    deep = plain_decoder(network.decoder1, deep, level1)
    restored: Tensor = network.output(plain_blocks(network.refinement, deep)) + x
    return restored
