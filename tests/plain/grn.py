"""GRNNet in the published order of operations: every convolution and every product by itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["grn"]
PATCH = 64


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Restore `B x C x H x W` cubes whose sides divide by the network's multiple."""
    features = [encoded(network.encoder[0], x)]
    for down, stage in zip(network.down, network.encoder[1:], strict=True):
        features.append(encoded(stage, down(features[-1])))
    decoded = features.pop()
    for up, stage in zip(network.up, network.decoder, strict=True):
        joined = torch.cat((features.pop(), up(decoded)), dim=1)
        related = spatial(stage.reason, joined)
        decoded = stage.convs(related) + stage.residual(related) + stage.skip(joined)
    restored: Tensor = network.output(decoded) + x
    return restored


def encoded(stage: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """One encoder stage: convolutions with their skip, channel reasoning, the stage's skip."""
    result: Tensor = channels(stage.reason, stage.convs(x) + stage.residual(x)) + stage.skip(x)
    return result


def channels(reason: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Channel reasoning by five 1 x 1 convolutions, the pair matrix held as a one-column image."""
    batch, _, height, width = x.shape
    reduced = reason.reduce(x).flatten(2)
    pairs = torch.bmm(reduced, reason.assign(x).flatten(2).transpose(1, 2))
    pairs = torch.softmax(pairs.reshape(batch, -1), dim=-1).reshape(pairs.shape).unsqueeze(3)
    pairs = torch.relu(pairs + reason.nodes(pairs)).permute(0, 2, 1, 3)
    mixed = torch.bmm(reason.states(pairs).squeeze(3), reduced)
    result: Tensor = x + reason.expand(mixed.reshape(batch, -1, height, width))
    return result


def spatial(reason: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Spatial reasoning: queries times keys transposed, times values, then the expanding convolution."""
    batch, _, height, width = x.shape
    query, key, value = (conv(x).flatten(2) for conv in (reason.query, reason.key, reason.value))
    key = torch.softmax(key.reshape(batch, -1), dim=-1).reshape(key.shape)
    value = torch.softmax(value.reshape(batch, -1), dim=-1).reshape(value.shape)
    related = torch.bmm(torch.bmm(query, key.transpose(1, 2)), value)
    result: Tensor = x + reason.expand(related.reshape(batch, -1, height, width))
    return result
