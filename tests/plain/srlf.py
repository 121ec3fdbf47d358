"""SRLF-Net in the published order of operations: every direction projected by itself, sorting, zeros filled in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

COMPACT: dict[str, Any] = {"stages": 1}


def plain_forward(network: Any, observation: Tensor, multispectral: Tensor, backend: Backend = "reference") -> Tensor:  # noqa: ANN401
    """Fuse `B x C x h x w` and `B x c x H x W`."""
    enlarged = functional.interpolate(observation, scale_factor=network.ratio, mode="bicubic")
    features = [network.stem(torch.cat((enlarged, multispectral), dim=1))]
    for one in network.stages:
        features.append(stage(one, features[-1], observation, multispectral, network.sensor, backend))
    residual: Tensor = network.tail(torch.cat(features[::-1], dim=1))
    return residual + enlarged


def stage(one: Any, features: Tensor, cube: Tensor, image: Tensor, sensor: Any, backend: Backend) -> Tensor:  # noqa: ANN401
    """One stage."""
    batch, channels = features.shape[:2]
    fine = scan_block(one.fine, features, backend)
    coarse = functional.pixel_shuffle(one.up(scan_block(one.coarse, one.down(fine), backend)), one.ratio)
    fused = scan_block(one.joined, one.join(torch.cat([fine, coarse], dim=1)), backend)
    fused = one.norm(fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    seen = torch.tensordot(fused, sensor.response, dims=([1], [1])).permute(0, 3, 1, 2).clamp(0, 1)
    scores = similarity(seen, image)
    shares = 0.3 * (1 - functional.adaptive_avg_pool2d(scores, (1, 1)).reshape(-1))
    scores = scores.reshape(batch, -1)
    chosen = torch.argsort(scores, dim=1)[:, : int(torch.mean(scores.shape[1] * shares))]
    spatial = one.with_multispectral(torch.cat([fused, image], dim=1))
    spatial = refined(one.spatial, spatial, chosen)
    kernel = torch.outer(sensor.spread, sensor.spread)[None, None].repeat_interleave(channels, 0)
    padding = (len(sensor.spread) - 1) // 2
    reduced = functional.conv2d(spatial, kernel, stride=one.ratio, padding=padding, groups=channels)
    angles = angle(reduced, cube)
    chosen = torch.argsort(angles, dim=1, descending=True)[:, : int(torch.mean(angles.shape[1] * shares))]
    spectral = one.with_hyperspectral(torch.cat([reduced, cube], dim=1))
    spectral = functional.pixel_shuffle(one.up_spectral(refined(one.spectral, spectral, chosen)), one.ratio)
    merged = one.merge(torch.cat([spatial, spectral], dim=1))
    again = scan_block(one.merged, merged, backend) + merged
    result: Tensor = one.out(torch.cat([again, features], dim=1))
    return result


def similarity(seen: Tensor, image: Tensor) -> Tensor:
    """Similarity map, every moment blurred by itself."""
    channels = image.shape[1]
    weights = torch.tensor([torch.exp(torch.tensor(-((x - 2) ** 2) / 4.5)) for x in range(5)])
    weights = weights / weights.sum()
    window = (weights[:, None] @ weights[None])[None, None].expand(channels, 1, 5, 5)

    def blur(one: Tensor) -> Tensor:
        return functional.conv2d(one, window, padding="same", groups=channels)

    a, b = blur(seen), blur(image)
    variance_a, variance_b = blur(seen * seen) - a.pow(2), blur(image * image) - b.pow(2)
    structure = 2 * (blur(seen * image) - a * b) + 0.0009
    score = ((2 * a * b + 0.0001) * structure) / ((a.pow(2) + b.pow(2) + 0.0001) * (variance_a + variance_b + 0.0009))
    return score.mean(1)


def angle(seen: Tensor, cube: Tensor) -> Tensor:
    """Spectral angles in degrees, `B x (h w)`."""
    one, other = seen.flatten(2).permute(0, 2, 1), cube.flatten(2).permute(0, 2, 1)
    lengths = one.square().sum(2).sqrt() * other.square().sum(2).sqrt()
    return torch.rad2deg(torch.acos((((one * other).sum(2) + 2.2204e-16) / (lengths + 2.2204e-16)).clamp(-1, 1)))


def refined(refine: Any, features: Tensor, chosen: Tensor) -> Tensor:  # noqa: ANN401
    """Gather, refine, fill into zeros, add."""
    batch, channels, height, width = features.shape
    pixels = features.reshape(batch, channels, -1).permute(0, 2, 1)
    offset = torch.arange(batch)[:, None] * height * width
    index = (chosen + offset).reshape(-1)
    taken = pixels.reshape(-1, channels)[index].reshape(batch, -1, channels)
    attend = refine.attention
    normed = refine.norm1(taken)
    heads = [
        one.unflatten(-1, (attend.heads, -1)).permute(0, 2, 3, 1)
        for one in (attend.query(normed), attend.key(normed), attend.value(normed))
    ]
    query, key = functional.normalize(heads[0], dim=-1), functional.normalize(heads[1], dim=-1)
    mixed = ((key @ query.transpose(-2, -1)) * attend.rescale).softmax(dim=-1) @ heads[2]
    mixed = mixed.permute(0, 3, 1, 2).flatten(2)
    taken = attend.project(mixed) + attend.position(attend.value(normed)) + taken
    taken = refine.feed_forward(refine.norm2(taken)) + taken
    filled = torch.zeros_like(pixels).reshape(-1, channels)
    filled[index] = taken.reshape(-1, channels)
    return filled.reshape(batch, -1, channels).permute(0, 2, 1).reshape(features.shape) + features


def scan_block(block: Any, features: Tensor, backend: Backend) -> Tensor:  # noqa: ANN401
    """Scan block on a normalised copy."""
    return scan(block.scan, block.norm(features.permute(0, 2, 3, 1)), backend).permute(0, 3, 1, 2) + features


def scan(module: Any, tokens: Tensor, backend: Backend) -> Tensor:  # noqa: ANN401
    """Gated scan of `B x H x W x C`, four copies of the image projected one by one."""
    batch, height, width, _ = tokens.shape
    image, gate = module.in_proj(tokens).chunk(2, dim=-1)
    image = functional.silu(module.conv2d(image.permute(0, 3, 1, 2).contiguous()))
    length, inner = height * width, image.shape[1]
    ahead = torch.stack([image.reshape(batch, -1, length), image.transpose(2, 3).reshape(batch, -1, length)], dim=1)
    orders = torch.cat([ahead, ahead.flip(-1)], dim=1)
    small = torch.einsum("bkdl,kcd->bkcl", orders, module.x_proj)
    ranks, entry, readout = small.split(module.sizes, dim=2)
    steps = torch.einsum("bkrl,kdr->bkdl", ranks, module.dt_weight)
    out = selective_scan(
        orders.reshape(batch, -1, length),
        steps.reshape(batch, -1, length),
        -torch.exp(module.A_log),
        entry,
        readout,
        module.D,
        delta_bias=module.dt_bias.reshape(-1),
        delta_softplus=True,
        backend=backend,
    ).reshape(batch, 4, inner, length)
    back = out[:, 2:].flip(-1)
    columns = out[:, 1].reshape(batch, -1, width, height).transpose(2, 3).reshape(batch, -1, length)
    columns_back = back[:, 1].reshape(batch, -1, width, height).transpose(2, 3).reshape(batch, -1, length)
    merged = (out[:, 0] + back[:, 0] + columns + columns_back).transpose(1, 2).reshape(batch, height, width, -1)
    result: Tensor = module.dropout(module.out_proj(module.out_norm(merged) * functional.silu(gate)))
    return result
