"""Folders with one numbered PNG a band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.png_cube import PngStackCube, is_png_stack
from tests.datamodules.scenes.make_cubes import cube_values, write_cube
from tests.datamodules.scenes.readers.refused import refused


def test_stacks_that_are_not_whole(tmp_path: Path) -> None:
    folder = write_cube(tmp_path, "png", cube_values())
    (folder / "scene_03.png").unlink()
    refused(folder, "lacks the picture of band 3 between 1 and 5")
    Image.fromarray(np.zeros((12, 15), np.uint8)).save(folder / "scene_03.png")
    refused(folder, r"scene_03\.png holds uint8 values where the first band has uint16")
    Image.fromarray(np.zeros((12, 14), np.uint16)).save(folder / "scene_03.png")
    refused(folder, r"scene_03\.png has 12 x 14 pixels where the first band has 12 x 15")
    Image.fromarray(np.zeros((12, 15), np.uint16)).save(folder / "other_03.png")
    refused(folder, r"two pictures of band 03, other_03\.png and scene_03\.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no PNG with a number"):
        open_cube(tmp_path / "empty")


def stack(folder: Path, names: list[str]) -> Path:
    """A picture of 4 x 5 pixels for each name, all of its values the place of the name in the list."""
    folder.mkdir(exist_ok=True)
    for place, name in enumerate(names):
        Image.fromarray(np.full((4, 5), place, np.uint16)).save(folder / name)
    return folder


def test_bands_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    cube = PngStackCube(stack(tmp_path / "a", ["x_10.png", "x_9.png", "x_8.PNG", "notes.png"]))
    assert cube.window(1, 1, 2, 2)[:, 0, 0].tolist() == [2, 1, 0]
    assert cube.wavelengths is None
    assert PngStackCube(cube.path, wavelengths=[400.0, 500.0, 600.0]).wavelengths == (400.0, 500.0, 600.0)


def test_numbers_with_a_unit_are_wavelengths_and_may_have_gaps(tmp_path: Path) -> None:
    cube = PngStackCube(stack(tmp_path / "a", ["x_660nm.png", "x_450.5nm.png", "x_500NM.png"]))
    assert cube.wavelengths == (450.5, 500.0, 660.0)
    assert cube.window(0, 0, 1, 1).ravel().tolist() == [1, 2, 0]
    even = PngStackCube(stack(tmp_path / "b", ["x_400.png", "x_410.png", "x_420.png"]))
    assert (even.shape, even.wavelengths) == ((3, 4, 5), None)


def test_a_key_tells_the_cubes_of_one_folder_apart(tmp_path: Path) -> None:
    folder = stack(tmp_path / "a", ["x_1.png", "x_2.png", "y_1.png", "y_2.png"])
    assert PngStackCube(folder, "y_").window(0, 0, 1, 1).ravel().tolist() == [2, 3]
    with pytest.raises(FileNotFoundError, match="number at the end of its name that starts with 'z_': give a folder"):
        PngStackCube(folder, "z_")


def test_what_is_a_stack(tmp_path: Path) -> None:
    assert is_png_stack(stack(tmp_path / "a", ["x_1.png", "x_2.png"]))
    assert not is_png_stack(stack(tmp_path / "b", ["x_1.png", "y_2.png"]))
    assert not is_png_stack(stack(tmp_path / "c", ["x_1.png", ".x_2.png"]))
    assert not is_png_stack(tmp_path / "a" / "x_1.png")


def test_a_picture_written_over_is_read_again(tmp_path: Path) -> None:
    cube = PngStackCube(stack(tmp_path / "a", ["x_1.png", "x_2.png"]))
    assert cube.window(0, 0, 1, 1).ravel().tolist() == [0, 1]
    Image.fromarray(np.full((4, 5), 999, np.uint16)).save(tmp_path / "a" / "x_2.png")
    assert cube.window(0, 0, 1, 1).ravel().tolist() == [0, 999]


def test_numbers_that_are_dates_are_not_counted_through(tmp_path: Path) -> None:
    folder = stack(tmp_path / "a", ["x_1.png", "x_2.png", "x_999999999999999.png"])
    refused(folder, "lacks the picture of band 3 between 1 and")
    evenly = stack(tmp_path / "b", ["x_100000000000.png", "x_200000000000.png", "x_300000000000.png"])
    assert open_cube(evenly).shape == (3, 4, 5)
