"""Small seeded images, cubes and candidate sets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors
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


@pytest.fixture(scope="module")
def images() -> tuple[PatchDescriptors, PatchDescriptors]:
    proxy = smooth_cube(3, 64, 60, seed=2)
    guide = (proxy.roll((1, 2), (1, 2)) * torch.tensor([1.05, 0.95, 1.0]).view(3, 1, 1)).clamp(0, 1)
    return PatchDescriptors(proxy), PatchDescriptors(guide)
