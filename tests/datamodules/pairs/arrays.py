"""Pairs of NumPy files that the tests of this folder read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules import FusionPair

BANDS = [470.0, 560.0, 660.0]


def values(channels: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Numbers between 1 and 4, every one another."""
    drawn: NDArray[np.float32] = np.random.default_rng(seed).uniform(1, 4, (channels, height, width)).astype(np.float32)
    return drawn


def write_pair(root: Path, name: str, coarse: NDArray[Any], fine: NDArray[Any]) -> None:
    """Write both images of a pair, `C x H x W`."""
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / f"{name}_hs.npy", coarse)
    np.save(root / f"{name}_ms.npy", fine)


def pairs(root: Path, **options: Any) -> FusionPair:  # noqa: ANN401
    """The data of a folder of such pairs."""
    axes = {"hyperspectral_axes": "CHW", "multispectral_axes": "CHW", "wavelengths": BANDS}
    return FusionPair(str(root), **(axes | options))
