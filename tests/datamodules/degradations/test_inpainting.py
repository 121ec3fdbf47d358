"""Random masks: share, convention, and nothing else."""

import math

import pytest
import torch

from datamodules.degradations import RandomMask


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("convention", "bands"), [("element", 31), ("pixel", 1)])
@pytest.mark.parametrize("ratio", [0.9, 0.25])
def test_share_and_shape_of_the_mask(convention: str, bands: int, ratio: float) -> None:
    clean = torch.rand(31, 64, 64, generator=seeded(0)) + 0.1
    degradation = RandomMask(ratio, convention)
    mask, observation = degradation.draw((31, 64, 64), seeded(1)).mask, degradation(clean, seeded(1))
    assert mask.shape == (bands, 64, 64)
    error = 5 * math.sqrt(ratio * (1 - ratio) / mask.numel())
    assert (~mask).double().mean().item() == pytest.approx(ratio, abs=error)
    assert torch.equal(observation != 0, mask.expand(31, 64, 64))
    assert torch.equal(observation[observation != 0], clean[observation != 0])


def test_bands_are_masked_independently_under_element() -> None:
    mask = RandomMask(0.5).draw((8, 64, 64), seeded(1)).mask.double().flatten(1)
    assert (torch.corrcoef(mask) - torch.eye(8)).abs().max() < 5 / 64


def test_ratio_zero_keeps_everything() -> None:
    clean = torch.rand(3, 8, 8, generator=seeded(0))
    assert torch.equal(RandomMask(0.0)(clean, seeded(1)), clean)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, float("nan")])
def test_bad_ratios_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=rf"ratio of the random mask is {ratio} but must be a share in \[0, 1\)"):
        RandomMask(ratio)


def test_bad_convention_is_refused() -> None:
    with pytest.raises(ValueError, match="convention of the random mask is 'band' but must be one of element, pixel"):
        RandomMask(0.9, "band")
