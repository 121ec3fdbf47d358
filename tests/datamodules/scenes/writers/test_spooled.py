"""Formats that are encoded whole: their names, their types, their order of axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.exr import exr_library
from datamodules.scenes.writers import writer_for
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube
from tests.datamodules.scenes.writers.by_tiles import output_of, written_by_tiles


def test_a_png_folder_of_other_bands_is_named_by_them(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path / "in", "png", cube_values()))
    values = cube_values(3)
    written_by_tiles(writer_for(source, tmp_path / "out", np.uint16, [460.0, 550.5, 650.0]), values)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["out_460nm.png", "out_550.5nm.png", "out_650nm.png"]
    assert np.array_equal(open_cube(tmp_path / "out").window(0, 0, 12, 15), values)
    with pytest.raises(ValueError, match=r"gets 3 bands where .* has 5: give the wavelengths"):
        writer_for(source, tmp_path / "out2", shape=(3, 12, 15))


def test_jasper_ridge_stays_a_matrix_of_pixels(shared: Path, tmp_path: Path) -> None:
    source = open_cube(shared / "data" / "JasperRidge" / "jasperRidge2_R198.mat", key="Y")
    whole = source.window(0, 0, 100, 100)
    written_by_tiles(writer_for(source, tmp_path / "out.mat", np.uint16), whole)
    written = open_cube(tmp_path / "out.mat")
    assert written.metadata["key"] == "Y"
    assert np.array_equal(written.window(0, 0, 100, 100), whole)


@pytest.mark.parametrize(("kind", "dtype"), [("exr_half", "float64"), ("png", "float32")])
def test_types_that_a_format_does_not_have(tmp_path: Path, kind: str, dtype: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    with pytest.raises(ValueError, match=f"files hold no {dtype} values"):
        writer_for(source, output_of(source, tmp_path / "out"), dtype)


def test_a_variable_of_a_struct_stays_in_its_struct(tmp_path: Path) -> None:
    picture = cube_values().transpose(1, 2, 0)
    scipy.io.savemat(tmp_path / "a.mat", {"scene": {"cube": picture, "wavelengths": np.array([CENTRES])}})
    source = open_cube(tmp_path / "a.mat")
    values = cube_values()[:, ::-1]
    written_by_tiles(writer_for(source, tmp_path / "b.mat"), values)
    scene = scipy.io.loadmat(tmp_path / "b.mat", simplify_cells=True)["scene"]
    assert np.array_equal(scene["cube"], values.transpose(1, 2, 0))
    assert scene["wavelengths"].tolist() == CENTRES


def test_npz_keeps_names_and_leaves_out_what_is_not_of_the_bands(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "npz", cube_values(), CENTRES), key="cube")
    written_by_tiles(writer_for(source, tmp_path / "out.npz", wavelengths=CENTRES[1:3]), cube_values(2))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["cube"], cube_values(2))
        assert arrays["wavelengths"].tolist() == CENTRES[1:3]


def test_exr_channels_are_named_by_their_wavelengths(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path, "exr_half", cube_values(), CENTRES))
    written_by_tiles(writer_for(source, tmp_path / "same.exr"), cube_values())
    written_by_tiles(writer_for(source, tmp_path / "new.exr", "float32", [455.5, 600.0]), cube_values(2))
    library = exr_library()
    same, new = (library.File(str(tmp_path / name)).channels() for name in ("same.exr", "new.exr"))
    assert sorted(same) == sorted(f"w{centre:g}nm" for centre in CENTRES)
    assert sorted(new) == ["w455.5nm", "w600nm"]
    assert np.array_equal(new["w600nm"].pixels, cube_values(2)[1])
