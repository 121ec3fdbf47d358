"""Networks for the tests of checkpoints: with official names, or that say what they were built with, or not."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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


class Kept(nn.Module):
    """Keeps every argument as an attribute, so that nobody has to note them."""

    def __init__(self, bands: int = 3, *, gain: float = 1.0) -> None:
        super().__init__()
        self.bands, self.gain = bands, gain
        self.convolution = nn.Conv2d(bands, bands, 1)

    def forward(self, observation: Tensor) -> Tensor:
        restored: Tensor = self.gain * self.convolution(observation)
        return restored


class Forgetful(nn.Module):
    """Keeps nothing, so that its default cannot be told from another value."""

    def __init__(self, residual: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)


class Plain(nn.Module):
    """Has no constructor of its own."""
