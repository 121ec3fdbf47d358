"""Errors of the system are told from damage, whatever library they come through."""

from __future__ import annotations

import contextlib
import errno
import resource
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.readers import open_cube
from tests.datamodules.scenes.make_cubes import write_cube


def test_the_cause_is_found_behind_a_librarys_error(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"x")
    for error in (
        OSError(errno.EMFILE, "Too many open files"),
        OSError("Unable to open file (errno = 24, error message = 'Too many open files')"),
    ):
        with pytest.raises(OSError, match=r"a\.h5 cannot be read \(Too many open files\): raise the limit"):
            raise_true_cause(path, error)
    outer = RuntimeError("cannot open")
    outer.__cause__ = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(OSError, match=r"\(Permission denied\): allow reading it"):
        raise_true_cause(path, outer)
    raise_true_cause(path, ValueError("damaged"))
    raise_true_cause(path, OSError("file signature not found"))


@pytest.mark.parametrize("kind", ["bsq", "mat5", "mat73", "npy", "npz", "h5", "tiff", "tiff_deflate", "png"])
def test_too_many_open_files_are_no_damage_in_any_format(tmp_path: Path, kind: str) -> None:
    path = write_cube(tmp_path / kind, kind, np.random.default_rng(0).integers(1, 2000, (5, 12, 15)).astype(np.uint16))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[BinaryIO] = []
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(entry.name) for entry in Path("/dev/fd").iterdir()) + 4, before[1])
        )
        with contextlib.suppress(OSError):
            while True:
                held.append(path.parent.joinpath("held").open("ab"))
        with pytest.raises(OSError, match=r"cannot be read \(Too many open files\): raise the limit \(`ulimit -n`\)"):
            open_cube(path).window(0, 0, 2, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for file in held:
            file.close()
    assert open_cube(path).window(0, 0, 2, 2).shape == (5, 2, 2)
