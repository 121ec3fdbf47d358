"""What was measured beside a scene lies on its grid and holds finite values, or is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.scenes.measured import MeasuredKind, check_measured, check_same_grid
from datamodules.scenes.scene import MappedScene, Scene

WAVELENGTHS = (450.0, 550.0, 650.0)


def test_noise_outside_of_the_unit_range_is_kept() -> None:
    image = Scene("a", torch.tensor([-0.5, 0.5, 1.5]).reshape(3, 1, 1), WAVELENGTHS)
    assert check_measured(image, "observation") is image


@pytest.mark.parametrize(
    ("cube", "shape"),
    [
        (torch.zeros(3, 4, 4, dtype=torch.float64), r"torch\.float64 tensor of shape \(3, 4, 4\)"),
        (torch.zeros(2, 4, 4), r"torch\.float32 tensor of shape \(2, 4, 4\) for 3 wavelengths"),
        (torch.zeros(3, 4), r"of shape \(3, 4\)"),
        (torch.zeros(3, 0, 4), r"of shape \(3, 0, 4\)"),
    ],
)
def test_what_is_no_cube_of_these_wavelengths(cube: Tensor, shape: str) -> None:
    with pytest.raises(ValueError, match=f"^The measured multispectral of 'a' is a .*{shape}.*: give a float32 cube"):
        check_measured(Scene("a", cube, WAVELENGTHS), "multispectral")


def test_the_first_value_that_is_not_finite_is_named_by_its_place() -> None:
    cube = torch.zeros(3, 4, 5)
    cube[1, 2, 3], cube[2, 0, 0] = torch.nan, torch.inf
    with pytest.raises(
        ValueError, match=r"has 2 values that are NaN or infinite, the first in band 1 at row 2, col.*3"
    ):
        check_measured(Scene("a", cube, WAVELENGTHS), "observation")


def mapped(path: Path, *shape: int) -> MappedScene:
    np.save(path, np.zeros(shape, np.float32))
    return MappedScene("a", path, tuple(400.0 + band for band in range(shape[0])))


@pytest.mark.parametrize(
    ("kind", "shape", "fits"),
    [
        ("observation", (3, 4, 5), True),
        ("multispectral", (2, 4, 5), True),
        ("observation", (2, 4, 5), False),
        ("multispectral", (3, 5, 4), False),
        ("observation", (3, 4, 4), False),
    ],
)
def test_an_image_lies_pixel_by_pixel_on_its_scene(
    tmp_path: Path, kind: MeasuredKind, shape: tuple[int, int, int], fits: bool
) -> None:
    scene, image = mapped(tmp_path / "scene.npy", 3, 4, 5), mapped(tmp_path / "image.npy", *shape)
    check_same_grid(scene, {})
    if fits:
        check_same_grid(scene, {kind: image})
        return
    sizes = " x ".join(map(str, shape))
    with pytest.raises(ValueError, match=f"^The measured {kind} of 'a' has {sizes} values where its scene has 3 x 4 x"):
        check_same_grid(scene, {kind: image})
