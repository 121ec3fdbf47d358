"""Training losses that `torch.nn` does not have."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ClampedL1Loss"]


class ClampedL1Loss(nn.Module):
    """Mean absolute error of the restored cube after it is clamped to [0, 1], the training loss of MP-HSIR.

    Values that leave the range by themselves and belong at its end cost nothing and receive no gradient.
    """

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """Compare restored and clean cubes of one shape, nominally in [0, 1]; a scalar."""
        return nn.functional.l1_loss(restored.clamp(0, 1), target)
