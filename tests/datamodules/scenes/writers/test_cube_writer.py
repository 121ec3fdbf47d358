"""A cube appears under its name when it is whole, and its values fit their type."""

from __future__ import annotations

import multiprocessing
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.writers import writer_for
from datamodules.scenes.writers.cube_writer import converted
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube
from tests.datamodules.scenes.writers.by_tiles import output_of, written_by_tiles


@pytest.mark.parametrize("kind", ["bsq", "mat5", "png"])
def test_an_error_leaves_nothing_and_an_older_file_as_it_was(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path = output_of(source, tmp_path / "out")
    written_by_tiles(writer_for(source, path), cube_values())
    before = sorted(entry.name for entry in path.parent.rglob("*"))
    with pytest.raises(RuntimeError, match="stopped"), writer_for(source, path) as writer:
        writer.write(0, 0, np.zeros((5, 12, 15)))
        raise RuntimeError("stopped")
    assert sorted(entry.name for entry in path.parent.rglob("*")) == before
    assert np.array_equal(open_cube(path).window(0, 0, 12, 15), cube_values())
    written_by_tiles(writer_for(source, path), np.ones((5, 12, 15)))
    assert sorted(entry.name for entry in path.parent.rglob("*")) == before
    assert open_cube(path).maximum(0, 0, 12, 15) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_has_its_name_before_it_is_closed(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path / "in", kind, cube_values(), CENTRES))
    path = output_of(source, tmp_path / "out")
    writer = writer_for(source, path)
    writer.write(0, 0, np.zeros((5, 12, 15)))
    assert all(entry.name.startswith(".") for entry in path.parent.iterdir())
    writer.close()
    assert path.exists()


def test_integers_are_rounded_and_cut_to_their_range(tmp_path: Path) -> None:
    source = open_cube(write_cube(tmp_path / "in", "npy", cube_values()))
    with writer_for(source, tmp_path / "a.npy", np.uint8, shape=(1, 1, 5)) as writer:
        writer.write(0, 0, np.array([[[-3.0, 0.49, 1.5, 254.6, 1e9]]]))
    assert np.load(tmp_path / "a.npy").ravel().tolist() == [0, 0, 2, 255, 255]
    with writer_for(source, tmp_path / "b.npy", np.int64, shape=(1, 1, 2)) as writer:
        writer.write(0, 0, np.array([[[-1e30, 1e30]]]))
    low, high = np.load(tmp_path / "b.npy").ravel().tolist()
    assert low == -(2**63)
    assert high > 2**62
    writer = writer_for(source, tmp_path / "c.npy", np.uint8, shape=(1, 1, 1))
    with pytest.raises(ValueError, match=r"c\.npy of uint8 values cannot hold NaN.*: choose a floating type"):
        writer.write(0, 0, np.full((1, 1, 1), np.nan))
    writer.discard()


def test_converted_is_the_nearest_value_of_the_type() -> None:
    block = np.array([-1e9, -3.5, -2.5, 0.49, 0.5, 1.5, 126.6, 127.4, 1e9]).reshape(1, 1, 9)
    for name in ("int8", "uint8", "int16", "uint32"):
        limits = np.iinfo(name)
        expected = [min(max(round(value), limits.min), limits.max) for value in block.ravel().tolist()]
        assert converted(block, np.dtype(name), Path("x")).ravel().tolist() == expected
    whole = np.array([[[-5, 300]]])
    assert converted(whole, np.dtype("uint8"), Path("x")).ravel().tolist() == [0, 255]
    same = np.ones((1, 2, 3), np.float32)
    assert converted(same, same.dtype, Path("x")) is same


def test_closing_fails_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_cube(write_cube(tmp_path / "in", "npz", cube_values(), CENTRES))
    writer = writer_for(source, tmp_path / "out" / "a.npz")
    writer.write(0, 0, cube_values())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_encode", full)
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert list((tmp_path / "out").iterdir()) == []


def _limited(folder: Path, kind: str, answers: Any) -> None:  # noqa: ANN401
    """Write a cube where no file may grow beyond some bytes, as on a full disk."""
    source = open_cube(write_cube(folder / "in", kind, cube_values(), CENTRES), axes="CHW" if kind == "npy" else None)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        with writer_for(source, folder / "out" / source.path.name, shape=(5, 60, 75)) as writer:
            writer.write(0, 0, np.zeros((5, 60, 75)))
    except OSError as error:
        answers.send((isinstance(error, OSError), [path.name for path in (folder / "out").rglob("*")]))
    else:
        answers.send((False, []))


@pytest.mark.parametrize("kind", ["bsq", "npy", "npz", "tiff", "mat5", "mat73", "h5", "png", "exr_float"])
def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_limited, args=(tmp_path, kind, sender))
    process.start()
    sender.close()
    answer = receiver.recv()
    process.join(300)
    assert answer == (True, [])
