"""What a writer writes comes out of the reader of its format, with what the source says about itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import READERS, open_cube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.writers import WRITERS, writer_for
from datamodules.scenes.writers.hdf5 import MatHdf5Writer
from datamodules.scenes.writers.spooled import ClassicMatWriter
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube
from tests.datamodules.scenes.writers.by_tiles import output_of, written_by_tiles

WINDOWED = {"bsq", "bil", "bip", "mat73", "npy", "npy_hwc", "h5", "nc"} | {kind for kind in FORMATS if "tiff" in kind}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_back(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path, values = output_of(source, tmp_path / "out" / "deep"), cube_values()[:, ::-1].astype(np.float64)
    writer = writer_for(source, path)
    written_by_tiles(writer, values)
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
    path = output_of(source, tmp_path / "out")
    centres = [460.0, 550.0, 650.0]
    values = np.random.default_rng(0).random((3, 24, 30)).astype(np.float32)
    written_by_tiles(writer_for(source, path, "float32", centres, (3, 24, 30)), values)
    written = open_cube(path)
    assert written.dtype == np.float32
    assert written.wavelengths == (None if kind.startswith("npy") else tuple(centres))
    assert np.array_equal(written.window(0, 0, 24, 30), values)


@pytest.mark.parametrize("version", ["v5/Pavia.mat", "v7.3/pavia.mat"])
def test_pavia_comes_back_under_its_key(shared: Path, tmp_path: Path, version: str) -> None:
    source = open_cube(shared / "data" / "PaviaCentre_crop" / version)
    whole = source.window(0, 0, 100, 100)
    written_by_tiles(writer_for(source, tmp_path / "out.mat"), whole)
    written = open_cube(tmp_path / "out.mat", key="data")
    assert written.metadata == source.metadata
    assert np.array_equal(written.window(0, 0, 100, 100), whole)


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


def test_a_cube_that_version_five_cannot_hold_becomes_version_seven(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "mat5", cube_values(), CENTRES))
    for dtype, kind in (("float32", ClassicMatWriter), ("float16", MatHdf5Writer)):
        writer = writer_for(source, tmp_path / f"{dtype}.mat", dtype)
        assert type(writer) is kind
        writer.discard()
    half = writer_for(source, tmp_path / "half.mat", "float16")
    written_by_tiles(half, cube_values())
    assert np.array_equal(open_cube(tmp_path / "half.mat").window(0, 0, 12, 15), cube_values())


def test_truth_values_are_written_as_bytes(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "npy", cube_values() > 1000))
    written_by_tiles(writer_for(source, tmp_path / "out.npy"), (cube_values() > 1000).astype(np.uint8))
    assert np.load(tmp_path / "out.npy").dtype == np.uint8
    assert np.array_equal(np.load(tmp_path / "out.npy"), cube_values() > 1000)
