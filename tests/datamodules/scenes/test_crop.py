"""The centre of a scene."""

import pytest
import torch

from datamodules.scenes import Scene
from datamodules.scenes.crop import centre_crop


def _scene(height: int, width: int) -> Scene:
    return Scene("one", torch.arange(float(height * width)).reshape(1, height, width), (550.0,))


def test_the_centre_is_kept() -> None:
    assert centre_crop(_scene(6, 5), 2).cube.tolist() == [[[11.0, 12.0], [16.0, 17.0]]]


def test_no_size_and_a_larger_size_keep_everything() -> None:
    scene = _scene(6, 5)
    assert torch.equal(centre_crop(scene, None).cube, scene.cube)
    assert torch.equal(centre_crop(scene, 100).cube, scene.cube)


def test_sides_become_multiples_of_the_scale() -> None:
    assert centre_crop(_scene(11, 9), None, multiple=4).cube.shape == (1, 8, 8)
    assert centre_crop(_scene(20, 30), 18, multiple=4).cube.shape == (1, 16, 16)


def test_an_empty_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="centre crop of 0 pixels is empty"):
        centre_crop(_scene(6, 5), 0)
    with pytest.raises(ValueError, match=r"'one' of 6 x 3 pixels .* multiple of 4"):
        centre_crop(_scene(6, 3), None, multiple=4)
