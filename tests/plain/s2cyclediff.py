"""S2CycleDiff in the published order of operations: the guide in every step, attention over all pairs of pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import FUSION
from lightning_modules.networks.fusion.s2cyclediff.attention import SpatialCrossAttention, reductions
from lightning_modules.networks.fusion.s2cyclediff.denoiser import ResidualBlock, Upsample

COMPACT = FUSION["s2cyclediff"]


def plain_forward(network: Any, observation: Tensor, multispectral: Tensor) -> Tensor:  # noqa: ANN401
    """Sample by DDIM images whose sides need no padding."""
    schedule = network.schedule
    draws = network._draws(multispectral.new_empty(len(observation), *target(network, multispectral)))
    spe, spa = next(draws), next(draws)
    steps = schedule.subset(network.steps)
    factor = network.attention
    for number, step in enumerate(steps):
        enlarged = functional.interpolate(observation, scale_factor=network.ratio, mode="bicubic")
        level = schedule.levels[step].repeat(len(observation))
        x0 = denoised(network.spectral, torch.cat([multispectral, spe], dim=1), enlarged, level, factor)
        y0 = denoised(network.spatial, torch.cat([enlarged, spa], dim=1), multispectral, level, factor)
        following = steps[number + 1] if number + 1 < len(steps) else None
        spe, spa = schedule.implicit(x0, spe, step, following), schedule.implicit(y0, spa, step, following)
    fused: Tensor = network.fuse(torch.cat([spe, spa], dim=1))
    return fused


def target(network: Any, multispectral: Tensor) -> tuple[int, int, int]:  # noqa: ANN401
    """Shape of one fused cube."""
    return network.input_channels, multispectral.shape[2], multispectral.shape[3]


def denoised(network: Any, x: Tensor, guide: Tensor, level: Tensor, factor: float) -> Tensor:  # noqa: ANN401
    """One call of a denoiser, guide and all."""
    embedding = network.embedding(level)
    features, guides = [], []
    for layer in network.downs:
        x = residual(layer, x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
        features.append(x)
    for layer in network.guides:
        guide = (
            layer(guide) if isinstance(layer, torch.nn.Conv2d) else convolved(layer.block1, guide) + layer.skip(guide)
        )
        guides.append(guide)
    for layer in network.mid:
        x = residual(layer, x, embedding)
    z = 0
    for number, layer in enumerate(network.ups):
        if isinstance(layer, Upsample):
            x = layer(x)
            continue
        feature, other = features.pop(), guides.pop()
        if number and isinstance(network.ups[number - 1], Upsample):
            attended = self_attention(network.self_attentions[z], other, factor)
            cross = network.cross_attentions[z]
            form = spatial_attention if isinstance(cross, SpatialCrossAttention) else spectral_attention
            x = torch.cat([x, attended, form(cross, feature, other, factor)], dim=1)
            z += 1
        else:
            x = torch.cat([x, feature, other], dim=1)
        x = residual(layer, x, embedding)
    return convolved(network.tail, x)


def convolved(part: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Norm, Swish, convolution."""
    x = part.norm(x)
    result: Tensor = part.conv(x * torch.sigmoid(x))
    return result


def residual(part: Any, x: Tensor, embedding: Tensor) -> Tensor:  # noqa: ANN401
    """Residual block."""
    y = convolved(part.block1, x) + part.noise(embedding).view(x.shape[0], -1, 1, 1)
    result: Tensor = convolved(part.block2, y) + part.skip(x)
    return result


def products(keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
    """Keys by values, then by queries, over the last axis."""
    related = torch.einsum("bhdn,bhen->bhde", keys.softmax(dim=-1), values)
    return torch.einsum("bhde,bhdn->bhen", related, queries)


def heads(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Thirds of `B x 3C x H x W` as `B x 1 x C x (H W)`."""
    queries, keys, values = x.flatten(2)[:, None].chunk(3, dim=2)
    return queries, keys, values


def self_attention(part: Any, x: Tensor, factor: float) -> Tensor:  # noqa: ANN401
    """Linear self-attention."""
    queries, keys, values = heads(part.qkv(part.norm(x)))
    result: Tensor = x + factor * part.project(products(keys, values, queries)[:, 0].view_as(x))
    return result


def spectral_attention(part: Any, x: Tensor, y: Tensor, factor: float) -> Tensor:  # noqa: ANN401
    """Both projections whole."""
    queries, keys, _ = heads(part.qkv_1(part.norm(x)))
    _, _, values = heads(part.qkv_2(part.norm(y)))
    result: Tensor = x + factor * part.project(products(keys, values, queries)[:, 0].view_as(x))
    return result


def spatial_attention(part: Any, x: Tensor, y: Tensor, factor: float) -> Tensor:  # noqa: ANN401
    """All pairs of pixels of reduced images."""
    count = reductions(x.shape[2])
    small_x, small_y = part.norm(x), part.norm(y)
    for number in range(count):
        small_x = functional.interpolate(part.down[number](small_x), scale_factor=0.5, mode="bicubic")
        small_y = functional.interpolate(part.down[number](small_y), scale_factor=0.5, mode="bicubic")
    pixels, others = small_x.flatten(2).mT[:, None], small_y.flatten(2).mT[:, None]
    out = products(pixels, others, pixels)[:, 0].mT.reshape(small_x.shape)
    for number in reversed(range(count)):
        out = functional.interpolate(part.up[number](out), scale_factor=2.0, mode="bicubic")
    result: Tensor = x + factor * part.project(out)
    return result
