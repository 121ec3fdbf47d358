"""A fake CAVE scene in its true layout, a few pixels wide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MakeCave = Callable[..., Path]


def fake_values(name: str, size: int, bands: int = 31) -> NDArray[np.uint16]:
    """The 16-bit values of a fake scene, bands x size x size: dark, smooth over the bands, different for each name."""
    rng = np.random.default_rng(sum(map(ord, name)))
    low = rng.integers(0, 9000, (1, size, size))
    slope = rng.integers(0, 1500, (1, size, size))
    return (low + slope * np.arange(bands)[:, None, None]).astype(np.uint16)


def write_scene(folder: Path, name: str, values: NDArray[Any]) -> None:
    """Write one scene as CAVE does: a PNG a band, a thumbnail database and a colour picture."""
    folder.mkdir(parents=True)
    for band, plane in enumerate(values, start=1):
        Image.fromarray(plane).save(folder / f"{name}_ms_{band:02d}.png")
    (folder / "Thumbs.db").write_bytes(b"no picture")
    Image.new("RGB", (values.shape[1], values.shape[2])).save(folder / f"{name}_RGB.bmp")
