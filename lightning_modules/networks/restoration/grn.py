"""GRNNet, the global reasoning network (Cao et al., IEEE TGRS 2022, "Deep Spatial-Spectral Global Reasoning Network").

A U-Net of 2-D convolutions whose encoder stages reason over channels and whose decoder stages reason over positions.
This is the PyTorch network that SERT's authors trained as the competing method `grn_net`; the paper's own code is
TensorFlow. Facts of it kept here: both global modules take one softmax over a whole map (all channels times all
positions, or all pairs of channels) instead of one per row, so an output pixel depends on the whole image and tiles
differ from the full image; every stage has two skips (inside its convolutions and around the stage); the output is
added to the input. Its README states 41.44 million parameters for 31 bands; the published class has 44 393 919.

Two orders of products are changed, which changes rounding only: where a map has more positions than channels, the
1 x 1 convolutions of a global matrix are multiplied into that matrix instead of into the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.padding import pad_to_multiple

__all__ = ["GRNNet"]


def _at_least_float32(tensor: Tensor) -> Tensor:
    """Bring a half-precision tensor to float32: sums over a whole image lose all meaning in eight bits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _softmax_over_map(scores: Tensor) -> Tensor:
    """Softmax over all entries of each `B x M x N` map together."""
    return torch.softmax(scores.flatten(1), dim=-1).view_as(scores)


def _expanded(conv: nn.Conv2d, relation: Tensor, values: Tensor, features: Tensor) -> Tensor:
    """Compute `conv(relation @ values) + features`, multiplying the two small matrices first where that is cheaper."""
    weight = conv.weight.flatten(1)
    if values.shape[-1] <= weight.shape[0]:
        mixed: Tensor = conv((relation @ values).view(-1, weight.shape[1], *features.shape[2:]))
        return mixed.add_(features)
    if conv.bias is not None:
        features = features + conv.bias[:, None, None]
    return torch.baddbmm(features.flatten(2), weight @ relation, values).view_as(features)


