"""A batch of one scene, a source and restorers whose effect is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from callbacks.adaptation.restorers import ProxyRestorer
from lightning_modules import RestorationModule
from lightning_modules.restorer import NetworkRestorer

WAVELENGTHS = tuple(float(band) for band in range(450, 610, 20))


class Scaled(ProxyRestorer):
    """Multiplies what it is given."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        observation: Tensor = batch["observation"]
        return self.factor * observation

    def identity(self) -> dict[str, Any]:
        return {"restorer": "Scaled", "factor": self.factor}


class Sloped(nn.Module):
    """Adds a ramp from left to right, which flips and turns average to a constant; its weight scales the cube."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, observation: Tensor) -> Tensor:
        ramp = torch.linspace(-1, 1, observation.shape[-1])
        return self.factor * observation + ramp


def batch_of(height: int = 20, width: int = 24, **more: object) -> dict[str, Any]:
    cube = torch.rand(1, 8, height, width, generator=torch.Generator().manual_seed(0))
    return {"observation": cube, "name": ["amber"], "wavelengths": WAVELENGTHS, **more}


Kind = TypeVar("Kind", bound=ProxyRestorer)


def bound(restorer: Kind, network: nn.Module | None = None) -> Kind:
    """Bind to a module with this source network, or with none."""
    module = RestorationModule(network or nn.Identity())
    restorer.bind(module, None if network is None else NetworkRestorer(network))
    return restorer
