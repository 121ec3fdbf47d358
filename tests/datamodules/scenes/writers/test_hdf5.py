"""HDF5 files keep what stands beside the cube, as far as it still holds."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.writers import writer_for
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube
from tests.datamodules.scenes.writers.by_tiles import written_by_tiles


@pytest.mark.parametrize("kind", ["h5", "nc"])
def test_hdf5_keeps_attributes_and_coordinates(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values(), CENTRES))
    path = tmp_path / "out" / f"cube.{kind}"
    written_by_tiles(writer_for(source, path), cube_values())
    with h5py.File(path) as file:
        data = file["data/cube" if kind == "h5" else "cube"]
        assert file.attrs["title"] == "a made cube"
        assert data.attrs["units"] == "1"
        assert np.array_equal(data.dims[0 if kind == "h5" else 1]["lat"][:], np.linspace(40.0, 41.0, 12))
    written_by_tiles(writer_for(source, path, "float32", CENTRES[:3], (3, 24, 30)), np.zeros((3, 24, 30)))
    with h5py.File(path) as file:
        assert "lat" not in file
        assert file["wavelength"][:].tolist() == [centre / 1000 for centre in CENTRES[:3]]
    assert open_cube(path).wavelengths == tuple(CENTRES[:3])


def test_a_v73_file_is_what_matlab_takes_for_its_own(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "mat73", cube_values(), CENTRES))
    path = tmp_path / "out" / "cube.mat"
    written_by_tiles(writer_for(source, path, "float32"), cube_values())
    raw = path.read_bytes()
    assert raw[:116].decode().startswith("MATLAB 7.3 MAT-file")
    assert raw[124:128] == b"\x00\x02IM"
    assert raw[512:520] == b"\x89HDF\r\n\x1a\n"
    with h5py.File(path) as file:
        assert file["cube"].attrs["MATLAB_class"] == b"single"
        assert file["wavelengths"].attrs["MATLAB_class"] == b"double"
        # MATLAB's height x width x bands, which HDF5 shows in reverse
        assert np.array_equal(file["cube"][()].transpose(0, 2, 1), cube_values())
        assert file["wavelengths"][()].ravel().tolist() == CENTRES


def test_notes_and_the_mark_of_missing_values_are_attributes(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "h5", cube_values(), CENTRES)
    with h5py.File(path, "a") as file:
        file["data/cube"].attrs["_FillValue"] = np.uint16(7)
    writer = writer_for(open_cube(path), tmp_path / "out.h5", "float32")
    writer.notes["made_by"] = "a network"
    written_by_tiles(writer, cube_values())
    with h5py.File(tmp_path / "out.h5") as file:
        attributes = file["data/cube"].attrs
        assert attributes["made_by"] == "a network"
        assert attributes["_FillValue"] == 7
        assert attributes["_FillValue"].dtype == np.float32


def test_a_list_of_the_bands_follows_its_bands(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "h5", cube_values(), CENTRES)
    with h5py.File(path, "a") as file:
        file["gains"] = np.arange(5.0)
        file["as_large"] = cube_values()
    source = open_cube(path, key="data/cube")
    for centres, gains in (([CENTRES[3], CENTRES[0]], [3.0, 0.0]), ([455.0, 500.0], None)):
        target = tmp_path / f"out{centres[0]}.h5"
        written_by_tiles(writer_for(source, target, wavelengths=centres), cube_values(2))
        with h5py.File(target) as file:
            assert ("gains" in file) == (gains is not None)
            if gains is not None:
                assert file["gains"][()].tolist() == gains
            assert "as_large" not in file
        assert open_cube(target, key="data/cube").wavelengths == tuple(centres)
