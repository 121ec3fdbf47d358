"""Images that were measured beside a clean scene: a real noisy observation, the image of a second sensor."""

from collections.abc import Mapping
from typing import Literal

import torch

from datamodules.scenes.scene import MappedScene, Scene
from hyperalign.errors import InputError

MeasuredKind = Literal["observation", "multispectral"]
"""`observation` is used instead of a degraded scene, `multispectral` instead of a scene seen through a response."""


def check_measured(image: Scene, kind: MeasuredKind) -> Scene:
    """Return the image if it is a float32 `C x H x W` cube of finite values, one band per wavelength.

    Its values may lie outside of [0, 1], as noise does.

    Raises:
        ValueError: one sentence that names the image, what is wrong with it and what to do.
    """
    cube, name = image.cube, image.name
    if cube.dtype != torch.float32 or cube.ndim != 3 or cube.numel() == 0 or len(cube) != len(image.wavelengths):
        raise InputError(
            f"The measured {kind} of {name!r} is a {cube.dtype} tensor of shape {tuple(cube.shape)} for "
            f"{len(image.wavelengths)} wavelengths: give a float32 cube of bands x height x width."
        )
    if not (finite := cube.isfinite()).all():
        band, row, column = (~finite).nonzero()[0].tolist()
        raise InputError(
            f"The measured {kind} of {name!r} has {int((~finite).sum())} values that are NaN or infinite, the first in "
            f"band {band} at row {row}, column {column}: repair the file or leave the scene out."
        )
    return image


def check_same_grid(scene: MappedScene, measured: Mapping[MeasuredKind, MappedScene]) -> None:
    """Make sure that images lie pixel by pixel on their scene, and that an observation has its bands.

    Raises:
        ValueError: one sentence with both sizes.
    """
    for kind, image in measured.items():
        found, wanted = image.shape, scene.shape
        if found[1:] != wanted[1:] or (kind == "observation" and found[0] != wanted[0]):
            raise InputError(
                f"The measured {kind} of {scene.name!r} has {' x '.join(map(str, found))} values where its scene has "
                f"{' x '.join(map(str, wanted))}: use the files of one pair."
            )
