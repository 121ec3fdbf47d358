"""CAVE in its original layout."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import CAVE
from datamodules.splits.files import CAVE_SPLITS
from tests.datamodules.fake_cave import MakeCave, fake_values


def _cave(root: Path, **options: object) -> CAVE:
    return CAVE(str(root), cache=str(root.parent / "cache"), split="all", **options)


@pytest.mark.parametrize("doubled", [True, False])
@pytest.mark.parametrize("above", [True, False])
def test_both_folder_depths_give_the_same_exact_values(make_cave: MakeCave, doubled: bool, above: bool) -> None:
    root = make_cave(["balloons", "cd"], doubled=doubled)
    data = _cave(root.parent if above else root)
    assert data.scene_names() == ("balloons", "cd")
    scene = data.scenes(["balloons"])[0].load()
    assert scene.wavelengths == tuple(float(nm) for nm in range(400, 701, 10))
    assert np.array_equal(np.rint(scene.cube.double().numpy() * 65535), fake_values("balloons", 20))


def test_the_eight_bit_scene_has_its_own_full_scale(make_cave: MakeCave) -> None:
    data = _cave(make_cave(["watercolors"]))
    cube = data.scenes(["watercolors"])[0].load().cube
    assert torch.equal(cube, torch.from_numpy((fake_values("watercolors", 20) // 257).astype(np.float32)) / 255)


def test_names_with_and_without_the_folder_ending(make_cave: MakeCave) -> None:
    data = _cave(make_cave(["balloons", "cd", "clay"]), validation=["cd_ms"], training=["clay", "balloons_ms"])
    assert data.names("validation") == ("cd",)
    assert data.names("training") == ("clay", "balloons")
    assert data.scenes(["cd_ms"]) == data.scenes(["cd"])


def test_other_folders_and_files_are_no_scenes(make_cave: MakeCave) -> None:
    root = make_cave(["balloons"])
    (root / "readme").mkdir()
    (root / "notes_ms").write_text("a file")
    assert _cave(root).scene_names() == ("balloons",)


def test_splits_are_the_published_ones() -> None:
    assert {split: (len(first), len(second)) for split, (first, second) in CAVE_SPLITS.items()} == {
        "hsir": (20, 12),
        "first20": (20, 12),
        "mhf": (20, 12),
        "co2if": (22, 10),
    }
    every = {frozenset(first + second) for first, second in CAVE_SPLITS.values()}
    assert len(every) == 1
    assert len(next(iter(every))) == 32
    assert CAVE_SPLITS["first20"][1][0] == "jelly_beans"
    assert CAVE_SPLITS["mhf"][0][:3] == ("beads", "thread_spools", "pompoms")
    assert CAVE_SPLITS["mhf"][1][-1] == "balloons"


def test_the_hsir_split_equals_the_reference_lists(shared: Path) -> None:
    for names, file in zip(CAVE_SPLITS["hsir"], ("train", "test"), strict=True):
        listed = (shared / "data" / "splits" / f"cave_hsir_{file}.txt").read_text().split()
        assert [f"{name}_ms" for name in names] == listed


def test_a_split_is_the_default_of_both_roles(make_cave: MakeCave) -> None:
    root = make_cave(CAVE_SPLITS["hsir"][0] + CAVE_SPLITS["hsir"][1], size=1)
    data = CAVE(str(root), cache=str(root.parent / "cache"))
    assert (data.names("training"), data.names("validation")) == CAVE_SPLITS["hsir"]
    assert (data.names("observed"), data.names("unobserved")) == CAVE_SPLITS["hsir"]


def test_an_incomplete_data_set_names_the_scenes_of_the_split_that_it_lacks(make_cave: MakeCave) -> None:
    data = CAVE(str(make_cave(["balloons"])))
    with pytest.raises(
        ValueError, match=r"training scenes fake_and_real_sushi, .* and 14 more are not in CAVE \(there are balloons\)"
    ):
        data.names("training")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split 'hsri' is unknown: choose hsir, first20, mhf, co2if or all"):
        CAVE("x", split="hsri")  # type: ignore[arg-type]


def test_a_missing_folder_says_what_is_expected_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent, where the CAVE data set.*complete_ms_data\.zip"):
        _cave(tmp_path / "absent").scene_names()
    with pytest.raises(FileNotFoundError, match=r"holds no CAVE scene, .*complete_ms_data\.zip"):
        _cave(tmp_path).scene_names()


def test_a_missing_scene_is_named(make_cave: MakeCave) -> None:
    with pytest.raises(FileNotFoundError, match=r"no CAVE scene 'cd' in .*: unpack it there as cd_ms"):
        _cave(make_cave(["balloons"])).read_scene("cd")


def test_damaged_scenes_are_named_and_leave_no_cube(make_cave: MakeCave) -> None:
    root = make_cave(["balloons", "cd"])
    data = _cave(root)
    (root / "balloons_ms" / "balloons_ms" / "balloons_ms_17.png").unlink()
    with pytest.raises(FileNotFoundError, match="balloons_ms lacks the PNG of band 17 of 31"):
        data.scenes(["balloons"])
    picture = root / "cd_ms" / "cd_ms" / "cd_ms_09.png"
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"cd_ms_09\.png of 100 bytes is truncated"):
        data.scenes(["cd"])
    assert not list((root.parent / "cache").rglob("*.npy"))


def test_a_changed_picture_is_read_anew(make_cave: MakeCave) -> None:
    root = make_cave(["balloons"])
    data = _cave(root)
    before = data.scenes(["balloons"])[0].load().cube
    path = root / "balloons_ms" / "balloons_ms" / "balloons_ms_01.png"
    status = path.stat()
    Image.fromarray(np.full((20, 20), 65535, np.uint16)).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    after = data.scenes(["balloons"])[0].load().cube
    assert after[0].unique().tolist() == [1.0]
    assert torch.equal(after[1:], before[1:])


def test_the_cache_serves_a_second_module_without_decoding(
    make_cave: MakeCave, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_cave(["balloons"])
    first = _cave(root).scenes(["balloons"])
    monkeypatch.setattr(Image, "open", None)
    assert _cave(root).scenes(["balloons"]) == first
    cropped = _cave(root, crop=8).scenes(["balloons"])[0].load().cube
    assert torch.equal(cropped, first[0].load().cube[:, 6:14, 6:14])
    with pytest.raises(TypeError):
        CAVE(str(root), cache=str(root.parent / "another"), split="all").scenes(["balloons"])


def test_real_scenes(shared: Path, tmp_path: Path) -> None:
    scene = "watercolors"
    link = tmp_path / "complete_ms_data"
    link.mkdir()
    source = shared / "data" / "CAVE" / "complete_ms_data"
    shutil.copytree(source / f"{scene}_ms", link / f"{scene}_ms")
    (link / "balloons_ms").symlink_to(source / "balloons_ms")
    data = _cave(link, crop=128)
    watercolors, balloons = (mapped.load().cube for mapped in data.scenes([scene, "balloons"]))
    assert watercolors.shape == balloons.shape == (31, 128, 128)
    assert 0.2 < watercolors.mean() < 0.5
    plane = np.asarray(Image.open(source / "balloons_ms" / "balloons_ms" / "balloons_ms_31.png"))[192:320, 192:320]
    assert np.array_equal(np.rint(balloons[30].double().numpy() * 65535), plane)
