"""What a writer writes comes out of the reader of its format, with what the source says about itself."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from datamodules.scenes.readers import READERS, CubeFile, open_cube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.writers import WRITERS, CubeWriter, writer_for
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube

WINDOWED = {"bsq", "bil", "bip", "mat73", "npy", "npy_hwc", "h5", "nc"} | {kind for kind in FORMATS if "tiff" in kind}


def _written_by_tiles(writer: CubeWriter, values: NDArray[np.generic]) -> None:
    with writer:
        for row in range(0, values.shape[1], 5):
            for column in range(0, values.shape[2], 7):
                writer.write(row, column, values[:, row : row + 5, column : column + 7])


def _output(source: CubeFile, folder: Path) -> Path:
    return folder / source.path.name


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_back(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path, values = _output(source, tmp_path / "out" / "deep"), cube_values()[:, ::-1].astype(np.float64)
    writer = writer_for(source, path)
    _written_by_tiles(writer, values)
    written = open_cube(path)
    assert type(written) is type(source)
    assert written.shape == source.shape
    assert written.dtype == source.dtype
    assert written.wavelengths == source.wavelengths
    assert np.array_equal(written.window(0, 0, 12, 15), values)
    assert not [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")]


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "png"])
def test_another_type_other_bands_and_another_size(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path = _output(source, tmp_path / "out")
    centres = [460.0, 550.0, 650.0]
    values = np.random.default_rng(0).random((3, 24, 30)).astype(np.float32)
    _written_by_tiles(writer_for(source, path, "float32", centres, (3, 24, 30)), values)
    written = open_cube(path)
    assert written.dtype == np.float32
    assert written.wavelengths == (None if kind.startswith("npy") else tuple(centres))
    assert np.array_equal(written.window(0, 0, 24, 30), values)


def test_a_png_folder_of_other_bands_is_named_by_them(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path / "in", "png", cube_values()))
    values = cube_values(3)
    _written_by_tiles(writer_for(source, tmp_path / "out", np.uint16, [460.0, 550.5, 650.0]), values)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["out_460nm.png", "out_550.5nm.png", "out_650nm.png"]
    assert np.array_equal(open_cube(tmp_path / "out").window(0, 0, 12, 15), values)
    with pytest.raises(ValueError, match=r"gets 3 bands where .* has 5: give the wavelengths"):
        writer_for(source, tmp_path / "out2", shape=(3, 12, 15))


@pytest.mark.parametrize("kind", ["bsq", "mat5", "png"])
def test_an_error_leaves_nothing_and_an_older_file_as_it_was(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path = _output(source, tmp_path / "out")
    _written_by_tiles(writer_for(source, path), cube_values())
    before = sorted(entry.name for entry in path.parent.rglob("*"))
    with pytest.raises(RuntimeError, match="stopped"), writer_for(source, path) as writer:
        writer.write(0, 0, np.zeros((5, 12, 15)))
        raise RuntimeError("stopped")
    assert sorted(entry.name for entry in path.parent.rglob("*")) == before
    assert np.array_equal(open_cube(path).window(0, 0, 12, 15), cube_values())
    _written_by_tiles(writer_for(source, path), np.ones((5, 12, 15)))
    assert sorted(entry.name for entry in path.parent.rglob("*")) == before
    assert open_cube(path).maximum(0, 0, 12, 15) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_has_its_name_before_it_is_closed(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path = _output(source, tmp_path / "out")
    writer = writer_for(source, path)
    writer.write(0, 0, np.zeros((5, 12, 15)))
    assert all(entry.name.startswith(".") for entry in path.parent.iterdir())
    writer.close()
    assert path.exists()


def test_integers_are_rounded_and_cut_to_their_range(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path / "in", "npy", cube_values()))
    with writer_for(source, tmp_path / "a.npy", np.uint8, shape=(1, 1, 5)) as writer:
        writer.write(0, 0, np.array([[[-3.0, 0.49, 1.5, 254.6, 1e9]]]))
    assert np.load(tmp_path / "a.npy").ravel().tolist() == [0, 0, 2, 255, 255]
    with writer_for(source, tmp_path / "b.npy", np.int64, shape=(1, 1, 2)) as writer:
        writer.write(0, 0, np.array([[[-1e30, 1e30]]]))
    low, high = np.load(tmp_path / "b.npy").ravel().tolist()
    assert low == -(2**63)
    assert high > 2**62
    writer = writer_for(source, tmp_path / "c.npy", np.uint8, shape=(1, 1, 1))
    with pytest.raises(ValueError, match=r"c\.npy of uint8 values cannot hold NaN.*: choose a floating type"):
        writer.write(0, 0, np.full((1, 1, 1), np.nan))
    writer.discard()


def test_envi_keeps_its_header_and_its_place(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bil", cube_values(), CENTRES)
    header = path.with_suffix(".hdr")
    place = "map info = {UTM, 1.000, 1.000, 500000.0, 4649776.0, 30.0, 30.0, 33, North, WGS-84, units=Meters}"
    header.write_text(
        header.read_text()
        + f"{place}\ndescription = {{a made cube}}\nfwhm = {{1, 2, 3, 4, 5}}\ndata ignore value = 0\n"
    )
    source = open_cube(path)
    _written_by_tiles(writer_for(source, tmp_path / "same" / "cube.bil"), cube_values())
    same = open_cube(tmp_path / "same" / "cube.bil")
    for entry in ("map info", "description", "fwhm", "data ignore value", "interleave"):
        assert same.metadata[entry] == source.metadata[entry]
    _written_by_tiles(
        writer_for(source, tmp_path / "fine" / "cube.bil", "float32", CENTRES[:3], (3, 24, 45)),
        np.zeros((3, 24, 45)),
    )
    fine = open_cube(tmp_path / "fine" / "cube.bil")
    assert fine.metadata["fwhm"] == "{1, 2, 3}"
    assert [part.strip() for part in fine.metadata["map info"].strip("{}").split(",")][3:8] == [
        *("500000.0", "4649776.0", "10.0", "15.0", "33")
    ]
    with pytest.raises(ValueError, match="ENVI files hold no float16 values"):
        writer_for(source, tmp_path / "x.bil", np.float16)


def test_a_header_keeps_its_kind_of_name(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bsq", cube_values(), CENTRES)
    path.with_suffix(".hdr").rename(tmp_path / "cube.bsq.hdr")
    _written_by_tiles(writer_for(open_cube(path), tmp_path / "out" / "other.bsq"), cube_values())
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["other.bsq", "other.bsq.hdr"]


@pytest.mark.parametrize("kind", ["tiff", "tiff_contig", "tiff_separate", "tiff_deflate"])
def test_geotiff_keeps_its_tags_and_its_layout(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values(), CENTRES))
    _written_by_tiles(writer_for(source, tmp_path / "out" / "same.tif"), cube_values())
    _written_by_tiles(writer_for(source, tmp_path / "out" / "fine.tif", shape=(5, 24, 45)), np.zeros((5, 24, 45)))
    with (
        tifffile.TiffFile(source.path) as old,
        tifffile.TiffFile(tmp_path / "out" / "same.tif") as new,
        tifffile.TiffFile(tmp_path / "out" / "fine.tif") as fine,
    ):
        for code in (33550, 33922, 34735, 42113):
            assert new.pages.first.tags[code].value == old.pages.first.tags[code].value
        assert len(new.pages) == len(old.pages)
        assert new.pages.first.planarconfig == old.pages.first.planarconfig
        assert new.pages.first.samplesperpixel == old.pages.first.samplesperpixel
        assert fine.pages.first.tags[33550].value == (10.0, 15.0, 0.0)


@pytest.mark.parametrize("kind", ["h5", "nc"])
def test_hdf5_keeps_attributes_and_coordinates(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values(), CENTRES))
    path = tmp_path / "out" / f"cube.{kind}"
    _written_by_tiles(writer_for(source, path), cube_values())
    with h5py.File(path) as file:
        data = file["data/cube" if kind == "h5" else "cube"]
        assert file.attrs["title"] == "a made cube"
        assert data.attrs["units"] == "1"
        assert np.array_equal(data.dims[0 if kind == "h5" else 1]["lat"][:], np.linspace(40.0, 41.0, 12))
    _written_by_tiles(writer_for(source, path, "float32", CENTRES[:3], (3, 24, 30)), np.zeros((3, 24, 30)))
    with h5py.File(path) as file:
        assert "lat" not in file
        assert file["wavelength"][:].tolist() == [centre / 1000 for centre in CENTRES[:3]]
    assert open_cube(path).wavelengths == tuple(CENTRES[:3])


def test_jasper_ridge_stays_a_matrix_of_pixels(shared: Path, tmp_path: Path) -> None:
    source = open_cube(shared / "data" / "JasperRidge" / "jasperRidge2_R198.mat", key="Y")
    whole = source.window(0, 0, 100, 100)
    _written_by_tiles(writer_for(source, tmp_path / "out.mat", np.uint16), whole)
    written = open_cube(tmp_path / "out.mat")
    assert written.metadata["key"] == "Y"
    assert np.array_equal(written.window(0, 0, 100, 100), whole)


@pytest.mark.parametrize("version", ["v5/Pavia.mat", "v7.3/pavia.mat"])
def test_pavia_comes_back_under_its_key(shared: Path, tmp_path: Path, version: str) -> None:
    source = open_cube(shared / "data" / "PaviaCentre_crop" / version)
    whole = source.window(0, 0, 100, 100)
    _written_by_tiles(writer_for(source, tmp_path / "out.mat"), whole)
    written = open_cube(tmp_path / "out.mat", key="data")
    assert written.metadata == source.metadata
    assert np.array_equal(written.window(0, 0, 100, 100), whole)


@pytest.mark.parametrize(("kind", "dtype"), [("exr_half", "float64"), ("png", "float32")])
def test_types_that_a_format_does_not_have(tmp_path: Path, kind: str, dtype: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    with pytest.raises(ValueError, match=f"files hold no {dtype} values"):
        writer_for(source, _output(source, tmp_path / "out"), dtype)


def test_what_does_not_fit(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "npy", cube_values()))
    with pytest.raises(ValueError, match=r"The output .*cube\.npy is the input itself"):
        writer_for(source, source.path)
    with pytest.raises(ValueError, match=r"gets 5 bands but 4 wavelengths"):
        writer_for(source, tmp_path / "a.npy", wavelengths=CENTRES[:4], shape=(5, 12, 15))
    with writer_for(source, tmp_path / "a.npy") as writer:
        for row, column, shape in ((10, 0, (5, 3, 3)), (0, -1, (5, 3, 3)), (0, 0, (4, 3, 3))):
            with pytest.raises(ValueError, match=r"block of \d x 3 x 3 at row \d+, column -?\d does not fit"):
                writer.write(row, column, np.zeros(shape))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"folder .*file cannot be made .*: name another folder"):
        writer_for(source, tmp_path / "file" / "a.npy")


def test_every_reader_has_a_writer() -> None:
    assert {*READERS.values(), PngStackCube} == set(WRITERS)
