"""Windows of mapped scenes."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.scenes import MappedScene, Observation, ReadObservation

WAVELENGTHS = (470.0, 550.0, 660.0)


@pytest.fixture
def scene(tmp_path: Path) -> MappedScene:
    np.save(tmp_path / "cube.npy", np.arange(3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7))
    return MappedScene("one", tmp_path / "cube.npy", WAVELENGTHS, "a caption")


def test_shape_window_and_load(scene: MappedScene) -> None:
    assert scene.shape == (3, 5, 7)
    window = scene.window(1, 2, 2, 3)
    assert window.dtype == torch.float32
    assert window[2].tolist() == [[79, 80, 81], [86, 87, 88]]
    loaded = scene.load()
    assert (loaded.name, loaded.wavelengths, loaded.caption) == ("one", WAVELENGTHS, "a caption")
    assert torch.equal(loaded.cube, torch.arange(105.0).reshape(3, 5, 7))


def test_windows_are_copies(scene: MappedScene) -> None:
    scene.window(0, 0, 5, 7).zero_()
    scene.load().cube.zero_()
    assert scene.window(4, 6, 1, 1)[2].item() == 104


def test_a_replaced_file_is_read_anew(scene: MappedScene) -> None:
    assert scene.window(0, 0, 1, 1).flatten().tolist() == [0, 35, 70]
    np.save(scene.path.with_name("new.npy"), np.ones((3, 5, 7), np.float32))
    scene.path.with_name("new.npy").replace(scene.path)
    assert scene.window(0, 0, 1, 1).flatten().tolist() == [1, 1, 1]


def test_it_travels_as_a_path(scene: MappedScene) -> None:
    scene.load()
    sent = pickle.dumps(scene)
    assert len(sent) < 1000
    assert torch.equal(pickle.loads(sent).load().cube, scene.load().cube)  # noqa: S301


@pytest.mark.parametrize("window", [(-1, 0, 2, 2), (0, -1, 2, 2), (4, 0, 2, 2), (0, 6, 2, 2), (0, 0, 0, 1)])
def test_a_window_outside_is_refused(scene: MappedScene, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="leaves the scene 'one' of 5 x 7 pixels"):
        scene.window(*window)


def test_a_missing_file(scene: MappedScene) -> None:
    scene.path.unlink()
    with pytest.raises(FileNotFoundError, match=r"cube file of scene 'one' is missing at .*cube\.npy"):
        scene.load()


@pytest.mark.parametrize("left", [0, 5, 130, 300])
def test_a_truncated_file(scene: MappedScene, left: int) -> None:
    scene.path.write_bytes(scene.path.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"cube file of scene 'one' at .* is damaged or is no \.npy file"):
        scene.load()


@pytest.mark.parametrize("array", [np.zeros((3, 5, 7)), np.zeros((4, 5, 7), np.float32), np.zeros((3, 5), np.float32)])
def test_a_cube_of_another_kind(scene: MappedScene, array: NDArray[Any]) -> None:
    np.save(scene.path, array)
    with pytest.raises(ValueError, match="where a float32 cube of 3 bands is expected"):
        _ = scene.shape


def test_an_observation_is_read_whenever_it_is_asked_for() -> None:
    reads: list[int] = []

    def read() -> torch.Tensor:
        reads.append(1)
        return torch.ones(3, 5, 7)

    one = ReadObservation("one", read, (3, 5, 7), WAVELENGTHS)
    assert isinstance(one, Observation)
    assert (one.values, reads) == (105, [])
    assert torch.equal(one.cube, one.cube)
    assert len(reads) == 2
    assert (one.name, one.caption, one.multispectral, one.phase) == ("one", "", None, None)
    assert Observation("two", torch.zeros(2, 3, 4), WAVELENGTHS).values == 24
