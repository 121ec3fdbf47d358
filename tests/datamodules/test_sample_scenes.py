"""The DataModule over the sample scenes, in both roles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules import SampleScenes
from datamodules.base import Subset
from datamodules.spectra import OBSERVED, TRAINING, UNOBSERVED, VALIDATION, sample_cube


def test_the_default_sets_are_the_built_in_ones(tmp_path: Path) -> None:
    data = SampleScenes(cache=str(tmp_path))
    subsets: dict[Subset, tuple[str, ...]] = {
        "training": TRAINING,
        "validation": VALIDATION,
        "observed": OBSERVED,
        "unobserved": UNOBSERVED,
    }
    for subset, names in subsets.items():
        assert data.names(subset) == names
    assert set(data.scene_names()) == {name for names in subsets.values() for name in names}
    assert data.wavelengths == tuple(range(400, 701, 10))


def test_scenes_come_through_the_cache(tmp_path: Path) -> None:
    data = SampleScenes(cache=str(tmp_path))
    [mapped] = data.scenes(["chelsea_01"])
    scene = mapped.load()
    np.testing.assert_array_equal(scene.cube.numpy(), sample_cube("chelsea_01"))
    assert scene.caption == "the face of a tabby cat"
    assert scene.wavelengths == data.wavelengths
    written = mapped.path.stat().st_mtime_ns
    [again] = SampleScenes(cache=str(tmp_path)).scenes(["chelsea_01"])
    assert again.path == mapped.path
    assert again.path.stat().st_mtime_ns == written


def test_other_settings_have_another_fingerprint_and_the_seed_has_not(tmp_path: Path) -> None:
    def fingerprint(name: str = "coffee_01", **settings: Any) -> str:  # noqa: ANN401
        return SampleScenes(cache=str(tmp_path), **settings).fingerprint(name)

    assert fingerprint() == fingerprint(seed=3)
    others = [
        fingerprint(metamers=0.7),
        fingerprint(target_shift=0.5),
        fingerprint(target_illuminant="fluorescent"),
        fingerprint(illuminants=["d65"]),
        fingerprint(scene_seed=1),
        fingerprint("astronaut_01"),
    ]
    assert len({fingerprint(), *others}) == 7


def test_training_patches_of_the_source(tmp_path: Path) -> None:
    data = SampleScenes(
        training=["coffee_01", "astronaut_02"], validation=[], batch_size=4, patches_per_epoch=8, cache=str(tmp_path)
    )
    batches = list(data.train_dataloader())
    assert len(batches) == 2
    assert batches[0]["target"].shape == (4, 31, 64, 64)
    assert float(batches[0]["target"].min()) >= 0
    assert {name for batch in batches for name in batch["name"]} <= {"coffee_01", "astronaut_02"}


def test_observations_of_the_target(tmp_path: Path) -> None:
    data = SampleScenes(role="target", cache=str(tmp_path), crop=64)
    observations = data.observations()
    assert [observation.name for observation in observations] == list(OBSERVED)
    assert all(observation.cube.shape == (31, 64, 64) for observation in observations)
    assert data.test_set_names == ["observed", "unobserved"]
    with pytest.raises(ValueError, match="has no training scenes"):
        data.train_dataloader()


def test_reading_a_scene_keeps_its_photograph_in_the_metadata(tmp_path: Path) -> None:
    scene = SampleScenes(cache=str(tmp_path)).read_scene("motorcycle_04")
    assert scene.metadata == {"photograph": "motorcycle_left.png"}
    assert scene.cube.dtype == torch.float32


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`metamers` 5: choose a number from 0 to 2"):
        SampleScenes(metamers=5, cache=str(tmp_path))
    with pytest.raises(ValueError, match=r"coffee_77.*nearest is coffee_"):
        SampleScenes(training=["coffee_77"], cache=str(tmp_path)).names("training")
