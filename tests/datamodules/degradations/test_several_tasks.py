"""Several tasks: one is drawn for every cube, by seed, as often as its weight says, and the batch says which."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datamodules import BandMissing, BicubicDownsampling, NonIIDGaussian, RandomMask, SampleScenes, SeveralTasks
from datamodules.degradations import one_task
from datamodules.sampling.batches import collate
from datamodules.sampling.patches import PatchDataset, TrainingScenes
from datamodules.scenes import MappedScene
from hyperalign.errors import InputError
from lightning_modules import MPHSIR, RestorationModule
from lightning_modules.restorer import grid_of


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_cube_is_degraded_by_the_task_that_is_drawn() -> None:
    tasks = [NonIIDGaussian((30.0,)), BandMissing(0.5)]
    several, clean = SeveralTasks(list(tasks)), torch.rand(8, 6, 7, generator=seeded(9)) + 0.1
    for seed in range(8):
        generator = seeded(seed)
        number, task = several.chosen(generator)
        assert task is tasks[number]
        assert torch.equal(several(clean, seeded(seed)), task(clean, generator))
    assert NonIIDGaussian().chosen(seeded(0))[0] is None


def test_weights_say_how_often() -> None:
    several = SeveralTasks([NonIIDGaussian(), BandMissing(), RandomMask()], [3.0, 1.0, 0.0])
    found = Counter(several.chosen(seeded(seed))[0] for seed in range(400))
    assert found[0] == pytest.approx(300, abs=30)
    assert found[2] == 0
    small = SeveralTasks([NonIIDGaussian(), BandMissing()], [0.25, 0.25])
    assert Counter(small.chosen(seeded(seed))[0] for seed in range(400))[0] == pytest.approx(200, abs=50)
    assert several.settings()["weights"] == [3.0, 1.0, 0.0]
    assert "BandMissing(ratio=0.3)" in str(several.settings()["tasks"])


def test_every_patch_has_its_own_task_and_the_batch_says_which(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((8, 20, 20), dtype=np.float32) + 0.1)
    scenes = TrainingScenes()
    scenes.exchange([MappedScene("a", tmp_path / "a.npy", tuple(range(450, 530, 10)))])
    task = one_task([NonIIDGaussian((30.0,)), BandMissing(0.5)])
    assert isinstance(task, SeveralTasks)
    dataset = PatchDataset(scenes, task, 8, 16, seed=3)
    batch = collate([dataset[number] for number in range(16)])
    assert set(batch["task"].tolist()) == {0, 1}
    for number, observation in zip(batch["task"].tolist(), batch["observation"], strict=True):
        assert bool((observation == 0).all(dim=(1, 2)).any()) == (number == 1)
    again = PatchDataset(scenes, task, 8, 16, seed=3)[5]
    assert (again["task"], torch.equal(again["observation"], batch["observation"][5])) == (int(batch["task"][5]), True)


def test_a_network_that_is_told_its_task_is_given_it() -> None:
    class Told(nn.Module):
        takes_task = True

        def forward(self, observation: Tensor, task_id: Tensor | None = None) -> Tensor:
            return observation if task_id is None else observation * task_id[:, None, None, None]

    batch: dict[str, Any] = {"observation": torch.ones(2, 3, 4, 4), "task": torch.tensor([0, 1]), "name": ["a", "b"]}
    module = RestorationModule(Told())
    assert module.restore(batch).mean(dim=(1, 2, 3)).tolist() == [0.0, 1.0]
    assert module.restore({"observation": batch["observation"]}).mean() == 1.0
    assert MPHSIR.takes_task
    assert grid_of(nn.Identity(), batch) == {}


def test_a_data_set_takes_a_list() -> None:
    data = SampleScenes(degradation=[NonIIDGaussian(), BandMissing()])
    assert isinstance(data.degradation, SeveralTasks)
    assert one_task(None) is None


@pytest.mark.parametrize(
    ("tasks", "weights", "sentence"),
    [
        ([], None, r"SeveralTasks was given no task: list at least one degradation\."),
        ([NonIIDGaussian(), BicubicDownsampling()], None, r"One batch cannot hold the tasks .* of scale 4: list tasks"),
        ([NonIIDGaussian()], [1.0, 2.0], r"was given the weights \[1\.0, 2\.0\] for 1 tasks: give one number"),
        ([NonIIDGaussian(), BandMissing()], [2.0, -1.0], r"for 2 tasks: give one number of at least 0 a task, not all"),
        ([NonIIDGaussian()], [0.0], r"for 1 tasks: give one number of at least 0 a task, not all 0\."),
    ],
)
def test_what_does_not_fit_is_one_sentence(tasks: list[Any], weights: list[float] | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SeveralTasks(tasks, weights)
