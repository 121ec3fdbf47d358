"""The parts of FusionMamba's U-shaped network: fusion blocks, changes of size, attention among bands."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.fusionmamba.scan import DirectedScan, GuidedMamba, ResidualMamba
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["BandAttention", "FusionBlock", "Halve", "Raise"]


class FusionBlock(nn.Module):
    """Both streams scanned by themselves, then each under the other's guidance, and their mean projected."""

    def __init__(self, channels: int, state_dim: int, backend: Backend) -> None:
        super().__init__()
        self.spatial = ResidualMamba(channels, state_dim, backend)
        self.spectral = ResidualMamba(channels, state_dim, backend)
        self.spatial_cross = GuidedMamba(channels, state_dim, backend)
        self.spectral_cross = GuidedMamba(channels, state_dim, backend)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, spatial: Tensor, spectral: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return both streams, scanned, and what is fused of them, each `B x C x H x W`."""
        spatial, spectral = self.spatial(spatial), self.spectral(spectral)
        mean = (self.spatial_cross(spatial, spectral) + self.spectral_cross(spectral, spatial)) / 2
        return spatial, spectral, self.out_proj(mean.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Halve(nn.Module):
    """Half the size, twice the channels; both streams share it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, 2 * channels, kernel_size=2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x 2C x H/2 x W/2`."""
        return functional.leaky_relu(self.down(image), inplace=True)


class Raise(nn.Module):
    """Twice the size, half the channels, with a skip added; both streams share it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        leaving = channels // 2
        self.up = nn.ConvTranspose2d(channels, leaving, kernel_size=2, stride=2)
        self.depthwise = nn.Conv2d(leaving, leaving, kernel_size=3, padding=1, groups=leaving)
        self.pointwise = nn.Conv2d(leaving, leaving, kernel_size=1)

    def forward(self, image: Tensor, skip: Tensor) -> Tensor:
        """Map `B x C x H x W` to `B x C/2 x 2H x 2W`."""
        raised = functional.leaky_relu(self.up(image), inplace=True) + skip
        return functional.leaky_relu(self.pointwise(self.depthwise(raised)), inplace=True)


class BandAttention(nn.Module):
    """A weight in (0, 1) for every band, from the bands' maxima, scanned along the spectrum."""

    def __init__(self, channels: int, state_dim: int, backend: Backend) -> None:
        super().__init__()
        self.widen = nn.Linear(1, channels)
        self.norm = nn.LayerNorm(channels)
        self.scan = DirectedScan(channels, ways=2, state_dim=state_dim, backend=backend)
        self.narrow = nn.Linear(channels, 1)

    def forward(self, observation: Tensor) -> Tensor:
        """Map `B x bands x h x w` to weights `B x bands x 1 x 1`."""
        tokens = self.norm(self.widen(observation.amax(dim=(2, 3))[..., None]))
        scanned = self.scan(tokens.mT[:, :, None])[:, :, 0].mT
        return torch.sigmoid(self.narrow(scanned))[..., None]
