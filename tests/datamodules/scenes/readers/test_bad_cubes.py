"""Files that are not what they should be: one sentence each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.exr import exr_library
from tests.datamodules.fake_chikusei import write_envi, write_matlab
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube


def _refused(path: Path, sentence: str, **options: Any) -> None:  # noqa: ANN401
    """Opening and reading a cube is refused with one sentence."""
    with pytest.raises(ValueError, match=sentence) as refusal:
        open_cube(path, **options).window(0, 0, 1, 1)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).rstrip().endswith(".")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "png"])
def test_a_truncated_file(tmp_path: Path, kind: str, share: float) -> None:
    path = write_cube(tmp_path, kind, cube_values(5, 40, 50))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match=r"cube\..* of \d+ bytes is truncated"):
        open_cube(path).window(0, 0, 40, 50)


def test_a_truncated_picture(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "png", cube_values()) / "scene_03.png"
    path.write_bytes(path.read_bytes()[:60])
    _refused(path.parent, r"scene_03\.png of 60 bytes is truncated")


def test_version_7_3_with_another_key(tmp_path: Path) -> None:
    path = write_matlab(tmp_path / "a.mat", "cube", cube_values())
    _refused(path, r"a\.mat has no array 'rad' \(numeric arrays: cube \(5, 12, 15\)\): name one of them", key="rad")


def test_hdf5_and_archives_with_another_key(tmp_path: Path) -> None:
    _refused(write_cube(tmp_path, "h5", cube_values()), r"has no data set 'rad' \(.*data/cube \(12, 15, 5\)", key="rad")
    _refused(write_cube(tmp_path, "npz", cube_values()), r"has no array 'rad' \(arrays: cube .*mask", key="rad")
    np.savez(tmp_path / "two.npz", a=cube_values(), b=cube_values())
    _refused(tmp_path / "two.npz", "has no single cube")


@pytest.mark.parametrize("kind", ["bsq", "npy", "tiff", "exr_half"])
def test_a_key_for_a_format_without_keys(tmp_path: Path, kind: str) -> None:
    _refused(
        write_cube(tmp_path, kind, cube_values()), "The key 'rad' names nothing in .*: leave the key out", key="rad"
    )


@pytest.mark.parametrize("kind", ["bsq", "exr_half", "png"])
def test_axes_for_a_format_that_has_its_own(tmp_path: Path, kind: str) -> None:
    _refused(write_cube(tmp_path, kind, cube_values()), "axes 'HWC' do not apply", axes="HWC")


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
    _refused(tmp_path / "a.mat", sentence)
    _refused(tmp_path / "a.mat", sentence, wavelengths=[400.0 + band for band in range(31)])
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
    _refused(tmp_path / "a.npy", r"bands of the array in .*a\.npy of 20 x 22 x 24 can be on more than one axis: .*HWC")
    _refused(tmp_path / "a.npy", "has no axis of 21", wavelengths=[400.0 + band for band in range(21)])
    _refused(tmp_path / "a.npy", "The axes 'XYZ' of the array in .* are none of CHW", axes="XYZ")
    _refused(tmp_path / "a.npy", "has 24 bands .* but 22 wavelengths", axes="HWC", wavelengths=range(400, 422))
    np.save(tmp_path / "a.npy", np.zeros((20, 22)))
    _refused(tmp_path / "a.npy", r"has shape \(20 x 22\) where three axes")


def test_a_tiff_whose_pages_are_rows(tmp_path: Path) -> None:
    values = cube_values(31, 60, 64)
    tifffile.imwrite(tmp_path / "a.tif", values.transpose(1, 2, 0), photometric="minisblack", metadata=None)
    sentence = r"The 60 pages of .*a\.tif, of 64 x 31, seem to be rows and not bands: set `axes` to HWC"
    _refused(tmp_path / "a.tif", sentence)
    _refused(tmp_path / "a.tif", sentence, wavelengths=[400.0 + band for band in range(31)])
    assert np.array_equal(open_cube(tmp_path / "a.tif", axes="HWC").window(0, 0, 60, 64), values)


def test_a_tiff_of_several_sizes(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (8, 9):
            file.write(np.zeros((size, size), np.uint16), metadata=None)
    _refused(tmp_path / "a.tif", r"a\.tif has pages of several sizes \(8 x 8, 9 x 9\)")


def test_wavelengths_in_micrometres(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bsq", cube_values(), [centre / 1000 for centre in CENTRES])
    assert open_cube(path).wavelengths == tuple(CENTRES)
    given = [0.4, 0.5, 0.6, 0.7, 0.8]
    _refused(path, r"given for .*cube\.bsq end at 0\.8, which is micrometres: give them in nm, 800", wavelengths=given)


def test_unsorted_wavelengths(tmp_path: Path) -> None:
    unsorted = [420.0, 480.0, 450.0, 510.0, 660.0]
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), unsorted)
    _refused(path, r"wavelengths of the ENVI header .*a\.hdr are not sorted \(480 nm beside 450 nm\): .*confirm")
    assert open_cube(path, wavelengths=unsorted).wavelengths == tuple(unsorted)
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), CENTRES[::-1])
    assert open_cube(path).wavelengths == tuple(CENTRES[::-1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "no list of positive numbers"),
        ([400.0, float("nan"), 600.0, 700.0, 800.0], "no list of positive numbers"),
        ([400.0, 500.0, 500.0, 700.0, 800.0], "hold 500 nm twice"),
        ([400.0, 500.0, 600.0], "has 5 bands .* but 3 wavelengths"),
    ],
)
@pytest.mark.parametrize("kind", ["bsq", "mat5", "mat73", "tiff", "exr_half", "png"])
def test_wavelengths_that_cannot_be(tmp_path: Path, kind: str, given: list[float], sentence: str) -> None:
    _refused(write_cube(tmp_path, kind, cube_values()), sentence, wavelengths=given)


def test_a_header_without_a_wavelength_for_each_band(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), CENTRES[:3])
    _refused(path, r"a\.hdr has no wavelength for each of its 5 bands: .* give `wavelengths`")


def test_exr_without_named_bands(tmp_path: Path) -> None:
    path, library = tmp_path / "a.exr", exr_library()
    plane = np.zeros((4, 5), np.float32)
    library.File({"type": library.scanlineimage}, {"R": plane, "Z": plane}).write(str(path))
    _refused(path, r"a\.exr has no channel named by its wavelength, as w420nm \(channels: R, Z\)")
    library.File({"type": library.scanlineimage}, {"w420nm": plane, "S0.420nm": plane}).write(str(path))
    _refused(path, "two channels of one wavelength")
    half = plane.astype(np.float16)
    library.File({"type": library.scanlineimage}, {"w420nm": plane, "w430nm": half}).write(str(path))
    _refused(path, "mixes values of the types FLOAT, HALF")


def test_stacks_that_are_not_whole(tmp_path: Path) -> None:
    folder = write_cube(tmp_path, "png", cube_values())
    (folder / "scene_03.png").unlink()
    _refused(folder, "lacks the picture of band 3 between 1 and 5")
    Image.fromarray(np.zeros((12, 15), np.uint8)).save(folder / "scene_03.png")
    _refused(folder, r"scene_03\.png holds uint8 values where the first band has uint16")
    Image.fromarray(np.zeros((12, 14), np.uint16)).save(folder / "scene_03.png")
    _refused(folder, r"scene_03\.png has 12 x 14 pixels where the first band has 12 x 15")
    Image.fromarray(np.zeros((12, 15), np.uint16)).save(folder / "other_03.png")
    _refused(folder, r"two pictures of band 03, other_03\.png and scene_03\.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no PNG with a number"):
        open_cube(tmp_path / "empty")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[{}]]], dtype=object), allow_pickle=True)
    _refused(tmp_path / "a.npy", "holds pickled objects, which are never loaded")
    np.save(tmp_path / "a.npy", np.zeros((2, 9, 9), complex))
    _refused(tmp_path / "a.npy", "holds complex128 values where real numbers are expected")


def test_classic_netcdf(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_bytes(b"CDF\x01" + bytes(40))
    _refused(tmp_path / "a.nc", "classic netCDF file: convert it to netCDF-4 with `nccopy -k nc4`")


def test_a_file_of_text_behind_every_ending(tmp_path: Path) -> None:
    for ending in ("mat", "npy", "npz", "tif", "exr", "h5", "nc"):
        (tmp_path / f"a.{ending}").write_bytes(b"<html>not found</html>" * 20)
        _refused(tmp_path / f"a.{ending}", r"a\.\w+ of 440 bytes is truncated")


def test_what_is_not_there_or_has_no_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder .*absent\.mat"):
        open_cube(tmp_path / "absent.mat")
    (tmp_path / "a.jpg").write_bytes(b"")
    _refused(tmp_path / "a.jpg", r"The ending of .*a\.jpg belongs to no known format \(\.mat, \.npy")


def test_coordinates_of_another_number_of_bands_are_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = cube_values()
        file["wavelength"] = np.arange(400.0, 624.0)
    assert open_cube(tmp_path / "a.h5").wavelengths is None
