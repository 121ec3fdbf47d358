"""Converting a data set once: resumed, in parallel, around damaged scenes, and what is said to be missing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import CAVE, BicubicDownsampling
from datamodules.preparation import Preparation, PreparationError, prepare
from datamodules.scenes import Scene
from datamodules.scenes.cache import CacheWriteError, SceneCache
from datamodules.scenes.expected import checksum
from tests.datamodules.fake_cave import MakeCave

SCENES = ("balloons", "beads", "cd", "clay", "cloth")


@pytest.fixture
def root(make_cave: MakeCave) -> Path:
    """Five fake CAVE scenes."""
    return make_cave(SCENES)


def cave(root: Path, cache: str = "cache", **options: object) -> CAVE:
    return CAVE(str(root), cache=str(root.parent / cache), **{"split": "all", **options})  # type: ignore[arg-type]


def prepared(data: CAVE, workers: int = 1) -> Preparation:
    return prepare(data, workers, lambda done, total: None)


def cubes(folder: Path) -> dict[str, bytes]:
    """Every cube below a cache folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


def picture(root: Path, name: str, band: int) -> Path:
    return root / f"{name}_ms" / f"{name}_ms" / f"{name}_ms_{band:02d}.png"


def test_parallel_and_serial_make_the_same_bytes(root: Path) -> None:
    counts: list[tuple[int, int]] = []
    done = prepare(cave(root, "several"), 3, lambda *count: counts.append(count))
    assert counts == [(number, 5) for number in range(6)]
    assert prepared(cave(root, "one")).made == done.made == SCENES
    several, one = cubes(root.parent / "several"), cubes(root.parent / "one")
    assert several == one
    assert len(one) == 5


def test_a_second_run_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(cave(root))
    monkeypatch.setattr(Image, "open", None)
    counts: list[tuple[int, int]] = []
    again = prepare(cave(root), 2, lambda *count: counts.append(count))
    assert (again.made, again.kept, again.failed, counts) == ((), SCENES, {}, [])
    assert again.usable
    assert [scene.name for scene in cave(root).scenes(SCENES)] == list(SCENES)


