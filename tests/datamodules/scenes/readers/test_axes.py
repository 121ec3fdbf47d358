"""Which axis holds the bands: said, told from the sizes, or asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.axes import axis_order
from tests.datamodules.fake_chikusei import write_matlab
from tests.datamodules.scenes.make_cubes import cube_values
from tests.datamodules.scenes.readers.refused import refused


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_transposed_axes(tmp_path: Path, version: str) -> None:
    values = cube_values(31, 64, 68)
    if version == "v5":
        scipy.io.savemat(tmp_path / "a.mat", {"cube": values})
    else:
        write_matlab(tmp_path / "a.mat", "cube", values)
    sentence = (
        r"axes of the array 'cube' in .*a\.mat seem to be exchanged, as the format says 31 rows x 64 columns "
        r"x 68 bands: set `axes` to CHW if the 31 are its bands, or to HWC"
    )
    refused(tmp_path / "a.mat", sentence)
    refused(tmp_path / "a.mat", sentence, wavelengths=[400.0 + band for band in range(31)])
    cube = open_cube(tmp_path / "a.mat", axes="CHW")
    assert np.array_equal(cube.window(2, 3, 50, 40), values[:, 2:52, 3:43])
    assert cube.maximum(2, 3, 50, 40) == values[:, 2:52, 3:43].max()
    assert open_cube(tmp_path / "a.mat", axes="HWC").shape == (68, 31, 64)


def test_many_bands_are_not_taken_for_transposed_axes(tmp_path: Path) -> None:
    for shape in ((72, 72, 128), (100, 100, 198), (60, 400, 128), (512, 482, 31)):
        scipy.io.savemat(tmp_path / "a.mat", {"cube": np.zeros(shape, np.uint8)})
        assert open_cube(tmp_path / "a.mat").shape == (shape[2], *shape[:2])


def test_axes_that_cannot_be_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 22, 24)))
    refused(tmp_path / "a.npy", r"bands of the array in .*a\.npy of 20 x 22 x 24 can be on more than one axis: .*HWC")
    refused(tmp_path / "a.npy", "has no axis of 21", wavelengths=[400.0 + band for band in range(21)])
    refused(tmp_path / "a.npy", "The axes 'XYZ' of the array in .* are none of CHW", axes="XYZ")
    refused(tmp_path / "a.npy", "has 24 bands .* but 22 wavelengths", axes="HWC", wavelengths=range(400, 422))
    np.save(tmp_path / "a.npy", np.zeros((20, 22)))
    refused(tmp_path / "a.npy", r"has shape \(20 x 22\) where three axes")


def test_axes_are_as_the_user_says(tmp_path: Path) -> None:
    values = cube_values(5, 6, 7)
    for axes in ("CHW", "CWH", "HWC", "HCW", "WHC", "WCH"):
        np.save(tmp_path / "a.npy", values.transpose(["CHW".index(axis) for axis in axes]))
        assert np.array_equal(open_cube(tmp_path / "a.npy", axes=axes).window(1, 2, 3, 4), values[:, 1:4, 2:6])


def test_wavelengths_tell_the_axis_of_the_bands(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", cube_values(9, 8, 7).transpose(1, 2, 0))
    cube = open_cube(tmp_path / "a.npy", wavelengths=[500.0 + band for band in range(9)])
    assert cube.shape == (9, 8, 7)


@pytest.mark.parametrize("axes", ["CHW", "CWH", "HWC", "HCW", "WHC", "WCH"])
def test_an_order_is_where_its_letters_stand(axes: str) -> None:
    sizes = {"C": 5, "H": 6, "W": 7}
    shape = [sizes[letter] for letter in axes]
    order = axis_order(shape, axes.lower(), None, 5, "the array a")
    assert [shape[axis] for axis in order] == [5, 6, 7]
    assert axis_order(shape, None, axes, None, "the array a") == order


@pytest.mark.parametrize(
    ("shape", "bands", "expected"),
    [
        ((31, 62, 62), None, (0, 1, 2)),
        ((62, 62, 31), None, (2, 0, 1)),
        ((31, 61, 62), None, None),
        ((62, 31, 62), None, None),
        ((80, 64, 62), 80, (0, 1, 2)),
        ((64, 62, 80), 80, (2, 0, 1)),
        ((80, 62, 80), 80, None),
    ],
)
def test_the_axis_of_the_bands_is_told_or_asked_for(
    shape: tuple[int, int, int], bands: int | None, expected: tuple[int, int, int] | None
) -> None:
    if expected is not None:
        assert axis_order(shape, None, None, bands, "the array a") == expected
        return
    with pytest.raises(ValueError, match=r"^The bands of the array a of .* can be on more than one axis: give `axes`"):
        axis_order(shape, None, None, bands, "the array a")