class GlobalChannelReasoning(nn.Module):
    """Relate all pairs of projected channels over the whole image, and add what follows from it (paper: GCM).

    Args:
        channels: feature channels C entering and leaving; must divide by 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 4, kernel_size=1)
        self.assign = nn.Conv2d(channels, channels // 2, kernel_size=1)
        self.nodes = nn.Conv2d(channels // 4, channels // 4, kernel_size=1)
        self.states = nn.Conv2d(channels // 2, channels // 2, kernel_size=1)
        self.expand = nn.Conv2d(channels // 2, channels, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        reduced = _at_least_float32(self.reduce(features).flatten(2))
        assigned = _at_least_float32(self.assign(features).flatten(2))
        with torch.autocast(features.device.type, enabled=False):
            relation = _softmax_over_map(reduced @ assigned.mT)
            relation = relation.unsqueeze(3)
            relation = torch.relu(relation + self.nodes(relation))
            relation = self.states(relation.transpose(1, 2)).squeeze(3)
            return _expanded(self.expand, relation, reduced, _at_least_float32(features))


class GlobalSpatialReasoning(nn.Module):
    """Relate all positions through two maps that are softmax-normalised over the image, with a skip (paper: GSM).

    Args:
        channels: feature channels C entering and leaving; must be even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 2, kernel_size=1)
        self.key = nn.Conv2d(channels, channels // 2, kernel_size=1)
        self.value = nn.Conv2d(channels, channels // 2, kernel_size=1)
        self.expand = nn.Conv2d(channels // 2, channels, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        key = _softmax_over_map(_at_least_float32(self.key(features).flatten(2)))
        value = _softmax_over_map(_at_least_float32(self.value(features).flatten(2)))
        with torch.autocast(features.device.type, enabled=False):
            pixels = _at_least_float32(features)
            if key.shape[-1] <= features.shape[1] or self.query.bias is None:
                relation = self.query(pixels).flatten(2) @ key.mT
            else:
                # The same product without the queries of the whole image.
                relation = self.query.weight.flatten(1) @ (pixels.flatten(2) @ key.mT)
                relation = relation + self.query.bias[:, None] * key.sum(dim=-1)[:, None]
            return _expanded(self.expand, relation, value, pixels)


class ReasoningStage(nn.Module):
    """Two 3 x 3 convolutions with an inner skip, global reasoning after or before them, and a skip over the stage.

    Args:
        input_channels: feature channels entering.
        channels: feature channels leaving.
        encoder: channel reasoning after the convolutions (encoder), else spatial reasoning before them (decoder).
    """

    def __init__(self, input_channels: int, channels: int, encoder: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.convs = nn.Sequential(
            nn.Conv2d(input_channels, channels, kernel_size=3, padding=1),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.LeakyReLU(0.01, inplace=True),
        )
        self.residual = nn.Conv2d(input_channels, channels, kernel_size=1)
        self.reason = GlobalChannelReasoning(channels) if encoder else GlobalSpatialReasoning(input_channels)
        self.skip = nn.Conv2d(input_channels, channels, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x Ci x H x W` features to `B x Co x H x W`."""
        if self.encoder:
            reasoned = self.reason(self.residual(features).add_(self.convs(features)))
        else:
            related = self.reason(features)
            reasoned = self.residual(related).add_(self.convs(related))
        # No backward pass reads the output of a convolution: sums go into it.
        updated: Tensor = self.skip(features).add_(reasoned)
        return updated


class GRNNet(nn.Module):
    """Global reasoning network for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands (44 393 919 parameters). Sides that do not divide by
    `2 ** num_levels` are continued by reflection and the result is cropped; the published code refuses them. The
    authors' checkpoints are plain dictionaries with the weights under `net` and load through `official_names`.

    Args:
        input_channels: spectral bands C of the cube.
        dim: feature channels of the first stage, doubled at every level; must divide by 4.
        num_levels: how often height and width are halved.

    Raises:
        ValueError: when `dim` does not divide by 4 or `num_levels` is below 1.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"\.conv_residual\.", ".residual."),
        *((rf"^Conv{level + 1}\.conv\.", f"encoder.{level}.convs.") for level in range(5)),
        *((rf"^Conv{level + 1}\.", f"encoder.{level}.") for level in range(5)),
        *((rf"^GCM{level + 1}\.", f"encoder.{level}.reason.") for level in range(5)),
        *((rf"^skip{level + 1}\.", f"encoder.{level}.skip.") for level in range(5)),
        *((rf"^Down{level + 1}\.", f"down.{level}.") for level in range(4)),
        *((rf"^Up_conv{5 - level}\.conv\.", f"decoder.{level}.convs.") for level in range(4)),
        *((rf"^Up_conv{5 - level}\.", f"decoder.{level}.") for level in range(4)),
        *((rf"^GSM{5 - level}\.", f"decoder.{level}.reason.") for level in range(4)),
        *((rf"^skip_up{5 - level}\.", f"decoder.{level}.skip.") for level in range(4)),
        *((rf"^Up{5 - level}\.", f"up.{level}.") for level in range(4)),
        (r"^Conv\.", "output."),
        (r"^(encoder\.\d\.reason)\.conv1\.", r"\1.reduce."),
        (r"^(encoder\.\d\.reason)\.conv2\.", r"\1.assign."),
        (r"^(encoder\.\d\.reason)\.conv3\.", r"\1.nodes."),
        (r"^(encoder\.\d\.reason)\.conv4\.", r"\1.states."),
        (r"^(encoder\.\d\.reason)\.conv5\.", r"\1.expand."),
        (r"^(decoder\.\d\.reason)\.conv1\.", r"\1.query."),
        (r"^(decoder\.\d\.reason)\.conv2\.", r"\1.key."),
        (r"^(decoder\.\d\.reason)\.conv3\.", r"\1.value."),
        (r"^(decoder\.\d\.reason)\.conv4\.", r"\1.expand."),
    )

    def __init__(self, input_channels: int = 31, dim: int = 64, num_levels: int = 4) -> None:
        super().__init__()
        if dim < 4 or dim % 4 or num_levels < 1:
            raise InputError(
                f"GRNNet: dim {dim} must be a positive multiple of 4 and num_levels {num_levels} at least 1; "
                "the published network has dim 64 and num_levels 4."
            )
        self.input_channels = input_channels
        self.multiple = 2**num_levels
        widths = [dim * 2**level for level in range(num_levels + 1)]
        inputs = [input_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            ReasoningStage(before, width, encoder=True) for before, width in zip(inputs, widths, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(width, width, kernel_size=4, stride=2, padding=1) for width in widths[:-1])
        deepest_first = widths[:0:-1]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(width, width // 2, kernel_size=2, stride=2) for width in deepest_first
        )
        self.decoder = nn.ModuleList(ReasoningStage(width, width // 2, encoder=False) for width in deepest_first)
        self.output = nn.Conv2d(dim, input_channels, kernel_size=1)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, self.multiple)
        features = self.encoder[0](padded)
        skips = []
        for down, stage in zip(self.down, self.encoder[1:], strict=True):
            skips.append(features)
            features = stage(down(features))
        for up, stage in zip(self.up, self.decoder, strict=True):
            features = stage(torch.cat((skips.pop(), up(features)), dim=1))
        restored: Tensor = self.output(features).add_(padded)
        return restored[..., :height, :width]
