from __future__ import annotations

from pathlib import Path

import numpy as np

from datamodules import Folder
from datamodules.sampling.crops import Crop, drawn_crops
from datamodules.scenes.folder_scene import FolderScene

CENTRES = [450.0, 550.0, 650.0]


def opened(folder: Path, cube: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> FolderScene:
    np.save(folder / "a.npy", cube)
    return Folder(str(folder), axes="CHW", wavelengths=CENTRES).open_scenes({"wavelengths": CENTRES})[0]


def test_a_small_scene_is_taken_whole(tmp_path: Path) -> None:
    scene = opened(tmp_path, np.zeros((3, 30, 20), dtype=np.float32))
    assert drawn_crops(scene, 32, 4, 0) == [Crop(0, 0, 30, 20)]


def test_crops_lie_where_the_scene_has_content_and_come_again_with_the_seed(tmp_path: Path) -> None:
    cube = np.full((3, 400, 300), 0.2, dtype=np.float32)
    cube[:, :, 150:] = np.random.default_rng(0).random((1, 25, 10)).repeat(16, 1).repeat(15, 2).astype(np.float32)
    scene = opened(tmp_path, cube)
    crops = drawn_crops(scene, 64, 4, 0)
    assert len(crops) == 4
    assert all((crop.height, crop.width) == (64, 64) and crop.column + 32 > 140 for crop in crops)
    assert max(one.overlap(two) for one in crops for two in crops if one is not two) <= 64 * 32
    assert drawn_crops(scene, 64, 4, 0) == crops
    assert drawn_crops(scene, 64, 4, 1) != crops
