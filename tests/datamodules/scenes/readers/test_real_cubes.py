"""Real files through the one door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

from datamodules.scenes.readers import open_cube


def test_pavia_is_the_same_in_both_matlab_formats(shared: Path) -> None:
    folder = shared / "data" / "PaviaCentre_crop"
    classic, hdf5 = open_cube(folder / "v5" / "Pavia.mat"), open_cube(folder / "v7.3" / "pavia.mat")
    assert classic.shape == hdf5.shape == (102, 100, 100)
    assert classic.dtype == hdf5.dtype == np.float64
    assert np.array_equal(classic.window(0, 0, 100, 100), hdf5.window(0, 0, 100, 100))
    assert np.array_equal(classic.window(11, 30, 40, 7), hdf5.window(11, 30, 40, 7))
    assert classic.maximum(5, 6, 50, 40) == hdf5.maximum(5, 6, 50, 40)


def test_jasper_ridge_is_folded_by_its_sides(shared: Path) -> None:
    path = shared / "data" / "JasperRidge" / "jasperRidge2_R198.mat"
    matrix = scipy.io.loadmat(path)["Y"]
    assert matrix.shape == (198, 10000)
    cube = open_cube(path, key="Y")
    assert cube.shape == open_cube(path).shape == (198, 100, 100)
    assert np.array_equal(cube.window(0, 0, 100, 100), matrix.reshape(198, 100, 100).transpose(0, 2, 1))
    assert cube.maximum(0, 0, 100, 100) == 5437
    # Pixels run down the columns: the second of the matrix is row 1, column 0.
    assert np.array_equal(cube.window(1, 0, 1, 1)[:, 0, 0], matrix[:, 1])


def test_paris_is_a_pair_on_one_grid(shared: Path) -> None:
    path = shared / "data" / "Paris_EO1" / "paris_data_hs_ms.mat"
    stored = scipy.io.loadmat(path)
    for key, bands in (("HSim", 128), ("MSim", 9)):
        cube = open_cube(path, key=key)
        assert cube.shape == (bands, 72, 72)
        assert np.array_equal(cube.window(10, 20, 30, 40), stored[key][10:40, 20:60].transpose(2, 0, 1))


def test_a_cave_folder_is_a_stack_of_sixteen_bits(shared: Path) -> None:
    folder = shared / "data" / "CAVE" / "complete_ms_data"
    cube = open_cube(folder / "flowers_ms" / "flowers_ms", wavelengths=[400.0 + 10 * band for band in range(31)])
    assert cube.shape == (31, 512, 512)
    assert cube.dtype == np.uint16
    assert open_cube(folder / "watercolors_ms" / "watercolors_ms").dtype == np.uint8
