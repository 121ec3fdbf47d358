"""T3SC in the published order of operations: whole atoms, two rectifiers a shrinkage, convolutions for means, folds."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.commands.gpu_check.checks.specimens import RESTORATION

COMPACT = RESTORATION["t3sc"]
PATCH = 16


def plain_shrink(values: Tensor, threshold: Tensor) -> Tensor:
    """Soft threshold as the difference of two rectified values."""
    return functional.relu(values - threshold) - functional.relu(-values - threshold)


def plain_atoms(dictionary: Any) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Atoms of a dictionary, `codes x channels x side x side`."""
    atoms: Tensor = dictionary.spectral @ dictionary.spatial
    return atoms.view(*atoms.shape[:2], dictionary.side, dictionary.side)


def mean_kernel(channels: int, side: int) -> Tensor:
    """Depthwise kernel of patch means."""
    return torch.full((channels, 1, side, side), 1 / side**2)


def plain_encode(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Code of a layer's input and the means to add back."""
    batch, channels, height, width = x.shape
    means = x.mean(dim=[2, 3], keepdim=True)
    if layer.image_centred:
        x = x - means
    weights = torch.ones(batch, channels, 1, 1)
    if layer.noise_estimator is not None:
        side = min(56, height)
        top, left = (height - side) // 2, (width - side) // 2
        crop = x[:, :, top : top + side, left : left + side].reshape(batch * channels, 1, side, side)
        for stage in layer.noise_estimator:
            crop = stage(crop)
        weights = 1 - crop.view(batch, channels, 1, 1)
        x = x * weights
    atoms = plain_atoms(layer.analysis)
    if layer.image_centred:
        start = functional.conv2d(x, atoms)
    else:
        start = functional.conv2d(x, atoms - atoms.mean(dim=[2, 3], keepdim=True))
        means = functional.conv2d(x, mean_kernel(channels, layer.side), groups=channels)
    code = plain_shrink(start, layer.thresholds[0])
    synthesis = plain_atoms(layer.synthesis)
    for threshold in list(layer.thresholds)[1:]:
        approximation = functional.conv_transpose2d(code, synthesis) * weights
        code = plain_shrink(start + code - functional.conv2d(approximation, atoms), threshold)
    return code, means


def plain_decode(layer: Any, code: Tensor, means: Tensor) -> Tensor:  # noqa: ANN401
    """A layer's input from its code."""
    x = functional.conv_transpose2d(code, plain_atoms(layer.reconstruction))
    if not layer.image_centred:
        kernel = mean_kernel(means.shape[1], layer.side) * layer.side**2
        x = x + functional.conv_transpose2d(means, kernel, groups=means.shape[1])
    ones = torch.ones(1, 1, *code.shape[2:])
    x = x / functional.conv_transpose2d(ones, torch.ones(1, 1, layer.side, layer.side))
    return x + means if layer.image_centred else x


def plain_restore(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """The published forward: encode, encode, decode, decode."""
    kept = []
    for layer in network.layers:
        x, means = plain_encode(layer, x)
        kept.append(means)
    for layer, means in zip(reversed(network.layers), reversed(kept), strict=True):
        x = plain_decode(layer, x, means)
    return x


def plain_blocks(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """The published inference in blocks: unfold, restore each, fold, divide by the folded ones."""
    height, width = x.shape[2:]
    side = min(max(height, width), network.block_size)
    stride = side - network.block_overlap
    rows, columns = (1 + math.ceil(max(length - side, 0) / stride) for length in (height, width))
    tall, wide = side + (rows - 1) * stride, side + (columns - 1) * stride
    x = functional.pad(x, (0, wide - width, 0, tall - height), mode="reflect")
    blocks = x.unfold(2, side, stride).unfold(3, side, stride).permute(0, 1, 4, 5, 2, 3).contiguous()
    out = torch.zeros_like(blocks)
    for row in range(rows):
        for column in range(columns):
            out[..., row, column] = plain_restore(network, blocks[..., row, column])
    flat = out.view(len(x), -1, rows * columns)
    total = functional.fold(flat, (tall, wide), (side, side), stride=stride)
    count = functional.fold(torch.ones_like(flat), (tall, wide), (side, side), stride=stride)
    return (total / count)[:, :, :height, :width]


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """What the published code does: whole cubes in training, blocks otherwise."""
    if network.training or network.block_size is None:
        return plain_restore(network, x)
    return plain_blocks(network, x)
