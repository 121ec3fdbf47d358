"""A network with official names, for the tests of checkpoints."""

from __future__ import annotations

import torch
from torch import nn


class Toy(nn.Module):
    """Two layers whose official names differ, with one official entry that is derived."""

    official_names = ((r"^body\.(\d)\.w$", r"layers.\1.weight"), (r"^body\.(\d)\.b$", r"layers.\1.bias"))
    official_derived = (r"\.mask$",)

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, 2)])


OFFICIAL = {
    "body.0.w": torch.arange(6.0).view(3, 2),
    "body.0.b": torch.arange(3.0),
    "body.1.w": torch.arange(6.0).view(2, 3) + 10,
    "body.1.b": torch.arange(2.0) + 10,
    "body.0.mask": torch.ones(4),
}
