"""Scenes far larger than what is kept of them: read strip by strip of rows, as float32, resized on the way."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.degradations.operators import SparseRows
from datamodules.degradations.resize import resize_matrix
from datamodules.scenes.readers import CubeFile
from hyperalign.errors import InputError

_STRIP_VALUES = 1 << 23

Resizing = Literal["area", "bicubic"]
"""`area`: a pixel is the mean of the area that it covers, so no value leaves the range of the measured ones. `bicubic`:
as MATLAB's imresize, antialiased; it overshoots at edges."""

Rule = Literal["minmax", "maximum", "clip", "none"]
"""`minmax`: the smallest value becomes 0, the largest 1. `maximum`: the largest becomes 1. `clip`: values outside of
[0, 1] are set to its ends. `none`: values stay. Each of the whole scene, before any crop."""


def load_float(file: CubeFile) -> Tensor:
    """Return a whole cube as `C x H x W`, float32, without holding it a second time in the file's own type.

    Raises:
        ValueError: if the file is damaged, or holds missing values.
    """
    cube = torch.empty(file.shape)
    for first, strip in _strips(file):
        cube[:, first : first + strip.shape[1]] = strip
    return cube


def load_resized(file: CubeFile, height: int, width: int, method: Resizing) -> Tensor:
    """Return a cube resized to `C x height x width`, float32, never holding it at its own size.

    Args:
        file: an open cube.
        height: rows to have.
        width: columns to have.
        method: see `Resizing`.

    Raises:
        ValueError: for an unknown method, a damaged file, or one that holds missing values.
    """
    bands, rows, columns = file.shape
    along = SparseRows(_matrix(columns, width, method))
    narrow = torch.empty(bands, rows, width)
    for first, strip in _strips(file):
        turned = strip.transpose(1, 2).contiguous()
        narrow[:, first : first + strip.shape[1]] = along.along_rows(turned).transpose(1, 2)
    return SparseRows(_matrix(rows, height, method)).along_rows(narrow)


def area_matrix(size: int, new_size: int) -> Tensor:
    """Return the `new_size x size` float64 matrix that averages over the area of each new sample.

    Args:
        size: number of samples before.
        new_size: number of samples after.
    """
    edges = torch.arange(new_size + 1, dtype=torch.float64) * (size / new_size)
    samples = torch.arange(size, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], samples + 1) - torch.maximum(edges[:-1, None], samples)
    # Rounding of the edges leaves slivers that would each read one more row.
    shares = overlap.clamp(min=0.0) * (overlap > 1e-9)
    return shares / shares.sum(dim=1, keepdim=True)


def in_unit_range(cube: Tensor, rule: Rule, where: str) -> Tensor:
    """Bring a whole scene to [0, 1], in place; values that are not finite are left for the check that names them.

    Args:
        cube: `C x H x W`, float32.
        rule: see `Rule`.
        where: the scene, for the sentence.

    Raises:
        ValueError: for a scene without finite values or without contrast.
    """
    if rule == "none":
        return cube
    if rule == "clip":
        return cube.clamp_(0.0, 1.0)
    low, high = _extremes(cube)
    floor = low if rule == "minmax" else 0.0
    if not (math.isfinite(high) and high > floor):
        raise InputError(
            f"The scene {where} cannot be normalised, as its largest value is {high:g} and what becomes 0 is "
            f"{floor:g}: download it again, or leave it out."
        )
    return cube.sub_(floor).div_(high - floor)


def _extremes(cube: Tensor) -> tuple[float, float]:
    low, high = cube.aminmax()
    if low.isfinite() and high.isfinite():
        return float(low), float(high)
    finite = cube.isfinite()
    return float(cube.masked_fill(~finite, torch.inf).min()), float(cube.masked_fill(~finite, -torch.inf).max())


def _matrix(size: int, new_size: int, method: Resizing) -> Tensor:
    if method == "area":
        return area_matrix(size, new_size)
    if method == "bicubic":
        return resize_matrix(size, new_size)
    raise InputError(f"The resizing {method!r} is unknown: choose area or bicubic.")


def _strips(file: CubeFile) -> Iterator[tuple[int, Tensor]]:
    bands, rows, columns = file.shape
    step = max(1, _STRIP_VALUES // (bands * columns))
    for first in range(0, rows, step):
        strip = file.complete(first, 0, min(step, rows - first), columns)
        yield first, torch.from_numpy(np.ascontiguousarray(strip, dtype=np.float32))
