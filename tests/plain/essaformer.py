"""ESSAformer in the published order of operations: tokens copied in and out, each normalisation as it is written."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

COMPACT: dict[str, Any] = {"dim": 16}
PATCH = 16


def plain_forward(network: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Enlarge `B x C x H x W`."""
    f = network.conv_first(x)
    u1 = block(network.high, network.enlarge(f))
    d1 = block(network.low, network.reduce(u1) + f)
    u2 = block(network.high, network.enlarge(d1) + u1)
    d2 = block(network.low, network.reduce(u2) + d1)
    u3 = block(network.high, network.enlarge(d2) + u2)
    restored: Tensor = network.conv_last(u3)
    return restored


def block(stage: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """One attention block."""
    batch, channels, height, width = x.shape
    tokens = stage.norm(x.flatten(2).transpose(1, 2))
    attended = attention(stage.attention, tokens).transpose(1, 2).reshape(batch, channels, height, width)
    result: Tensor = stage.fuse(torch.cat((stage.drop(attended), x), dim=1)) + x
    return result


def attention(attend: Any, tokens: Tensor) -> Tensor:  # noqa: ANN401 - children are untyped attributes
    """Attention of the tokens `B x N x C`, keys normalised over the tokens before the product with the values."""
    q, k, v = attend.to_qkv(tokens).split(tokens.shape[-1], dim=2)
    q = q - q.mean(dim=2, keepdim=True)
    k = k - k.mean(dim=2, keepdim=True)
    q2, k2 = q.pow(2), k.pow(2)
    q_share = functional.normalize(q2 / (q2.sum(dim=2, keepdim=True) + 1e-7), dim=-1)
    k_share = functional.normalize(k2 / (k2.sum(dim=2, keepdim=True) + 1e-7), dim=-2)
    related = q_share @ (k_share.transpose(-2, -1) @ v) / math.sqrt(tokens.shape[1])
    result: Tensor = attend.project(v + related)
    return result
