"""The inpainting task."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.degradations.base import Degradation, check_choice, check_ratio, check_shape
from datamodules.degradations.draws import random_stream
from datamodules.degradations.operators import Masking

MASK_CONVENTIONS = ("element", "pixel")


class RandomMask(Degradation):
    """Sets entries to 0, each independently with the same probability.

    Args:
        ratio: probability that an entry is lost, in [0, 1).
        convention: `element`: every entry of the cube is decided for itself (MP-HSIR, the default); `pixel`: a
            pixel is lost in all its bands or in none.

    Raises:
        ValueError: a ratio outside [0, 1) or an unknown convention.
    """

    def __init__(self, ratio: float = 0.9, convention: str = "element") -> None:
        check_ratio(ratio, "The ratio of the random mask")
        check_choice(convention, MASK_CONVENTIONS, "The convention of the random mask")
        self.ratio = float(ratio)
        self.convention = convention

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Masking:
        """Return the mask of one cube of `shape` (C, H, W): C x H x W or 1 x H x W, False at lost entries."""
        bands, height, width = check_shape(shape)
        size = (bands if self.convention == "element" else 1, height, width)
        return Masking(torch.from_numpy(random_stream(generator).random(size) >= self.ratio))

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, ratio and convention."""
        return {"class": type(self).__name__, "ratio": self.ratio, "convention": self.convention}
