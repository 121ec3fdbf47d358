"""Cubes that are decoded whole: once, and again when their file is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import decoded, open_cube
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    first = open_cube(write_cube(tmp_path, "mat5", cube_values()))
    assert first.window(0, 0, 1, 1)[0, 0, 0] == cube_values()[0, 0, 0]
    write_cube(tmp_path, "mat5", cube_values() + np.uint16(1), CENTRES)
    assert first.window(0, 0, 1, 1)[0, 0, 0] == cube_values()[0, 0, 0] + 1


def test_a_file_that_cannot_be_read_in_part_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = open_cube(write_cube(tmp_path, "npz", cube_values()), key="cube")
    calls = []
    decode = type(cube)._decode  # type: ignore[attr-defined]

    def counted(self: object) -> object:
        calls.append(1)
        return decode(self)

    monkeypatch.setattr(type(cube), "_decode", counted)
    for row in range(12):
        cube.window(row, 0, 1, 15)
    assert len(calls) == 1


def test_only_the_last_decoded_cube_is_kept(tmp_path: Path) -> None:
    first = open_cube(write_cube(tmp_path / "a", "npz", cube_values()), key="cube")
    second = open_cube(write_cube(tmp_path / "b", "npz", cube_values() + np.uint16(1)), key="cube")
    for _ in range(2):
        assert first.window(2, 3, 1, 1)[0, 0, 0] + 1 == second.window(2, 3, 1, 1)[0, 0, 0]
    assert decoded._decoded.cache_info().currsize == 1


def test_two_arrays_and_two_orders_of_one_file_are_told_apart(tmp_path: Path) -> None:
    values = cube_values(4, 4, 4)
    np.savez(tmp_path / "a.npz", allow_pickle=False, one=values, two=values + 1)
    opened = [open_cube(tmp_path / "a.npz", key=key, axes=axes) for key in ("one", "two") for axes in ("CHW", "HWC")]
    expected = [form for cube in (values, values + 1) for form in (cube, cube.transpose(2, 0, 1))]
    for cube, array in zip(opened, expected, strict=True):
        assert np.array_equal(cube.window(0, 0, 4, 4), array)


def test_a_cube_that_would_not_fit_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = open_cube(write_cube(tmp_path, "npz", cube_values()), key="cube", max_bytes=5 * 12 * 15 * 2 - 1)
    monkeypatch.setattr(type(cube), "_decode", None)
    with pytest.raises(ValueError, match=r"cube\.npz .*whole"):
        cube.window(0, 0, 1, 1)
