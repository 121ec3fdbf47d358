"""Missing entries on straight lines between observed bands, against NumPy's interpolation, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules import SolverModule
from lightning_modules.solvers import BandInterpolation, SolverError, band_interpolation


def cubes(seed: int, shape: tuple[int, ...] = (2, 9, 6, 7)) -> torch.Tensor:
    return 0.1 + 0.8 * torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("share", [0.3, 0.7], ids=["some", "most"])
def test_every_pixel_is_numpys_interpolation_of_its_observed_bands(share: float) -> None:
    clean = cubes(0)
    kept = torch.rand(clean.shape, generator=torch.Generator().manual_seed(1)) > share
    kept[:, 4] = True  # every pixel has one
    observed = clean * kept
    result = band_interpolation(observed)
    bands = np.arange(9)
    for scene, row, column in np.ndindex(2, 6, 7):
        known = kept[scene, :, row, column].numpy()
        wanted = np.interp(bands, bands[known], clean[scene, :, row, column].numpy()[known])
        np.testing.assert_allclose(result.restored[scene, :, row, column], wanted, atol=1e-6)
    assert torch.equal(result.restored[kept], observed[kept])
    assert bool(result.converged.all())
    assert not result.residual.any()


def test_a_cube_that_is_linear_along_its_spectrum_comes_back_whole() -> None:
    slope, start = cubes(2, (1, 1, 6, 7)), cubes(3, (1, 1, 6, 7))
    clean = start + slope * torch.arange(9.0).view(1, -1, 1, 1)
    observed = clean.clone()
    observed[:, [1, 4, 5, 6]] = 0
    torch.testing.assert_close(band_interpolation(observed).restored, clean)


def test_pixels_without_any_band_take_their_neighbours_mean_ring_after_ring() -> None:
    observed = cubes(4)
    observed[:, :, 2:5, 2:5] = 0
    restored = band_interpolation(observed).restored
    neighbours = [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    mean = torch.stack([observed[:, :, row, column] for row, column in neighbours]).mean(0)
    torch.testing.assert_close(restored[:, :, 2, 2], mean)
    ring = restored[:, :, 2:5, 2:5].flatten(2)[:, :, [0, 1, 2, 3, 5, 6, 7, 8]]
    torch.testing.assert_close(restored[:, :, 3, 3], ring.mean(-1))
    level = torch.full_like(observed, 0.25)
    level[:, :, 1:, 1:] = 0
    torch.testing.assert_close(band_interpolation(level).restored, torch.full_like(observed, 0.25))


def test_a_scene_or_tile_of_which_nothing_was_observed_stays_as_it_is_and_hurts_no_other() -> None:
    observed = cubes(5)
    observed[0, 3], observed[1] = 0, 0
    result = band_interpolation(observed)
    assert not result.restored[1].any()
    torch.testing.assert_close(result.restored[0], band_interpolation(observed[:1]).restored[0])
    scene = torch.cat((cubes(6, (1, 9, 300, 300)), torch.zeros(1, 9, 300, 300)), dim=-1)
    scene[:, 2] = 0
    restored = SolverModule(BandInterpolation()).restore({"observation": scene}, tile=64)
    torch.testing.assert_close(restored[..., :250], band_interpolation(scene).restored[..., :250])


def test_what_is_no_batch_of_cubes_is_refused() -> None:
    with pytest.raises(SolverError, match="Band interpolation takes a batch of cubes"):
        band_interpolation(torch.rand(3, 4, 5))
