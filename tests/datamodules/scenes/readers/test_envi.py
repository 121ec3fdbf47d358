"""ENVI images: any interleave, beside a header of any name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import EnviCube, MatCube, find_cubes, open_cube
from datamodules.scenes.readers.envi import find_header, header_of, image_of
from tests.datamodules.fake_chikusei import fake_scene, write_envi
from tests.datamodules.scenes.make_cubes import cube_values, write_cube
from tests.datamodules.scenes.readers.images import image, names


def test_a_header_opens_its_image_and_any_ending_beside_one_does(tmp_path: Path) -> None:
    values = cube_values()
    path = write_cube(tmp_path, "bsq", values)
    assert np.array_equal(open_cube(tmp_path / "cube.hdr").window(0, 0, 12, 15), values)
    path.rename(tmp_path / "cube.strange")
    (tmp_path / "cube.hdr").rename(tmp_path / "cube.strange.hdr")
    assert open_cube(tmp_path / "cube.strange").shape == (5, 12, 15)
    (tmp_path / "cube.strange").rename(tmp_path / "cube")
    (tmp_path / "cube.strange.hdr").rename(tmp_path / "cube.hdr")
    assert open_cube(tmp_path / "cube").shape == (5, 12, 15)
    assert open_cube(tmp_path / "cube.hdr").path == tmp_path / "cube"
    (tmp_path / "cube").unlink()
    with pytest.raises(FileNotFoundError, match=r"header .*cube\.hdr has no image cube beside it"):
        open_cube(tmp_path / "cube.hdr")


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


def test_a_truncated_image_says_how_long_it_should_be(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", fake_scene(4, 5, 3), None)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"a\.bsq of 100 bytes is truncated, as its header means 120"):
        EnviCube(path)


@pytest.mark.parametrize("header", ["SCENE.HDR", "SCENE.IMG.HDR", "SCENE.IMG.hdr"])
def test_capitals(tmp_path: Path, header: str) -> None:
    path = image(tmp_path / "SCENE.IMG", header)
    assert find_cubes(tmp_path) == [path]
    assert open_cube(path).shape == open_cube(tmp_path / header).shape == (5, 6, 7)


def test_an_image_prefers_the_header_of_its_whole_name(tmp_path: Path) -> None:
    image(tmp_path / "a.dat", "a.dat.hdr")
    (tmp_path / "a.hdr").write_text("ENVI\nsamples = 1\nlines = 1\nbands = 1\ndata type = 1\ninterleave = bsq\n")
    (tmp_path / "a.img").write_bytes(b"\x01")
    assert open_cube(tmp_path / "a.dat").shape == (5, 6, 7)
    assert open_cube(tmp_path / "a.img").shape == (1, 1, 1)
    assert names(tmp_path) == ["a.dat", "a.img"]


def test_headers_of_other_formats_are_no_headers(tmp_path: Path) -> None:
    image(tmp_path / "a.dat")
    (tmp_path / "photo.hdr").write_bytes(b"#?RADIANCE\n" + bytes(50))
    (tmp_path / "photo.raw").write_bytes(bytes(900))
    assert names(tmp_path) == ["a.dat"]


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no ENVI file .*a\.bsq"):
        EnviCube(tmp_path / "a.bsq")
    with pytest.raises(FileNotFoundError, match=r"There is no MATLAB file .*a\.mat"):
        MatCube(tmp_path / "a.mat", "cube")


@pytest.mark.parametrize("kind", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_interleave_and_byte_order_is_the_same_cube(tmp_path: Path, kind: str, order: str) -> None:
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[kind]
    values = np.arange(4 * 5 * 3, dtype=f"{order}i2").reshape(4, 5, 3)
    # two bytes of something else before the image
    (tmp_path / "a.img").write_bytes(b"xx" + values.transpose(axes).tobytes())
    (tmp_path / "a.hdr").write_text(
        f"ENVI\nsamples = 5\nlines = 4\nbands = 3\ndata type = 2\ninterleave = {kind}\nheader offset = 2\n"
        f"byte order = {int(order == '>')}\ndata ignore value = 7\nbbl = {{1, 0, 1}}\n"
    )
    cube = EnviCube(tmp_path / "a.img")
    assert np.array_equal(cube.window(1, 2, 3, 2), values[1:4, 2:4].transpose(2, 0, 1))
    assert (cube.interleave, cube.bad_bands, cube.marks.declared) == (kind, (1,), (7.0,))
    # 7 is the second band of the third pixel and missing; 59 the last value
    assert cube.maximum(0, 0, 4, 5) == 59
    assert cube.maximum(0, 2, 1, 1) == 8


def test_given_wavelengths_take_the_place_of_the_headers(tmp_path: Path) -> None:
    path = image(tmp_path / "a.bsq")
    assert EnviCube(path).stated is None
    cube = EnviCube(path, wavelengths=[400.0, 500.0, 600.0, 700.0, 800.0])
    assert cube.wavelengths == (400.0, 500.0, 600.0, 700.0, 800.0)
    assert cube.stated is None
    assert cube.stated_in_header
    assert not EnviCube(image(tmp_path / "b.bsq", wavelengths=False)).stated_in_header


def test_an_image_is_found_by_its_header_in_the_order_of_the_endings(tmp_path: Path) -> None:
    image(tmp_path / "a.bsq")
    (tmp_path / "a.RAW").write_bytes(b"")
    assert image_of(tmp_path / "a.hdr") == tmp_path / "a.bsq"
    assert header_of(tmp_path / "a.bsq") == tmp_path / "a.hdr"
    assert find_header(tmp_path / "b.bsq") is None
    with pytest.raises(FileNotFoundError, match=r"There is no ENVI header .*b\.hdr"):
        image_of(tmp_path / "b.hdr")
    (tmp_path / "c.bsq").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"c\.bsq has no header c\.hdr beside it"):
        header_of(tmp_path / "c.bsq")
