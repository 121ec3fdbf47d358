"""TIFF files with GDAL's tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

CUBE = np.random.default_rng(2).uniform(0.1, 0.9, (5, 40, 48)).astype(np.float32)

CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)

ITEM = '<Item name="{}" sample="{}" role="{}">{}</Item>'


def gdal(items: list[str], nodata: object = None) -> list[tuple[int, str, int, Any, bool]]:
    """GDAL's tags."""
    tags: list[tuple[int, str, int, Any, bool]] = [
        (42112, "s", 0, "<GDALMetadata>" + "".join(items) + "</GDALMetadata>", True)
    ]
    return tags + ([(42113, "s", 0, str(nodata), True)] if nodata is not None else [])


def write(path: Path, *, tags: Any = (), **options: Any) -> Path:  # noqa: ANN401
    """Write the cube as a TIFF."""
    tifffile.imwrite(path, CUBE, photometric="minisblack", metadata=None, extratags=tags, **options)
    return path
