"""How many sources a cube holds: the virtual dimension by Harsanyi, Farrand and Chang's test."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

__all__ = ["virtual_dimension"]


def virtual_dimension(pixels: Tensor, false_alarm: float = 0.05) -> int:
    """Count the eigenvalues of the second moment that exceed those of the covariance by more than chance allows.

    Chang, Du, "Estimation of number of spectrally distinct signal sources in hyperspectral imagery", IEEE TGRS 42(3),
    2004.

    Args:
        pixels: `C x N`.
        false_alarm: probability of counting a source that is not there.
    """
    samples = pixels.shape[1]
    centred = pixels - pixels.mean(dim=1, keepdim=True)
    moment, covariance = (torch.linalg.eigvalsh(images @ images.T / samples) for images in (pixels, centred))
    deviation = (2.0 * (moment.square() + covariance.square()) / samples).sqrt()
    return int((moment - covariance > NormalDist().inv_cdf(1.0 - false_alarm) * deviation).sum())
