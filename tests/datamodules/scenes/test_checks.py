"""Each rule for scenes and names has its sentence."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.scenes import Scene
from datamodules.scenes.checks import check_disjoint, check_folder, check_names, check_scene

WAVELENGTHS = (470.0, 550.0, 660.0)


def _cube(value: float = 0.5) -> Tensor:
    cube = torch.full((3, 4, 5), 0.5)
    cube[1, 2, 3] = value
    return cube


@pytest.mark.parametrize("value", [0.0, 1.0, 1.0 + 5e-7])
def test_a_sound_scene_passes(value: float) -> None:
    scene = Scene("one", _cube(value), WAVELENGTHS)
    assert check_scene(scene) is scene


@pytest.mark.parametrize(
    ("cube", "wavelengths", "sentence"),
    [
        (_cube().double(), WAVELENGTHS, "'one' is a torch.float64 tensor"),
        (_cube()[0], WAVELENGTHS, r"shape \(4, 5\)"),
        (_cube()[:, :0], WAVELENGTHS, r"shape \(3, 0, 5\)"),
        (_cube(), WAVELENGTHS[:2], "3 bands but 2 wavelengths"),
        (_cube(float("nan")), WAVELENGTHS, "1 values that are NaN or infinite, the first in band 1 at row 2, column 3"),
        (_cube(float("inf")), WAVELENGTHS, "1 values that are NaN or infinite"),
        (_cube(-1e-9), WAVELENGTHS, "1 negative values, the lowest -1e-09"),
        (_cube(1.3), WAVELENGTHS, "1 values above 1, the highest 1.3"),
        (_cube(), (400.0, 500.0, 600.0), "Scene 'one': .* do not cover 660 nm"),
    ],
)
def test_a_broken_rule_is_named(cube: Tensor, wavelengths: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_scene(Scene("one", cube, wavelengths))


def test_a_missing_folder(tmp_path: Path) -> None:
    assert check_folder(tmp_path, "data", "get it") == tmp_path
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*absent, where CAVE is expected: get it there"):
        check_folder(tmp_path / "absent", "CAVE", "get it there")


def test_names() -> None:
    assert check_names(["b", "a"], {"a", "b", "c"}, "training", "CAVE") == ("b", "a")
    with pytest.raises(ValueError, match=r"training scenes ballons are not in CAVE \(nearest is balloons\)"):
        check_names(["ballons"], {"balloons", "cd"}, "training", "CAVE")
    with pytest.raises(ValueError, match=r"not in CAVE \(there are balloons, cd\)"):
        check_names(["zzz"], {"balloons", "cd"}, "training", "CAVE")
    with pytest.raises(ValueError, match="name a twice"):
        check_names(["a", "b", "a"], {"a", "b"}, "training", "CAVE")


def test_shared_names() -> None:
    check_disjoint(["a"], ["b"], "training and validation")
    with pytest.raises(ValueError, match="training and validation scenes share b: put each scene in one"):
        check_disjoint(["a", "b"], ["b"], "training and validation")
