"""Training losses of super-resolution networks that look at spectra or at differences between neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["L1VariationLoss", "SquaredErrorAngleLoss"]


class SquaredErrorAngleLoss(nn.Module):
    """Squared error plus mean spectral angle, the training loss of GDRRN.

    The squared error is the sum over the cube, halved and averaged over the batch; the angle between the restored and
    the clean spectrum is the mean over all pixels, in radians. Where no angle is defined (a spectrum of zeros) or the
    cosine is rounded to 1 or beyond it, the angle counts as 0 and has no gradient.

    Args:
        angle_weight: factor of the mean spectral angle.
    """

    def __init__(self, angle_weight: float = 0.1) -> None:
        super().__init__()
        self.angle_weight = angle_weight

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """Compare restored and clean cubes `B x C x H x W`; a scalar."""
        restored, target = restored.float(), target.float()
        squared = (restored - target).square().sum() / (2 * restored.shape[0])
        norms = (restored.norm(dim=1) * target.norm(dim=1)).clamp_min(torch.finfo(torch.float32).tiny)
        cosine = (restored * target).sum(dim=1) / norms
        defined = (cosine.abs() < 1) & (norms > torch.finfo(torch.float32).tiny)
        angle = torch.where(defined, torch.where(defined, cosine, 0).acos(), 0)
        return squared + self.angle_weight * angle.mean()


class L1VariationLoss(nn.Module):
    """Mean absolute error plus total variation of the restored cube, the training loss of SSPSR.

    Total variation is the mean squared difference of neighbours, over rows plus columns, and twice that over bands.

    Args:
        spatial_weight: factor of the variation over rows and columns.
        spectral_weight: factor of the variation over bands.
    """

    def __init__(self, spatial_weight: float = 1e-3, spectral_weight: float = 1e-3) -> None:
        super().__init__()
        self.spatial_weight = spatial_weight
        self.spectral_weight = spectral_weight

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """Compare restored and clean cubes `B x C x H x W`; a scalar."""
        restored = restored.float()
        bands, rows, columns = (restored.diff(dim=dim).square().mean() for dim in (1, 2, 3))
        error = nn.functional.l1_loss(restored, target.float())
        return error + self.spatial_weight * (rows + columns) + self.spectral_weight * 2 * bands
