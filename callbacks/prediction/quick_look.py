"""What a person looks at first: a restored cube beside its observation, collected while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from callbacks.reporting.drawing import POINTS, save_point_spectra
from datamodules.scenes import rgb_bands
from hyperalign.files import replacing_path
from hyperalign.rgb import displayed

SIDE = 1024
"""Longest side of a picture in pixels; larger scenes are shown by every n-th pixel."""
WHITE = 0.995
"""Share of the values below white: measured scenes are dark."""
_GAP = 8


class QuickLook:
    """Collects every n-th pixel of three bands, and three spectra, of a scene that passes by in tiles and rows.

    Args:
        height: rows of the observation.
        width: columns of the observation.
        wavelengths: centres of the written bands in nm; where they do not cover red, green and blue, the picture is
            made of three bands spread over the range.
    """

    def __init__(self, height: int, width: int, wavelengths: Sequence[float]) -> None:
        self.wavelengths = tuple(wavelengths)
        self.bands = list(shown_bands(self.wavelengths))
        self.stride = -(-max(height, width) // SIDE)
        self.points = [(int(down * (height - 1)), int(across * (width - 1))) for down, across in POINTS]
        size = (3, -(-height // self.stride), -(-width // self.stride))
        self._observed, self._restored = torch.zeros(size), torch.zeros(size)
        self._spectra: dict[str, dict[str, Tensor]] = {}

    def add_observation(self, top: int, left: int, tile: Tensor) -> None:
        """Take what is shown of a tile of the observation, the written bands `C x h x w`, in [0, 1]."""
        _, height, width = tile.shape
        down, right = -top % self.stride, -left % self.stride
        part = tile[self.bands, down :: self.stride, right :: self.stride]
        row, column = (top + down) // self.stride, (left + right) // self.stride
        self._observed[:, row : row + part.shape[1], column : column + part.shape[2]] = part
        for y, x in self.points:
            if top <= y < top + height and left <= x < left + width:
                self._point(y, x)["observation"] = tile[:, y - top, x - left].clone()

    def add_restored(self, row: int, rows: Tensor, scale: int) -> None:
        """Take what is shown of finished rows of the restored cube.

        Args:
            row: the first of them.
            rows: the written bands, `C x rows x width`, in [0, 1].
            scale: side of an observation's pixel in pixels of the restored cube.
        """
        step = self.stride * scale
        first = -row % step
        part = rows[self.bands, first::step, ::step]
        self._restored[:, (row + first) // step : (row + first) // step + part.shape[1]] = part
        for y, x in self.points:
            if row <= y * scale < row + rows.shape[1]:
                self._point(y, x)["restored"] = rows[:, y * scale - row, x * scale].clone()

    def save(self, picture: Path, spectra: Path) -> None:
        """Write the picture, the observation on the left and the restored cube on the right, and the spectra.

        Raises:
            OSError: if a file cannot be written.
        """
        known = self._restored[self._restored.isfinite()]
        white = max(float(np.quantile(known.numpy(), WHITE)) if len(known) else 1.0, 1e-6)
        sides = [displayed(torch.nan_to_num(cube) / white) for cube in (self._observed, self._restored)]
        gap = np.ones((sides[0].shape[0], _GAP, 3), dtype=np.float32)
        pixels = np.concatenate([sides[0], gap, sides[1]], axis=1)
        with replacing_path(picture) as beside:
            Image.fromarray((pixels * 255).round().astype(np.uint8)).save(beside)
        save_point_spectra(spectra, self._spectra, self.wavelengths)

    def _point(self, row: int, column: int) -> dict[str, Tensor]:
        return self._spectra.setdefault(f"row {row}, column {column}", {})


def shown_bands(wavelengths: Sequence[float]) -> tuple[int, int, int]:
    """Return the bands nearest to 660, 550 and 470 nm, or three of the range where it does not hold these."""
    try:
        return rgb_bands(wavelengths)
    except ValueError:
        ascending = sorted(range(len(wavelengths)), key=lambda band: wavelengths[band])
        last = len(ascending) - 1
        return ascending[last * 3 // 4], ascending[last // 2], ascending[last // 4]
