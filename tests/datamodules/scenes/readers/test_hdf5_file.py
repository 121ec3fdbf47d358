"""HDF5 files are opened only after a process of its own has come to an end with them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.scenes.readers import hdf5_file, helper_process, open_cube
from tests.datamodules.scenes.make_cubes import cube_values, write_cube
from tests.datamodules.scenes.readers.crash import check_a_crash_is_named


def with_an_empty_heap(path: Path) -> Path:
    """Zero the objects of the first heap of texts: the library goes round for ever at a free space of no bytes."""
    whole = bytearray(path.read_bytes())
    at = whole.index(b"GCOL") + 16
    whole[at : at + 64] = bytes(64)
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(("kind", "what"), [("h5", "HDF5"), ("nc", "HDF5"), ("mat73", "MATLAB")])
def test_a_file_with_which_the_library_comes_to_no_end_is_named(tmp_path: Path, kind: str, what: str) -> None:
    path = write_cube(tmp_path, kind, cube_values())
    with h5py.File(path, "a") as file:
        next(iter(file.values())).attrs["remark"] = "of variable length"
    with pytest.raises(ValueError, match=rf"of \d+ bytes is truncated or is no {what} file"):
        open_cube(with_an_empty_heap(path))
    other = write_cube(tmp_path / "other", kind, cube_values())
    assert open_cube(other).window(0, 0, 12, 15).shape == (5, 12, 15)


def test_a_file_that_ends_the_walker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_a_crash_is_named(tmp_path, monkeypatch, "h5", hdf5_file, "_WALKER", "is truncated or is no HDF5 file")


def test_a_file_is_walked_over_once_and_again_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(script: Path, path: Path, request: object) -> tuple[dict[str, object], list[bytes]]:
        asked.append(path.name)
        return {}, []

    monkeypatch.setattr(hdf5_file, "ask_helper", noted)
    path = write_cube(tmp_path, "h5", cube_values())
    cube = open_cube(path)
    cube.window(0, 0, 3, 3)
    cube.window(3, 3, 3, 3)
    assert asked == ["cube.h5"]
    with h5py.File(path, "a") as file:
        file["more"] = np.arange(5000.0)
    assert open_cube(path).shape == (5, 12, 15)
    assert asked == ["cube.h5"] * 2


def test_one_walker_serves_many_files(tmp_path: Path) -> None:
    numbers = set()
    for name in ("a", "b", "c"):
        open_cube(write_cube(tmp_path / name, "h5", cube_values()))
        numbers.add(helper_process._running[hdf5_file._WALKER].process.pid)
    assert len(numbers) == 1
