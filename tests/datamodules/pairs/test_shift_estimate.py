"""A shift between the pixels: small ones to a few hundredths, large ones to a tenth or so."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.pairs.shift_estimate import estimate_shift


def scene(down: float, across: float) -> Tensor:
    """Blobs at random places, all moved."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(48)[:, None] - down, np.arange(56) - across
    centres = rng.uniform(4, 44, (30, 2)) * (1, 1.15)
    blobs = [np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8) for y, x in centres]
    return torch.from_numpy(np.stack([sum(blobs[:15]), sum(blobs[10:])]))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -0.61), (-2.25, 3.4)])
def test_a_known_shift(shift: tuple[float, float]) -> None:
    found = estimate_shift(scene(*shift), scene(0, 0))
    bound = 0.03 if max(map(abs, shift)) < 1 else 0.15
    assert abs(found[0] - shift[0]) < bound
    assert abs(found[1] - shift[1]) < bound
