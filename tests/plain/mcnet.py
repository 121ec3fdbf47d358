"""MCNet in the published order of operations: 3-D convolutions, bands stacked into a batch for the 2-D branches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["mcnet"]
PATCH = 16


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Enlarge `B x C x H x W`."""
    head = conv3d((x - network.band_means)[:, None], network.conv_first, 1)
    features = head
    for stage in network.blocks:
        features = block(stage, features) + head
    up = network.enlarge
    large = functional.conv_transpose3d(
        features, up(), up.bias, stride=(1, network.scale, network.scale), padding=(1, 1, 1)
    )
    restored: Tensor = conv3d(large, network.conv_last, 1).squeeze(1) + network.band_means
    return restored


def conv3d(x: Tensor, layer: Any, padding: Any) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """3-D convolution with a normalised kernel."""
    return functional.conv3d(x, layer(), layer.bias, padding=padding)


def unit(x: Tensor, layers: Any) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Convolution over space and over bands, each with its ReLU."""
    return torch.relu(conv3d(torch.relu(conv3d(x, layers.space, (0, 1, 1))), layers.bands, (1, 0, 0)))


def block(stage: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """One block on `B x F x D x H x W`."""
    chained, branches = x, []
    for chain, branch, factor in zip(stage.chains, stage.branches, stage.gamma, strict=True):
        start = chained
        for layers in chain:
            chained = unit(chained, layers)
        chained = chained + start
        images = chained.transpose(1, 2).flatten(0, 1)
        images = functional.conv2d(images, branch[0](), branch[0].bias, padding=1)
        images = functional.conv2d(torch.relu(images), branch[1](), branch[1].bias, padding=1)
        branches.append(factor * images.unflatten(0, (-1, x.shape[2])).transpose(1, 2))
    return unit(torch.relu(conv3d(torch.cat(branches, 1), stage.reduce, 0)) + x, stage.last)
