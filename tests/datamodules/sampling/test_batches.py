"""Batches and the sharing of scenes among ranks."""

import pytest
import torch

from datamodules.sampling.batches import EvaluationSampler, Sample, collate
from datamodules.sampling.full_scenes import ObservationDataset
from datamodules.scenes import Observation
from hyperalign.ranks import world

WAVELENGTHS = (470.0, 550.0, 660.0)


def _sample(name: str, size: int = 4, wavelengths: tuple[float, ...] = WAVELENGTHS) -> Sample:
    cube = torch.full((3, size, size), float(len(name)))
    return Sample(observation=cube + 1, target=cube, caption=f"scene {name}", name=name, wavelengths=wavelengths)


def test_samples_are_stacked_in_order() -> None:
    batch = collate([_sample("a"), _sample("bb")])
    assert batch["name"] == ["a", "bb"]
    assert batch["wavelengths"] == WAVELENGTHS
    assert batch["caption"] == ["scene a", "scene bb"]
    assert batch["target"].shape == (2, 3, 4, 4)
    assert batch["target"][:, 0, 0, 0].tolist() == [1.0, 2.0]
    assert batch["observation"][:, 0, 0, 0].tolist() == [2.0, 3.0]


def test_observations_alone_have_no_target() -> None:
    dataset = ObservationDataset([Observation("a", torch.ones(3, 2, 2), WAVELENGTHS)])
    batch = collate([dataset[0]])
    assert set(batch) == {"observation", "caption", "name", "wavelengths"}


def test_different_sensors_cannot_share_a_batch() -> None:
    with pytest.raises(ValueError, match="scenes a, b differ in their wavelengths"):
        collate([_sample("a"), _sample("b", wavelengths=(470.0, 550.0, 661.0))])


def test_different_sizes_cannot_share_a_batch() -> None:
    with pytest.raises(ValueError, match=r"scenes a, b differ in size .* batch size of 1"):
        collate([_sample("a"), _sample("b", size=5)])


@pytest.mark.parametrize(("scenes", "ranks"), [(5, 1), (5, 2), (4, 2), (3, 3), (7, 4)])
def test_ranks_share_scenes_without_repeating_any(scenes: int, ranks: int) -> None:
    dataset = ObservationDataset([Observation("a", torch.ones(3, 2, 2), WAVELENGTHS)] * scenes)
    samplers = [EvaluationSampler(dataset, ranks, rank) for rank in range(ranks)]
    shares = [list(sampler) for sampler in samplers]
    assert sorted(sum(shares, [])) == list(range(scenes))  # noqa: RUF017
    assert [len(sampler) for sampler in samplers] == [len(share) for share in shares]


def test_with_fewer_scenes_than_ranks_each_takes_all() -> None:
    dataset = ObservationDataset([Observation("a", torch.ones(3, 2, 2), WAVELENGTHS)] * 2)
    assert [list(EvaluationSampler(dataset, 3, rank)) for rank in range(3)] == [[0, 1]] * 3


def test_one_process_is_a_world_of_its_own() -> None:
    assert world() == (1, 0)
