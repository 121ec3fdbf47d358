"""Roles, loaders and what each of them may be asked for."""

from pathlib import Path

import pytest
import torch

from datamodules import CAVE, BicubicDownsampling, MappedScene, generator_for
from tests.datamodules.fake_cave import MakeCave

NAMES = ["balloons", "cd", "clay", "cloth"]


@pytest.fixture
def root(make_cave: MakeCave) -> Path:
    return make_cave(NAMES)


def _cave(root: Path, **options: object) -> CAVE:
    settings: dict[str, object] = {
        "split": "all",
        "cache": str(root.parent / "cache"),
        "patch_size": 8,
        "batch_size": 4,
    }
    return CAVE(str(root), **(settings | {"patches_per_epoch": 12} | options))  # type: ignore[arg-type]


def _target(root: Path, **options: object) -> CAVE:
    return _cave(root, **({"role": "target", "observed": NAMES[:2], "unobserved": NAMES[2:]} | options))


def test_source_batches(root: Path) -> None:
    data = _cave(root, validation=["cd"])
    data.prepare_data()
    batches = list(data.train_dataloader())
    assert len(batches) == 3
    for batch in batches:
        assert set(batch) == {"observation", "target", "caption", "name", "wavelengths"}
        assert batch["observation"].shape == batch["target"].shape == (4, 31, 8, 8)
        assert batch["observation"].dtype == batch["target"].dtype == torch.float32
        assert set(batch["name"]) <= {"balloons", "clay", "cloth"}
        assert batch["wavelengths"] == data.wavelengths
    noise = torch.cat([batch["observation"] - batch["target"] for batch in batches])
    assert 10 / 255 < noise.std() < 70 / 255


def test_source_validation_and_test_are_whole_scenes(root: Path) -> None:
    data = _cave(root, validation=["cd", "cloth"], crop=16)
    assert data.test_set_names == ["validation"]
    for loader in (*data.val_dataloader(), *data.test_dataloader()):
        batches = list(loader)
        assert [batch["name"] for batch in batches] == [["cd"], ["cloth"]]
        assert batches[0]["target"].shape == (1, 31, 16, 16)
        assert torch.equal(batches[1]["target"][0], data.scenes(["cloth"])[0].load().cube)


def test_the_crop_is_the_centre(root: Path) -> None:
    whole, cropped = (_cave(root, crop=crop).scenes(["cd"])[0].load().cube for crop in (None, 12))
    assert torch.equal(cropped, whole[:, 4:16, 4:16])


def test_without_validation_scenes_there_is_no_validation(root: Path) -> None:
    data = _cave(root)
    assert data.names("training") == tuple(NAMES)
    assert data.val_dataloader() == []
    with pytest.raises(ValueError, match="CAVE has no scene to test on: name scenes with `validation`"):
        data.test_dataloader()


def test_target_tests_on_the_observation_that_adaptation_saw(root: Path) -> None:
    data = _target(root, seed=3)
    data.prepare_data()
    observations = {observation.name: observation for observation in data.observations()}
    assert list(observations) == NAMES[:2]
    assert data.test_set_names == ["observed", "unobserved"]
    observed, unobserved = (list(loader) for loader in data.test_dataloader())
    assert [batch["name"] for batch in observed + unobserved] == [[name] for name in NAMES]
    for batch in observed:
        name = batch["name"][0]
        assert torch.equal(batch["observation"][0], observations[name].cube)
        clean = data.scenes([name])[0].load().cube
        assert torch.equal(batch["target"][0], clean)
        again = data.degradation(clean, generator_for(3, "observation", name))
        assert torch.equal(observations[name].cube, again)
    assert not torch.equal(_target(root, seed=4).observations()[0].cube, observations["balloons"].cube)


def test_target_predicts_observations_alone(root: Path) -> None:
    data = _target(root)
    batches = list(data.predict_dataloader())
    assert [batch["name"] for batch in batches] == [["balloons"], ["cd"]]
    assert set(batches[0]) == {"observation", "caption", "name", "wavelengths"}
    assert torch.equal(batches[1]["observation"][0], data.observations()[1].cube)


