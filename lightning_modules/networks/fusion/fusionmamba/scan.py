"""The Mamba blocks of FusionMamba: two or four directions, of one input or of one guided by another.

Every direction has its own causal convolution along its sequence, projections, decay and skip; the gated results are
averaged, normalised and projected. In the guided form the second input gives the step sizes and the matrices B and C,
without convolution. Here all directions are one call of the scan, the gate acts once on the sum, and a guide is
projected once as an image, so that only a few channels are laid out in every order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.layers.cross_scan import cross_merge, cross_scan
from lightning_modules.networks.layers.mamba import ScanDirection
from lightning_modules.networks.layers.pointwise import mix_channels
from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

__all__ = ["DirectedScan", "GuidedMamba", "ResidualMamba"]


class DirectedScan(nn.Module):
    """Scan an image in four directions, or a sequence in two; no norm of the input and no skip.

    Args:
        channels: entering and leaving, and of the scan.
        ways: 4 (rows, columns, both reversed) or 2 (forwards and backwards along a row).
        guided: whether a second input gives step sizes, B and C.
        state_dim: states of each channel.
        backend: implementation of the selective scan.

    Raises:
        InputError: other numbers of ways.
    """

    def __init__(
        self, channels: int, ways: int = 4, guided: bool = False, state_dim: int = 8, backend: Backend = "auto"
    ) -> None:
        super().__init__()
        if ways not in (2, 4):
            raise InputError(f"DirectedScan: ways {ways} is not supported; choose 4 for images or 2 for sequences.")
        rank = math.ceil(channels / 16)
        self.ways, self.backend = ways, backend
        self.sizes = (rank, state_dim, state_dim)
        self.in_proj = nn.Linear(channels, 2 * channels, bias=False)
        self.in_proj_b = nn.Linear(channels, channels, bias=False) if guided else None
        # Only the first direction has Mamba's own start of the step sizes, as published.
        self.directions = nn.ModuleList(
            ScanDirection(channels, state_dim, 4, rank, published_steps=number == 0, backend=backend)
            for number in range(ways)
        )
        self.norm = nn.LayerNorm(channels)
        self.out_proj = nn.Linear(channels, channels, bias=False)

    def forward(self, image: Tensor, guide: Tensor | None = None) -> Tensor:
        """Scan `B x C x H x W` (H = 1 with two ways), under a guide of the same shape.

        Returns:
            `B x C x H x W` in float32 at least, whatever the autocast.
        """
        with torch.autocast(image.device.type, enabled=False):
            image = image.to(torch.promote_types(image.dtype, torch.float32))
            lattice = (image.shape[2], image.shape[3])
            content, gate = mix_channels(self.in_proj.weight, image.flatten(2)).chunk(2, dim=1)
            inputs = self._convolve(self._lay_out(content.unflatten(2, lattice)).flatten(1, 2))
            projections = self._stacked("x_proj.weight")
            if guide is not None and self.in_proj_b is not None:
                guide = mix_channels(self.in_proj_b.weight, guide.to(image.dtype).flatten(2))
                small = mix_channels(projections.flatten(0, 1), guide).unflatten(2, lattice)
                small = self._lay_out(small.unflatten(1, (self.ways, -1)))
            else:
                small = projections @ inputs.unflatten(1, (self.ways, -1))
            steps, entry, readout = small.split(self.sizes, dim=2)
            scanned = selective_scan(
                inputs,
                (self._stacked("dt_proj.weight") @ steps).flatten(1, 2),
                -torch.exp(self._stacked("A_log").flatten(0, 1)),
                entry,
                readout,
                self._stacked("D").flatten(),
                delta_bias=self._stacked("dt_proj.bias").flatten(),
                delta_softplus=True,
                backend=self.backend,
            )
            merged = self._merge(scanned.unflatten(1, (self.ways, -1)), lattice).flatten(2) * functional.silu(gate)
            projected = self.norm(merged.mT / self.ways) @ self.out_proj.weight.mT
            result: Tensor = projected.mT.unflatten(2, lattice)
            return result

    def _stacked(self, name: str) -> Tensor:
        """One parameter of every direction, stacked."""
        return torch.stack([direction.get_parameter(name) for direction in self.directions])

    def _convolve(self, sequences: Tensor) -> Tensor:
        """Causal convolution of `B x (ways C) x L`, each direction's own, and SiLU."""
        kernels = self._stacked("conv1d.weight").flatten(0, 1)
        padded = functional.pad(sequences, (kernels.shape[-1] - 1, 0))
        mixed = functional.conv1d(padded, kernels, self._stacked("conv1d.bias").flatten(), groups=len(kernels))
        return functional.silu(mixed, inplace=not torch.is_grad_enabled())

    def _lay_out(self, images: Tensor) -> Tensor:
        """Sequences `B x ways x C x L` of `B x C x H x W`, or of `B x ways x C x H x W`."""
        if self.ways == 4:
            return cross_scan(images)
        forwards, backwards = (images, images) if images.ndim == 4 else images.unbind(1)
        return torch.stack((forwards.flatten(2), backwards.flatten(2).flip(-1)), dim=1)

    def _merge(self, sequences: Tensor, lattice: tuple[int, int]) -> Tensor:
        """Sum of the directions, each where it belongs."""
        if self.ways == 4:
            return cross_merge(sequences, lattice)
        merged: Tensor = (sequences[:, 0] + sequences[:, 1].flip(-1)).unflatten(-1, lattice)
        return merged


class ResidualMamba(nn.Module):
    """Norm, scan in four directions, skip."""

    def __init__(self, channels: int, state_dim: int, backend: Backend) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.scan = DirectedScan(channels, state_dim=state_dim, backend=backend)

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` to the same shape."""
        scanned: Tensor = image + self.scan(normalised(self.norm, image))
        return scanned


class GuidedMamba(nn.Module):
    """Norms of both inputs, scan of the first guided by the second, skip of the first."""

    def __init__(self, channels: int, state_dim: int, backend: Backend) -> None:
        super().__init__()
        self.norm0 = nn.LayerNorm(channels)
        self.norm1 = nn.LayerNorm(channels)
        self.scan = DirectedScan(channels, guided=True, state_dim=state_dim, backend=backend)

    def forward(self, image: Tensor, guide: Tensor) -> Tensor:
        """Map `B x C x H x W` to the same shape."""
        scanned: Tensor = image + self.scan(normalised(self.norm0, image), normalised(self.norm1, guide))
        return scanned


def normalised(norm: nn.LayerNorm, image: Tensor) -> Tensor:
    """Return the layer norm over the channels of every pixel of `B x C x H x W`."""
    pixels: Tensor = norm(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return pixels
