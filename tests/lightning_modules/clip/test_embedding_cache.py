"""Embeddings kept on disk: keys, bits, damage, and a folder that cannot be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_modules.clip.embedding_cache import EmbeddingCache


def test_arrays_come_back_bit_by_bit_under_their_own_key(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "deep" / "folder")
    arrays = {"tokens": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4), "mask": np.array([True, False])}
    assert cache.read("model", "a red roof") is None
    cache.write(arrays, "model", "a red roof")
    found = cache.read("model", "a red roof")
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
    assert cache.read("model", "a blue roof") is None
    assert [path.name for path in cache.folder.iterdir()] == [cache.path("model", "a red roof").name]


def test_keys_are_whole_lists_and_do_not_run_together(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    keys: list[tuple[object, ...]] = [
        ("a", "bc"),
        ("ab", "c"),
        ("abc",),
        ("a", "bc", None),
        ("a", ["bc"]),
        (1,),
        ("1",),
    ]
    paths = [cache.path(*key) for key in keys]
    assert len(set(paths)) == len(keys)
    assert all(len(path.stem) == 64 and path.suffix == ".npz" for path in paths)
    assert EmbeddingCache(tmp_path).path("a", "bc") == paths[0]


@pytest.mark.parametrize("content", [b"", b"not an archive", None])
def test_a_damaged_file_is_told_and_taken_for_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    cache = EmbeddingCache(tmp_path)
    cache.write({"tokens": np.ones(1000)}, "key")
    whole = cache.path("key").read_bytes()
    cache.path("key").write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert cache.read("key") is None
    assert "is damaged" in caplog.text and "is computed again" in caplog.text
    cache.write({"tokens": np.ones(2)}, "key")
    assert cache.read("key") is not None


def test_pickled_arrays_are_never_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = EmbeddingCache(tmp_path)
    np.savez(cache.path("key"), tokens=np.array([{"any": "object"}], dtype=object))
    assert cache.read("key") is None
    assert "is damaged" in caplog.text


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"Embeddings cannot be written to .*file .*; name another folder by `cache` of"):
        EmbeddingCache(tmp_path / "file").write({"tokens": np.ones(1)}, "key")


def test_the_folder_is_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path))
    assert EmbeddingCache().folder == tmp_path / "clip"
