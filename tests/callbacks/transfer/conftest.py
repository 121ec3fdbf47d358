"""Small seeded images, cubes and candidate sets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.callbacks.transfer.samples import smooth_cube


@pytest.fixture
def cube() -> Tensor:
    """8 x 40 x 44, float32."""
    return smooth_cube(8, 40, 44)


@pytest.fixture
def problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Proxy, guide (3 x 21 x 26), candidates and distances (6 x 21 x 26) in float64."""
    generator = torch.Generator().manual_seed(3)
    proxy, guide = torch.rand(2, 3, 21, 26, generator=generator, dtype=torch.float64)
    candidates = torch.randint(0, 21 * 26, (6, 21, 26), generator=generator)
    return proxy, guide, candidates, torch.rand(6, 21, 26, generator=generator, dtype=torch.float64)
