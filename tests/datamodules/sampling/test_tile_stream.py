"""Batches of tiles, read in strips: their places, their values, and a scene that cannot be read on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules import Folder
from datamodules.sampling.tile_stream import TileStream, Tiling
from datamodules.scenes.folder_scene import FolderScene

TRAINED = (450.0, 550.0, 650.0)


def saved(path: Path, height: int = 20, width: int = 24) -> NDArray[np.float32]:
    """A cube of three bands, every value its own."""
    values = np.linspace(0, 1, 3 * height * width).reshape(3, height, width)
    cube: NDArray[np.float32] = values.astype(np.float32)
    np.save(path, cube)
    return cube


def scenes(root: Path, nan: str = "refuse") -> tuple[FolderScene, ...]:
    data = Folder(str(root), axes="CHW", wavelengths=list(TRAINED), nan=nan)  # type: ignore[arg-type]
    return data.open_scenes({"wavelengths": TRAINED})


@pytest.mark.parametrize("size", [1, 2, 5])
def test_tiles_cover_the_scene_in_order(tmp_path: Path, size: int) -> None:
    cube = saved(tmp_path / "a.npy")
    tiling = Tiling(8, lambda length, _: [*range(0, length - 8, 6), length - 8], size)
    stream = TileStream(scenes(tmp_path), TRAINED, tiling)
    found = list(stream)
    assert len(stream) == len(found)
    places = [place for batch in found for place in batch["tiles"]]
    assert places == [(0, top, left) for top in (0, 6, 12) for left in (0, 6, 12, 16)]
    for batch in found:
        for (_, top, left), tile in zip(batch["tiles"], batch["observation"], strict=True):
            np.testing.assert_array_equal(tile.numpy(), cube[:, top : top + 8, left : left + 8])


def test_without_tiling_a_batch_is_a_whole_scene(tmp_path: Path) -> None:
    cubes = [saved(tmp_path / "a.npy"), saved(tmp_path / "b.npy", 7, 30)]
    stream = TileStream(scenes(tmp_path), (), None)
    assert len(stream) == 2
    for number, (batch, cube) in enumerate(zip(stream, cubes, strict=True)):
        assert batch["tiles"] == [(number, 0, 0)]
        assert np.array_equal(batch["observation"].numpy(), cube[None])
        assert batch["wavelengths"] == TRAINED
        assert "missing" not in batch


def test_missing_values_are_marked_in_the_tiles_that_hold_them(tmp_path: Path) -> None:
    cube = saved(tmp_path / "a.npy", 8, 12)
    cube[1, 5, 9] = np.nan
    np.save(tmp_path / "a.npy", cube)
    stream = TileStream(scenes(tmp_path, "keep"), TRAINED, Tiling(4, lambda length, _: range(0, length, 4), 3))
    upper, lower = list(stream)
    assert "missing" not in upper
    assert lower["missing"].nonzero().tolist() == [[2, 1, 1, 1]]
    assert lower["tiles"][2] == (0, 4, 8)
    assert lower["observation"].isfinite().all()


def test_a_scene_that_cannot_be_read_on_is_told_and_the_next_one_comes(tmp_path: Path) -> None:
    cube = saved(tmp_path / "a.npy", 12, 8)
    cube[0, 6, 0] = np.nan
    np.save(tmp_path / "a.npy", cube)
    saved(tmp_path / "b.npy", 4, 8)
    tiling = Tiling(4, lambda length, _: range(0, length, 4), 2)
    told: list[tuple[str, str]] = []
    stream = TileStream(scenes(tmp_path), TRAINED, tiling, lambda scene, error: told.append((scene.name, str(error))))
    assert [batch["tiles"] for batch in stream] == [[(0, 0, 0), (0, 0, 4)], [(1, 0, 0), (1, 0, 4)]]
    ((name, sentence),) = told
    assert name == "a.npy"
    assert "at row 6, column 0" in sentence
    with pytest.raises(ValueError, match="at row 6, column 0"):
        list(TileStream(scenes(tmp_path), TRAINED, tiling))


def test_small_scenes_are_left_whole_where_large_ones_are_cut(tmp_path: Path) -> None:
    saved(tmp_path / "a.npy")
    saved(tmp_path / "b.npy", 7, 30)
    tiling = Tiling(16, lambda length, side: [0] if length <= side else [0, length - side], whole=3 * 7 * 30)
    assert [tiling.side_of(shape) for shape in ((3, 20, 24), (3, 7, 30), (4, 7, 30))] == [16, 30, 16]
    stream = TileStream(scenes(tmp_path), TRAINED, tiling)
    found = [(place, tuple(batch["observation"].shape[2:])) for batch in stream for place in batch["tiles"]]
    assert len(stream) == len(found)
    assert found == [*(((0, top, left), (16, 16)) for top in (0, 4) for left in (0, 8)), ((1, 0, 0), (7, 30))]
