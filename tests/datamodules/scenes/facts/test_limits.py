"""Small files that claim to be large are refused by a stated limit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from datamodules.scenes.facts.limits import TooLargeError
from datamodules.scenes.readers import open_cube

SENTENCE = r"bytes is decoded .* into [\d,]+ bytes of memory, more than the limit max_bytes = 100,000: .* raise that"


def test_formats_that_are_decoded_whole(tmp_path: Path) -> None:
    cube = np.zeros((200, 100, 30), np.float64)
    np.savez_compressed(tmp_path / "a.npz", allow_pickle=False, cube=cube.transpose(2, 0, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"cube": cube}, do_compression=True)
    (tmp_path / "a").mkdir()
    for band in range(9):
        Image.fromarray(np.zeros((200, 100), np.uint8)).save(tmp_path / "a" / f"b_{band}.png")
    for name in ("a.npz", "a.mat", "a"):
        file = open_cube(tmp_path / name, max_bytes=100_000)
        with pytest.raises(TooLargeError, match=SENTENCE):
            file.window(0, 0, 1, 1)
        assert open_cube(tmp_path / name).window(0, 0, 1, 1).shape[1:] == (1, 1)


def test_windows_of_a_file_that_claims_terabytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("cube", (31, 1 << 20, 1 << 20), "f4", chunks=(1, 64, 64), compression="gzip")
    assert (tmp_path / "a.h5").stat().st_size < 100_000
    file = open_cube(tmp_path / "a.h5")
    assert file.window(5, 5, 2, 2).shape == (31, 2, 2)
    with pytest.raises(TooLargeError, match=r"in a window into [\d,]+ bytes of memory"):
        file.window(0, 0, 1 << 14, 1 << 14)


def test_a_picture_of_more_pixels_than_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for band in range(2):
        path = folder / f"b_{band}.png"
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        raw = bytearray(path.read_bytes())
        raw[16:24] = (60000).to_bytes(4) * 2
        path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"b_0\.png of \d+ bytes (claims more pixels|is truncated)"):
        open_cube(folder)


def test_a_sound_archive_is_no_bomb(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", allow_pickle=False, cube=np.ones((3, 9, 9)))
    assert zipfile.is_zipfile(tmp_path / "a.npz")
    assert open_cube(tmp_path / "a.npz", max_bytes=3 * 9 * 9 * 8).window(0, 0, 9, 9).sum() == 243
