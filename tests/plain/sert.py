"""SERT written plainly: windows and rectangles cut out one after the other, attention by explicit products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from experiments.commands.gpu_check.checks.specimens import RESTORATION

PATCH = 16
COMPACT = RESTORATION["sert"]


def cut(features: Tensor, tall: int, wide: int) -> Tensor:
    """`B x H x W x C` into `N x tall x wide x C`."""
    batch, height, width, channels = features.shape
    pieces = features.view(batch, height // tall, tall, width // wide, wide, channels)
    return pieces.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, tall, wide, channels)


def join(pieces: Tensor, height: int, width: int) -> Tensor:
    """Undo `cut`."""
    _, tall, wide, channels = pieces.shape
    features = pieces.view(-1, height // tall, width // wide, tall, wide, channels)
    return features.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, height, width, channels)


def attend_in_rectangles(rectangle: Any, qkv: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Attention within the rectangles of `N x side x side x 3C` windows."""
    side = qkv.shape[1]
    tall, wide = rectangle.rectangle
    tokens = cut(qkv, tall, wide)
    q, k, v = tokens.flatten(1, 2).chunk(3, dim=-1)
    value_image = v.view(-1, tall, wide, v.shape[-1]).permute(0, 3, 1, 2).contiguous()
    position = rectangle.position(value_image).permute(0, 2, 3, 1).flatten(1, 2)
    q, k, v = (one.view(*one.shape[:2], rectangle.heads, -1).permute(0, 2, 1, 3).contiguous() for one in (q, k, v))
    weights = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1), dim=-1)
    values = (weights @ v).transpose(1, 2).reshape(-1, tall * wide, position.shape[-1]) + position
    return join(values.view(-1, tall, wide, values.shape[-1]), side, side)


def attend(attention: Any, windows: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Rectangle and spectral attention of `N x side x side x C` windows."""
    q, k, v = attention.qkv(windows).chunk(3, dim=-1)
    half = q.shape[-1] // 2
    halves = []
    for index, rectangle in enumerate(attention.rectangles):
        part = slice(index * half, (index + 1) * half)
        halves.append(attend_in_rectangles(rectangle, torch.cat([q[..., part], k[..., part], v[..., part]], dim=-1)))
    joined = torch.cat(halves, dim=-1)
    shuffled = joined.view(*joined.shape[:-1], 4, -1).transpose(-1, -2).reshape(joined.shape)
    memory = attention.spectral
    mixed = memory.expand(nn.functional.gelu(memory.squeeze(windows)))
    scores = memory.to_rank(mixed.mean((1, 2))) @ memory.memory * memory.memory.shape[0] ** -0.5
    gate = torch.sigmoid(memory.to_gate(torch.softmax(scores, dim=-1) @ memory.memory.t()))
    out: Tensor = attention.project(shuffled + attention.spectral_weight * (mixed * gate[:, None, None]))
    return out


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The published order of operations; height and width divide by every window."""
    shallow = network.conv_first(x)
    features = shallow
    height, width = x.shape[-2:]
    for layer in network.layers:
        start = features
        for block in layer.blocks:
            tokens = features.permute(0, 2, 3, 1).contiguous()
            shifted = block.norm1(tokens).roll((-block.shift, -block.shift), (1, 2))
            side = block.attention.spectral.window
            attended = join(attend(block.attention, cut(shifted, side, side)), height, width)
            tokens = tokens + attended.roll((block.shift, block.shift), (1, 2))
            features = (tokens + block.mlp(block.norm2(tokens))).permute(0, 3, 1, 2).contiguous()
        features = start + layer.conv(features)
    restored: Tensor = network.conv_last(network.conv_features(features + shallow)) + x
    return restored
