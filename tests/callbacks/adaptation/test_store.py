"""The store: complete or absent, verified, safe to share."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from callbacks.adaptation.store import Store, StoreError
from hyperalign.files import file_stem, settings_digest, tensor_digest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "proxies", {"weights": "abc", "tile": None})


def cube(value: float = 0.5) -> torch.Tensor:
    return torch.full((4, 6, 5), value)


def test_entry_comes_back_as_written(store: Store) -> None:
    values = torch.rand(4, 6, 5)
    store.write_array("balloons", values, {"seconds": 1.5})
    entry = store.read("balloons")
    mapped = torch.from_numpy(np.load(entry.path, mmap_mode="r", allow_pickle=False).copy())
    assert torch.equal(mapped, values)
    assert mapped.dtype == torch.float32
    assert entry.metadata["seconds"] == 1.5
    assert entry.metadata["shape"] == [4, 6, 5]
    assert store.valid("balloons")
    assert not store.valid("beads")


def test_folder_is_the_digest_of_its_settings(tmp_path: Path) -> None:
    one = Store(tmp_path, "proxies", {"a": 1, "b": 2})
    assert one.folder == Store(tmp_path, "proxies", {"b": 2, "a": 1}).folder
    assert one.folder != Store(tmp_path, "proxies", {"a": 1, "b": 3}).folder
    assert one.folder.name == f"proxies-{settings_digest({'a': 1, 'b': 2})[:32]}"
    one.write_array("x", cube())
    assert json.loads((one.folder / "settings.json").read_text()) == {"a": 1, "b": 2}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b'{"a": 1}'])
def test_damaged_settings_are_written_again(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    Store(tmp_path, "proxies", {"a": 1, "b": 2}).write_array("x", cube())
    path = next(tmp_path.rglob("settings.json"))
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert Store(tmp_path, "proxies", {"a": 1, "b": 2}).valid("x")
    assert path.read_bytes() == whole
    assert f"The file {path} is damaged and is written again." in caplog.text
    path.unlink()
    Store(tmp_path, "proxies", {"a": 1, "b": 2})
    assert path.read_bytes() == whole


def test_two_entries_never_share_a_file(store: Store) -> None:
    names = ["a", "a/b", "a.b", "a.c", "a b", "a+b", "a_b", "../a", ".", "é"]
    for index, name in enumerate(names):
        store.write_array(name, cube(index))
    for index, name in enumerate(names):
        assert (np.load(store.read(name).path) == index).all()
    outside = [path for path in store.folder.parent.rglob("*") if store.folder not in (path, *path.parents)]
    assert outside == []
    assert file_stem("balloons_ms") == "balloons_ms"


@pytest.mark.parametrize("damage", ["byte", "truncated", "missing", "manifest", "manifest of another form", "deep"])
def test_damage_is_detected_with_a_warning(store: Store, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = store.write_array("balloons", cube()).path
    manifest = store.folder / "balloons.json"
    content = bytearray(path.read_bytes())
    if damage == "byte":
        content[-1] ^= 1
        path.write_bytes(bytes(content))
    elif damage == "truncated":
        path.write_bytes(bytes(content[:-1]))
    elif damage == "missing":
        path.unlink()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:40])
    else:
        manifest.write_text("[" * 200_000 if damage == "deep" else "[]")
    with caplog.at_level(logging.WARNING):
        assert not store.valid("balloons")
    assert re.search(r"store entry .*balloons is damaged \(.+\) and is computed again\.", caplog.text)
    store.write_array("balloons", cube())
    assert store.valid("balloons")


def test_weights_come_back_and_damage_is_one_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path, "weights")
    weights = {"a.weight": torch.rand(3, 2), "a.bias": torch.rand(3)}
    path = store.write_weights("digest", weights).path
    read = store.read_weights("digest")
    assert set(read) == set(weights) and all(torch.equal(read[key], weights[key]) for key in weights)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=r"^The weights in .* are damaged; start the fit again without ckpt_path\.$"):
        store.read_weights("digest")


def test_reading_what_is_not_there_is_one_sentence(store: Store) -> None:
    with pytest.raises(StoreError, match=r"^The store entry .*balloons cannot be read .*; run the stage again"):
        store.read("balloons")


def test_unwritable_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store", "proxies", {})
    with pytest.raises(StoreError, match=r"^The store folder .* cannot be written \(Not a directory\); free some"):
        store.write_array("balloons", cube())


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_read_only_store_is_one_sentence(store: Store) -> None:
    store.write_array("balloons", cube())
    store.folder.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be written \(Permission denied\)"):
        store.write_array("beads", cube())
    store.folder.chmod(0o700)
    assert not store.valid("beads")


@pytest.mark.parametrize("limit", [400, 700])
def test_full_store_is_one_sentence_and_leaves_nothing(store: Store, limit: int) -> None:
    """A limit of 400 bytes stops the data file (608 bytes); one of 700 the manifest with its long metadata."""
    store.write_array("balloons", cube())
    before = sorted(store.folder.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(StoreError, match=r"^The store folder .* cannot be written \(File too large\); free some"):
            store.write_array("beads", cube(), {"note": "x" * 2000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(store.folder.rglob("*")) == before
    assert not store.valid("beads")


def killed_while_writing(folder: Path) -> None:
    from hyperalign import files

    def die(path: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(files.os, "fsync", die)  # type: ignore[attr-defined]  # noqa: B010
    Store(folder, "proxies", {}).write_array("balloons", cube())


def test_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=killed_while_writing, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.rglob("*.tmp"))) == 1
    store = Store(tmp_path, "proxies", {})
    assert list(tmp_path.rglob("*.tmp")) == []
    assert not store.valid("balloons")


def test_temporary_file_of_a_living_run_is_left_alone(store: Store) -> None:
    from hyperalign.files import write_beside

    store.write_array("balloons", cube())
    temporary, size, _ = write_beside(store.folder, lambda file: file.write(b"half"))
    Store(store.folder.parent, "proxies", store.settings)
    assert temporary.exists() and size == 4


def write_many(root: Path, value: float) -> None:
    store = Store(root, "proxies", {})
    for turn in range(30):
        store.write_array(f"scene{turn % 3}", cube(value))


def test_two_runs_share_a_store(tmp_path: Path) -> None:
    """Two writers with different results (as on a GPU): whichever wins, entry and file belong together."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(tmp_path, value)) for value in (0.25, 0.75)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    store = Store(tmp_path, "proxies", {})
    assert all(store.valid(f"scene{index}") for index in range(3))
    assert list(tmp_path.rglob("*.tmp")) == []


def test_tensor_digest_sees_values_shape_and_type() -> None:
    values = torch.arange(6.0)
    digests = {tensor_digest(values), tensor_digest(values.view(2, 3)), tensor_digest(values.double())}
    assert len(digests) == 3
    strided = torch.arange(12.0).view(2, 6)[:, ::2]
    assert tensor_digest(strided) == tensor_digest(strided.contiguous())


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**30))
    store.check_space(2**30, "proxies")
    with pytest.raises(StoreError) as caught:
        store.check_space(3 * 2**30, "proxies")
    assert str(caught.value) == (
        f"The proxies need 3.00 GiB in the store {store.folder.parent}, whose disk has 1.00 GiB left: free some space, "
        "or choose another folder with the store argument of ProxyGeneration."
    )
