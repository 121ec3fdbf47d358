"""One restored cube: tiles in, rows out in the values of the observation, and the types that hold them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from callbacks.prediction.restored_cube import (
    OutputType,
    RestoredCube,
    check_space,
    own_factor,
    stored_gain,
    written_type,
)
from datamodules import Folder
from datamodules.scenes.folder_scene import FolderScene
from datamodules.scenes.readers import open_cube

TRAINED = (470.0, 550.0, 660.0)


def opened(root: Path, values: np.ndarray[Any, Any], **options: Any) -> FolderScene:  # noqa: ANN401
    np.save(root / "a.npy", values)
    settings = {"axes": "CHW", "wavelengths": list(TRAINED), "normalisation": "scale:100", **options}
    return Folder(str(root), **settings).open_scenes({"wavelengths": TRAINED})[0]


def restored(scene: FolderScene, path: Path, dtype: OutputType = "same", factor: float = 0.5, scale: int = 1) -> Path:
    """Halve a scene in tiles of 8 pixels."""
    cube = RestoredCube(scene, path, 8, dtype, "Halving", pictures=False)
    last = False
    for top, left in list(cube._blended.positions()):
        assert not last
        observation, missing = scene.window(top, left, 8, 8)
        finer = torch.from_numpy(observation).repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        holes = None if missing is None else torch.from_numpy(missing)
        last = cube.add(top, left, torch.from_numpy(observation), finer * factor, holes)
    assert last
    return cube.close()


@pytest.mark.parametrize("scale", [1, 2])
def test_blended_tiles_come_back_in_the_observations_values(tmp_path: Path, scale: int) -> None:
    values = np.random.default_rng(0).integers(0, 100, (3, 12, 15)).astype(np.float32)
    path = restored(opened(tmp_path, values), tmp_path / "out" / "a.npy", scale=scale)
    found = np.load(path)
    np.testing.assert_allclose(found, (values / 2).repeat(scale, 1).repeat(scale, 2), atol=1e-4)
    assert found.dtype == np.float32


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float64])
def test_a_cube_of_any_precision_is_drawn(tmp_path: Path, precision: torch.dtype) -> None:
    values = np.random.default_rng(0).integers(0, 100, (3, 8, 8)).astype(np.float32)
    scene = opened(tmp_path, values)
    cube = RestoredCube(scene, tmp_path / "out" / "a.npy", 8, "same", "Halving", pictures=True)
    observation = torch.from_numpy(scene.window(0, 0, 8, 8)[0]).to(precision)
    assert cube.add(0, 0, observation, observation / 2, None)
    found = np.load(cube.close())
    np.testing.assert_allclose(found, values / 2, rtol=2**-7)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".npy", ".png"}


def test_whole_numbers_are_clipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.full((3, 8, 8), 90, np.uint8)
    # In every band, as a band of one value is not drawn on.
    values[:, 2, 3] = 10
    with caplog.at_level(logging.WARNING):
        path = restored(opened(tmp_path, values), tmp_path / "out" / "a.npy", factor=3.0)
    assert np.load(path).tolist() == np.where(values == 90, 255, 30).tolist()
    assert f"{3 * 63} restored values were beyond the range of uint8" in caplog.text


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_what_the_observation_calls_valid_stays_valid(
    tmp_path: Path, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.full((3, 8, 8), 90, dtype)
    values[:, 2, 3], values[1, 5, 6] = 40, 101
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["cube"] = values
        file["cube"].attrs["valid_range"] = np.array([5, 100], dtype)
    settings: dict[str, Any] = {"axes": "CHW", "wavelengths": list(TRAINED), "normalisation": "scale:100"}
    scene = Folder(str(tmp_path), nan="keep", **settings).open_scenes({"wavelengths": TRAINED})[0]
    with caplog.at_level(logging.WARNING):
        path = restored(scene, tmp_path / "out" / "a.nc", factor=2.0)
    cube = open_cube(path, axes="CHW")
    found = cube.window(0, 0, 8, 8)
    mask = cube.missing(0, 0, found)
    assert mask is not None
    assert np.argwhere(mask).tolist() == [[1, 5, 6]]
    known = ~mask
    assert np.array_equal(found[known], np.where(values == 40, 80, 100)[known])
    assert f"{3 * 63 - 1} restored values were beyond the range of what the observation calls valid" in caplog.text


def test_missing_values_keep_their_marks(tmp_path: Path) -> None:
    values = np.full((3, 8, 8), 50, np.float32)
    values[0, 1, 2], values[2, 7, 7] = np.nan, -9999
    found = np.load(restored(opened(tmp_path, values, nan="keep"), tmp_path / "out" / "a.npy"))
    assert np.isnan(found[0, 1, 2])
    assert found[2, 7, 7] == -9999
    kept = np.ones(values.shape, bool)
    kept[0, 1, 2] = kept[2, 7, 7] = False
    np.testing.assert_allclose(found[kept], 25, atol=1e-4)


def test_useless_tiles_are_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    scene = opened(tmp_path, np.full((3, 8, 8), 50, np.float32))
    cube = RestoredCube(scene, tmp_path / "out" / "a.npy", 8, "same", "Net", pictures=False)
    tile = torch.zeros(3, 8, 8)
    with pytest.raises(ValueError, match=r"^Net gave 2 bands of the 3 bands of a\.npy: predict with a network that"):
        cube.add(0, 0, tile, tile[:2], None)
    with pytest.raises(ValueError, match=r"^Net gave NaN or infinite values for a\.npy at row 0, column 0: check the"):
        cube.add(0, 0, tile, tile / 0, None)
    cube.abandon()
    assert not (tmp_path / "out").exists()


def test_types_gains_and_factors(tmp_path: Path) -> None:
    assert written_type(np.dtype(np.int16), "same") == np.int16
    assert written_type(np.dtype(np.bool_), "same") == np.float32
    assert written_type(np.dtype(np.float64), "uint16") == np.uint16
    floats = opened(tmp_path, np.full((3, 8, 8), 50, np.float32))
    assert stored_gain(floats, np.dtype(np.uint16)) == pytest.approx(655.35)
    assert stored_gain(floats, np.dtype(np.float32)) == 1.0
    assert stored_gain(opened(tmp_path, np.full((3, 8, 8), 50, np.int16)), np.dtype(np.uint16)) == 1.0
    for text, factor in (("10000", 10000.0), ("x", 1.0), ("-1", 1.0)):
        scene: Any = SimpleNamespace(file=SimpleNamespace(metadata={"reflectance scale factor": text}))
        assert own_factor(scene) == factor
    assert own_factor(floats) == 1.0


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    check_space(tmp_path / "a", 1 << 30)
    with pytest.raises(OSError, match=r"a needs 1\.5 GiB and the disk has 1\.0 GiB left: free some space"):
        check_space(tmp_path / "a", 3 << 29)
