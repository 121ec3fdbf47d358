"""Patches are pure functions of their numbers, drawn from whatever scenes there are now."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from datamodules.degradations import BicubicDownsampling, Degradation, NonIIDGaussian
from datamodules.sampling.batches import Sample, collate
from datamodules.sampling.patches import PatchDataset, PatchSampler, TrainingScenes
from datamodules.scenes import MappedScene

WAVELENGTHS = (470.0, 550.0, 660.0)


def _scene(folder: Path, name: str, height: int = 12, width: int = 15) -> MappedScene:
    """A scene whose every value is its own: band + row / 100 + column / 10000, all over 10."""
    band, row, column = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    np.save(folder / f"{name}.npy", ((band + row / 100 + column / 10000) / 10).astype(np.float32))
    return MappedScene(name, folder / f"{name}.npy", WAVELENGTHS)


def _dataset(
    scenes: Sequence[MappedScene],
    *,
    weights: Sequence[float] | None = None,
    degradation: Degradation | None = None,
    size: int = 4,
    length: int = 10,
    seed: int = 0,
) -> PatchDataset:
    pool = TrainingScenes()
    pool.exchange(scenes, weights)
    return PatchDataset(pool, degradation or NonIIDGaussian(), size, length, seed)


@pytest.fixture
def scenes(tmp_path: Path) -> list[MappedScene]:
    return [_scene(tmp_path, "one"), _scene(tmp_path, "two", 20, 9)]


def _flat(dataset: PatchDataset, *, ranks: int, workers: int, epoch: int, batch_size: int = 3) -> list[Sample]:
    """All samples of one epoch as the given ranks and workers deliver them."""
    samples: list[Sample] = []
    for rank in range(ranks):
        sampler = PatchSampler(dataset, ranks, rank)
        sampler.set_epoch(epoch)
        loader = DataLoader(dataset, batch_size, sampler=sampler, num_workers=workers, collate_fn=collate)
        for batch in loader:
            samples += [
                Sample(observation=observation, target=target, caption="", name=name, wavelengths=batch["wavelengths"])
                for observation, target, name in zip(batch["observation"], batch["target"], batch["name"], strict=True)
            ]
    return samples


def _bytes(samples: Sequence[Sample]) -> Counter[tuple[str, bytes, bytes]]:
    return Counter(
        (sample["name"], sample["observation"].numpy().tobytes(), sample["target"].numpy().tobytes())
        for sample in samples
    )


@pytest.mark.parametrize(("ranks", "workers"), [(2, 0), (5, 0), (1, 2), (2, 1)])
def test_ranks_and_workers_do_not_change_the_samples(scenes: list[MappedScene], ranks: int, workers: int) -> None:
    dataset = _dataset(scenes)
    alone = _flat(dataset, ranks=1, workers=0, epoch=2)
    assert len(_bytes(alone)) == 10
    assert _bytes(_flat(dataset, ranks=ranks, workers=workers, epoch=2)) == _bytes(alone)


def test_a_number_of_ranks_that_does_not_divide_repeats_the_first_patches(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes)
    shared = _flat(dataset, ranks=4, workers=0, epoch=1)
    assert len(shared) == 12
    assert _bytes(shared) == _bytes([dataset[number] for number in (*range(10, 20), 10, 11)])


def test_steps_of_all_ranks_together_are_the_steps_of_one_process(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes, length=12)
    ranks = [list(PatchSampler(dataset, 2, rank)) for rank in range(2)]
    for step in range(2):
        together = {number for share in ranks for number in share[step * 3 : step * 3 + 3]}
        assert together == set(range(step * 6, step * 6 + 6))


def test_epochs_continue_the_numbers(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes)
    sampler = PatchSampler(dataset)
    numbers = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        numbers += list(sampler)
    assert numbers == list(range(30))
    assert len(_bytes([dataset[number] for number in numbers])) == 30


def test_the_seed_changes_patch_and_noise(scenes: list[MappedScene]) -> None:
    first, second = _dataset(scenes, seed=1)[3], _dataset(scenes, seed=2)[3]
    assert not torch.equal(first["target"], second["target"])
    assert _bytes([first]) == _bytes([_dataset(scenes, seed=1)[3]])


def test_a_patch_is_a_turned_window_of_its_scene(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes)
    windows = {scene.name: scene.load().cube.unfold(1, 4, 1).unfold(2, 4, 1) for scene in scenes}
    kinds = set()
    for number in range(200):
        sample = dataset[number]
        views = windows[sample["name"]].permute(1, 2, 0, 3, 4).flatten(0, 1)
        for kind in range(8):
            turned = torch.rot90(sample["target"], kind % 4, (1, 2))
            turned = turned.flip(-1) if kind >= 4 else turned
            if (views == turned).flatten(1).all(1).any():
                kinds.add(kind)
                break
        else:
            pytest.fail(f"patch {number} is no window of {sample['name']}")
    assert kinds == set(range(8))


def test_patches_reach_every_corner_of_every_scene(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes)
    for scene in scenes:
        cube = scene.load().cube[0]
        corners = {float(cube[row, column]) for row in (0, -1) for column in (0, -1)}
        seen = {
            value
            for sample in (dataset[number] for number in range(600))
            if sample["name"] == scene.name
            for value in sample["target"][0].flatten().tolist()
        }
        assert corners <= seen


def test_weights_decide_how_often_a_scene_is_drawn(scenes: list[MappedScene]) -> None:
    dataset = _dataset([*scenes, scenes[0]], weights=[3.0, 1.0, 0.0])
    drawn = Counter(dataset[number]["name"] for number in range(1000))
    assert abs(drawn["one"] / 1000 - 0.75) < 0.04
    assert {_dataset(scenes, weights=[0, 1])[number]["name"] for number in range(50)} == {"two"}
    equal = Counter(_dataset(scenes)[number]["name"] for number in range(1000))
    assert abs(equal["one"] / 1000 - 0.5) < 0.05


class _Recording(Degradation):
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.states: list[bytes] = []
        self.cubes: list[Tensor] = []

    def draw(self, shape: Sequence[int], generator: Generator) -> NonIIDGaussian:  # type: ignore[override]
        raise AssertionError(shape, generator)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        return {}

    def __call__(self, cube: Tensor, generator: Generator) -> Tensor:
        self.states.append(bytes(generator.get_state().numpy()))
        self.cubes.append(cube)
        return cube + 1


def test_the_turned_clean_patch_is_degraded_by_its_own_stream(scenes: list[MappedScene]) -> None:
    degradation = _Recording()
    dataset = _dataset(scenes, degradation=degradation)
    samples = [dataset[number] for number in range(5)]
    assert len(set(degradation.states)) == 5
    for sample, cube in zip(samples, degradation.cubes, strict=True):
        assert torch.equal(sample["target"], cube)
        assert torch.equal(sample["observation"], cube + 1)


def test_super_resolution_patches(scenes: list[MappedScene]) -> None:
    sample = _dataset(scenes, degradation=BicubicDownsampling(), size=8)[0]
    assert sample["target"].shape == (3, 8, 8)
    assert sample["observation"].shape == (3, 2, 2)
    with pytest.raises(ValueError, match="patch size 10 is not a positive multiple of the degradation's scale 4"):
        _dataset(scenes, degradation=BicubicDownsampling(), size=10)


@pytest.mark.parametrize("workers", [0, 1])
def test_scenes_exchanged_between_epochs_reach_an_existing_loader(scenes: list[MappedScene], workers: int) -> None:
    dataset = _dataset(scenes[:1])
    loader = DataLoader(dataset, 5, sampler=PatchSampler(dataset), num_workers=workers, collate_fn=collate)
    assert {name for batch in loader for name in batch["name"]} == {"one"}
    dataset.scenes.exchange(scenes[1:])
    assert {name for batch in loader for name in batch["name"]} == {"two"}
    assert len(loader) == 2


def test_a_scene_smaller_than_the_patch_is_named(scenes: list[MappedScene]) -> None:
    dataset = _dataset(scenes[1:], size=10)
    with pytest.raises(ValueError, match="'two' of 20 x 9 pixels is smaller than a patch of 10 x 10"):
        dataset[0]


def test_a_patch_as_large_as_the_scene(tmp_path: Path) -> None:
    dataset = _dataset([_scene(tmp_path, "square", 6, 6)], size=6)
    assert dataset[0]["target"].shape == (3, 6, 6)


def test_an_empty_epoch_is_refused(scenes: list[MappedScene]) -> None:
    with pytest.raises(ValueError, match="epoch of 0 patches is empty"):
        _dataset(scenes, length=0)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_wrong_weights_are_refused(scenes: list[MappedScene], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights of the 2 training scenes"):
        _dataset(scenes, weights=weights)


def test_no_scene_and_mixed_sensors_are_refused(scenes: list[MappedScene]) -> None:
    with pytest.raises(ValueError, match="no scene to train on"):
        _dataset([])
    other = MappedScene("other", scenes[0].path, (471.0, 550.0, 660.0))
    with pytest.raises(ValueError, match="'one' and 'other' differ in their wavelengths"):
        _dataset([scenes[0], other])
