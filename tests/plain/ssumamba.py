"""SSUMamba in the published order of operations: masked flips, flipped sequences, a scan position by position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION
from lightning_modules.networks.layers.selective_scan import selective_scan

COMPACT = RESTORATION["ssumamba"]
PATCH = 16
# Instance norms over a few pixels amplify float32's rounding a hundred times.
PRECISION = torch.float64


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Restore `B x C x H x W` cubes whose sides divide by the network's strides."""
    shallow = network.conv_first(x.unsqueeze(1))
    features = staged(network.stem, shallow)
    skips = []
    for stage, mixer in zip(network.encoder, network.mixers, strict=True):
        features = mixed(mixer, staged(stage, features))
        skips.append(features)
    heads = []
    for level, (up, stage, head) in enumerate(zip(network.up, network.decoder, network.heads, strict=True)):
        stride = float(network.strides[-1 - level])
        raised = up(functional.interpolate(features, scale_factor=(1.0, stride, stride), mode="nearest"))
        features = staged(stage, raised + skips[-2 - level])
        heads.append(head(features))
    restored: Tensor = network.conv_last(heads[-1] + shallow).squeeze(1)
    return restored


def staged(stage: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The residual blocks of one stage."""
    for block in stage:
        hidden = functional.leaky_relu(block.norm1(block.conv1(x)), 0.01)
        x = functional.leaky_relu(block.norm2(block.conv2(hidden)) + block.skip(x), 0.01)
    return x


def turned(cube: Tensor, back: bool = False) -> Tensor:
    """Reverse every second row, then every second plane, by flipping everything and masking; or undo it."""
    sizes = cube.shape[2:]
    row_is_odd = (torch.arange(sizes[1]) % 2 == 1)[:, None]
    plane_is_odd = (torch.arange(sizes[0]) % 2 == 1)[:, None, None]
    steps = [(row_is_odd, (-1,)), (plane_is_odd, (-1, -2))]
    for odd, flipped in reversed(steps) if back else steps:
        cube = torch.where(odd, cube.flip(flipped), cube)
    return cube


def mixed(mixer: Any, features: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Arrange the axes, turn rows and planes, run the Mamba block over the tokens, and undo the arrangement."""
    places = [2 + axis for axis in mixer.axes]
    cube = features.permute(0, 1, *places)
    cube = turned(cube) if mixer.continuous else cube
    tokens = mixer.norm(cube.flatten(2).transpose(1, 2))
    answer = mamba(mixer.mamba, tokens).transpose(1, 2).reshape(cube.shape)
    answer = turned(answer, back=True) if mixer.continuous else answer
    return answer.permute(0, 1, *(2 + mixer.axes.index(axis) for axis in range(3))).contiguous()


def mamba(block: Any, tokens: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The bidirectional block: each direction gates its own output; the backward one reads and writes flipped."""
    both = block.in_proj(tokens).transpose(1, 2)
    total = torch.zeros_like(both.chunk(2, dim=1)[0])
    for index, direction in enumerate(block.directions):
        sequence, gate = (both.flip(-1) if index else both).chunk(2, dim=1)
        length, width = sequence.shape[-1], direction.conv1d.kernel_size[0]
        conv = functional.conv1d(
            sequence, direction.conv1d.weight, direction.conv1d.bias, padding=width - 1, groups=sequence.shape[1]
        )
        local = functional.silu(conv[..., :length])
        steps, entry, readout = direction.x_proj(local.transpose(1, 2)).split(direction.sizes, dim=-1)
        y = selective_scan(
            local,
            functional.linear(steps, direction.dt_proj.weight).transpose(1, 2),
            -torch.exp(direction.A_log),
            entry.transpose(1, 2),
            readout.transpose(1, 2),
            direction.D,
            z=gate,
            delta_bias=direction.dt_proj.bias,
            delta_softplus=True,
            backend="reference",
        )
        total = total + (y.flip(-1) if index else y)
    projected: Tensor = block.out_proj(total.transpose(1, 2))
    return projected
