"""One PNG a band."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from datamodules.scenes.readers import read_png_stack
from datamodules.scenes.readers.png_stack import band_files


@pytest.fixture
def values() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 65536, (12, 6, 9)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path, values: NDArray[np.uint16]) -> Path:
    for band, plane in enumerate(values, start=1):
        Image.fromarray(plane).save(tmp_path / f"toy_ms_{band:02d}.png")
    return tmp_path


def _write(path: Path, pixels: NDArray[Any]) -> None:
    Image.fromarray(pixels).save(path)


def test_sixteen_bits_come_out_exactly(folder: Path, values: NDArray[np.uint16]) -> None:
    cube = read_png_stack(folder, 12)
    assert cube.dtype == torch.float32
    assert cube.shape == (12, 6, 9)
    assert np.array_equal(np.rint(cube.double().numpy() * 65535), values)


def test_full_scale_is_one_for_both_depths(folder: Path) -> None:
    _write(folder / "toy_ms_01.png", np.full((6, 9), 65535, np.uint16))
    _write(folder / "toy_ms_02.png", np.full((6, 9), 255, np.uint8))
    assert read_png_stack(folder, 2).unique().tolist() == [1.0]


@pytest.mark.parametrize("planes", [2, 3, 4])
def test_equal_planes_are_one_grey_plane(folder: Path, planes: int) -> None:
    grey = np.arange(54, dtype=np.uint8).reshape(6, 9)
    pixels = np.stack([grey] * planes, axis=-1)
    if planes != 3:
        pixels[..., -1] = 255
    _write(folder / "toy_ms_01.png", pixels)
    assert torch.equal(read_png_stack(folder, 1)[0], torch.from_numpy(grey) / 255)


def test_other_files_are_left_out_and_digits_decide_the_order(folder: Path) -> None:
    for name in ("Thumbs.db", "toy_RGB.bmp", "._toy_ms_03.png", "toy_ms_7.png", "toy.png"):
        (folder / name).write_bytes(b"no band")
    (folder / "toy_ms_02.png").rename(folder / "zzz_02.PNG")
    files = band_files(folder)
    assert list(sorted(files)) == list(range(1, 13))
    assert files[2].name == "zzz_02.PNG"


def test_missing_bands_are_named(folder: Path) -> None:
    for band in (3, 11):
        (folder / f"toy_ms_{band:02d}.png").unlink()
    with pytest.raises(FileNotFoundError, match="lacks the PNG of band 03, 11 of 12"):
        read_png_stack(folder, 12)


def test_two_files_for_a_band(folder: Path) -> None:
    (folder / "other_02.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"two files for band 02, other_02\.png and toy_ms_02\.png"):
        read_png_stack(folder, 12)


@pytest.mark.parametrize("left", [0, 4, 20, 60, -30, -12])
def test_a_truncated_file_is_named(folder: Path, left: int) -> None:
    path = folder / "toy_ms_05.png"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"picture .*toy_ms_05\.png of \d+ bytes is truncated"):
        read_png_stack(folder, 12)


def test_a_flipped_byte_is_noticed(folder: Path) -> None:
    path = folder / "toy_ms_05.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"toy_ms_05\.png of \d+ bytes is truncated or damaged"):
        read_png_stack(folder, 12)


def test_a_colour_picture_is_refused(folder: Path) -> None:
    _write(folder / "toy_ms_04.png", np.random.default_rng(1).integers(0, 255, (6, 9, 3)).astype(np.uint8))
    with pytest.raises(ValueError, match=r"toy_ms_04\.png is in colour"):
        read_png_stack(folder, 12)


def test_another_size_is_refused(folder: Path) -> None:
    _write(folder / "toy_ms_04.png", np.zeros((6, 8), np.uint16))
    with pytest.raises(ValueError, match=r"toy_ms_04\.png has 6 x 8 pixels where the first band has 6 x 9"):
        read_png_stack(folder, 12)


def test_one_bit_pictures_are_refused(folder: Path) -> None:
    _write(folder / "toy_ms_04.png", np.zeros((6, 9), bool))
    with pytest.raises(ValueError, match=r"toy_ms_04\.png has bool values where 8 or 16 bits are expected"):
        read_png_stack(folder, 12)
