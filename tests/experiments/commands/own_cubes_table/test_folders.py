"""Noisy cubes in four formats beside their clean ones, read back as a folder of anybody's cubes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules import Folder, NonIIDGaussian
from experiments.commands.own_cubes_table.folders import ENDINGS, crops_of, squares_of, write_folder
from hyperalign.errors import InputError, MissingFileError
from hyperalign.seeding import generator_for
from tests.datamodules.estimation.scenes import clean_scene
from tests.datamodules.fake_cave import fake_values, write_scene

CENTRES = [400.0 + 10 * band for band in range(31)]


def test_every_format_is_read_back_and_the_clean_cube_lies_beside(tmp_path: Path) -> None:
    cubes = {name: clean_scene(31, 40, number) for number, name in enumerate(("a", "b", "c", "d"))}
    task = NonIIDGaussian((30.0,))
    noisy, clean = write_folder(cubes, CENTRES, task, tmp_path, seed=3)
    data = Folder(str(noisy), wavelengths=CENTRES, role="target", clean_root=str(clean), patch_size=16)
    data.assumed = {"any_bands": True}
    observations = data.observations()
    assert [one.name for one in observations] == [f"{name}{end}" for name, end in zip(cubes, ENDINGS, strict=True)]
    for one, (name, cube) in zip(observations, cubes.items(), strict=True):
        assert np.allclose(one.cube, task(cube, generator_for(3, "table", name)), atol=1e-6)
    (loader,) = data.test_dataloader()
    assert all(np.allclose(batch["target"][0], cubes[Path(batch["name"][0]).stem]) for batch in loader)


def test_the_middle_of_the_scenes_that_are_there(tmp_path: Path) -> None:
    write_scene(tmp_path / "balloons_ms" / "balloons_ms", "balloons", fake_values("balloons", 16))
    cubes, wavelengths = crops_of(tmp_path, 8)
    assert list(cubes) == ["balloons"]
    assert cubes["balloons"].shape == (31, 8, 8)
    assert (wavelengths[0], wavelengths[-1]) == (400.0, 700.0)
    (tmp_path / "balloons_ms" / "balloons_ms" / "balloons_ms_07.png").unlink()
    with pytest.raises(MissingFileError, match=r"^There is no CAVE scene in .*: set --root to complete_ms_data\.$"):
        crops_of(tmp_path, 8)


def test_cubes_of_another_sensor_are_cut_into_squares(tmp_path: Path) -> None:
    cube = 2 * np.random.default_rng(0).random((5, 17, 25), dtype=np.float32)
    np.save(tmp_path / "scene.npy", cube)
    squares, wavelengths = squares_of(tmp_path / "scene.npy", 8, "430:470:5")
    assert list(squares) == [f"scene_{top}_{left}" for top in (0, 8) for left in (0, 8, 16)]
    np.testing.assert_allclose(squares["scene_8_16"], cube[:, 8:16, 16:24] / cube.max(), rtol=1e-6)
    assert wavelengths == (430.0, 440.0, 450.0, 460.0, 470.0)
    with pytest.raises(InputError, match=r"^No cube of .* has 18 x 18 pixels: give a smaller --side\.$"):
        squares_of(tmp_path / "scene.npy", 18, "430:470:5")
