"""Damaged MATLAB elements are told before the library ends the process with them; sound ones of every kind pass."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.mat_elements import check_elements
from hyperalign.errors import InputError

CUBE = np.random.default_rng(0).integers(0, 2000, (6, 7, 5)).astype(np.uint16)
CONTENT: dict[str, Any] = {
    "cube": CUBE,
    "text": "a name",
    "empty": np.zeros((0, 3)),
    "z": CUBE[:, :, 0] + 1j,
    "sparse": scipy.sparse.eye(4).tocsc(),
    "flag": CUBE[:, :, 0] > 3,
    "cell": np.array([CUBE[0], "word", np.zeros(0)], dtype=object),
    "s": {"wavelength": np.arange(5.0), "deep": {"er": CUBE}, "nothing": np.array([])},
    "long": np.arange(9000.0).reshape(90, 100),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("version", ["4", "5"])
def test_sound_files_of_every_kind_of_array_pass(tmp_path: Path, version: str, compressed: bool) -> None:
    path = tmp_path / "x.mat"
    content = CONTENT if version == "5" else {"matrix": CUBE[0].astype(float), "text": "word"}
    scipy.io.savemat(path, content, format=version, do_compression=compressed and version == "5")
    check_elements(path)


def tag_of_data(raw: bytearray) -> int:
    """Where the tag of the cube's values begins: after the name, which stands in a short element of eight bytes."""
    return raw.index(b"\x01\x00\x04\x00cube") + 8


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", [0, 8, 11, 14, 15, 0x2004, 0x0B0001, 0xFFFFFFFF])
def test_an_element_of_no_type_is_one_sentence(tmp_path: Path, kind: int, compressed: bool) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"cube": CUBE})
    raw = bytearray(path.read_bytes())
    at = tag_of_data(raw)
    assert raw[at : at + 4] == b"\x04\x00\x00\x00"
    raw[at : at + 4] = kind.to_bytes(4, "little")
    if compressed:
        packed = zlib.compress(bytes(raw[128:]))
        raw = raw[:128] + (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"^The file is damaged, as (an element is of type|a short element is too)"):
        check_elements(path)
    with pytest.raises(InputError, match=r"x\.mat of \d+ bytes is truncated or is no MATLAB file"):
        open_cube(path)


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (128, 7, "an element of type 7 stands where an array is expected"),
        (132, 1 << 20, "it ends early"),
        (136, 5, "an element is of type 5"),
        (140, 64, "an element is too long"),
        (144, 99, "an array is of class 99"),
        (152, 6, "an element is of type 6"),
        (156, 4, "an array has impossible sizes"),
        (160, 0xFFFFFFFF, "an array has impossible sizes"),
    ],
)
def test_each_damage_is_told(tmp_path: Path, at: int, value: int, what: str) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"cube": CUBE})
    raw = bytearray(path.read_bytes())
    raw[at : at + 4] = value.to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(InputError, match=what):
        check_elements(path)


def test_cut_compressed_elements_and_cut_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"s": {"wavelength": np.arange(5.0), "b": CUBE}})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"\x05\x00\x04\x00")  # the length of the names
    raw[at + 4 : at + 8] = (7).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(InputError, match="the names of a struct's fields are cut"):
        check_elements(path)
    packed = zlib.compress(bytes(raw[128:200]))
    path.write_bytes(raw[:128] + (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed)
    with pytest.raises(InputError, match=r"a compressed element ends early|are cut"):
        check_elements(path)
