"""Test scenes are kept as they were, within one step of 65535, cut to the middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from callbacks.reporting.scene_archive import LEVELS, SceneArchive, levels
from tests.callbacks.tiny import tiny_data, tiny_module, tiny_trainer


def test_the_first_scene_of_every_test_set_is_kept(tmp_path: Path) -> None:
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    archive = SceneArchive(str(tmp_path / "scenes"), scenes=1, side=8)
    tiny_trainer(tmp_path, [archive]).test(module, datamodule=data, verbose=False)
    files = sorted(path.relative_to(tmp_path / "scenes").as_posix() for path in (tmp_path / "scenes").rglob("*.npz"))
    assert files == ["observed/amber.npz", "unobserved/delta.npz"]
    with np.load(tmp_path / "scenes" / files[0]) as kept:
        assert set(kept) == {"wavelengths", "observation", "restored", "source", "target"}
        clean = next(one for one in data.clean_scenes() if one.name == "amber").load().cube
        top, left = (max(side - 8, 0) // 2 for side in clean.shape[-2:])
        cut = clean[:, top : top + 8, left : left + 8].numpy()
        assert np.abs(kept["target"] / LEVELS - np.clip(cut, 0, 1)).max() <= 0.5 / LEVELS + 1e-7
        assert len(kept["wavelengths"]) == len(kept["target"])


def test_levels_are_clipped_and_holes_are_black() -> None:
    cube = torch.tensor([[[-0.5, 0.5, 2.0, float("nan")]]])
    assert levels(cube).ravel().tolist() == [0, 32768, 65535, 0]
