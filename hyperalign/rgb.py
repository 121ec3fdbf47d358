"""Pictures of colour: linear RGB as people see it on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DISPLAY_GAMMA", "Picture", "displayed"]

Picture: TypeAlias = NDArray[np.float32]
"""`H x W x 3` in [0, 1], or one channel `H x W`."""
DISPLAY_GAMMA = 2.2
"""Exponent of a display; without it dark scenes look black."""


def displayed(rgb: Tensor) -> Picture:
    """Encode linear RGB `3 x H x W` for a display: a picture `H x W x 3` in [0, 1], so that dark scenes can be seen."""
    encoded = rgb.detach().float().cpu().clamp(0, 1) ** (1 / DISPLAY_GAMMA)
    return np.asarray(encoded.permute(1, 2, 0).numpy(), dtype=np.float32)
