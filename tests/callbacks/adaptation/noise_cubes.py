"""Generated cubes of uniform noise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from callbacks import CubeGenerator
from callbacks.generators import CubeRequest


class NoiseCubes(CubeGenerator):
    """Uniform noise from the request's generator; keeps what it was asked for."""

    def __init__(self, side: int = 20, low: float = 0.0, bands: int = 8) -> None:
        self.side, self.low, self.bands = side, low, bands
        self.requests: list[CubeRequest] = []

    def __call__(self, request: CubeRequest) -> Tensor:
        self.requests.append(request)
        return self.low + torch.rand(self.bands, self.side, self.side, generator=request.generator)

    def settings(self) -> dict[str, Any]:
        return {"class": "NoiseCubes"}
