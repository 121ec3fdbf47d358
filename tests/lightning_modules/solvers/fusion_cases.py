"""The recorded fusion problem, rebuilt from its recipe, and small random pairs of exact observations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lightning_modules.solvers import SolverResult, SpatialResponse


@dataclass(frozen=True)
class Recorded:
    """A recorded case: its truth `C x H x W`, its arrays, and what stands in its description."""

    golden: ModuleType
    truth: Tensor
    arrays: dict[str, Tensor]
    spec: dict[str, Any]

    @property
    def multispectral(self) -> Tensor:
        return self.arrays["msi"][None]

    def error(self, result: SolverResult, name: str) -> float:
        """Relative error of the stored slice."""
        error: float = self.golden.relative_error(result.restored[0, :, 1::4, 2::4], self.arrays[name])
        return error

    def psnr(self, result: SolverResult) -> float:
        """Mean of the bands' PSNR in dB."""
        return mean_psnr(result.restored[0], self.truth)


def recorded(golden: ModuleType, shared: Path, name: str) -> Recorded:
    spec, arrays = golden.load_case(shared / "golden" / "fusion", name)
    bands, height, width = spec["size"]
    abundance = golden.draw_input("abundance", (5, height, width)).double() ** 4
    endmember = golden.draw_input("endmember", (5, 1, bands))[:, 0].double()
    detail = golden.draw_input("detail", (bands, height, width)).double()
    mixed = torch.einsum("kb,khw->bhw", endmember, abundance / abundance.sum(0))
    return Recorded(golden, 0.9 * mixed + 0.04 * detail + 0.02, arrays, spec)


def mean_psnr(restored: Tensor, truth: Tensor) -> float:
    return float((-10 * (restored - truth).double().square().mean((-2, -1)).log10()).mean())


@dataclass(frozen=True)
class Pairs:
    """Exact observations of random mixtures of smooth spectra."""

    truth: Tensor
    observation: Tensor
    multispectral: Tensor
    response: Tensor


def pairs(
    spatial: SpatialResponse, *, scenes: int = 2, bands: int = 9, channels: int = 3, size: tuple[int, int] = (24, 16)
) -> Pairs:
    generator = torch.Generator().manual_seed(3)
    places = torch.linspace(0, 1, bands, dtype=torch.float64)
    centres = torch.linspace(0, 1, 4, dtype=torch.float64)[:, None]
    spectra = 0.2 + 0.7 * torch.exp(-0.5 * ((places - centres) / 0.25) ** 2)
    maps = torch.rand(scenes, 4, size[0] // 4, size[1] // 4, generator=generator, dtype=torch.float64)
    maps = torch.nn.functional.interpolate(maps, size=size, mode="bicubic").clamp_min(0.01)
    truth = torch.einsum("kc,bkhw->bchw", spectra, maps / maps.sum(1, keepdim=True))
    response = torch.rand(channels, bands, generator=generator, dtype=torch.float64)
    response = response / response.sum(1, keepdim=True)
    return Pairs(truth, spatial.reduce(truth), torch.einsum("kc,bchw->bkhw", response, truth), response)
