"""Training losses that `torch.nn` does not have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ClampedL1Loss", "L1VariationLoss", "SquaredErrorAngleLoss", "contrastive_loss", "gathered"]


class ClampedL1Loss(nn.Module):
    """Mean absolute error of the restored cube after it is clamped to [0, 1], the training loss of MP-HSIR.

    Values that leave the range by themselves and belong at its end cost nothing and receive no gradient.
    """

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """Compare restored and clean cubes of one shape, nominally in [0, 1]; a scalar."""
        return nn.functional.l1_loss(restored.clamp(0, 1), target)


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


def contrastive_loss(text: Tensor, image: Tensor, logit_scale: Tensor, captions: Sequence[str]) -> Tensor:
    """Return the symmetric InfoNCE of captions and images (CO2IF, Eq. 16), the same number on every rank.

    Args:
        text: unit vectors t, `B x E`.
        image: unit vectors y, `B x E`, row by row of the same pairs.
        logit_scale: logarithm of 1 / tau, a scalar.
        captions: the B captions; images with equal ones are matched with all of these.

    Returns:
        Scalar in nats, at least 0; 0 where all captions are one, so also for a single pair.
    """
    with torch.autocast(text.device.type, enabled=False):
        texts, images = gathered(text), gathered(image)
        owners = gathered(torch.tensor([_number(caption) for caption in captions], device=text.device))
        logits = logit_scale.exp() * (images @ texts.T)
        apart = owners[:, None] != owners
        return _unmatched(logits, apart) + _unmatched(logits.T, apart)


def gathered(rows: Tensor) -> Tensor:
    """Put the rows of all ranks below each other, in the order of the ranks; every rank must bring as many.

    Gradients reach this rank's own rows, times the number of ranks. All ranks compute one and the same loss, and
    distributed training averages gradients over the ranks: the factor makes them those of a single process.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return rows
    ranks = torch.distributed.get_world_size()
    own = rows.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(ranks)]
    torch.distributed.all_gather(parts, own)
    if rows.requires_grad:
        parts[torch.distributed.get_rank()] = own + ranks * (rows - own)
    return torch.cat(parts)


def _unmatched(logits: Tensor, apart: Tensor) -> Tensor:
    """Mean over rows of -log of the share that the matched columns have of a row's softmax."""
    matched = logits.masked_fill(apart, -torch.inf).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - matched).mean()


def _number(caption: str) -> int:
    """A 64-bit number of a caption, which ranks can exchange as a tensor."""
    return int.from_bytes(hashlib.sha256(caption.encode()).digest()[:8], "big", signed=True)
