"""Cubes written by windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers import CubeFile
from datamodules.scenes.writers import CubeWriter


def written_by_tiles(writer: CubeWriter, values: NDArray[np.generic]) -> None:
    """Write a cube in windows that do not divide it, and close it."""
    with writer:
        for row in range(0, values.shape[1], 5):
            for column in range(0, values.shape[2], 7):
                writer.write(row, column, values[:, row : row + 5, column : column + 7])


def output_of(source: CubeFile, folder: Path) -> Path:
    """Return the path of a cube named as its source, in another folder."""
    return folder / source.path.name
