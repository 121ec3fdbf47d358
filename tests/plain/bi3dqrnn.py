"""Bi-3DQRNN written plainly: all gates activated at once, band after band in a Python list, trilinear upsampling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from experiments.commands.gpu_check.checks.specimens import RESTORATION

PATCH = 16
COMPACT = RESTORATION["bi3dqrnn"]


def plain_states(candidate: Tensor, forget: Tensor, backward: bool) -> Tensor:
    """States h = f h + (1 - f) z along axis 2, from the first band or from the last."""
    bands = list(zip(candidate.split(1, dim=2), forget.split(1, dim=2), strict=True))
    if backward:
        bands.reverse()
    states: list[Tensor] = []
    for z, f in bands:
        states.append(f * states[-1] + (1 - f) * z if states else (1 - f) * z)
    if backward:
        states.reverse()
    return torch.cat(states, dim=2)


def plain_recurrence(gates: Tensor, direction: str) -> Tensor:
    """Quasi-recurrence of unactivated gates."""
    if direction == "both":
        z, f, b = gates.chunk(3, dim=1)
        z, f, b = z.tanh(), f.sigmoid(), b.sigmoid()
        return plain_states(z, f, False) + plain_states(z, b, True)
    z, f = gates.chunk(2, dim=1)
    return plain_states(z.tanh(), f.sigmoid(), direction == "backward")


def plain_layer(layer: Any, features: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """One quasi-recurrent layer."""
    features = layer.norm(features)
    if layer.upsampled:
        features = nn.functional.interpolate(features, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True)
    return plain_recurrence(layer.gates(features), layer.direction)


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """The published order of operations; height and width divide by `network.multiple`."""
    cube = x.unsqueeze(1)
    skips = [cube]
    features = plain_layer(network.feature_extractor, cube)
    skips.append(features)
    for layer in network.encoder[:-1]:
        features = plain_layer(layer, features)
        skips.append(features)
    features = plain_layer(network.encoder[-1], features)
    features = plain_layer(network.decoder[0], features)
    for layer in network.decoder[1:]:
        features = plain_layer(layer, features + skips.pop())
    features = plain_layer(network.reconstructor, features + skips.pop())
    return (features + skips.pop()).squeeze(1)
