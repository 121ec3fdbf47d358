"""The cache builds once, notices damage, and survives several builders."""

import hashlib
import json
import logging
import multiprocessing
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datamodules.scenes import Scene
from datamodules.scenes.cache import SceneCache
from hyperalign.folders import cache_folder

WAVELENGTHS = (470.0, 550.5, 660.0)


def _scene(value: float = 0.25) -> Scene:
    cube = torch.linspace(0, 1, 3 * 8 * 8).reshape(3, 8, 8) * value
    return Scene("one", cube, WAVELENGTHS, "a caption")


class Builder:
    """Builds the scene and counts how often."""

    def __init__(self, value: float = 0.25) -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Scene:
        self.calls += 1
        return _scene(self.value)


def test_a_scene_is_built_once_and_comes_back_exactly(tmp_path: Path) -> None:
    build = Builder()
    first = SceneCache(tmp_path).mapped("one", "key", build)
    second = SceneCache(tmp_path).mapped("one", "key", build)
    assert build.calls == 1
    assert first == second
    assert (second.name, second.wavelengths, second.caption) == ("one", WAVELENGTHS, "a caption")
    assert torch.equal(second.load().cube, _scene().cube)


def test_another_key_or_name_is_another_cube(tmp_path: Path) -> None:
    cache, build = SceneCache(tmp_path), Builder()
    paths = {cache.mapped(name, key, build).path for name, key in [("one", "a"), ("one", "b"), ("two", "a")]}
    assert len(paths) == build.calls == 3
    assert {path.parent.name for path in paths} == {"one", "two"}


def test_nothing_temporary_is_left(tmp_path: Path) -> None:
    SceneCache(tmp_path).mapped("one", "key", Builder())
    assert sorted(path.suffix for path in (tmp_path / "one").iterdir()) == [".json", ".npy"]


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    def build() -> Scene:
        raise ValueError("bad scene")

    with pytest.raises(ValueError, match="bad scene"):
        SceneCache(tmp_path).mapped("one", "key", build)
    assert not list(tmp_path.rglob("*.*"))


def _truncate(cube: Path) -> None:
    cube.write_bytes(cube.read_bytes()[:-40])


def _flip(cube: Path) -> None:
    data = bytearray(cube.read_bytes())
    data[-17] ^= 0xFF
    cube.write_bytes(data)


def _spoil_header(cube: Path) -> None:
    status = cube.stat()
    cube.write_bytes(b"?" * 20 + cube.read_bytes()[20:])
    os.utime(cube, ns=(status.st_atime_ns, status.st_mtime_ns))


def _cut_record(cube: Path) -> None:
    record = cube.with_suffix(".json")
    record.write_text(record.read_text()[:30])


def _empty_record(cube: Path) -> None:
    cube.with_suffix(".json").write_text("{}")


@pytest.mark.parametrize("damage", [_truncate, _flip, _spoil_header, _cut_record, _empty_record])
def test_a_damaged_file_is_built_again_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    cache = SceneCache(tmp_path)
    damage(cache.mapped("one", "key", Builder()).path)
    build = Builder()
    with caplog.at_level(logging.WARNING):
        scene = cache.mapped("one", "key", build)
    assert build.calls == 1
    assert "it is built again" in caplog.text
    assert torch.equal(scene.load().cube, _scene().cube)


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_lost_file_is_built_again(tmp_path: Path, suffix: str) -> None:
    cache, build = SceneCache(tmp_path), Builder()
    cache.mapped("one", "key", build).path.with_suffix(suffix).unlink()
    assert torch.equal(cache.mapped("one", "key", build).load().cube, _scene().cube)
    assert build.calls == 2


def test_a_copied_cache_is_checked_and_kept(tmp_path: Path) -> None:
    cache, build = SceneCache(tmp_path), Builder()
    path = cache.mapped("one", "key", build).path
    os.utime(path, ns=(1, 1))
    cache.mapped("one", "key", build)
    assert build.calls == 1
    assert json.loads(path.with_suffix(".json").read_text())["shape"] == [3, 8, 8]


def _build_in_process(folder: Path, barrier: object) -> None:
    def build() -> Scene:
        barrier.wait()  # type: ignore[attr-defined]
        return _scene()

    scene = SceneCache(folder).mapped("one", "key", build)
    assert torch.equal(scene.load().cube, _scene().cube)


def test_several_processes_may_build_the_same_scene(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    workers = [context.Process(target=_build_in_process, args=(tmp_path, barrier)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    build = Builder()
    assert torch.equal(SceneCache(tmp_path).mapped("one", "key", build).load().cube, _scene().cube)
    assert build.calls == 0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cube of scene 'one' cannot be written to the cache folder .*file.one \("):
        SceneCache(tmp_path / "file").mapped("one", "key", Builder())


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"\(No space left on device\): free space there"):
        SceneCache(tmp_path).mapped("one", "key", Builder())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERALIGN_CACHE", "there")
    assert cache_folder() == Path("there")
    monkeypatch.delenv("HYPERALIGN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "base")
    assert cache_folder() == Path("base/hyperalign")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hyperalign"


@pytest.mark.parametrize("older", [False, True])
def test_verifying_finds_one_changed_bit(tmp_path: Path, older: bool) -> None:
    cache = SceneCache(tmp_path)
    scene = cache.mapped("one", "key", Builder())
    record = scene.path.with_suffix(".json")
    facts = json.loads(record.read_text())
    assert facts["sha256"] == hashlib.sha256(scene.path.read_bytes()).hexdigest()
    if older:
        # What a cache of before holds.
        del facts["sha256"]
        record.write_text(json.dumps(facts | {"checksum": zlib.crc32(scene.path.read_bytes())}))
    assert cache.find("one", "key", verify=True) == scene
    data, status = bytearray(scene.path.read_bytes()), scene.path.stat()
    data[-5] ^= 16
    scene.path.write_bytes(data)
    os.utime(scene.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.find("one", "key") == scene
    assert cache.find("one", "key", verify=True) is None
    assert cache.find("one", "key") is None