def test_target_has_no_validation_and_may_lack_unobserved_scenes(root: Path) -> None:
    assert _target(root).val_dataloader() == []
    assert _target(root, observed=None).names("observed") == ("balloons", "cd")
    assert _target(root, unobserved=[]).test_set_names == ["observed"]


def test_super_resolution_shapes(root: Path) -> None:
    data = _target(root, degradation=BicubicDownsampling(), crop=19)
    assert data.observations()[0].cube.shape == (31, 4, 4)
    batch = next(iter(data.test_dataloader()[1]))
    assert (batch["observation"].shape, batch["target"].shape) == ((1, 31, 4, 4), (1, 31, 16, 16))


def test_source_may_be_given_training_scenes_too(root: Path, tmp_path: Path) -> None:
    data = _cave(root)
    data.use_training_scenes(data.scenes(["clay"]))
    assert {name for batch in data.train_dataloader() for name in batch["name"]} == {"clay"}


def test_target_refuses_its_own_clean_cubes(root: Path) -> None:
    data = _target(root)
    clean = [
        *data.scenes(["cd"]),
        *_cave(root, crop=10).scenes(["clay"]),
        *_cave(root, cache=str(root.parent / "other")).scenes(["cloth"]),
    ]
    for scene in clean:
        with pytest.raises(ValueError, match=f"training scene '{scene.name}' at .* is a clean target cube"):
            data.use_training_scenes([scene])
        renamed = MappedScene("proxy", root.parent / f"link-{scene.name}.npy", scene.wavelengths)
        renamed.path.symlink_to(scene.path)
        with pytest.raises(ValueError, match=r"training scene 'proxy' at .* is a clean target cube"):
            data.use_training_scenes([renamed])
    narrowed = _target(root, observed=["cd"], unobserved=["clay"])
    narrowed.use_training_scenes(_cave(root).scenes(["balloons"]))


def test_what_a_role_does_not_have(root: Path) -> None:
    with pytest.raises(ValueError, match="role target has no training scenes"):
        _target(root).train_dataloader()
    for ask in (_cave(root).observations, _cave(root).predict_dataloader):
        with pytest.raises(ValueError, match="CAVE has observations only in the role target, and its role is source"):
            ask()
    with pytest.raises(ValueError, match="CAVE has no observed scene: name at least one with `observed`"):
        _target(root, observed=[]).observations()
    with pytest.raises(ValueError, match="CAVE has no training scene"):
        _cave(root, training=[]).train_dataloader()


def test_a_folder_without_scenes_is_named(tmp_path: Path) -> None:
    class Empty(CAVE):
        def scene_names(self) -> tuple[str, ...]:
            return ()

    with pytest.raises(ValueError, match=rf"^Empty finds no scene in {tmp_path}: look whether that is the folder"):
        Empty(str(tmp_path), training=[]).train_dataloader()


def test_subsets_that_overlap(root: Path) -> None:
    with pytest.raises(ValueError, match="training and validation scenes share cd"):
        _cave(root, training=["cd", "clay"], validation=["cd_ms"]).prepare_data()
    with pytest.raises(ValueError, match="observed and unobserved scenes share clay"):
        _target(root, observed=["clay"]).prepare_data()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"role": "both"}, "role 'both' is neither 'source' nor 'target'"),
        ({"batch_size": 0}, "batch size of 0 with 0 workers is not possible"),
        ({"num_workers": -1}, "batch size of 4 with -1 workers is not possible"),
    ],
)
def test_impossible_settings(root: Path, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _cave(root, **options)


def test_preparing_reads_the_scenes_of_the_role_only(root: Path) -> None:
    _target(root, observed=["cd"], unobserved=["clay"]).prepare_data()
    assert sorted(path.parent.name for path in (root.parent / "cache").rglob("*.npy")) == ["cd", "clay"]
