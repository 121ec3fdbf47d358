"""The real Paris pair of one satellite, and the centres of its bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from datamodules import FusionObservation, ParisEO1
from datamodules.paris_eo1 import ADVANCED_LAND_IMAGER, hyperion_centre


def test_the_real_paris_pair(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "Paris_EO1"
    content = scipy.io.loadmat(root / "paris_data_hs_ms.mat")
    data = ParisEO1(str(root), degradation=FusionObservation(4), tiles=1, cache=str(tmp_path))
    scene = data.scenes(["paris"])[0]
    assert scene.multispectral is not None
    assert scene.shape == (128, 72, 72)
    assert scene.multispectral.shape == (9, 72, 72)
    largest = max(content["HSim"].max(), content["MSim"].max())
    assert np.abs(scene.load().cube.numpy() * largest - content["HSim"].transpose(2, 0, 1)).max() < 1e-6
    image = scene.multispectral.load().cube.numpy()
    assert np.abs(image * largest - content["MSim"].transpose(2, 0, 1)).max() < 1e-6
    # A channel of the second sensor looks most like the band at its own centre (4 and 4' look like all near infrared).
    bands = scene.load().cube.flatten(1).numpy()
    for channel in (2, 3, 6, 7, 8):
        alike = [float(np.corrcoef(image[channel].ravel(), band)[0, 1]) for band in bands]
        assert abs(data.wavelengths[int(np.argmax(alike))] / scene.multispectral.wavelengths[channel] - 1) < 0.05
    assert not data.expected().wrong_sizes()


def test_centres_of_hyperion_bands() -> None:
    table = {8: 426.82, 9: 436.99, 57: 925.41, 77: 912.45, 224: 2395.50, 242: 2577.08}
    for band, centre in table.items():
        assert abs(hyperion_centre(band) - centre) < 0.03


def write_pair(folder: Path) -> dict[str, NDArray[np.float64]]:
    """A pair of 4 x 4 pixels, its four bands on both sides of the gap between the spectrometers."""
    generator = np.random.default_rng(0)
    arrays = {"HSim": generator.uniform(0, 900, (4, 4, 4)), "MSim": generator.uniform(0, 800, (4, 4, 9))}
    scipy.io.savemat(folder / "paris_data_hs_ms.mat", {**arrays, "non_del_bands": np.array([[12, 20, 31, 77]])})
    return arrays


def test_the_file_and_its_folder_are_the_same_pair(tmp_path: Path) -> None:
    arrays = write_pair(tmp_path)
    largest = max(array.max() for array in arrays.values())
    for root in (tmp_path, tmp_path / "paris_data_hs_ms.mat"):
        data = ParisEO1(str(root), degradation=FusionObservation(2), cache=str(tmp_path / "cache"))
        assert data.wavelengths == (467.52, 548.93, 660.86, 912.45)
        assert data.scene_names() == ("paris_00", "paris_01", "paris_02", "paris_03")
        scene = data.scenes(["paris_01"])[0]
        assert scene.multispectral is not None
        assert scene.multispectral.wavelengths == ADVANCED_LAND_IMAGER
        for image, name in ((scene, "HSim"), (scene.multispectral, "MSim")):
            expected = arrays[name][:2, 2:].transpose(2, 0, 1) / largest
            np.testing.assert_allclose(image.load().cube.numpy(), expected, atol=1e-6)


def test_another_copy_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no paris_data_hs_ms\.mat: download paris_data_hs_ms\.mat from"):
        _ = ParisEO1(str(tmp_path)).wavelengths
    write_pair(tmp_path)
    expected = ParisEO1(str(tmp_path), tiles=3).expected()
    assert (len(expected.names), expected.shape) == (9, (128, 24, 24))
    (told,) = expected.wrong_sizes()
    assert "bytes instead of 2,899,131" in told


@pytest.mark.parametrize("band", [0, 243])
def test_other_numbers_are_no_bands(band: int) -> None:
    with pytest.raises(ValueError, match=f"^Hyperion has no band {band}: give a number from 1 to 242"):
        hyperion_centre(band)
