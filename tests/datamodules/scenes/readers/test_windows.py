"""Cubes in files that are read by windows: MATLAB and ENVI."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from datamodules.scenes.readers import EnviCube, MatCube, check_shape
from tests.datamodules.fake_chikusei import fake_scene, write_envi, write_matlab


def _written(tmp_path: Path, kind: str, array: np.ndarray[Any, Any]) -> MatCube | EnviCube:
    if kind in ("bsq", "bil", "bip"):
        return EnviCube(write_envi(tmp_path / f"a.{kind}", array, None, kind))
    if kind == "v5":
        scipy.io.savemat(tmp_path / "a.mat", {"cube": array})
        return MatCube(tmp_path / "a.mat", "cube")
    chunks = {"contiguous": None, "small": (2, 3, 4), "bands": (1, 9, 12)}[kind]
    return MatCube(write_matlab(tmp_path / "a.mat", "cube", array, chunks), "cube")


@pytest.mark.parametrize("kind", ["contiguous", "small", "bands", "v5", "bsq", "bil", "bip"])
def test_windows_and_maxima(tmp_path: Path, kind: str) -> None:
    array = fake_scene(12, 9, 5)
    array[11, 8, 4] = 20000
    cube = _written(tmp_path, kind, array)
    assert cube.shape == (5, 12, 9)
    window = cube.window(2, 3, 6, 4)
    assert np.array_equal(window, array[2:8, 3:7].transpose(2, 0, 1))
    assert window.flags.c_contiguous
    assert window.dtype.isnative
    assert cube.maximum(2, 3, 6, 4) == array[2:8, 3:7].max()
    assert cube.maximum(0, 0, 12, 9) == 20000


@pytest.mark.parametrize("kind", ["contiguous", "small", "v5"])
def test_a_maximum_leaves_out_what_is_not_finite(tmp_path: Path, kind: str) -> None:
    array = fake_scene(4, 5, 3)
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    cube = _written(tmp_path, kind, array)
    assert cube.maximum(0, 0, 4, 5) == array[np.isfinite(array)].max()
    assert cube.maximum(0, 0, 1, 1) == array[0, 0, 1:].max()
    assert _written(tmp_path, kind, array * np.nan).maximum(0, 0, 4, 5) == -np.inf


def test_wavelengths_come_out_in_nanometres(tmp_path: Path) -> None:
    array = fake_scene(2, 2, 3)
    assert EnviCube(write_envi(tmp_path / "a.bsq", array, None)).wavelengths is None
    for centres in ([0.47, 0.55, 0.66], [470.0, 550.0, 660.0]):
        assert EnviCube(write_envi(tmp_path / "a.bsq", array, centres)).wavelengths == (470.0, 550.0, 660.0)
    cube = EnviCube(write_envi(tmp_path / "a.bsq", array, [470.0, 550.0]))
    with pytest.raises(ValueError, match=r"header .*a\.hdr has no wavelength for each of its 3 bands"):
        _ = cube.wavelengths


def test_a_header_may_keep_the_ending_of_the_image(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", fake_scene(2, 2, 3), None)
    path.with_suffix(".hdr").rename(tmp_path / "a.bsq.hdr")
    assert EnviCube(path).header.name == "a.bsq.hdr"


@pytest.mark.parametrize(
    "header", ["", "<html>", "ENVI\nsamples = 2\n", "ENVI\nsamples = x\nlines = 2\nbands = 3\n", "ENVI\nbands = {1,\n"]
)
def test_a_damaged_header(tmp_path: Path, header: str) -> None:
    path = write_envi(tmp_path / "a.bsq", fake_scene(2, 2, 3), None)
    path.with_suffix(".hdr").write_text(header)
    sentence = r"ENVI header .*a\.hdr (is damaged or describes no image|lacks the entry 'bands'|has samples = x)"
    with pytest.raises(ValueError, match=sentence):
        EnviCube(path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no ENVI file .*a\.bsq"):
        EnviCube(tmp_path / "a.bsq")
    with pytest.raises(FileNotFoundError, match=r"There is no MATLAB file .*a\.mat"):
        MatCube(tmp_path / "a.mat", "cube")


def test_a_truncated_image_says_how_long_it_should_be(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", fake_scene(4, 5, 3), None)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"a\.bsq of 100 bytes is truncated, as its header means 120"):
        EnviCube(path)


def test_damage_in_the_middle_of_a_compressed_file_is_named_when_it_is_read(tmp_path: Path) -> None:
    array = fake_scene(40, 40, 8)
    path = write_matlab(tmp_path / "a.mat", "cube", array, (8, 40, 40))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    cube = MatCube(path, "cube")
    for read in (cube.window, cube.maximum):
        with pytest.raises(ValueError, match=r"file .*a\.mat of \d+ bytes is truncated or is no MATLAB file"):
            read(0, 0, 40, 40)


def test_shapes() -> None:
    check_shape((2, 3, 4), (2, 3, 4), "x")
    with pytest.raises(ValueError, match="The axes of x are exchanged, 4 x 3 x 2 where 2 x 3 x 4 is expected"):
        check_shape((4, 3, 2), (2, 3, 4), "x")
    with pytest.raises(ValueError, match="The size of x is 2 x 3 where 2 x 3 x 4 is expected"):
        check_shape((2, 3), (2, 3, 4), "x")
