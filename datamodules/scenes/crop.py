"""The part of a scene that is used."""

from dataclasses import replace

from datamodules.scenes.scene import Scene
from hyperalign.errors import InputError


def centre_crop(scene: Scene, size: int | None, multiple: int = 1) -> Scene:
    """Return the central `size x size` pixels of a scene.

    Args:
        scene: `C x H x W`.
        size: side in pixels; None or more than a side keeps that side.
        multiple: the sides become a multiple of this (the scale of a super-resolution task), by leaving out less than
            `multiple` rows and columns at the border.

    Raises:
        ValueError: if `size` is below 1, or nothing would be left.
    """
    if size is not None and size < 1:
        raise InputError(f"A centre crop of {size} pixels is empty: give at least 1, or leave `crop` out.")
    height, width = (min(side, size or side) // multiple * multiple for side in scene.cube.shape[-2:])
    if min(height, width) < 1:
        raise InputError(
            f"The scene {scene.name!r} of {scene.cube.shape[-2]} x {scene.cube.shape[-1]} pixels (crop {size}) has no "
            f"side that is a multiple of {multiple}: use a larger crop or a smaller scale."
        )
    row, column = ((side - kept) // 2 for side, kept in zip(scene.cube.shape[-2:], (height, width), strict=True))
    return replace(scene, cube=scene.cube[:, row : row + height, column : column + width])
