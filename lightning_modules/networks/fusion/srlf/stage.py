"""One stage of SRLF: mixing at both resolutions, then learning the worst pixels again, in space and in spectrum."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.srlf.relearning import Relearning, relearn
from lightning_modules.networks.fusion.srlf.selection import cosine_map, similarity_map, worst
from lightning_modules.networks.fusion.srlf.sensor import PairSensor
from lightning_modules.networks.layers.gated_scan import GatedScan2d
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["RelearningStage", "reduction_strides"]


def reduction_strides(ratio: int) -> list[int]:
    """Split a ratio into strides: fours first, as published for 8 (4, 2), then a two, then the odd factors."""
    strides = []
    for factor in (4, 2, *range(3, ratio + 1, 2)):
        while ratio % factor == 0:
            strides.append(factor)
            ratio //= factor
    return strides


class ScanBlock(nn.Module):
    """Layer norm, gated two-dimensional scan, skip."""

    def __init__(self, channels: int, dropout: float, backend: Backend) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.scan = GatedScan2d(channels, channels // 2, dropout=dropout, backend=backend)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x C x H x W` features to features of the same shape."""
        mixed: Tensor = features + self.scan(self.norm(features.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return mixed


class RelearningStage(nn.Module):
    """A stage `B x C x H x W` to the same shape, looking at both observed images.

    Args:
        channels: feature channels, as many as bands.
        multispectral_channels: channels of the multispectral image.
        ratio: pixels of the multispectral image along one of the hyperspectral image.
        dropout: of the scans in training.
        per_image: choose as many pixels as each image needs instead of the batch's mean.
        backend: implementation of the selective scan.
    """

    def __init__(
        self,
        channels: int,
        multispectral_channels: int,
        ratio: int,
        dropout: float,
        per_image: bool,
        backend: Backend,
    ) -> None:
        super().__init__()
        self.ratio, self.per_image = ratio, per_image
        self.fine = ScanBlock(channels, dropout, backend)
        self.down = nn.Sequential(
            *(
                nn.Conv2d(channels, channels, stride + 2, stride, padding=max(1, stride // 2), bias=False)
                for stride in reduction_strides(ratio)
            )
        )
        self.coarse = ScanBlock(channels, dropout, backend)
        self.up = nn.Conv2d(channels, channels * ratio**2, kernel_size=1)
        self.join = nn.Conv2d(2 * channels, channels, kernel_size=1)
        self.joined = ScanBlock(channels, dropout, backend)
        self.norm = nn.LayerNorm(channels)
        self.with_multispectral = nn.Conv2d(channels + multispectral_channels, channels, kernel_size=1)
        self.spatial = Relearning(channels)
        self.with_hyperspectral = nn.Conv2d(2 * channels, channels, kernel_size=1)
        self.spectral = Relearning(channels)
        self.up_spectral = nn.Conv2d(channels, channels * ratio**2, kernel_size=1)
        self.merge = nn.Conv2d(2 * channels, channels, kernel_size=1)
        self.merged = ScanBlock(channels, dropout, backend)
        self.out = nn.Conv2d(2 * channels, channels, kernel_size=1)

    def forward(self, features: Tensor, observation: Tensor, multispectral: Tensor, sensor: PairSensor) -> Tensor:
        """Refine features `B x C x H x W`."""
        fine = self.fine(features)
        coarse = self._enlarge(self.up, self.coarse(self.down(fine)))
        fused = self.joined(self.join(torch.cat((fine, coarse), dim=1)))
        fused = self.norm(fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            scores = similarity_map(sensor.multispectral(fused.float()), multispectral.float())
            similarity = scores.mean(dim=(1, 2))
            chosen = worst(scores, similarity, self.per_image)
        spatial = self.with_multispectral(torch.cat((fused, multispectral.to(fused.dtype)), dim=1))
        spatial = relearn(spatial, chosen, self.spatial)
        reduced = sensor.hyperspectral(spatial)
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            chosen = worst(cosine_map(reduced.float(), observation.float()), similarity, self.per_image)
        spectral = self.with_hyperspectral(torch.cat((reduced, observation.to(reduced.dtype)), dim=1))
        spectral = self._enlarge(self.up_spectral, relearn(spectral, chosen, self.spectral))
        merged = self.merge(torch.cat((spatial, spectral), dim=1))
        # The published block adds its input twice: once inside the scan block, once here.
        refined: Tensor = self.out(torch.cat((self.merged(merged) + merged, features), dim=1))
        return refined

    def _enlarge(self, widen: nn.Conv2d, coarse: Tensor) -> Tensor:
        return functional.pixel_shuffle(widen(coarse), self.ratio)
