"""SFCSR in the published order of operations: one band after the other, each from its own group of three."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["sfcsr"]
PATCH = 16


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Enlarge `B x C x H x W` by the published evaluation loop."""
    bands, context, restored = x.shape[1], None, []
    for band in range(bands):
        first = min(max(band - 1, 0), bands - 3)
        image, context = restore_band(network, x[:, first : first + 3], x[:, band], context)
        context = context.detach() if network.context.detach else context
        restored.append(image)
    return torch.stack(restored, dim=1)


def conv(x: Tensor, layer: Any) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Convolution of the size of its kernel, zero-padded so that the image keeps its size."""
    kernel = layer()
    apply = functional.conv3d if kernel.ndim == 5 else functional.conv2d
    return apply(x, kernel, layer.bias, padding=[side // 2 for side in kernel.shape[2:]])


def restore_band(network: Any, group: Tensor, band: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Restore one band from its group and from what the band before it left behind."""
    fusion = network.fusion
    skip_x = x = conv(conv(group[:, None], network.group_head["space"]), network.group_head["bands"])
    skip_y = y = conv(band[:, None], network.image_head)
    all_x, all_y = [], []
    for index, stage in enumerate(network.stages):
        hidden = torch.relu(conv(x, stage.space[0]) + conv(x, stage.bands[0]))
        x = conv(hidden, stage.space[1]) + conv(hidden, stage.bands[1]) + x + skip_x
        all_x.append(fusion.gamma_groups[index] * x)
        y = conv(torch.cat([conv(y, stage.image) + y, *x.unbind(2)], dim=1), stage.reduce) + skip_y
        all_y.append(fusion.gamma_images[index] * y)
    x = conv(conv(conv(torch.cat(all_x, dim=1), fusion.reduce_groups), fusion.groups_space), fusion.groups_bands)
    y = conv(conv(torch.cat(all_y, dim=1), fusion.reduce_images), fusion.images_space)
    weighted = [factor * part for factor, part in zip(fusion.gamma_join, [*x.unbind(2), y], strict=True)]
    y = conv(conv(torch.cat(weighted, dim=1), fusion.join), fusion.mix)
    if context is not None:
        before = network.context
        y = conv(conv(torch.cat([before.gamma[0] * y, before.gamma[1] * context], 1), before.reduce), before.mix)
    large = y + skip_y
    for layer in network.tail:
        large = layer(large) if isinstance(layer, torch.nn.PixelShuffle) else conv(large, layer)
    return large.squeeze(1), y
