"""A pair read in strips: both scales, channels, missing values, and a shift that is undone."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules import FusionPair
from datamodules.pairs.pair_scene import PairScene, moved_window

BANDS = [500.0, 600.0, 700.0]


def waves(shift: tuple[float, float] = (0.0, 0.0), side: int = 24) -> NDArray[np.float32]:
    """Smooth images, sampled `shift` pixels further on."""
    rows, columns = np.arange(side)[:, None] + shift[0], np.arange(side) + shift[1]
    return np.stack([np.sin(rows / (4 + k)) * np.cos(columns / (5 + k)) + 2 for k in range(3)]).astype(np.float32)


def scene(root: Path, fine: NDArray[np.generic], coarse: NDArray[np.generic], **options: object) -> PairScene:
    root.mkdir(exist_ok=True)
    np.save(root / "x_hs.npy", coarse)
    np.save(root / "x_ms.npy", fine)
    axes = {"hyperspectral_axes": "CHW", "multispectral_axes": "CHW", "wavelengths": BANDS}
    data = FusionPair(str(root), **axes, **options)  # type: ignore[arg-type]
    return data.open_scene(data.opened("x"))


def test_both_images_come_on_one_scale_with_the_wanted_channels(tmp_path: Path) -> None:
    fine = np.random.default_rng(0).uniform(0, 8, (4, 48, 48)).astype(np.float32)
    found = scene(tmp_path, fine, waves(), channels=[2, 0])
    strip = found.strip(4, 6)
    assert strip.multispectral is not None
    largest = max(float(fine.max()), float(waves().max()))
    assert np.abs(strip.observation - waves()[:, 4:10] / largest).max() < 1e-6
    assert np.abs(strip.multispectral - fine[[2, 0], 8:20] / largest).max() < 1e-6
    assert (found.ratio, found.name, strip.missing) == (2, "x.npy", None)
    assert abs(found.phase - 0.5) < 1e-12


def test_a_missing_channel_is_missed_by_every_band_at_the_fine_pixel(tmp_path: Path) -> None:
    fine = np.full((2, 48, 48), 0.5, np.float32)
    fine[1, 9, 30] = np.nan
    coarse = waves()
    coarse[0, 6, 3] = np.nan
    strip = scene(tmp_path, fine, coarse, nan="keep", scale=3.0).strip(4, 6)
    assert strip.missing is not None
    expected = np.zeros((3, 12, 48), np.bool_)
    expected[:, 1, 30] = True
    expected[0, 4:6, 6:8] = True
    assert np.array_equal(strip.missing, expected)
    assert np.isfinite(strip.observation).all()


@pytest.mark.parametrize("shift", [(0.5, -0.25), (-1.5, 1.0), (0.0, 0.375)])
def test_a_shift_is_undone(shift: tuple[float, float]) -> None:
    """An image whose pixels lie `shift` coarse pixels further on, brought back."""
    image = waves(shift)

    def read(row: int, column: int, height: int, width: int) -> NDArray[np.float32]:
        return image[:, row : row + height, column : column + width]

    fine = (4 * shift[0], 4 * shift[1])
    moved, down, across = moved_window(read, (3, 4, 16, 15), (3, 24, 24), fine, 4)
    assert np.abs(moved - waves()[:, 3:19, 4:19]).max() < 3e-3
    assert np.abs(image[:, 3:19, 4:19] - waves()[:, 3:19, 4:19]).max() > 0.05
    assert np.abs(down.sum(1) - 1).max() < 1e-12
    assert np.abs(across.sum(1) - 1).max() < 1e-12


def test_images_in_different_units_and_equal_sizes_are_refused(tmp_path: Path) -> None:
    fine = np.random.default_rng(0).integers(0, 255, (2, 48, 48)).astype(np.uint8)
    with pytest.raises(ValueError, match=r"reach 3 and 254, which one unit cannot explain: set .*multispectral_scale"):
        scene(tmp_path, fine, waves().round())
    assert scene(tmp_path, fine, waves(), multispectral_scale="own").multispectral.normalisation.scale == 254
    with pytest.raises(ValueError, match="Both images of 'x' have the same pixels, so there is nothing to fuse"):
        scene(tmp_path, fine[:, :24, :24], waves(), multispectral_scale="own")
    with pytest.raises(ValueError, match="has 2 channels, numbered from 0, and none of number 2"):
        scene(tmp_path, fine, waves(), channels=[2])
