"""What patches read and how several images of one scene are cut: windows only, and alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from datamodules.degradations import Degradation, FusionObservation, NonIIDGaussian
from datamodules.responses import load_response
from datamodules.sampling.patches import PatchDataset, PatchSampler, TrainingScenes
from datamodules.scenes import MappedScene

BANDS = tuple(float(nm) for nm in range(400, 701, 10))


class Unchanged(Degradation):
    """Leaves the patch as it is."""

    def draw(self, shape: Sequence[int], generator: Generator) -> NonIIDGaussian:  # type: ignore[override]
        raise AssertionError(shape, generator)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        return {}

    def __call__(self, cube: Tensor, generator: Generator) -> Tensor:
        return cube


def _patches(scene: MappedScene, degradation: Degradation, size: int = 8) -> PatchDataset:
    pool = TrainingScenes()
    pool.exchange([scene])
    return PatchDataset(pool, degradation, size, 12, 0)


def _saved(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array.astype(np.float32))
    return path


def test_patches_of_a_scene_larger_than_memory(tmp_path: Path) -> None:
    """A file of 37 GB, which holds nothing but a hole, is read by windows."""
    path = tmp_path / "huge.npy"
    side = 56_000
    cube = np.lib.format.open_memmap(path, "w+", np.float32, (3, side, side))
    cube[1, -1, -1] = 0.5
    del cube
    scene = MappedScene("huge", path, (470.0, 550.0, 660.0))
    patches = _patches(scene, Unchanged())
    assert all(patches[number]["target"].shape == (3, 8, 8) for number in range(20))
    assert scene.window(side - 4, side - 4, 4, 4).sum() == 0.5
    assert path.stat().st_blocks * 512 < 1 << 20


def test_no_patch_loads_its_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = np.random.default_rng(0).random((3, 20, 20))
    scene = MappedScene("one", _saved(tmp_path / "one.npy", cube), (470.0, 550.0, 660.0))
    monkeypatch.setattr(MappedScene, "load", None)
    assert _patches(scene, NonIIDGaussian())[0]["observation"].shape == (3, 8, 8)


def test_measured_images_are_cut_and_turned_with_their_scene(tmp_path: Path) -> None:
    """Every pixel carries its place, so that images which are cut or turned apart do not match."""
    place = np.arange(20 * 23).reshape(1, 20, 23) / 1000
    clean = _saved(tmp_path / "clean.npy", np.concatenate([place, place * 2, place * 3]))
    noisy = MappedScene("one", _saved(tmp_path / "noisy.npy", np.concatenate([place + 1] * 3)), (470.0, 550.0, 660.0))
    second = MappedScene("one", _saved(tmp_path / "second.npy", place + 2), (550.0,))
    scene = MappedScene("one", clean, (470.0, 550.0, 660.0), observation=noisy, multispectral=second)
    patches = _patches(scene, NonIIDGaussian())
    corners = set()
    for number in range(40):
        sample = patches[number]
        assert torch.allclose(sample["observation"][0] - 1, sample["target"][0], atol=1e-6)
        assert torch.allclose(sample["multispectral"][0] - 2, sample["target"][0], atol=1e-6)
        corners.add(int(sample["target"][0].argmin()))
    assert len(corners) == 4


def test_the_simulated_second_sensor_sees_the_turned_patch(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((31, 20, 20))
    scene = MappedScene("one", _saved(tmp_path / "one.npy", cube), BANDS)
    patches = _patches(scene, FusionObservation(4))
    weights = load_response("nikon_d700").matrix(BANDS).to(torch.float32)
    for number in range(10):
        sample = patches[number]
        seen = torch.einsum("cb,bhw->chw", weights, sample["target"])
        assert torch.allclose(sample["multispectral"], seen, atol=1e-5)
        assert sample["observation"].shape == (31, 2, 2)


def test_epoch_rank_and_step_decide_the_patch_and_the_worker_does_not(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((3, 20, 20))
    patches = _patches(MappedScene("one", _saved(tmp_path / "one.npy", cube), (470.0, 550.0, 660.0)), Unchanged())
    dealt = {}
    for epoch in range(3):
        for rank in range(4):
            sampler = PatchSampler(patches, 4, rank)
            sampler.set_epoch(epoch)
            for step, number in enumerate(sampler):
                dealt[epoch, rank, step] = patches[number]["target"].numpy().tobytes()
    assert len(dealt) == len(set(dealt.values())) == 36
