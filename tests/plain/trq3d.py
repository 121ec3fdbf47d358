"""TRQ3DNet written plainly: unfolded norms and 1 x 1 convolutions, a mask for every window, attention by products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from experiments.commands.gpu_check.checks.specimens import RESTORATION
from tests.plain.bi3dqrnn import plain_layer

PATCH = 16
COMPACT = RESTORATION["trq3d"]


def cut(features: Tensor, side: int) -> Tensor:
    """`B x H x W x C` into `N x side^2 x C`."""
    batch, height, width, channels = features.shape
    windows = features.view(batch, height // side, side, width // side, side, channels)
    return windows.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, channels)


def plain_attention(attention: Any, windows: Tensor, mask: Tensor | None) -> Tensor:  # noqa: ANN401
    """Attention inside `N x side^2 x C` windows, with a mask for each window of an image."""
    count, tokens, channels = windows.shape
    q = attention.query(windows).reshape(count, tokens, 1, attention.heads, -1).permute(2, 0, 3, 1, 4)[0]
    k, v = attention.key_value(windows).reshape(count, tokens, 2, attention.heads, -1).permute(2, 0, 3, 1, 4)
    bias = attention.bias_table[attention.index.view(-1)].view(tokens, tokens, -1).permute(2, 0, 1).contiguous()
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias
    if mask is not None:
        scores = scores.view(-1, len(mask), attention.heads, tokens, tokens) + mask[:, None]
        scores = scores.view(count, attention.heads, tokens, tokens)
    attended: Tensor = attention.project((scores.softmax(-1) @ v).transpose(1, 2).reshape(count, tokens, channels))
    return attended


def plain_mask(height: int, width: int, side: int, shift: int) -> Tensor:
    """Minus 100 where two pixels of a window come from different sides of the wrapped image."""
    region = torch.zeros(1, height, width, 1)
    cuts = (slice(0, -side), slice(-side, -shift), slice(-shift, None))
    for number, (rows, columns) in enumerate((rows, columns) for rows in cuts for columns in cuts):
        region[:, rows, columns] = number
    numbers = cut(region, side).squeeze(-1)
    different = numbers[:, None, :] - numbers[:, :, None]
    return different.masked_fill(different != 0, -100.0)


def plain_block(block: Any, image: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Window attention and LeFF on a `B x C x H x W` image, flattened to tokens and back."""
    batch, channels, height, width = image.shape
    side, shift = block.window, block.shift
    tokens = image.flatten(2).transpose(1, 2)
    normed = block.norm1(tokens).view(batch, height, width, channels).roll((-shift, -shift), (1, 2))
    mask = plain_mask(height, width, side, shift) if shift else None
    attended = plain_attention(block.attention, cut(normed, side), mask)
    attended = attended.view(batch, height // side, width // side, side, side, channels).permute(0, 1, 3, 2, 4, 5)
    attended = attended.reshape(batch, height, width, channels).roll((shift, shift), (1, 2))
    tokens = tokens + attended.view(batch, -1, channels)
    part = block.feed_forward
    hidden = nn.functional.gelu(part.widen(block.norm2(tokens)))
    hidden = hidden.transpose(1, 2).reshape(batch, -1, height, width)
    hidden = nn.functional.gelu(part.depthwise(hidden)).flatten(2).transpose(1, 2)
    restored: Tensor = (tokens + part.narrow(hidden)).transpose(1, 2).reshape(batch, channels, height, width)
    return restored.contiguous()


def plain_pointwise(layer: Any, features: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Normalise, then convolve."""
    mixed: Tensor = layer.conv(layer.norm(features))
    return mixed


def plain_coupled(layer: Any, volume: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """One layer of both branches."""
    states = plain_layer(layer.recurrent, volume)
    image = image + plain_pointwise(layer.to_transformer, plain_pointwise(layer.to_bands, volume).squeeze(1))
    for block in layer.transformer.blocks:
        image = plain_block(block, image)
    image = layer.transformer.resample(image)
    states = states + plain_pointwise(layer.from_bands, plain_pointwise(layer.from_transformer, image).unsqueeze(1))
    return plain_pointwise(layer.project, states), image


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The published order of operations; height and width divide by `network.multiple`."""
    volume = plain_layer(network.extract_volume, x.unsqueeze(1))
    tokens = nn.functional.leaky_relu(network.extract_image(x)).flatten(2).transpose(1, 2)
    image = network.extract_norm(tokens).transpose(1, 2).reshape(len(x), -1, *x.shape[2:])
    skips = [(volume, image)]
    for layer in network.encoder[:-1]:
        volume, image = plain_coupled(layer, volume, image)
        skips.append((volume, image))
    volume, image = plain_coupled(network.encoder[-1], volume, image)
    volume, image = plain_coupled(network.decoder[0], volume, image)
    for layer in network.decoder[1:]:
        earlier = skips.pop()
        volume, image = plain_coupled(layer, volume + earlier[0], image + earlier[1])
    earlier = skips.pop()
    volume = plain_layer(network.reconstruct_volume, volume + earlier[0]).squeeze(1) + x
    image = network.reconstruct_image(image + earlier[1]) + x
    restored: Tensor = network.merge(torch.cat((volume, image), dim=1))
    return restored
