"""SSTF-Unet in the published order of operations: masks for all windows, normalised tensors, tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.window_attention import relative_position_index


def plain_forward(network: Any, observation: Tensor, multispectral: Tensor) -> Tensor:  # noqa: ANN401
    """Fuse images whose sides need no padding."""
    corners = network.align_corners
    enlarged = functional.interpolate(observation, scale_factor=network.ratio, mode="bicubic", align_corners=corners)
    x, y = network.stem(multispectral), enlarged
    kept = []
    for level in network.encoder:
        y = spectral(level.spectral, level.halve_spectral(y))
        x = spatial(level.spatial, level.halve_spatial(x))
        y = level.join(torch.cat([y, x], dim=1))
        kept.append(y)
    for level, skip in zip(network.decoder, kept[-2::-1], strict=True):
        y = level.join(torch.cat([level.raise_size(y), skip], dim=1))
        y = level.merge(torch.cat([spectral(level.spectral, y), spatial(level.spatial, y)], dim=1))
    fused: Tensor = enlarged + network.tail(network.up(y))
    return fused


def spectral(layer: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Attention among channels on pixels, then the feed-forward."""
    attend, (batch, channels, height, width) = layer.attention, features.shape
    pixels = features.permute(0, 2, 3, 1)
    tokens = pixels.reshape(batch, height * width, channels)
    value = attend.value(tokens)
    query, key, mixed = (
        one.unflatten(-1, (attend.heads, -1)).permute(0, 2, 3, 1)
        for one in (attend.query(tokens), attend.key(tokens), value)
    )
    query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
    mixed = ((key @ query.transpose(-2, -1)) * attend.rescale).softmax(dim=-1) @ mixed
    mixed = attend.project(mixed.permute(0, 3, 1, 2).reshape(batch, height * width, channels)).view(pixels.shape)
    placed = attend.position(value.reshape(pixels.shape).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    pixels = mixed + placed + pixels
    fed = layer.feed_forward(layer.norm(pixels).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    result: Tensor = (fed + pixels).permute(0, 3, 1, 2)
    return result


def spatial(layer: Any, features: Tensor) -> Tensor:  # noqa: ANN401
    """Swin blocks."""
    x = features.permute(0, 2, 3, 1)
    for block in layer.blocks:
        batch, height, width, channels = x.shape
        window, shift = block.window, block.shift
        padded = functional.pad(block.norm1(x), (0, 0, 0, -width % window, 0, -height % window))
        rows, columns = padded.shape[1:3]
        if shift:
            padded = torch.roll(padded, (-shift, -shift), (1, 2))
        cut = windows(padded, window).view(-1, window**2, channels)
        attended = attend_windows(block.attention, cut, mask(rows, columns, window, shift) if shift else None)
        attended = attended.view(-1, rows // window, columns // window, window, window, channels)
        attended = attended.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, rows, columns, channels)
        if shift:
            attended = torch.roll(attended, (shift, shift), (1, 2))
        x = x + block.drop_path(attended[:, :height, :width].contiguous())
        x = x + block.drop_path(block.mlp(block.norm2(x)))
    return x.permute(0, 3, 1, 2)


def windows(x: Tensor, window: int) -> Tensor:
    """Windows of an image."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window, window, width // window, window, channels)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window, window, channels)


def mask(rows: int, columns: int, window: int, shift: int) -> Tensor:
    """-100 between pixels of different regions, for every window."""
    image = torch.zeros(1, rows, columns, 1)
    slices = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
    for number, (down, right) in enumerate((down, right) for down in slices for right in slices):
        image[:, down, right] = number
    labels = windows(image, window).view(-1, window**2)
    return (labels.unsqueeze(1) != labels.unsqueeze(2)).float() * -100


def attend_windows(module: Any, x: Tensor, masks: Tensor | None) -> Tensor:  # noqa: ANN401
    """Attention of windows with position bias and masks."""
    count, pixels, channels = x.shape
    head = channels // module.heads
    qkv = module.qkv(x).reshape(count, pixels, 3, module.heads, head).permute(2, 0, 3, 1, 4)
    scores = (qkv[0] * head**-0.5) @ qkv[1].transpose(-2, -1)
    index = relative_position_index(module.window)
    scores = scores + module.bias_table[index.view(-1)].view(pixels, pixels, -1).permute(2, 0, 1)[None]
    if masks is not None:
        scores = scores.view(-1, len(masks), module.heads, pixels, pixels) + masks[None, :, None]
        scores = scores.view(-1, module.heads, pixels, pixels)
    result: Tensor = module.project((scores.softmax(-1) @ qkv[2]).transpose(1, 2).reshape(count, pixels, channels))
    return result
