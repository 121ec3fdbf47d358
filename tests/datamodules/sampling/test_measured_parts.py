"""Measured cubes are read one at a time, and tests see the same part of the clean cube."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import Folder
from datamodules.sampling.crops import Crop
from datamodules.sampling.measured_parts import ReadCubes, ScoredCubes, clean_files, shows_something
from datamodules.scenes import Observation
from hyperalign.errors import InputError, MissingFileError

TRAINED = (450.0, 550.0, 650.0)


def test_cubes_of_observations_and_some_of_them() -> None:
    observations = [Observation(str(number), torch.full((1, 2, 2), float(number)), (450.0,)) for number in range(4)]
    cubes = ReadCubes(observations)
    assert [float(cube[0, 0, 0]) for cube in cubes] == [0.0, 1.0, 2.0, 3.0]
    assert len(cubes) == 4
    some = cubes[1:3]
    assert isinstance(some, ReadCubes)
    assert [float(cube[0, 0, 0]) for cube in some] == [1.0, 2.0]


def test_a_part_and_the_same_part_of_the_clean_cube(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((3, 8, 9), dtype=np.float32)
    np.save(tmp_path / "a.npy", cube)
    np.save(tmp_path / "clean.npy", cube / 2)
    data = Folder(str(tmp_path), axes="CHW", wavelengths=list(TRAINED))
    noisy, clean = data.open_scenes({"wavelengths": TRAINED})
    parts = ScoredCubes(
        [(noisy, "a at 2, 3", Crop(2, 3, 4, 5), noisy.beside(clean.file)), (noisy, "a", Crop(0, 0, 8, 9), None)],
        TRAINED,
    )
    assert len(parts) == 2
    assert parts[0]["name"] == "a at 2, 3"
    assert np.array_equal(parts[0]["observation"].numpy(), cube[:, 2:6, 3:8])
    assert np.array_equal(parts[0]["target"].numpy(), cube[:, 2:6, 3:8] / 2)
    assert "target" not in parts[1]


def test_a_cube_shows_something_where_a_band_varies() -> None:
    bands = torch.linspace(0, 1, 3)[:, None, None].expand(3, 4, 4)
    assert not shows_something(bands)
    assert shows_something(bands + torch.eye(4) * torch.tensor([0.0, 1.0, 0.0])[:, None, None])


def test_clean_files_are_paired_by_name_whatever_their_formats(tmp_path: Path) -> None:
    for name in ("a.npy", "a.mat", "day/b.npy", "c.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = clean_files(tmp_path, ["a.mat", "a.npy", "day/b.img", "d.npy"])
    assert found == {"a.mat": tmp_path / "a.mat", "a.npy": tmp_path / "a.npy", "day/b.img": tmp_path / "day" / "b.npy"}
    with pytest.raises(InputError, match=r"Both a\.mat and a\.npy in .* could be the clean cube of a\.img: leave one"):
        clean_files(tmp_path, ["a.img"])
    with pytest.raises(MissingFileError, match=r"holds no clean cube called e, nor any other of the observed ones"):
        clean_files(tmp_path, ["e.npy"])
