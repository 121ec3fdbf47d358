"""The super-resolution task."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.degradations.base import Degradation, check_choice, check_shape
from datamodules.degradations.operators import Separable
from datamodules.degradations.resize import RESIZE_CONVENTIONS, bicubic_resize
from hyperalign.errors import InputError


class BicubicDownsampling(Degradation):
    """Bicubic reduction of both spatial axes; deterministic.

    Args:
        scale: reduction factor; height and width of a cube must be its multiples.
        convention: `matlab` (antialiased, mirrored border, equal to `imresize(cube, 1 / scale, 'bicubic')`; the
            data of MCNet, SFCSR, SSPSR) or `align_corners` (torch's, not antialiased; the data of MP-HSIR, which
            then repeats each pixel `scale x scale` times; the observation here stays small).

    Raises:
        ValueError: a scale below 1 or an unknown convention; when drawing: a size that the scale does not divide.
    """

    def __init__(self, scale: int = 4, convention: str = "matlab") -> None:
        check_choice(convention, RESIZE_CONVENTIONS, "The convention of the bicubic downsampling")
        if scale < 1:
            raise InputError(f"The scale of the bicubic downsampling is {scale} but must be at least 1.")
        self.scale = int(scale)
        self.convention = convention

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Separable:
        """Return the operator for a cube of `shape` (C, H, W); the generator is left untouched."""
        _, height, width = check_shape(shape)
        if height % self.scale or width % self.scale:
            raise InputError(
                f"A cube of {height} x {width} pixels cannot be reduced {self.scale} times; crop it to multiples of "
                f"{self.scale}."
            )
        return bicubic_resize(height, width, height // self.scale, width // self.scale, self.convention)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, scale and convention."""
        return {"class": type(self).__name__, "scale": self.scale, "convention": self.convention}
