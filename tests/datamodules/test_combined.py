"""Several data sets as one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import CAVE, CombinedScenes, Harvard, MappedScene, NonIIDGaussian
from datamodules.scenes.cache import SceneCache
from tests.datamodules.fake_cave import MakeCave


def members(make_cave: MakeCave, tmp_path: Path) -> list[CAVE]:
    first = make_cave(["balloons", "cd"])
    second = make_cave(["cd", "clay"], folder="another", size=24)
    cache = str(tmp_path / "cache")
    return [
        CAVE(str(first), split="all", validation=["cd"], unobserved=["cd"], cache=cache),
        CAVE(str(second), split="all", unobserved=["clay"], cache=cache),
    ]


def test_scenes_of_all_members_with_prefixed_names(make_cave: MakeCave, tmp_path: Path) -> None:
    one, two = members(make_cave, tmp_path)
    data = CombinedScenes([one, two], patch_size=8, patches_per_epoch=40, batch_size=40, seed=3)
    assert data.scene_names() == ("CAVE_balloons", "CAVE_cd", "CAVE2_cd", "CAVE2_clay")
    assert data.names("training") == ("CAVE_balloons", "CAVE2_cd", "CAVE2_clay")
    assert data.names("validation") == ("CAVE_cd",)
    assert data.wavelengths == one.wavelengths
    assert data.split == "CAVE all + CAVE2 all"
    data.prepare_data()
    for name, member in (("CAVE_cd", one), ("CAVE2_cd", two)):
        (scene,) = data.scenes([name.replace("cd", "cd_ms")])
        assert scene.name == name
        assert torch.equal(scene.load().cube, member.read_scene("cd").cube)
        assert scene.caption == member.scenes(["cd"])[0].caption != ""
    (batch,) = data.train_dataloader()
    assert set(batch["name"]) == {"CAVE_balloons", "CAVE2_cd", "CAVE2_clay"}
    (pair,) = data.val_dataloader()[0]
    assert pair["name"] == ["CAVE_cd"]


def test_role_crop_degradation_and_seed_are_the_common_ones(make_cave: MakeCave, tmp_path: Path) -> None:
    task = NonIIDGaussian([5.0])
    both = members(make_cave, tmp_path)
    data = CombinedScenes(list(both), role="target", degradation=task, seed=7, crop=10, cache=str(tmp_path / "other"))
    assert data.names("observed") == ("CAVE_balloons", "CAVE2_cd")
    assert {(member.role, member.seed, member.crop) for member in both} == {("target", 7, 10)}
    assert {scene.shape for scene in data.scenes(data.scene_names())} == {(31, 10, 10)}
    assert (tmp_path / "other" / "clean" / "CAVE" / "balloons").is_dir()
    assert not (tmp_path / "cache").exists()
    tested = {batch["name"][0]: batch["observation"][0] for loader in data.test_dataloader() for batch in loader}
    for observation in data.observations():
        assert torch.equal(observation.cube, tested[observation.name])


def test_the_wall_stands_around_the_members_scenes(make_cave: MakeCave, tmp_path: Path) -> None:
    data = CombinedScenes(list(members(make_cave, tmp_path)), role="target", patch_size=8)
    assert data.hidden() == {("clean", "CAVE", name) for name in ("balloons", "cd", "clay")}
    for scene in data.scenes(["CAVE_balloons", "CAVE2_clay"]):
        with pytest.raises(ValueError, match=f"training scene '{scene.name}' at .* is a clean target cube"):
            data.use_training_scenes([scene])
    np.save(tmp_path / "proxy.npy", np.full((31, 8, 8), 0.5, np.float32))
    data.use_training_scenes([MappedScene("CAVE_balloons", tmp_path / "proxy.npy", data.wavelengths)])
    assert next(iter(data.train_dataloader()))["target"].unique().tolist() == [0.5]


def test_prepared_scenes_and_what_is_expected_are_the_members(make_cave: MakeCave, tmp_path: Path) -> None:
    data = CombinedScenes(list(members(make_cave, tmp_path)))
    assert data.prepared("CAVE_cd") is None
    data.scenes(["CAVE_cd"])
    prepared = data.prepared("CAVE_cd")
    assert prepared is not None
    assert prepared.name == "CAVE_cd"
    assert data.prepared("CAVE2_cd") is None
    assert set(data.source_files("CAVE2_cd")) == set(data.members["CAVE2"].source_files("cd"))
    assert {name.partition("_")[0] for name in data.expected().names} <= {"CAVE", "CAVE2"}
    assert isinstance(data.members["CAVE"].cache, SceneCache)


def test_bad_input(make_cave: MakeCave, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CombinedScenes has no members: give at least one DataModule"):
        CombinedScenes([])
    cave = CAVE(str(make_cave(["cd"])), split="all", cache=str(tmp_path / "cache"))
    message = r"bands of CAVE \(31 of 400 to 700 nm\) and Harvard \(31 of 420 to 720 nm\) differ, so no network"
    with pytest.raises(ValueError, match=message):
        CombinedScenes([cave, Harvard("x")])
    with pytest.raises(ValueError, match="scene 'cd' belongs to none of CAVE: write the data set before it, as"):
        CombinedScenes([cave]).scenes(["cd"])
    with pytest.raises(ValueError, match="The training scenes CAVE_clay are not in CombinedScenes"):
        CombinedScenes([cave], training=["CAVE_clay"]).names("training")