def test_an_interrupted_preparation_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = CAVE.read_scene

    def interrupted(self: CAVE, name: str) -> Scene:
        read.append(name)
        if len(read) == 3:
            raise KeyboardInterrupt
        return real(self, name)

    monkeypatch.setattr(CAVE, "read_scene", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared(cave(root))
    done = prepared(cave(root))
    assert (done.kept, done.made) == (SCENES[:2], SCENES[2:])
    assert read == [*SCENES[:3], *SCENES[2:]]


def _killed_while_writing(data: CAVE) -> None:
    calls: list[int] = []

    def die_in_the_second_scene(fd: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = die_in_the_second_scene
    prepared(data)


def test_a_killed_preparation_leaves_nothing_half_written(root: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_while_writing, args=(cave(root),))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    remains = [path for path in (root.parent / "cache").rglob(".*") if path.is_file()]
    assert len(remains) == 1
    old = time.time() - 4000
    os.utime(remains[0], (old, old))
    done = prepared(cave(root))
    assert (done.kept, done.made) == (SCENES[:1], SCENES[1:])
    assert not remains[0].exists()
    prepared(cave(root, "anew"))
    assert cubes(root.parent / "cache") == cubes(root.parent / "anew")


def test_fresh_temporary_files_belong_to_somebody(tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    fresh = tmp_path / "scene" / ".x.npy.123"
    fresh.touch()
    SceneCache(tmp_path).remove_remains()
    assert fresh.exists()


def _truncate(root: Path) -> str:
    path = picture(root, "beads", 9)
    path.write_bytes(path.read_bytes()[:100])
    return r"beads_ms_09\.png of 100 bytes is truncated"


def _change_a_bit(root: Path) -> str:
    path = picture(root, "beads", 9)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return r"beads_ms_09\.png of \d+ bytes is truncated or damaged"


def _half_extract(root: Path) -> str:
    for band in range(17, 32):
        picture(root, "beads", band).unlink()
    return r"beads_ms lacks the PNG of band 17, .*, 31 of 31"


def _leave_the_folder_empty(root: Path) -> str:
    for path in picture(root, "beads", 1).parent.iterdir():
        path.unlink()
    return r"beads_ms lacks the PNG of band 01, 02, "


def _double_a_band(root: Path) -> str:
    (picture(root, "beads", 1).parent / "other_01.png").touch()
    return "has two files for band 01"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("damage", [_truncate, _change_a_bit, _half_extract, _leave_the_folder_empty, _double_a_band])
def test_a_damaged_scene_is_named_and_the_others_are_prepared(
    root: Path, damage: Callable[[Path], str], workers: int
) -> None:
    sentence = damage(root)
    done = prepared(cave(root), workers)
    assert list(done.failed) == ["beads"]
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(done.failed["beads"])
    assert done.made == tuple(name for name in SCENES if name != "beads")
    assert not done.usable
    assert set(cubes(root.parent / "cache")) == {
        path.relative_to(root.parent / "cache").as_posix()
        for scene in cave(root).scenes(done.made)
        for path in [scene.path]
    }


def test_a_library_that_fails_in_its_own_way_does_not_stop_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CAVE.read_scene

    def failing(self: CAVE, name: str) -> Scene:
        if name == "cd":
            raise ZeroDivisionError("odd header")
        return real(self, name)

    monkeypatch.setattr(CAVE, "read_scene", failing)
    failed = prepared(cave(root)).failed
    assert failed == {"cd": "Reading the scene 'cd' ended with ZeroDivisionError (odd header): download it again."}


def test_a_killed_process_is_explained(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = CAVE.read_scene

    def killed(self: CAVE, name: str) -> Scene:
        if name == "clay":
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, name)

    monkeypatch.setattr(CAVE, "read_scene", killed)
    with pytest.raises(PreparationError, match="was killed, probably because memory ran out: run again with fewer"):
        prepared(cave(root), 2)
    monkeypatch.setattr(CAVE, "read_scene", real)
    assert "balloons" in prepared(cave(root), 2).kept


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cache_that_cannot_be_written_stops_at_once(root: Path, workers: int) -> None:
    (root.parent / "cache").write_text("in the way")
    with pytest.raises(CacheWriteError, match="cannot be written to the cache folder"):
        prepared(cave(root), workers)


def test_what_the_complete_data_set_has_is_missing_here(root: Path) -> None:
    done = prepared(cave(root))
    assert len(done.expected.names) == 32
    assert len(done.missing) == 27
    assert not set(done.missing) & set(SCENES)
    assert done.usable
    assert done.remarks["The size is 31 x 20 x 20 instead of 31 x 512 x 512, so it is no original"] == SCENES
    copies = "The files can be read but their checksum is not the recorded one, so they are another copy"
    assert done.remarks[copies] == ("balloons", "cloth")


def test_scenes_that_the_split_names_and_that_are_missing_make_it_unusable(root: Path) -> None:
    done = prepared(cave(root, split="hsir"))
    assert done.made == SCENES
    assert [sentence.split(" scenes ")[0] for sentence in done.lacking] == ["The training", "The validation"]
    assert not done.usable


def test_crops_are_cut_from_prepared_scenes_without_decoding(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = [scene.load().cube for scene in cave(root, "apart", crop=9).scenes(SCENES)]
    small = BicubicDownsampling(scale=8)
    assert prepared(cave(root)).made == SCENES
    monkeypatch.setattr(Image, "open", None)
    cut = [scene.load().cube for scene in cave(root, crop=9).scenes(SCENES)]
    assert torch.equal(torch.stack(cut), torch.stack(decoded))
    assert cave(root, degradation=small).scenes(["cd"])[0].shape == (31, 16, 16)
    assert prepared(cave(root, crop=9)).kept == SCENES


def test_no_workers_are_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="by 0 processes: give at least 1"):
        prepared(cave(root), 0)


def test_the_recorded_checksums_are_those_of_the_real_scenes(shared: Path) -> None:
    data = CAVE(str(shared / "data" / "CAVE"), split="all")
    recorded = data.expected().checksums
    assert set(recorded) == set(data.scene_names())
    assert {name: checksum(data.source_files(name)) for name in ("cloth", "watercolors")}.items() <= recorded.items()
