"""BDT in the published order of operations: phases copied apart and together, softmax of products, norms per pixel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import FUSION
from lightning_modules.networks.upsampled import upsample_bicubic

COMPACT = FUSION["bdt"]


def plain_forward(network: Any, observation: Tensor, multispectral: Tensor) -> Tensor:  # noqa: ANN401
    """Fuse images whose sides need no padding."""
    enlarged = upsample_bicubic(observation, network.ratio)
    down = spatial(network.spatial, torch.cat((enlarged, multispectral), 1))
    up = spectral(network.spectral, observation)
    merged = functional.leaky_relu(network.merges[0](torch.cat((down[-1], up[0]), 1)), 0.2)
    for number in range(1, len(up)):
        raised = functional.pixel_shuffle(network.ups[number - 1](merged), 2)
        merged = network.merges[number](torch.cat((down[-1 - number], up[number], raised), 1))
        if number < network.activated:
            merged = functional.leaky_relu(merged, 0.2)
    return merged + enlarged


def spatial(direction: Any, images: Tensor) -> list[Tensor]:  # noqa: ANN401
    """Direction 1 on tokens `B x (H W) x C`."""
    height, width = images.shape[2:]
    tokens = direction.conv(images).flatten(2).permute(0, 2, 1)
    found = []
    for number, blocks in enumerate(direction.stages):
        if number:
            tokens = merged_patches(direction.reductions[number - 1], tokens, height, width)
            height, width = height // 2, width // 2
        for place, block in enumerate(blocks):
            normed = block.norm1(tokens).view(len(tokens), height, width, -1)
            if place == 1:
                normed = dilate(normed)
            attended = joined(attend(block.attention, windows(normed)), height, width)
            if place == 1:
                attended = undilate(attended)
            tokens = tokens + attended.reshape(tokens.shape)
            tokens = tokens + block.mlp(block.norm2(tokens))
        found.append(tokens.permute(0, 2, 1).reshape(len(tokens), -1, height, width))
    return found


def windows(x: Tensor) -> Tensor:
    """Windows of 8 x 8."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // 8, 8, width // 8, 8, channels)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 64, channels)


def joined(x: Tensor, height: int, width: int) -> Tensor:
    """Image of windows."""
    x = x.view(-1, height // 8, width // 8, 8, 8, x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, height, width, x.shape[-1])


def dilate(x: Tensor) -> Tensor:
    """Sort the phases of every block of 16 x 16 into its quarters, one by one."""
    blocks, out = in_blocks(x), torch.zeros_like(in_blocks(x))
    for down in range(2):
        for right in range(2):
            out[:, :, :, 8 * down : 8 * down + 8, 8 * right : 8 * right + 8] = blocks[:, :, :, down::2, right::2]
    return out.permute(0, 1, 3, 2, 4, 5).reshape(x.shape)


def undilate(x: Tensor) -> Tensor:
    """Sort the quarters back."""
    blocks, out = in_blocks(x), torch.zeros_like(in_blocks(x))
    for down in range(2):
        for right in range(2):
            out[:, :, :, down::2, right::2] = blocks[:, :, :, 8 * down : 8 * down + 8, 8 * right : 8 * right + 8]
    return out.permute(0, 1, 3, 2, 4, 5).reshape(x.shape)


def in_blocks(x: Tensor) -> Tensor:
    """Blocks of 16 x 16."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 16, 16, width // 16, 16, channels).permute(0, 1, 3, 2, 4, 5)


def attend(module: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Attention of windows."""
    count, pixels, channels = x.shape
    qkv = module.qkv(x).reshape(count, pixels, 3, module.heads, channels // module.heads).permute(2, 0, 3, 1, 4)
    scale = (channels // module.heads) ** -0.5 if module.scale is None else module.scale
    scores = ((qkv[0] * scale) @ qkv[1].transpose(-2, -1)).softmax(dim=-1)
    result: Tensor = module.project((scores @ qkv[2]).transpose(1, 2).reshape(count, pixels, channels))
    return result


def merged_patches(module: Any, tokens: Tensor, height: int, width: int) -> Tensor:  # noqa: ANN401
    """Patch merging."""
    x = tokens.view(len(tokens), height, width, -1)
    phases = [x[:, down::2, right::2] for down, right in ((0, 0), (1, 0), (0, 1), (1, 1))]
    stacked = torch.cat(phases, -1).view(len(tokens), -1, 4 * tokens.shape[-1])
    result: Tensor = module.reduction(module.norm(stacked))
    return result


def spectral(direction: Any, cube: Tensor) -> list[Tensor]:  # noqa: ANN401
    """Direction 2."""
    features = direction.conv(cube)
    found = []
    for number, block in enumerate(direction.stages):
        if number:
            features = functional.pixel_shuffle(direction.ups[number - 1](features), 2)
        features = features + channel_attention(block.attention, norm(block.norm1, features))
        feed = block.feed_forward
        gate, content = feed.depthwise(feed.expand(norm(block.norm2, features))).chunk(2, dim=1)
        features = features + feed.project(functional.gelu(gate) * content)
        found.append(features)
    return found


def norm(module: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Layer norm of tokens."""
    x = features.flatten(2).permute(0, 2, 1)
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    normed: Tensor = (x - mean) / torch.sqrt(variance + 1e-5) * module.weight + module.bias
    return normed.permute(0, 2, 1).reshape(features.shape)


def channel_attention(module: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Attention among channels, group by group."""
    batch, channels, height, width = features.shape
    parts = module.depthwise(module.qkv(features)).chunk(3, dim=1)
    grouped = []
    for part in parts:
        x = part.view(batch, channels, height // 8, 8, width // 8, 8).permute(0, 2, 4, 1, 3, 5).contiguous()
        grouped.append(x.view(-1, module.heads, channels // module.heads, 64))
    query, key = functional.normalize(grouped[0], dim=-1), functional.normalize(grouped[1], dim=-1)
    scores = ((query @ key.transpose(-2, -1)) * module.temperature).softmax(dim=-1)
    out = (scores @ grouped[2]).reshape(batch, height // 8, width // 8, channels, 8, 8)
    result: Tensor = module.project(out.permute(0, 3, 1, 4, 2, 5).contiguous().view(features.shape))
    return result
