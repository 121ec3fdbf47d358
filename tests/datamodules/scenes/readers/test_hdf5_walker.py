"""What the walking process answers, asked in this one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.scenes.readers import hdf5_walker
from tests.datamodules.scenes.make_cubes import cube_values, write_cube


@pytest.fixture(autouse=True)
def without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are the process's own, and this one has more to do."""
    monkeypatch.setattr(hdf5_walker, "_limit_work", lambda: None)
    monkeypatch.setattr(hdf5_walker, "_limit_memory", lambda: None)


def asked(*paths: Path) -> list[tuple[int, dict[str, str]]]:
    """Signs of life and answer for every file."""
    answers = io.BytesIO()
    hdf5_walker.main(io.BytesIO(b"".join(json.dumps([str(path)]).encode() + b"\n" for path in paths)), answers)
    lines = answers.getvalue().splitlines()
    assert len(lines) == len(paths)
    return [(len(line) - len(line.lstrip(b".")), json.loads(line.lstrip(b"."))) for line in lines]


@pytest.mark.parametrize("kind", ["h5", "nc", "mat73"])
def test_a_sound_file_is_walked_over_with_a_sign_for_each_object(tmp_path: Path, kind: str) -> None:
    ((signs, answer),) = asked(write_cube(tmp_path, kind, cube_values(), [420.0, 450.0, 480.0, 510.5, 660.0]))
    assert answer == {}
    assert signs >= 3


def test_an_error_is_left_to_who_opens_the_file_and_the_next_request_is_met(tmp_path: Path) -> None:
    sound = write_cube(tmp_path, "h5", cube_values())
    (tmp_path / "text.h5").write_text("no HDF5")
    assert [answer for _, answer in asked(tmp_path / "text.h5", tmp_path / "absent.h5", sound)] == [
        {"met": "OSError"},
        {"met": "FileNotFoundError"},
        {},
    ]


def test_circles_links_and_large_lists_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("a/b")
        group["up"] = file["a"]
        group["outside"] = h5py.ExternalLink("other.h5", "/x")
        group["nowhere"] = h5py.SoftLink("/absent")
        file.create_dataset("empty", data=h5py.Empty("f4"))
        file.create_dataset("kept elsewhere", (4, 4), "f4", external=[("other.bin", 0, 64)])
        file.create_dataset("many chunks", (1 << 10, 1 << 10), "f4", chunks=(1, 1))
        file.create_dataset("cube", data=np.zeros((64, 64, 64), "f4"), chunks=(8, 8, 8), compression="gzip")
    ((_, answer),) = asked(tmp_path / "a.h5")
    assert answer == {}


def test_lists_that_no_memory_holds_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hdf5_walker, "_walk", full)
    ((_, answer),) = asked(write_cube(tmp_path, "h5", cube_values()))
    assert answer == {"error": "its lists are too large"}
