"""The band completion task."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from datamodules.degradations.base import Degradation, check_ratio, check_shape
from datamodules.degradations.draws import random_stream
from datamodules.degradations.operators import Masking
from hyperalign.errors import InputError


class BandMissing(Degradation):
    """Sets whole bands to 0; the bands are drawn for each cube, their number `floor(ratio C)` is fixed.

    Args:
        ratio: share of the bands that is missing, in [0, 1).

    Raises:
        ValueError: a ratio outside [0, 1); when drawing: a ratio above 0 that takes no band of so few.
    """

    def __init__(self, ratio: float = 0.3) -> None:
        check_ratio(ratio, "The ratio of missing bands")
        self.ratio = float(ratio)

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Masking:
        """Return the mask of one cube of `shape` (C, H, W): `C x 1 x 1`, False at the missing bands."""
        bands, _, _ = check_shape(shape)
        # The small term keeps products such as 0.29 * 100 = 28.999999999999996 at the intended integer.
        missing = math.floor(self.ratio * bands + 1e-9)
        if self.ratio > 0.0 and missing == 0:
            raise InputError(
                f"A ratio of {self.ratio} of missing bands takes none of {bands} bands; give a larger ratio."
            )
        order = random_stream(generator).permutation(bands)
        mask = torch.ones(bands, 1, 1, dtype=torch.bool)
        mask[torch.from_numpy(order[:missing])] = False
        return Masking(mask)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name and ratio."""
        return {"class": type(self).__name__, "ratio": self.ratio}
