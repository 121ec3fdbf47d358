"""Damaged files of every format end in one sentence of ours: no traceback, no crash, no hang, no flood of memory.

By default three hundred seeded mutations of each way to write a cube, over five thousand in all; `make slow` tries five
thousand of each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers import open_cube
from hyperalign.errors import HyperalignError
from tests.datamodules.scenes.make_cubes import FORMATS, cube_values, write_cube

SECONDS, WAITED = 10.0, 100.0
"""Work of this process, and time on the clock, helpers' work included, of a machine that others use too."""

MAX_BYTES = 1 << 28


def mutations(whole: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Files with bits turned, bytes replaced, parts cut, doubled, zeroed or exchanged; most near the start."""
    random = np.random.default_rng(seed)
    for number in range(count):
        data = bytearray(whole)
        size = len(data)
        at = int(min(random.integers(size), random.integers(size)) if number % 3 else random.integers(min(size, 512)))
        length = int(random.integers(1, 64))
        kind = number % 7
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data[at : at + length] = random.bytes(len(data[at : at + length]))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif kind == 5:
            data[at : at + 4] = b"\xff\xff\xff\xff"[: len(data[at : at + 4])]
        else:
            del data[at : at + length]
        yield bytes(data)


def survives(path: Path, data: bytes) -> str:
    """Open and read one damaged file; return what is wrong with the answer, an empty text if nothing is."""
    path.write_bytes(data)
    folder = path.parent if path.suffix == ".png" else path
    start, begin = time.monotonic(), time.process_time()
    try:
        cube = open_cube(folder, max_bytes=MAX_BYTES)
        height, width = cube.shape[1:]
        values = cube.window(0, 0, min(height, 64), min(width, 64))
        cube.missing(0, 0, values)
    except HyperalignError as error:
        sentence = str(error)
        if "\n" in sentence.strip() or not sentence.endswith("."):
            return f"no sentence: {sentence!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if time.monotonic() - start < WAITED and time.process_time() - begin < SECONDS else "too slow"


def run(folder: Path, kind: str, count: int, seed: int) -> list[str]:
    """Mutate a file of a format, its header too where it has one, and return what went wrong."""
    path = write_cube(folder, kind, cube_values(), [420.0, 450.0, 480.0, 510.5, 660.0])
    files = [path / "scene_420nm.png"] if kind == "png" else [path]
    if kind in ("bsq", "bil", "bip"):
        files.append(path.with_suffix(".hdr"))
    wrong = []
    for file in files:
        whole = file.read_bytes()
        for number, data in enumerate(mutations(whole, count // len(files), seed)):
            file_or_image = path if file.suffix == ".hdr" else file
            if file.suffix == ".hdr":
                file.write_bytes(data)
                answer = survives(file_or_image, path.read_bytes())
            else:
                answer = survives(file, data)
            if answer:
                wrong.append(f"{file.name}, mutation {number}: {answer}")
        file.write_bytes(whole)
    return wrong


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    assert run(tmp_path, kind, 300, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_thousands_of_damaged_files(tmp_path: Path, kind: str) -> None:
    assert run(tmp_path, kind, 5000, seed=2) == []
