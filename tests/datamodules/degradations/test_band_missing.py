"""Missing bands: how many, which, and nothing else."""

import math

import pytest
import torch

from datamodules.degradations import BandMissing


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("ratio", "bands", "missing"), [(0.3, 31, 9), (0.3, 10, 3), (0.29, 100, 29), (0.0, 31, 0)])
def test_exact_number_of_bands_is_missing(ratio: float, bands: int, missing: int) -> None:
    clean = torch.rand(bands, 4, 5, generator=seeded(0)) + 0.1
    for seed in range(20):
        observation = BandMissing(ratio)(clean, seeded(seed))
        lost = (observation == 0).all(dim=(1, 2))
        assert int(lost.sum()) == missing
        assert torch.equal(observation[~lost], clean[~lost])
        mask = BandMissing(ratio).draw((bands, 4, 5), seeded(seed)).mask
        assert mask.shape == (bands, 1, 1)
        assert torch.equal(mask[:, 0, 0], ~lost)


def test_every_band_is_equally_likely() -> None:
    masks = torch.stack([BandMissing().draw((31, 1, 1), seeded(seed)).mask for seed in range(600)])
    lost = (~masks).double().mean(dim=0).flatten()
    assert lost.mean().item() == pytest.approx(9 / 31, abs=1e-12)
    assert (lost - 9 / 31).abs().max() < 5 * math.sqrt(9 * 22 / 31**2 / 600)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_bad_ratios_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=rf"ratio of missing bands is {ratio} but must be a share in \[0, 1\)"):
        BandMissing(ratio)


def test_a_ratio_that_takes_no_band_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ratio of 0.3 of missing bands takes none of 3 bands; give a larger ratio"):
        BandMissing(0.3)(torch.zeros(3, 4, 4), seeded(0))
