"""What every cube offers: windows, maxima, missing values, depths and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from datamodules.scenes.facts.missing import Missing
from datamodules.scenes.readers import EnviCube, MatCube, check_depth, check_shape, cube_file, open_cube
from datamodules.scenes.readers.cube_file import CubeFile, release, take
from tests.datamodules.fake_chikusei import fake_scene, write_envi, write_matlab
from tests.datamodules.scenes.make_cubes import cube_values


def test_eight_bits_where_sixteen_are_expected(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", cube_values().astype(np.uint8))
    with pytest.raises(ValueError, match=r"a\.npy holds uint8 values, at most 255, .* 257 times too dark.* to 255"):
        check_depth(open_cube(tmp_path / "a.npy"), 65535)
    check_depth(open_cube(tmp_path / "a.npy"), 255)
    np.save(tmp_path / "a.npy", cube_values().astype(np.float32))
    check_depth(open_cube(tmp_path / "a.npy"), 65535)


def _written(tmp_path: Path, kind: str, array: np.ndarray[Any, Any]) -> MatCube | EnviCube:
    if kind in ("bsq", "bil", "bip"):
        return EnviCube(write_envi(tmp_path / f"a.{kind}", array, None, kind))
    if kind == "v5":
        scipy.io.savemat(tmp_path / "a.mat", {"cube": array})
        return MatCube(tmp_path / "a.mat", "cube")
    chunks = {"contiguous": None, "small": (2, 3, 4), "bands": (1, 9, 12)}[kind]
    return MatCube(write_matlab(tmp_path / "a.mat", "cube", array, chunks), "cube")


@pytest.mark.parametrize("kind", ["contiguous", "small", "bands", "v5", "bsq", "bil", "bip"])
def test_windows_and_maxima(tmp_path: Path, kind: str) -> None:
    array = fake_scene(12, 9, 5)
    array[11, 8, 4] = 20000
    cube = _written(tmp_path, kind, array)
    assert cube.shape == (5, 12, 9)
    window = cube.window(2, 3, 6, 4)
    assert np.array_equal(window, array[2:8, 3:7].transpose(2, 0, 1))
    assert window.flags.c_contiguous
    assert window.dtype.isnative
    assert cube.maximum(2, 3, 6, 4) == array[2:8, 3:7].max()
    assert cube.maximum(0, 0, 12, 9) == 20000


@pytest.mark.parametrize("kind", ["contiguous", "small", "v5"])
def test_a_maximum_leaves_out_what_is_not_finite(tmp_path: Path, kind: str) -> None:
    array = fake_scene(4, 5, 3)
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    cube = _written(tmp_path, kind, array)
    assert cube.maximum(0, 0, 4, 5) == array[np.isfinite(array)].max()
    assert cube.maximum(0, 0, 1, 1) == array[0, 0, 1:].max()
    assert _written(tmp_path, kind, array * np.nan).maximum(0, 0, 4, 5) == -np.inf


def test_shapes() -> None:
    check_shape((2, 3, 4), (2, 3, 4), "x")
    with pytest.raises(ValueError, match="The axes of x are exchanged, 4 x 3 x 2 where 2 x 3 x 4 is expected"):
        check_shape((4, 3, 2), (2, 3, 4), "x")
    with pytest.raises(ValueError, match="The size of x is 2 x 3 where 2 x 3 x 4 is expected"):
        check_shape((2, 3), (2, 3, 4), "x")


class Numbers(CubeFile):
    """A cube that counts its values, and the reads of it."""

    reads = 0

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        self.reads += 1
        values: NDArray[Any] = np.arange(float(np.prod(self.shape)), dtype=self.dtype).reshape(self.shape)
        return values[:, rows, columns]


def numbers(height: int = 6, width: int = 5) -> Numbers:
    return Numbers(Path("numbers"), (2, height, width), np.dtype(">f4"))


def test_a_window_is_a_copy_of_its_own_in_this_machines_order() -> None:
    cube = numbers()
    window = cube.window(1, 2, 3, 2)
    assert window.tolist() == [[[r * 5 + c + b * 30 for c in (2, 3)] for r in (1, 2, 3)] for b in (0, 1)]
    assert cube.dtype.isnative
    window[:] = -1
    assert cube.window(1, 2, 1, 1)[0, 0, 0] == 7


def test_the_first_missing_value_is_named_by_its_place() -> None:
    cube = numbers()
    assert cube.missing(0, 0, cube.window(0, 0, 6, 5)) is None
    cube.marks = Missing((37.0, 43.0), word="data ignore value")
    with pytest.raises(
        ValueError,
        match=r"numbers holds missing values \(37, .*data ignore value.*\), 2 in this part, the first in band 1 at row "
        r"1, column 2",
    ):
        cube.complete(1, 1, 3, 4)
    assert cube.complete(4, 0, 2, 5).shape == (2, 2, 5)


def test_a_maximum_is_read_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube_file, "_STRIP_VALUES", 2 * 5 * 4)
    cube = numbers(10)
    assert cube.maximum(1, 0, 8, 5) == 94
    assert cube.reads == 2
    cube.marks = Missing((94.0,))
    assert cube.maximum(1, 0, 8, 5) == 93


def test_a_window_takes_no_more_memory_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "numbers").write_bytes(b"")
    cube = numbers()
    cube.path = tmp_path / "numbers"
    cube.max_bytes = 2 * 3 * 5 * 4
    assert cube.window(0, 0, 3, 5).nbytes == cube.max_bytes
    with pytest.raises(ValueError, match=r"numbers of 0 bytes is decoded in a window into 160 bytes of memory"):
        cube.window(0, 0, 4, 5)
    assert cube.reads == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_take_is_the_window_of_the_transposed_array(order: tuple[int, int, int]) -> None:
    cube = np.arange(3 * 5 * 7).reshape(3, 5, 7)
    stored = cube.transpose(np.argsort(order))
    assert np.array_equal(take(stored, order, slice(1, 4), slice(2, 6)), cube[:, 1:4, 2:6])


def _resident_file_pages() -> int:
    """KiB of mapped files that are in this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what is resident")
# Not of bands one after another: those of a file this small lie within what the system maps at once.
@pytest.mark.parametrize("kind", ["bil", "bip"])
def test_a_window_holds_no_more_of_a_mapped_file_than_a_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows, columns, bands = 256, 1024, 32
    array = np.random.default_rng(0).integers(0, 30000, (rows, columns, bands), np.uint16)
    cube = EnviCube(write_envi(tmp_path / "a.dat", array, None, kind))
    whole = array.nbytes // 1024
    held: list[int] = []
    before = _resident_file_pages()

    def releasing(part: NDArray[Any]) -> None:
        held.append(_resident_file_pages() - before)
        release(part)

    monkeypatch.setattr(cube_file, "_MAPPED_BYTES", 1 << 21)
    monkeypatch.setattr(cube_file, "release", releasing)
    window = cube.window(0, 100, rows, 900)
    assert np.array_equal(window, array[:, 100:1000].transpose(2, 0, 1))
    assert len(held) == 8
    assert max(held) < whole // 2
    assert _resident_file_pages() - before < whole // 8
