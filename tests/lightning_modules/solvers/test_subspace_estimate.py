"""The signal subspace beside the one that the scenes were made of."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers.result import SolverError
from lightning_modules.solvers.subspace_estimate import signal_subspace
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene


@pytest.mark.parametrize(("bands", "rank"), [(12, 2), (31, 4), (60, 5)])
def test_the_rank_of_scenes_with_little_noise_is_found(bands: int, rank: int) -> None:
    clean = clean_scene(bands, 48, 48, seed=bands, rank=rank)
    observed = noisy_scene(clean, least=0.002, most=0.01)
    subspace = signal_subspace(observed)
    assert subspace.rank.tolist() == [rank]
    spanned = subspace.directions[0, :, :rank]
    whitened = clean[0].flatten(1) / subspace.noise[0, :, None]
    assert (whitened - spanned @ (spanned.mT @ whitened)).norm() < 0.1 * whitened.norm()


def test_noise_alone_has_power_1_in_every_direction() -> None:
    observed = 0.1 * torch.randn(1, 10, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    subspace = signal_subspace(observed)
    assert torch.allclose(subspace.power, torch.ones_like(subspace.power), atol=0.3)
    assert subspace.rank.tolist() == [1]


@pytest.mark.parametrize("kind", ["impulses", "deadlines"])
def test_outliers_are_no_signal(kind: str) -> None:
    observed = noisy_scene(clean_scene(12, 48, 48), least=0.02, most=0.05)
    if kind == "impulses":
        hit = torch.rand(observed[:, :4].shape, generator=torch.Generator().manual_seed(0)) < 0.1
        observed[:, :4][hit] = 1
    else:
        observed[:, 2, :, 7::13] = -1
        observed[:, 5, :, 4::11] = -1
    assert int(signal_subspace(observed).rank) in (3, 4)


def test_more_noise_leaves_fewer_directions() -> None:
    clean = clean_scene(31, 48, 48, rank=6)
    ranks = [int(signal_subspace(noisy_scene(clean, least=most / 2, most=most)).rank) for most in (0.002, 0.2, 1.0)]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] > ranks[-1]


def test_known_noise_is_used_and_checked() -> None:
    observed = noisy_scene(clean_scene(6, 16, 16))
    given = torch.full((1, 6), 0.5, dtype=torch.float64)
    assert torch.equal(signal_subspace(observed, given).noise, given)
    with pytest.raises(SolverError, match=r"one noise deviation above zero for each of 1 x 6 bands, but got \(1, 5\)"):
        signal_subspace(observed, given[:, :5])
    with pytest.raises(SolverError, match="with a least of 0"):
        signal_subspace(observed, torch.zeros(1, 6, dtype=torch.float64))


def test_constant_bands_and_scenes_of_zeros_are_finite() -> None:
    observed = noisy_scene(clean_scene(6, 16, 16))
    observed[:, 2] = 0.5
    for cubes in (observed, torch.zeros_like(observed)):
        assert bool(signal_subspace(cubes).power.isfinite().all())
