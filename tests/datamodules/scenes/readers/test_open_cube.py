"""One door for every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules.scenes.readers import READERS, check_depth, find_cubes, open_cube, tiff_segments
from datamodules.scenes.readers.exr import band_of_channel
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube

TYPES = {"mat5": "uint16", "mat73": "uint16", "exr_half": "float16", "exr_float": "float32"}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_cube(tmp_path: Path, kind: str) -> None:
    values = cube_values()
    cube = open_cube(write_cube(tmp_path, kind, values))
    assert cube.shape == (5, 12, 15)
    assert cube.dtype == TYPES.get(kind, "uint16")
    assert np.array_equal(cube.window(0, 0, 12, 15), values)
    window = cube.window(3, 2, 4, 6)
    assert np.array_equal(window, values[:, 3:7, 2:8])
    assert window.dtype == cube.dtype
    assert window.flags.c_contiguous
    assert window.flags.owndata
    assert window.flags.writeable
    assert cube.maximum(3, 2, 4, 6) == values[:, 3:7, 2:8].max()
    with pytest.raises(ValueError, match=r"window of 4 x 6 pixels at row 9, column 2 leaves the cube .* of 12 x 15"):
        cube.window(9, 2, 4, 6)
    with pytest.raises(ValueError, match="leaves the cube"):
        cube.maximum(-1, 2, 4, 6)


@pytest.mark.parametrize("kind", FORMATS)
def test_wavelengths_come_from_the_file_or_from_the_user(tmp_path: Path, kind: str) -> None:
    cube_path = write_cube(tmp_path / "with", kind, cube_values(), CENTRES)
    kept = not kind.startswith("npy")
    assert open_cube(cube_path).wavelengths == (tuple(CENTRES) if kept else None)
    given = [700.0, 600.0, 500.0, 450.0, 400.0]
    assert open_cube(cube_path, wavelengths=given).wavelengths == tuple(given)
    if kind.startswith("exr"):
        return
    assert open_cube(write_cube(tmp_path / "without", kind, cube_values())).wavelengths is None


def test_a_cube_keeps_what_its_file_says(tmp_path: Path) -> None:
    envi = open_cube(write_cube(tmp_path, "bil", cube_values(), CENTRES))
    assert envi.metadata["interleave"] == "bil"
    assert envi.metadata["wavelength"].startswith("{420.000000, 450.000000")
    tiff = open_cube(write_cube(tmp_path, "tiff", cube_values()))
    assert tiff.metadata["ModelPixelScaleTag"] == "(30.0, 30.0, 0.0)"
    assert open_cube(write_cube(tmp_path, "mat73", cube_values())).metadata["format"] == "MATLAB v7.3"
    hdf5 = open_cube(write_cube(tmp_path, "h5", cube_values()))
    assert dict(hdf5.metadata) == {"units": "1", "key": "data/cube"}


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


def test_axes_are_as_the_user_says(tmp_path: Path) -> None:
    values = cube_values(5, 6, 7)
    for axes in ("CHW", "CWH", "HWC", "HCW", "WHC", "WCH"):
        np.save(tmp_path / "a.npy", values.transpose(["CHW".index(axis) for axis in axes]))
        assert np.array_equal(open_cube(tmp_path / "a.npy", axes=axes).window(1, 2, 3, 4), values[:, 1:4, 2:6])


def test_wavelengths_tell_the_axis_of_the_bands(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", cube_values(9, 8, 7).transpose(1, 2, 0))
    cube = open_cube(tmp_path / "a.npy", wavelengths=[500.0 + band for band in range(9)])
    assert cube.shape == (9, 8, 7)


def test_channels_are_named_by_wavelengths() -> None:
    names = {"w420nm": 420.0, "S0.450,5nm": 450.5, "T.510.5nm": 510.5, "660 nm": 660.0, "R": None, "Znm": None}
    assert {name: band_of_channel(name) for name in names} == names


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    first = open_cube(write_cube(tmp_path, "mat5", cube_values()))
    assert first.window(0, 0, 1, 1)[0, 0, 0] == cube_values()[0, 0, 0]
    write_cube(tmp_path, "mat5", cube_values() + np.uint16(1), CENTRES)
    assert first.window(0, 0, 1, 1)[0, 0, 0] == cube_values()[0, 0, 0] + 1


def test_a_file_that_cannot_be_read_in_part_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = open_cube(write_cube(tmp_path, "npz", cube_values()), key="cube")
    calls = []
    decode = type(cube)._decode  # type: ignore[attr-defined]

    def counted(self: object) -> object:
        calls.append(1)
        return decode(self)

    monkeypatch.setattr(type(cube), "_decode", counted)
    for row in range(12):
        cube.window(row, 0, 1, 15)
    assert len(calls) == 1


def test_the_cubes_of_a_folder(tmp_path: Path) -> None:
    for kind in ("bsq", "mat5", "npy", "png"):
        write_cube(tmp_path, kind, cube_values())
    for name in ("notes.txt", ".hidden.npy", "alone.raw"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert [path.name for path in find_cubes(tmp_path)] == ["cube.bsq", "cube.mat", "cube.npy", "stack"]
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*absent"):
        find_cubes(tmp_path / "absent")


def test_eight_bits_where_sixteen_are_expected(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", cube_values().astype(np.uint8))
    with pytest.raises(ValueError, match=r"a\.npy holds uint8 values, at most 255, .* 257 times too dark.* to 255"):
        check_depth(open_cube(tmp_path / "a.npy"), 65535)
    check_depth(open_cube(tmp_path / "a.npy"), 255)
    np.save(tmp_path / "a.npy", cube_values().astype(np.float32))
    check_depth(open_cube(tmp_path / "a.npy"), 65535)


def test_every_ending_has_a_reader() -> None:
    endings = "mat npy npz tif tiff exr h5 hdf5 nc hdr bsq bil bip img dat raw"
    assert {f".{ending}" for ending in endings.split()} <= set(READERS)


@pytest.mark.parametrize("layout", ["pages", "contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_only_the_compressed_segments_under_a_window_are_decoded(
    tmp_path: Path, layout: str, tile: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = cube_values(5, 50, 70)
    stored = values.transpose(1, 2, 0) if layout == "contig" else values
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="minisblack",
        planarconfig=None if layout == "pages" else layout,
        compression="zlib",
        predictor=2,
        tile=tile,
        rowsperstrip=None if tile else 8,
        metadata=None,
    )
    cube = open_cube(tmp_path / "a.tif")
    decoded: list[int] = []
    segments = tiff_segments._segments

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        for segment, position in segments(*arguments):
            decoded.append(segment.size)
            yield segment, position

    monkeypatch.setattr(tiff_segments, "_segments", counted)
    assert np.array_equal(cube.window(17, 33, 10, 9), values[:, 17:27, 33:42])
    assert sum(decoded) == 5 * (16 * 32 if tile else 16 * 70)
    assert np.array_equal(cube.window(0, 0, 50, 70), values)
    assert cube.window(49, 69, 1, 1).tolist() == values[:, 49:, 69:].tolist()


def test_pages_that_are_rows_of_a_compressed_file(tmp_path: Path) -> None:
    values = cube_values(31, 20, 22)
    tifffile.imwrite(tmp_path / "a.tif", values.transpose(1, 2, 0), photometric="minisblack", compression="zlib")
    assert np.array_equal(open_cube(tmp_path / "a.tif", axes="HWC").window(3, 4, 9, 8), values[:, 3:12, 4:12])
